package configfile_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"shopwatch/internal/configfile"
)

// kitchen has one field of each kind that can be decoded.
type kitchen struct {
	Flag     bool
	Count    int
	Small    int8
	Ratio    float64
	Word     string
	Wait     time.Duration
	Password configfile.Secret
	CA       configfile.Path `yaml:"ca_file"`
	Oven     oven
	Spare    *oven
	Ovens    []oven
	ByName   map[string]oven `yaml:"by_name"`
	Words    []string
	Labels   map[string]string
	Colour   colour
	Both     both
	Skipped  string `yaml:"-"`
	hidden   string
}

type oven struct {
	Degrees int
	Fan     bool
}

func (o *oven) SetDefaults() { o.Degrees = 180 }

type colour string

func (c *colour) UnmarshalText(raw []byte) error {
	if string(raw) != "red" && string(raw) != "blue" {
		return errors.New("red or blue")
	}
	*c = colour(raw)
	return nil
}

type both struct{ ZH, EN string }

func (b *both) UnmarshalText(raw []byte) error {
	b.ZH, b.EN = string(raw), string(raw)
	return nil
}

// environment makes a lookup of pairs.
func environment(pairs ...string) configfile.Lookup {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

// decode decodes section `s` of the text over the defaults.
func decode(t *testing.T, text string, into *kitchen, env configfile.Lookup) error {
	t.Helper()
	doc, err := configfile.Parse("test.yml", []byte(text), env)
	if err != nil {
		return err
	}
	problems := doc.Problems()
	doc.Decode("s", into, problems)
	return problems.Err()
}

func TestDecodeFillsTheStruct(t *testing.T) {
	t.Parallel()
	defaults := kitchen{Count: 7, Word: "default", Wait: time.Minute}
	with := func(change func(*kitchen)) kitchen {
		want := defaults
		change(&want)
		return want
	}
	for _, test := range []struct {
		name, text string
		want       kitchen
	}{
		{"an absent section leaves the defaults", "other: 1", defaults},
		{"an empty file leaves the defaults", "# nothing\n", defaults},
		{"an empty section leaves the defaults", "s:\n", defaults},
		{"a null leaves the default", "s:\n  count: null\n  word: ~\n  wait:\n", defaults},
		{"a bool", "s: {flag: true}", with(func(k *kitchen) { k.Flag = true })},
		{"whole numbers", "s: {count: -3, small: 127}", with(func(k *kitchen) { k.Count, k.Small = -3, 127 })},
		{"a fraction", "s: {ratio: 0.05}", with(func(k *kitchen) { k.Ratio = 0.05 })},
		{"a text keeps the digits as they are written", "s: {word: 0123}", with(func(k *kitchen) { k.Word = "0123" })},
		{"a negative number as a text", "s: {word: -1001234567890}", with(func(k *kitchen) { k.Word = "-1001234567890" })},
		{"an empty text is a text", `s: {word: ""}`, with(func(k *kitchen) { k.Word = "" })},
		{"a text of several lines", "s:\n  word: |\n    a\n    b\n", with(func(k *kitchen) { k.Word = "a\nb\n" })},
		{"durations in the form of Prometheus", "s: {wait: 1d12h}", with(func(k *kitchen) { k.Wait = 36 * time.Hour })},
		{"a struct keeps what the file leaves out", "s: {oven: {fan: true}}", with(func(k *kitchen) { k.Oven.Fan = true })},
		{"a pointer gets its defaults", "s: {spare: {fan: true}}", with(func(k *kitchen) { k.Spare = &oven{180, true} })},
		{"an empty mapping is there", "s: {spare: {}}", with(func(k *kitchen) { k.Spare = &oven{180, false} })},
		{"items get their defaults", "s:\n  ovens:\n    - degrees: 90\n    - fan: true\n", with(func(k *kitchen) { k.Ovens = []oven{{90, false}, {180, true}} })},
		{"entries get their defaults", "s: {by_name: {左: {fan: true}}}", with(func(k *kitchen) { k.ByName = map[string]oven{"左": {180, true}} })},
		{"texts in lists and mappings", "s: {words: [a, 1, true], labels: {x: 2}}", with(func(k *kitchen) { k.Words, k.Labels = []string{"a", "1", "true"}, map[string]string{"x": "2"} })},
		{"keys that look like numbers or bools", "s: {labels: {1: a, 2.50: b, true: c}}", with(func(k *kitchen) { k.Labels = map[string]string{"1": "a", "2.50": "b", "true": "c"} })},
		{"a type with its own form", "s: {colour: red}", with(func(k *kitchen) { k.Colour = "red" })},
		{"a struct given as a text", "s: {both: 店}", with(func(k *kitchen) { k.Both = both{"店", "店"} })},
		{"the same struct given as a mapping", "s: {both: {zh: 店, en: shop}}", with(func(k *kitchen) { k.Both = both{"店", "shop"} })},
		{"a path starts at the config file", "s: {ca_file: pki/ca.pem}", with(func(k *kitchen) { k.CA = "pki/ca.pem" })},
		{"a path from the root stays", "s: {ca_file: /pki/ca.pem}", with(func(k *kitchen) { k.CA = "/pki/ca.pem" })},
		{"Windows' line ends and mark", "\ufeffs:\r\n  word: x\r\n  count: 1\r\n", with(func(k *kitchen) { k.Word, k.Count = "x", 1 })},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := defaults
			if err := decode(t, test.text, &got, nil); err != nil {
				t.Fatalf("got %v", err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestDecodeReportsEveryMistakeWithItsLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"an unknown field, with the near one",
			"s:\n  word: a\n  cuont: 3\n",
			"test.yml:3: s.cuont: got an unknown field, want one of both, by_name, ca_file, colour, count, flag, labels, oven, ovens, password, password_file, ratio, small, spare, wait, word, words (did you mean count?)"},
		{"an unknown field like no other",
			"s:\n  oven:\n    temperature: 3\n",
			"test.yml:3: s.oven.temperature: got an unknown field, want one of degrees, fan"},
		{"a Go field that is not the file's",
			"s: {oven: {skipped: 1}}",
			"test.yml:1: s.oven.skipped: got an unknown field, want one of degrees, fan"},
		{"a key twice",
			"s:\n  count: 1\n  word: a\n  count: 2\n",
			"test.yml:4: s.count: got the key a second time, want it once (it is on line 2)"},
		{"a key twice in a mapping by name",
			"s:\n  labels:\n    a: 1\n    a: 2\n",
			"test.yml:4: s.labels.a: got the key a second time, want it once (it is on line 3)"},
		{"a word for a number", "s: {count: many}", "test.yml:1: s.count: got many, want a whole number"},
		{"a number in quotes", `s: {count: "3"}`, `test.yml:1: s.count: got "3", want a whole number`},
		{"a fraction for a whole number", "s: {count: 1.5}", "test.yml:1: s.count: got 1.5, want a whole number"},
		{"a number too large for its kind", "s: {small: 128}", "test.yml:1: s.small: got 128, want a whole number"},
		{"an octal number", "s: {count: 017}", "test.yml:1: s.count: got 017, want a whole number"},
		{"a number with an underscore", "s: {count: 1_000}", "test.yml:1: s.count: got 1_000, want a whole number"},
		{"an infinite number", "s: {ratio: .inf}", "test.yml:1: s.ratio: got .inf, want a number"},
		{"yes for true", "s: {flag: yes}", "test.yml:1: s.flag: got yes, want true or false"},
		{"a duration without a unit", "s: {wait: 15}", "test.yml:1: s.wait: got 15, want a duration such as 15s, 5m or 1d"},
		{"a negative duration", "s: {wait: -5s}", "test.yml:1: s.wait: got -5s, want a duration such as 15s, 5m or 1d"},
		{"a list for a text", "s: {word: [a]}", "test.yml:1: s.word: got a list, want a text"},
		{"a mapping for a number", "s: {count: {a: 1}}", "test.yml:1: s.count: got a mapping, want a whole number"},
		{"a list for a duration", "s: {wait: [a]}", "test.yml:1: s.wait: got a list, want a duration such as 15s, 5m or 1d"},
		{"a text for a mapping", "s: {oven: hot}", "test.yml:1: s.oven: got hot, want a mapping"},
		{"a list for a mapping", "s: {oven: [hot]}", "test.yml:1: s.oven: got a list, want a mapping"},
		{"a mapping for a list", "s: {ovens: {fan: true}}", "test.yml:1: s.ovens: got a mapping, want a list"},
		{"a text for a list", "s: {words: a}", "test.yml:1: s.words: got a, want a list"},
		{"a list for a map", "s: {labels: [a]}", "test.yml:1: s.labels: got a list, want a mapping"},
		{"a list for a text or mapping", "s: {both: [a]}", "test.yml:1: s.both: got a list, want a text or a mapping"},
		{"a list for a type with its own form", "s: {colour: [a]}", "test.yml:1: s.colour: got a list, want a text"},
		{"a value that its own form refuses", "s: {colour: green}", "test.yml:1: s.colour: got green, want red or blue"},
		{"a text for a section", "s: hello", "test.yml:1: s: got hello, want a mapping"},
		{"a list for a section", "s:\n- hello\n", "test.yml:1: s: got a list, want a mapping"},
		{"an anchor", "s:\n  word: &a x\n", "test.yml:2: s.word: got an anchor, want the value itself"},
		{"an alias", "x: &a 1\ns:\n  word: *a\n", "test.yml:3: s.word: got an alias, want the value itself"},
		{"a merge key", "x: &a {word: b}\ns:\n  <<: *a\n", "test.yml:3: s: got a merge key, want plain keys"},
		{"a key after a question mark", "s:\n  ? word\n  : x\n", "test.yml:2: s: got a key after ?, want plain keys"},
		{"an anchor on a key", "s:\n  &a word: b\n", "test.yml:2: s: got an anchor, want plain keys"},
		{"an alias as a key", "x: &a word\ns:\n  *a : b\n", "test.yml:3: s: got an alias, want plain keys"},
		{"a tag on a key", "s:\n  !!str word: b\n", "test.yml:2: s: got a tag, want plain keys"},
		{"a tag", "s:\n  word: !!str 1\n", "test.yml:2: s.word: got a tag, want the value itself"},
		{"control characters are shown as such", `s: {count: "a\nb\x1b[2J"}`, `test.yml:1: s.count: got "a\nb\x1b[2J", want a whole number`},
		{"a long value is cut", "s: {count: " + strings.Repeat("x", 200) + "}", "test.yml:1: s.count: got " + strings.Repeat("x", 80) + "…, want a whole number"},
		{"a key that would break the line", `s: {oven: {"a\nb.c": 1}}`, `test.yml:1: s.oven."a\nb.c": got an unknown field, want one of degrees, fan`},
		{"in an item of a list", "s:\n  ovens:\n    - fan: true\n    -\n      degrees: hot\n", "test.yml:5: s.ovens[1].degrees: got hot, want a whole number"},
		{"after a text of several lines", "s:\n  word: |\n    a\n\n    b\n\n  count: x\n", "test.yml:7: s.count: got x, want a whole number"},
		{"after a quoted text of several lines", "s:\r\n  word: \"a\r\n    b\"\r\n  count: x\r\n", "test.yml:4: s.count: got x, want a whole number"},
		{"many at once, in the order of the lines",
			"s:\n  flag: maybe\n  wrod: x\n  oven:\n    degrees: hot\n    fan: 1\n  wait: soon\n  flag: true\n",
			"test.yml:2: s.flag: got maybe, want true or false\n" +
				"test.yml:3: s.wrod: got an unknown field, want one of both, by_name, ca_file, colour, count, flag, labels, oven, ovens, password, password_file, ratio, small, spare, wait, word, words (did you mean word?)\n" +
				"test.yml:5: s.oven.degrees: got hot, want a whole number\n" +
				"test.yml:6: s.oven.fan: got 1, want true or false\n" +
				"test.yml:7: s.wait: got soon, want a duration such as 15s, 5m or 1d\n" +
				"test.yml:8: s.flag: got the key a second time, want it once (it is on line 2)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got kitchen
			err := decode(t, test.text, &got, nil)
			if err == nil {
				t.Fatal("got no error")
			}
			if err.Error() != test.want {
				t.Errorf("got\n%s\nwant\n%s", err, test.want)
			}
		})
	}
}

func TestAWrongValueLeavesTheDefault(t *testing.T) {
	t.Parallel()
	got := kitchen{Count: 7, Wait: time.Minute, Flag: true, Ratio: math.Pi}
	if err := decode(t, "s: {count: x, wait: y, flag: z, ratio: w}", &got, nil); err == nil {
		t.Fatal("got no error")
	}
	if got.Count != 7 || got.Wait != time.Minute || !got.Flag || got.Ratio != math.Pi {
		t.Errorf("got %+v", got)
	}
}

func TestTheEnvironmentIsExpandedWhereItIsNamed(t *testing.T) {
	t.Parallel()
	env := environment("PORT", "587", "HOST", "shop.example.com", "EMPTY", "", "FLAG", "true",
		"TRICK", "a: b\n${HOST}", "PATH_", "ca.pem")
	for _, test := range []struct {
		name, text string
		want       kitchen
	}{
		{"a whole text", "s: {word: \"${HOST}\"}", kitchen{Word: "shop.example.com"}},
		{"within a text", "s:\n  word: https://${HOST}:${PORT}/\n", kitchen{Word: "https://shop.example.com:587/"}},
		{"a number, bare or in quotes", "s:\n  count: ${PORT}\n  ratio: \"${PORT}\"\n", kitchen{Count: 587, Ratio: 587}},
		{"a bool", "s:\n  flag: ${FLAG}\n", kitchen{Flag: true}},
		{"a path", "s:\n  ca_file: ${PATH_}\n", kitchen{CA: "ca.pem"}},
		{"a variable that is set and empty", "s:\n  word: a${EMPTY}b\n", kitchen{Word: "ab"}},
		{"what comes in is a text, neither YAML nor expanded again", "s:\n  word: ${TRICK}\n", kitchen{Word: "a: b\n${HOST}"}},
		{"a dollar alone means nothing", `s: {word: "$HOST pa$$word $(x) $"}`, kitchen{Word: "$HOST pa$$word $(x) $"}},
		{"two dollars write the sign itself", `s: {word: "$${HOST}"}`, kitchen{Word: "${HOST}"}},
		{"a key is not expanded", `s: {labels: {"${HOST}": x}}`, kitchen{Labels: map[string]string{"${HOST}": "x"}}},
		{"a comment is not looked at", "s:\n  word: x # ${ABSENT}\n", kitchen{Word: "x"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got kitchen
			if err := decode(t, test.text, &got, env); err != nil {
				t.Fatalf("got %v", err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestMistakesOfTheEnvironmentShowNoValue(t *testing.T) {
	t.Parallel()
	env := environment("PORT", "hunter2", "EMPTY", "")
	for _, test := range []struct{ name, text, want string }{
		{"a variable that is not set", "s:\n  word: a\n  count: ${PROT}\n", "test.yml:3: s.count: got ${PROT}, which is not set, want the variable in the environment"},
		{"a value of the wrong kind", "s:\n  count: ${PORT}\n", "test.yml:2: s.count: got ${PORT} of the environment, want a whole number"},
		{"an empty value", "s:\n  wait: ${EMPTY}\n", "test.yml:2: s.wait: got ${EMPTY} of the environment, want a duration such as 15s, 5m or 1d"},
		{"a default, which is not ours", `s: {word: "${PORT:-587}"}`, "test.yml:1: s.word: got a ${ without a name and }, want ${NAME}, or $${ for the signs themselves"},
		{"a name that no variable has", `s: {word: "${1}"}`, "test.yml:1: s.word: got a ${ without a name and }, want ${NAME}, or $${ for the signs themselves"},
		{"without an end, in a password", `s: {password: "hunter2${"}`, "test.yml:1: s.password: got a ${ without a name and }, want ${NAME}, or $${ for the signs themselves"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got kitchen
			err := decode(t, test.text, &got, env)
			if err == nil || err.Error() != test.want {
				t.Errorf("got\n%v\nwant\n%s", err, test.want)
			}
		})
	}
}

func TestASectionThatIsNotDecodedNeedsNoEnvironment(t *testing.T) {
	t.Parallel()
	var asked []string
	env := func(name string) (string, bool) { asked = append(asked, name); return "x", true }
	text := "other:\n  word: ${SECRET_OF_OTHERS}\n  password_file: /nowhere\ns:\n  word: ${OURS}\n"
	var got kitchen
	if err := decode(t, text, &got, env); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 1 || asked[0] != "OURS" {
		t.Errorf("asked for %v, want OURS alone", asked)
	}
}

func TestDecodeRefusesWhatIsNoPointerToAStruct(t *testing.T) {
	t.Parallel()
	doc, err := configfile.Parse("test.yml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("got no panic")
		}
	}()
	doc.Decode("s", kitchen{}, doc.Problems())
}
