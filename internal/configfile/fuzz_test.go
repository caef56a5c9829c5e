package configfile_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"shopwatch/internal/configfile"
)

// FuzzParse feeds arbitrary files. Whatever they hold: nothing panics, each
// mistake is one printable line on a line of the file, and what the environment
// holds is in none of them.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "# c\n", "s:\n  count: 1\n  words: [a, b]\n  oven: {degrees: 90}\n", "s: {password: \"${TOKEN}\", word: '${TOKEN}'}",
		"s:\n  count: ${TOKEN}\n  wait: ${TOKEN}\n  colour: ${TOKEN}\n  flag: ${ABSENT}\n", "s:\n  password_file: ${TOKEN}\n",
		"s: &a {<<: *a}\n", "s:\n\t- x\n", "s: |\n  a\n  b\nt: >-\n  c\n", "\ufeffs:\r\n  by_name:\r\n    x: {fan: true}\r\n", "? [a]\n: b\n",
		"s:\n  count: 1\n  count: 2\n---\nx\n...\n", "%YAML 1.2\n---\n!!str a: !b c\n", "s: {\"a\\nb\": 1}\n", "s: [[[[[{a: [}]]]]]\n",
		"s:\n  - - - - x\n  -\n", "\"s\": {'ovens': [{}, {degrees: 1e3}, ~]}\n", "s:\n  \x00: \xff\n",
	} {
		f.Add(seed)
	}
	const token = "Zx-value-of-the-environment-Zx"
	mistake := regexp.MustCompile(`^test\.yml(:(\d+))?: .*got .+, want .+$`)
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := configfile.Parse("test.yml", []byte(text), environment("TOKEN", token))
		if err == nil {
			problems := doc.Problems()
			var into kitchen
			doc.Decode("s", &into, problems)
			problems.Add("s.ovens[3].degrees", into.Count, "W")
			problems.Add("s.word", into.Word, "W")
			problems.Add("s.password", into.Password, "W")
			err = configfile.Join(doc.Only("s"), problems.Err())
		}
		if err == nil {
			return
		}
		var mistakes configfile.Mistakes
		if !errors.As(err, &mistakes) {
			t.Fatalf("got %T, want Mistakes", err)
		}
		lines := 1 + strings.Count(text, "\n") + strings.Count(text, "\r")
		for i, m := range mistakes {
			if m.Line < 0 || m.Line > lines {
				t.Errorf("line %d of %d: %v", m.Line, lines, m)
			}
			if i > 0 && m.Line < mistakes[i-1].Line {
				t.Errorf("%v stands after %v", m, mistakes[i-1])
			}
			shown := m.Error()
			if !mistake.MatchString(shown) || strings.ContainsFunc(shown, unicode.IsControl) {
				t.Errorf("got %q", shown)
			}
			if strings.Contains(shown, token) {
				t.Errorf("%q shows the environment", shown)
			}
		}
	})
}
