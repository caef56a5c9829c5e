package configfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shopwatch/internal/configfile"
)

func TestParseRefusesWhatIsNoMappingOfSections(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"a list", "- a\n", "test.yml:1: got a list, want a mapping of sections"},
		{"a text", "\n\nhello\n", "test.yml:3: got a text, want a mapping of sections"},
		{"an anchor around everything", "&a\nb: 1\n", "test.yml:1: got an anchor, want a mapping of sections"},
		{"two documents", "a: 1\n---\nb: 2\n", "test.yml:3: got a second document, want one"},
		{"a directive", "%YAML 1.2\n---\na: 1\n", "test.yml:1: got a directive, want none"},
		{"bytes of another encoding", "a: 1\nb: \xce\xd2\n", "test.yml:2: got bytes that are no UTF-8, want UTF-8 text"},
		{"a tab for indentation", "a:\n\tb: 1\n", "test.yml:2: got a slip of YAML (found character ' ' that cannot start any token), want well-formed YAML"},
		{"a bracket that is not closed", "a: 1\nb: [1, 2\nc: 3\n", "test.yml:3: got a slip of YAML (',' or ']' must be specified), want well-formed YAML"},
		{"a variable without quotes within braces", "a:\n  b: {c: ${D}, e: f}\n", "test.yml:2: got a slip of YAML (',' or '}' must be specified; within { } and [ ] a ${NAME} needs quotes), want well-formed YAML"},
		{"a password with a colon, which is not shown", "a:\n  password: hunter2: x\n", "test.yml:2: got a slip of YAML (mapping value is not allowed in this context), want well-formed YAML"},
		{"brackets as deep as a bomb", "a: " + strings.Repeat("[", 90_000), "test.yml:1: got values nested too deeply, want a flatter file"},
		{"dashes as deep as a bomb", "a:\n" + strings.Repeat("- ", 40_000), "test.yml:2: got values nested too deeply, want a flatter file"},
		{"indentation as deep as a bomb", deep(300), "test.yml:102: got values nested too deeply, want a flatter file"},
		{"too many values", strings.Repeat("- b\n", 250_000), "test.yml: got 500000 words and signs, want at most 400000"},
		{"too many bytes", "#" + strings.Repeat("x", configfile.MaxSize), "test.yml: got a larger file, want at most 1 MiB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			doc, err := configfile.Parse("test.yml", []byte(test.text), nil)
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("took %s", took)
			}
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			var mistakes configfile.Mistakes
			if !errors.As(err, &mistakes) {
				t.Errorf("got %T, want Mistakes", err)
			}
			if doc != nil {
				t.Error("got a document besides the error")
			}
		})
	}
}

