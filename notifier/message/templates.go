package message

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
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

// Limits of what an override may be and print.
const (
	maxFile   = 256 << 10 // bytes
	maxOutput = 256 << 10 // bytes of one message in one form
)

// form is a parsed template of either kind.
type form interface {
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
	return out.String(), err
}

var gap = regexp.MustCompile(`\n[ \t]*\n\s*\n`)

// run executes a form, and leaves no more than one empty line anywhere.
func run(t form, v View) (string, error) {
	var out limited
	if err := t.Execute(&out, v); err != nil {
		return "", err
	}
	return strings.TrimSpace(gap.ReplaceAllString(out.String(), "\n\n")), nil
}

// limited is a buffer that refuses to grow beyond maxOutput.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxOutput {
		return 0, fmt.Errorf("prints more than %d bytes", maxOutput)
	}
	return l.Buffer.Write(p)
}

// parse reads our templates and, over them, those of overrides.
func parse(overrides fs.FS) (templates, error) {
	t := templates{languages: map[notifier.Language]language{}}
	given, problems := readOverrides(overrides)
	for _, l := range languages {
		var set language
		var errs [2]error
		set.words, errs[0] = parseWords(given, "words."+string(l)+".txt", wordFuncs)
		set.sms, errs[1] = parseWords(given, "sms."+string(l)+".txt", nil)
		problems = append(problems, errs[:]...)
		t.languages[l] = set
	}
	var errs [4]error
	t.telegram, errs[0] = parseForm(given, "telegram.html")
	t.email, errs[1] = parseForm(given, "email.html")
	t.text, errs[2] = parseForm(given, "text.txt")
	t.robot, errs[3] = parseForm(given, "robot.txt")
	return t, errors.Join(append(problems, errs[:]...)...)
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
		return set, inFile(err)
	}
	if err := strayBlocks(set, alone, name); err != nil {
		return set, err
	}
	return set.Parse(override)
}

// strayBlocks reports blocks of an override that nothing would ever print.
func strayBlocks(ours, alone *template.Template, name string) error {
	var bodies strings.Builder
	for _, t := range alone.Templates() {
		if t.Tree != nil {
			bodies.WriteString(t.Root.String())
		}
	}
	var problems []error
	for _, t := range slices.SortedFunc(slices.Values(alone.Templates()), func(a, b *template.Template) int { return cmp.Compare(a.Name(), b.Name()) }) {
		used := strings.Contains(bodies.String(), "{{template "+strconv.Quote(t.Name()))
		if t.Name() != name && ours.Lookup(t.Name()) == nil && !used {
			problems = append(problems, fmt.Errorf("%s: got a block %q, want one of %s, or one that another block uses", name, t.Name(), strings.Join(blockNames(ours, name), ", ")))
		}
	}
	return errors.Join(problems...)
}

func blockNames(t *template.Template, file string) []string {
	names := map[string]bool{}
	for _, b := range t.Templates() {
		names[b.Name()] = b.Name() != file
	}
	maps.DeleteFunc(names, func(_ string, block bool) bool { return !block })
	return slices.Sorted(maps.Keys(names))
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
		return t, inFile(err)
	}
	t, err := template.New(name).Parse(content)
	return t, inFile(err)
}

// prefixShape is how the template packages begin their errors.
var prefixShape = regexp.MustCompile(`^(?:html/)?template: ?`)

// inFile is a template's error that begins with its file and line.
func inFile(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(prefixShape.ReplaceAllString(err.Error(), ""))
}

// readOverrides reads the files that replace ours, by name. Hidden files are
// left alone: that is how Kubernetes mounts a ConfigMap.
func readOverrides(overrides fs.FS) (map[string]string, []error) {
	if overrides == nil {
		return nil, nil
	}
	entries, err := fs.ReadDir(overrides, ".")
	if err != nil {
		return nil, []error{err}
	}
	var names []string
	ours, err := fs.ReadDir(Files(), ".")
	if err != nil {
		return nil, []error{err}
	}
	for _, entry := range ours {
		names = append(names, entry.Name())
	}
	given := map[string]string{}
	var problems []error
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case strings.HasPrefix(name, "."):
		case !slices.Contains(names, name):
			problems = append(problems, fmt.Errorf("%s: got a file that replaces none of ours, want one of %s", name, strings.Join(names, ", ")))
		default:
			content, err := readFile(overrides, name)
			if err != nil {
				problems = append(problems, err)
				continue
			}
			given[name] = content
		}
	}
	return given, problems
}

func readFile(files fs.FS, name string) (string, error) {
	file, err := files.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	if len(content) > maxFile {
		return "", fmt.Errorf("%s: got a file of more than %d bytes, want fewer", name, maxFile)
	}
	return string(content), nil
}
