package message_test

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"shopwatch/notifier"
	"shopwatch/notifier/message"
	"shopwatch/rules"
)

func TestOurOwnTemplatesHaveNoMistake(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, message.Files()); err != nil {
		t.Fatal(err)
	}
	if err := message.Check(dir); err != nil {
		t.Error(err)
	}
}

func TestOurTemplatesNameEveryFactThatTheyCouldTell(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"words.zh.txt", "words.en.txt"} {
		content, err := fs.ReadFile(message.Files(), file)
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(string(content), "*/")
		for _, of := range []reflect.Type{reflect.TypeFor[message.Facts](), reflect.TypeFor[message.OnCall](), reflect.TypeFor[message.Told]()} {
			for _, field := range reflect.VisibleFields(of) {
				if !regexp.MustCompile(`\.` + field.Name + `\b`).MatchString(head) {
					t.Errorf("the head of %s does not name .%s", file, field.Name)
				}
			}
		}
	}
}

// folder is a folder of an owner's templates.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestEveryMistakeOfATemplateIsNamedWithItsFile(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, file, content string
		want                []string // what each of the mistakes begins with, in order
	}{
		{"a file that replaces nothing", "words.de.txt", "x", []string{"words.de.txt: got a file that replaces none of ours, want one of email.html, robot.txt, "}},
		{"a block that nothing prints", "words.en.txt", `{{define "dwon"}}x{{end}}`, []string{`words.en.txt: got a block "dwon", want one of address, code, confirm, `}},
		{"no template at all", "email.html", "<p>\n{{if}}", []string{"email.html:2: "}},
		{"an unknown function", "words.zh.txt", "\n\n{{define \"down\"}}\n{{shout .Title}}{{end}}", []string{`words.zh.txt:4: got the function shout, want one of `}},
		{"a fact that there is none of", "words.zh.txt", "{{define \"down\"}}\n{{.Titel}}{{end}}", []string{`words.zh.txt:2: block "down": got .Titel, want one of `}},
		{"what only those on call may read", "words.en.txt", "{{define \"down\"}}{{.Title}}\n{{.OnCall.Description}}{{end}}", []string{`words.en.txt:2: block "down": got .OnCall.Description also where subscribers read it, `}},
		{"no headline", "words.en.txt", "{{define \"welcome\"}}{{if .OnCall}}x{{end}}{{end}}", []string{`words.en.txt: got no headline for event "welcome" in "en" to subscribers, want `}},
		{"a text message of nothing", "sms.zh.txt", `{{define "reopened"}}{{if .Scope}}x{{end}}{{end}}`, []string{
			`sms.zh.txt: got nothing for event "reopened" in "zh" to ops, want a sentence`,
			`sms.zh.txt: got nothing for event "reopened" in "zh" to management, want a sentence`,
			`sms.zh.txt: got nothing for event "reopened" in "zh" to subscribers, want a sentence`,
		}},
		{"a text message that is too long", "sms.zh.txt", `{{define "code"}}` + strings.Repeat("长", 300) + `{{end}}`, []string{`sms.zh.txt: got 300 characters for event "code" in "zh" to ops, want at most 268, `, "", ""}},
		{"a form without a text", "text.txt", "{{if .Blocks}}{{end}}", nil},
		{"a tag that Telegram does not know", "telegram.html", "<p>{{.Subject}}</p>", nil},
		{"a tag without its end", "telegram.html", "<b>{{.Subject}}", nil},
		{"a span that hides nothing", "telegram.html", "<span>{{.Subject}}</span>", nil},
		{"a book", "robot.txt", `{{range 300000}}x{{end}}`, []string{"robot.txt: got more than 65536 bytes, want fewer"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, map[string]string{c.file: c.content})
			err := message.Check(dir)
			if err == nil {
				t.Fatal("got no mistake")
			}
			lines := strings.Split(err.Error(), "\n")
			if c.want != nil && len(lines) != len(c.want) {
				t.Errorf("got %d mistakes, want %d:\n%v", len(lines), len(c.want), err)
			}
			for i, line := range lines {
				if !strings.HasPrefix(line, dir+"/"+c.file) || i < len(c.want) && !strings.HasPrefix(line, dir+"/"+c.want[i]) {
					t.Errorf("got %s", line)
				}
			}
			if _, err := message.New(message.Config{Zone: shanghai, Templates: dir, Logger: slog.New(slog.DiscardHandler)}); err == nil {
				t.Error("a Writer starts with it")
			}
		})
	}
}

func TestMistakesOfSeveralFilesComeAtOnce(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"words.zh.txt": "{{", "email.html": "{{end}}", "sms.txt": "", ".hidden": "{{"})
	err := message.Check(dir)
	for _, want := range []string{"words.zh.txt:1", "email.html:1", "sms.txt: got a file"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a mistake of %s", err, want)
		}
	}
	if strings.Contains(err.Error(), ".hidden") {
		t.Error("a hidden file is read: Kubernetes mounts a ConfigMap with some")
	}
}

func TestAnOwnersBlockReplacesOursAndTheOthersStay(t *testing.T) {
	t.Parallel()
	w, err := message.New(message.Config{
		Page: rules.Text{ZH: "小明卡铺", EN: "Ming's Cards"}, Zone: shanghai, Logger: slog.New(slog.DiscardHandler),
		Templates: folder(t, map[string]string{
			"words.en.txt":  "{{define \"down\"}}\nUh-oh: {{.Title}}\n{{template \"sorry\" .}}\n{{fact \"Since\" .Since}}{{end}}\n{{define \"sorry\"}}Sorry, {{.Service}} & friends.{{end}}",
			"telegram.html": "<u>{{.Headline}}</u>{{range .Blocks}}\n{{range .Lines}}{{.}}{{end}}{{end}}",
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := w.Compose(delivery(message.Telegram, notifier.English, rules.Subscribers, notifier.EventDown))
	if err != nil {
		t.Fatal(err)
	}
	if want := "<u>Uh-oh: Alipay payments are failing</u>\nSorry, Alipay &amp; friends."; m.HTML != want {
		t.Errorf("got %q, want %q", m.HTML, want)
	}
	if m, err = w.Compose(delivery(message.Telegram, notifier.English, rules.Subscribers, notifier.EventRecovered)); err != nil || !strings.Contains(m.HTML, "Resolved: Alipay") {
		t.Errorf("got %q, %v", m.HTML, err)
	}
}

func TestATemplateThatFailsLosesNoNotice(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	w, err := message.New(message.Config{
		Zone: shanghai, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Templates: folder(t, map[string]string{"words.en.txt": `{{define "down"}}{{if eq .Service "Alipay!"}}{{slice .Title 1000}}{{end}}{{.Title}}{{end}}`}),
	})
	if err != nil {
		t.Fatal(err)
	}
	d := delivery(message.Email, notifier.English, rules.Ops, notifier.EventDown)
	d.Notice.Facts.Service.Name.EN = "Alipay!"
	m, err := w.Compose(d)
	if err != nil || !strings.Contains(m.Text, "Alipay payments are failing") {
		t.Errorf("got %q, %v", m.Text, err)
	}
	if !strings.Contains(log.String(), "words.en.txt:1:") {
		t.Errorf("nobody is told why: %s", &log)
	}
}