// deep is a mapping in a mapping in a mapping, one column a level.
func deep(levels int) string {
	var text strings.Builder
	for i := range levels {
		text.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return text.String()
}

func TestReadNamesTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shopwatch.yml")
	if _, err := configfile.Read(path, nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want that %s is not there", err, path)
	}
	if err := os.WriteFile(path, []byte("a: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := configfile.Read(path, nil); err == nil || !strings.HasPrefix(err.Error(), path+":1: got a slip of YAML") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("#", configfile.MaxSize+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := configfile.Read(path, nil); err == nil || err.Error() != path+": got a larger file, want at most 1 MiB" {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(path, []byte("a: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	doc, err := configfile.Read(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if doc.Name() != path {
		t.Errorf("got name %q", doc.Name())
	}
}

func TestOnlyReportsOtherSections(t *testing.T) {
	t.Parallel()
	text := "exporter: {}\nnotifer:\n  a: 1\nexporter: {}\nx: &a 1\n<<: {}\n"
	doc, err := configfile.Parse("test.yml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	err = doc.Only("exporter", "notifier")
	const want = "test.yml:2: notifer: got an unknown field, want one of exporter, notifier (did you mean notifier?)\n" +
		"test.yml:4: exporter: got the key a second time, want it once (it is on line 1)\n" +
		"test.yml:5: x: got an unknown field, want one of exporter, notifier\n" +
		"test.yml:6: got a merge key, want plain keys"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	good, err := configfile.Parse("test.yml", []byte("notifier: {}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := good.Only("exporter", "notifier"); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestHasKnowsWhichSectionsAreFilled(t *testing.T) {
	t.Parallel()
	doc, err := configfile.Parse("test.yml", []byte("a: {}\nb:\nc: {d: 1}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for section, want := range map[string]bool{"a": true, "b": false, "c": true, "d": false} {
		if got := doc.Has(section); got != want {
			t.Errorf("section %s: got %t", section, got)
		}
	}
}

func TestAddFindsTheLineOfThePath(t *testing.T) {
	t.Parallel()
	text := "s:\n" + // 1
		"  word: hello there\n" + // 2
		"  oven:\n" + // 3
		"    degrees: 90\n" + // 4
		"  ovens:\n" + // 5
		"    - degrees: 1\n" + // 6
		"    - {fan: true}\n" + // 7
		"  password_file: /nowhere\n" + // 8
		"  count: x\n" + // 9
		"  wait: ${WAIT}\n" + // 10
		"  ratio: ${RATIO}\n" + // 11
		"  labels:\n" // 12
	doc, err := configfile.Parse("test.yml", []byte(text), environment("WAIT", "7h", "RATIO", "0.25"))
	if err != nil {
		t.Fatal(err)
	}
	oven1 := configfile.Item(configfile.Field("s", "ovens"), 1)
	for _, test := range []struct {
		name, path string
		got        any
		want       string
	}{
		{"a field", "s.word", "hello there", `test.yml:2: s.word: got "hello there", want W`},
		{"a mapping, on the line of its key", "s.oven", configfile.Phrase("cold"), "test.yml:3: s.oven: got cold, want W"},
		{"a number", "s.oven.degrees", 90, "test.yml:4: s.oven.degrees: got 90, want W"},
		{"an item", oven1, configfile.Phrase("too many"), "test.yml:7: s.ovens[1]: got too many, want W"},
		{"a field that is missing, on the line of what should hold it", "s.ovens[0].fan", nil, "test.yml:6: s.ovens[0].fan: got nothing, want W"},
		{"an empty text of a missing field", "s.oven.name", "", "test.yml:3: s.oven.name: got nothing, want W"},
		{"a path into what is not there at all", "elsewhere.a[3].b", nil, "test.yml:1: elsewhere.a[3].b: got nothing, want W"},
		{"a null", "s.labels", "", "test.yml:12: s.labels: got nothing, want W"},
		{"a duration in the file's form", "s.word", 90 * time.Minute, "test.yml:2: s.word: got 1h30m, want W"},
		{"a negative duration", "s.word", -time.Second, "test.yml:2: s.word: got -1s, want W"},
		{"a value of the environment, as written", "s.wait", 7 * time.Hour, "test.yml:10: s.wait: got ${WAIT} of the environment, want W"},
		{"a number of the environment, as written", "s.ratio", 0.25, "test.yml:11: s.ratio: got ${RATIO} of the environment, want W"},
		{"a secret", "s.word", configfile.NewSecret("hunter2"), "test.yml:2: s.word: got <secret>, want W"},
		{"a secret of the environment", "s.wait", configfile.NewSecret("hunter2"), "test.yml:10: s.wait: got <secret>, want W"},
		{"no secret", "s.word", configfile.Secret{}, "test.yml:2: s.word: got nothing, want W"},
		{"a phrase stays on its line", "s.word", configfile.Phrase("a\nb"), "test.yml:2: s.word: got a b, want W"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			problems := doc.Problems()
			problems.Add(test.path, test.got, "W")
			if err := problems.Err(); err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestAddSaysNothingAboutWhatCouldNotBeDecoded(t *testing.T) {
	t.Parallel()
	text := "s:\n  count: x\n  spare: hot\n  password_file: /nowhere/at/all\n  word: a\n"
	doc, err := configfile.Parse("test.yml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	problems := doc.Problems()
	var got kitchen
	doc.Decode("s", &got, problems)
	if got.Spare == nil {
		t.Error("a pointer whose value is wrong must not look missing")
	}
	problems.Add("s.count", 0, "more")
	problems.Add("s.spare.degrees", 0, "more")
	problems.Add("s.password", got.Password, "a password")
	problems.Add("s.word", "a", "b")
	const want = "test.yml:2: s.count: got x, want a whole number\n" +
		"test.yml:3: s.spare: got hot, want a mapping\n" +
		"test.yml:4: s.password_file: got /nowhere/at/all (no such file or directory), want a readable file that holds the secret\n" +
		"test.yml:5: s.word: got a, want b"
	if err := problems.Err(); err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestJoinSortsByLineAndSaysEachOnce(t *testing.T) {
	t.Parallel()
	if err := configfile.Join(nil, nil); err != nil {
		t.Errorf("got %v of nothing", err)
	}
	one := configfile.Mistakes{{File: "a.yml", Line: 9, Path: "x", Got: "1", Want: "2"}, {File: "a.yml", Line: 3, Path: "y", Got: "1", Want: "2"}}
	two := configfile.Mistakes{{File: "a.yml", Line: 3, Path: "y", Got: "1", Want: "2"}, {File: "a.yml", Line: 5, Path: "z", Got: "1", Want: "2"}}
	err := configfile.Join(one, nil, fmt.Errorf("exporter: %w", two))
	const want = "a.yml:3: y: got 1, want 2\na.yml:5: z: got 1, want 2\na.yml:9: x: got 1, want 2"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if one[0].Line != 9 {
		t.Error("joining changed what it joined")
	}
	other := errors.New("disk is full")
	err = configfile.Join(one, other)
	if !errors.Is(err, other) || !strings.HasPrefix(err.Error(), "disk is full\na.yml:3") {
		t.Errorf("got %v", err)
	}
	if err := configfile.Join(other); err != other {
		t.Errorf("got %v, want the one error itself", err)
	}
}
