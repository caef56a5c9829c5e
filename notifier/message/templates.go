package message

import (
	"bytes"
	"embed"
	"fmt"
	htmltemplate "html/template"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"text/template"

	"shopwatch/notifier"
)

//go:embed templates
var embedded embed.FS

// Files are our templates, by the names under which others replace them.
func Files() fs.FS {
	files, err := fs.Sub(embedded, "templates")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return files
}

// maxOutput is the most bytes of one message in one form.
const maxOutput = 64 << 10

// form is a parsed template of either kind.
type form interface {
	Name() string
	Execute(w io.Writer, data any) error
}

// templates are all that a Writer executes.
type templates struct {
	languages                    map[notifier.Language]language
	telegram, email, text, robot form
}

// language is the words of one language. Their blocks are named as the events.
type language struct{ words, sms *template.Template }

// said is what the words say of a notice.
type said struct{ body, footer draft }

func (l language) draft(f Facts) (said, error) {
	body, err := block(l.words, string(f.Event), f)
	if err != nil {
		return said{}, err
	}
	footer := ""
	if f.OnCall == nil && f.Event != notifier.EventConfirm && f.Event != notifier.EventCode { // they need not be subscribed
		if footer, err = block(l.words, blockFooter, f); err != nil {
			return said{}, err
		}
	}
	return said{body: read(body, true), footer: read(footer, false)}, nil
}

// text is the one line of a text message.
func (l language) text(f Facts) (string, error) {
	text, err := block(l.sms, string(f.Event), f)
	return oneLine(text), err
}

// block executes one block of a file.
func block(t *template.Template, name string, f Facts) (string, error) {
	found := t.Lookup(name)
	if found == nil {
		return "", fmt.Errorf("no words for event %q", name)
	}
	var out limited
	err := found.Execute(&out, f)
	return out.String(), out.inFile(t.Name(), err)
}

var gap = regexp.MustCompile(`\n[ \t]*\n\s*\n`)

// run executes a form, and leaves no more than one empty line anywhere.
func run(t form, v View) (string, error) {
	var out limited
	if err := t.Execute(&out, v); err != nil {
		return "", out.inFile(t.Name(), err)
	}
	return strings.TrimSpace(gap.ReplaceAllString(out.String(), "\n\n")), nil
}

// limited is a buffer that refuses to grow beyond maxOutput.
type limited struct {
	bytes.Buffer
	full bool
}

func (l *limited) Write(p []byte) (int, error) {
	if l.full = l.Len()+len(p) > maxOutput; l.full {
		return 0, io.ErrShortWrite
	}
	return l.Buffer.Write(p)
}

// inFile is why a file could not be executed, or not in full.
func (l *limited) inFile(name string, err error) error {
	if l.full {
		return fmt.Errorf("%s: got more than %d bytes, want fewer", name, maxOutput)
	}
	return inFile(err)
}

// parse reads our templates and, over them, those given by name. Each problem
// begins with its file.
func parse(given map[string]string) (templates, []error) {
	t := templates{languages: map[notifier.Language]language{}}
	var problems []error
	keep := func(err error) {
		if err != nil {
			problems = append(problems, inFile(err))
		}
	}
	for _, l := range languages {
		var set language
		var err error
		set.words, err = parseWords(given, "words."+string(l)+".txt", wordFuncs)
		keep(err)
		set.sms, err = parseWords(given, "sms."+string(l)+".txt", nil)
		keep(err)
		t.languages[l] = set
	}
	for name, to := range map[string]*form{"telegram.html": &t.telegram, "email.html": &t.email, "text.txt": &t.text, "robot.txt": &t.robot} {
		var err error
		*to, err = parseForm(given, name)
		keep(err)
	}
	return t, problems
}

// blockFooter is the block of the words that subscribers find under every notice.
const blockFooter = "footer"

// parseWords parses ours, and over it the blocks that an override has: the
// others stay ours.
func parseWords(given map[string]string, name string, funcs template.FuncMap) (*template.Template, error) {
	set := template.New(name).Funcs(funcs).Option("missingkey=error")
	ours, err := fs.ReadFile(Files(), name)
	if err != nil {
		return nil, err
	}
	if set, err = set.Parse(string(ours)); err != nil {
		return nil, err
	}
	override, ok := given[name]
	if !ok {
		return set, nil
	}
	// On its own first, to know which blocks it has.
	alone, err := template.New(name).Funcs(funcs).Parse(override)
	if err != nil {
		return set, err
	}
	if err := strayBlocks(set, alone, name); err != nil {
		return set, err
	}
	return set.Parse(override)
}

// parseForm parses an override of a form, or ours.
func parseForm(given map[string]string, name string) (form, error) {
	content, ok := given[name]
	if !ok {
		ours, err := fs.ReadFile(Files(), name)
		if err != nil {
			return nil, err
		}
		content = string(ours)
	}
	if strings.HasSuffix(name, ".html") {
		t, err := htmltemplate.New(name).Parse(content)
		return t, err
	}
	return template.New(name).Parse(content)
}
