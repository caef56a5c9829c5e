package message_test

import (
	"strings"
	"testing"

	"shopwatch/notifier/message"
)

func TestMistakesOfATemplateAreToldInWordsForWhoChangesANotice(t *testing.T) {
	t.Parallel()
	const goOwn = "one of those that every template has: and, eq, ge, gt, html, index, js, le, len, lt, ne, not, or, print, printf, println, slice, urlquery"
	for name, tt := range map[string]struct{ file, content, want string }{
		"a function of nobody":        {"words.zh.txt", "\n{{define \"down\"}}\n{{shout .Title}}{{end}}", `words.zh.txt:3: got the function shout, want one of fact, item, link, note, or ` + goOwn},
		"a function of the words":     {"sms.zh.txt", "{{define \"down\"}}{{fact \"x\" .Title}}{{end}}", `sms.zh.txt:1: got the function fact, want ` + goOwn},
		"a fact without its point":    {"words.zh.txt", "{{define \"down\"}}\nx {{Title}}{{end}}", `words.zh.txt:2: got the fact Title without a point, want .Title`},
		"a fact of nobody":            {"words.zh.txt", "{{define \"down\"}}\n{{.Titel}}{{end}}", `words.zh.txt:2: block "down": got .Titel, want one of .Event, .Channel, .Language, .First, .Longer, .Late, .Orders, .Shop, .Title, `},
		"a fact of those on call":     {"words.zh.txt", "{{define \"down\"}}\nx {{.OnCall.Hands}}{{end}}", `words.zh.txt:2: block "down": got .OnCall.Hands, want one of .Where, .Key, `},
		"a fact of a digest's entry":  {"words.zh.txt", "{{define \"digest\"}}\nx {{range .Digest}}{{.Titel}}{{end}}{{end}}", `words.zh.txt:2: block "digest": got .Titel, want one of .Title, .Course`},
		"a fact of a fact":            {"words.zh.txt", "{{define \"down\"}}\nx {{.Title.Long}}{{end}}", `words.zh.txt:2: block "down": got .Title.Long, want .Title: it is a text, a number or a list, and has no facts in it`},
		"a fact of the form":          {"telegram.html", "\n{{.Titel}}", `telegram.html:2: got .Titel, want one of .Event, .Language, .Public, `},
		"a fact of the form's blocks": {"email.html", "<p>{{range .Blocks}}{{.Foo}}{{end}}", `email.html:1: got .Foo, want one of .Facts, .Items, .Lines, .Note`},
		"what only those on call may read": {"words.zh.txt", "{{define \"down\"}}\nx {{.OnCall.Key}}{{end}}",
			`words.zh.txt:2: block "down": got .OnCall.Key also where subscribers read it, for whom .OnCall is empty, want it behind {{with .OnCall}}, without the .OnCall: {{with .OnCall}}{{.Key}}{{end}}`},
		"a block without its end":         {"words.zh.txt", "{{define \"down\"}}\nx {{if .Late}}y{{end}}", `words.zh.txt:2: got the end of the file, want an {{end}} for each {{define}}, {{if}}, {{with}} and {{range}} before it`},
		"an end too many":                 {"words.zh.txt", "{{define \"down\"}}\nx {{.Title}}{{end}}{{end}}", `words.zh.txt:2: got an {{end}} that belongs to nothing, want `},
		"a brace too few":                 {"words.zh.txt", "{{define \"down\"}}\nx {{.Title}{{end}}", `words.zh.txt:2: got a single }, want }} behind what stands in {{`},
		"braces without their end":        {"words.zh.txt", "{{define \"down\"}}\nx {{.Title", `words.zh.txt:2: got {{ without its end, want }} on the same line`},
		"a condition that is missing":     {"words.zh.txt", "{{define \"down\"}}\nx {{if}}{{end}}{{end}}", `words.zh.txt:2: got {{if}} with nothing behind it, want a fact, such as {{if .Scope}}`},
		"a text without its end":          {"words.zh.txt", "{{define \"down\"}}\nx {{fact \"x}}{{end}}", `words.zh.txt:2: got a text without its second ", want both on one line: "…"`},
		"Chinese quotation marks":         {"words.zh.txt", "{{define \"down\"}}\nx {{fact “开始” .Since}}{{end}}", `words.zh.txt:2: got Chinese quotation marks in {{ }}, want straight ones: "…"`},
		"a sign of nobody":                {"words.zh.txt", "{{define \"down\"}}\nx {{fact 「开始」 .Since}}{{end}}", `words.zh.txt:2: got the sign 「 in {{ }}, want a fact such as .Title, `},
		"a value too few":                 {"words.zh.txt", "{{define \"down\"}}\nx {{fact \"x\"}}{{end}}", `words.zh.txt:2: block "down": got fact with 1 values behind it, want 2`},
		"a list as a text":                {"words.zh.txt", "{{define \"down\"}}\nx {{fact \"x\" .Digest}}{{end}}", `words.zh.txt:2: block "down": got a list where a text must be, want {{range …}}{{.}}{{end}} around it`},
		"a number as a text":              {"words.zh.txt", "{{define \"down\"}}\nx {{fact \"x\" .Open}}{{end}}", `words.zh.txt:2: block "down": got a number, or true or false, where a text must be, want (print …) around it`},
		"a block of nobody":               {"words.zh.txt", "{{define \"down\"}}\nx {{template \"foo\" .}}{{end}}", `words.zh.txt:2: block "down": got the block "foo", which there is none of, want one that this file defines, or that ours does`},
		"a block of nobody in a form":     {"email.html", "<p>\n{{template \"x\"}}", `email.html:2: got the block "x", which there is none of`},
		"a variable of nobody":            {"words.zh.txt", "{{define \"down\"}}\nx {{$x}}{{end}}", `words.zh.txt:2: got the variable $x, which has no value, want a {{$x := …}} before it in the same block`},
		"two facts in one pair":           {"words.zh.txt", "{{define \"down\"}}\nx {{.Title .Since}}{{end}}", `words.zh.txt:2: block "down": got a fact with values behind it, want each in braces of its own`},
		"apples and pears":                {"words.zh.txt", "{{define \"down\"}}\nx {{if eq .Late \"x\"}}y{{end}}{{end}}", `words.zh.txt:2: block "down": got a comparison of bool and string, want two of a kind`},
		"a list of what is none":          {"words.zh.txt", "{{define \"digest\"}}\nx {{range .Title}}{{.}}{{end}}{{end}}", `words.zh.txt:2: block "digest": got {{range}} of what is no list, want one of .Digest and .OnCall.News`},
		"a name without quotation marks":  {"words.zh.txt", "{{define down}}\nx {{end}}", `words.zh.txt:1: got a block's name without quotation marks, want {{define "down"}}`},
		"a block twice":                   {"words.zh.txt", "{{define \"down\"}}x{{end}}\n{{define \"down\"}}y{{end}}", `words.zh.txt:2: got the block "down" a second time, want it once`},
		"an attribute without its end":    {"email.html", "<p title=\"\n{{.Headline}}", `email.html: got a tag or an attribute without its end, want a > for each <, and quotation marks in pairs`},
		"a sign that HTML does not allow": {"email.html", "<p {{if .Public}}\"{{end}}>", `email.html: got a sign in a tag that HTML doesn't allow there, want attributes such as href="{{.URL}}", `},
		"something that has no words":     {"words.zh.txt", "{{define \"down\"}}\nx {{index .Digest 5}}{{end}}", `words.zh.txt:2: block "down": got index .Digest 5 (error calling index: index out of range: 5), want a template as https://pkg.go.dev/text/template explains`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, map[string]string{tt.file: tt.content})
			err := message.Check(dir)
			if err == nil {
				t.Fatal("got no mistake")
			}
			if first, _, _ := strings.Cut(err.Error(), "\n"); !strings.HasPrefix(first, dir+"/"+tt.want) {
				t.Errorf("got  %s\nwant %s", strings.TrimPrefix(first, dir+"/"), tt.want)
			}
		})
	}
}
