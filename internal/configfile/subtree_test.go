package configfile_test

import (
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"shopwatch/internal/configfile"
)

// larder holds what is decoded later.
type larder struct {
	pantry
	Tree     configfile.Tree
	Trees    map[string]configfile.Tree
	Template configfile.Template
}

type pantry struct {
	Shelf string
	Key   configfile.Secret
}

// open decodes section `s` of the text.
func open(t *testing.T, text string, env configfile.Lookup) (larder, *configfile.Problems) {
	t.Helper()
	doc, err := configfile.Parse("test.yml", []byte(text), env)
	if err != nil {
		t.Fatal(err)
	}
	problems := doc.Problems()
	var got larder
	doc.Decode("s", &got, problems)
	return got, problems
}

func TestFieldsOfAnEmbeddedStructStandAmongTheOthers(t *testing.T) {
	t.Parallel()
	got, problems := open(t, "s: {shelf: top, key: hunter2, shlf: x}\n", nil)
	want := "test.yml:1: s.shlf: got an unknown field, want one of key, key_file, shelf, template, tree, trees (did you mean shelf?)"
	if err := problems.Err(); got.Shelf != "top" || got.Key.Reveal() != password || err == nil || err.Error() != want {
		t.Errorf("got %q, %v", got.Shelf, err)
	}
}

func TestATreeIsDecodedLaterByWhoeverKnowsItsRules(t *testing.T) {
	t.Parallel()
	got, problems := open(t, "s:\n  trees:\n    a: {kind: \"${KIND}\", count: x}\n    b:\n", environment("KIND", "own"))
	a, b := got.Trees["a"], got.Trees["b"]
	if !a.IsSet() || b.IsSet() || got.Tree.IsSet() || a.Text("kind") != "own" || a.Text("shelf") != "" || !a.Has("count") || b.Path() != "s.trees.b" {
		t.Errorf("got %v, %v", a, b)
	}
	var into struct {
		Kind  string
		Count int
	}
	a.Decode(&into, problems)
	want := "test.yml:3: s.trees.a.count: got x, want a whole number"
	if err := problems.Err(); into.Kind != "own" || err == nil || err.Error() != want {
		t.Errorf("got %+v, %v", into, err)
	}
}

func TestATreeForAnotherDecoderKeepsItsLinesAndTexts(t *testing.T) {
	t.Parallel()
	got, problems := open(t, `s:
  tree:
    number: 7
    quoted: "7"
    word: ${WORD}
    count: ${COUNT}
    group: a${1}b
    list: [true, ~, 1.5]
`, environment("WORD", "null", "COUNT", "12"))
	node, ok := got.Tree.YAML(problems)
	if !ok || problems.Err() != nil {
		t.Fatal(problems.Err())
	}
	var into struct {
		Number int
		Quoted any
		Word   any
		Count  int
		Group  string
		List   []any
	}
	if err := node.Decode(&into); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%#v", into), `{Number:7, Quoted:"7", Word:"null", Count:12, Group:"a${1}b", List:[]interface {}{true, interface {}(nil), 1.5}}`; !strings.HasSuffix(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if line := node.Content[3].Line; line != 4 {
		t.Errorf("got line %d for quoted, want 4", line)
	}
}

func TestATreeForAnotherDecoderIsStillStrict(t *testing.T) {
	t.Parallel()
	got, problems := open(t, "s:\n  tree:\n    a: !!str x\n    b: 1\n    b: 2\n    c: ${ABSENT}\n    d: ${1\n", nil)
	if _, ok := got.Tree.YAML(problems); ok {
		t.Error("got a tree")
	}
	want := `test.yml:3: s.tree.a: got a tag, want the value itself
test.yml:5: s.tree.b: got the key a second time, want it once (it is on line 4)
test.yml:6: s.tree.c: got ${ABSENT}, which is not set, want the variable in the environment
test.yml:7: s.tree.d: got a ${ without a name and }, want ${NAME}, or $${ for the signs themselves`
	if err := problems.Err(); err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestATemplateKeepsTheNamesThatAreNotOfTheEnvironment(t *testing.T) {
	t.Parallel()
	got, problems := open(t, "s:\n  template: ${WORD}/${order}/${absent}\n", environment("WORD", "buy", "order", "of the environment"))
	text := got.Template.Expand(problems, func(name string) bool { return name == "order" })
	if want := "test.yml:2: s.template: got ${absent}, which is not set, want the variable in the environment"; problems.Err() == nil || problems.Err().Error() != want {
		t.Errorf("got %v, want %s", problems.Err(), want)
	}
	if text != "buy/${order}/" || !got.Template.IsSet() || (configfile.Template{}).IsSet() || (configfile.Template{}).Expand(problems, nil) != "" {
		t.Errorf("got %q", text)
	}
}

func TestPlacesOfAnotherProgramsFileAreKnownThroughAliasesAndMerges(t *testing.T) {
	t.Parallel()
	const text = "base: &base\n  a: 1\n  list: [x,\n    y]\nmore:\n  <<: *base\n  b: ${1}\nempty:\n"
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		t.Fatal(err)
	}
	problems := configfile.Foreign("theirs.yml", &root).Problems()
	problems.Add("more.b", "${1}", "W")
	problems.Add("more.list[1]", "y", "W")
	problems.Add("more.absent", "", "W")
	problems.Add("empty", "", "W")
	problems.AddAt("base.a", 3, "G", "W")
	want := `theirs.yml:3: base.a: got G, want W
theirs.yml:4: more.list[1]: got y, want W
theirs.yml:5: more.absent: got nothing, want W
theirs.yml:7: more.b: got ${1}, want W
theirs.yml:8: empty: got nothing, want W`
	if got := problems.Err().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if problems.Count() != 5 || len(problems.Found()) != 5 || !problems.Has("more.a") || problems.Has("more.c") || !problems.Empty("empty") || problems.Empty("base") {
		t.Error("the places are not known")
	}
}

func TestOnlyPEMMayBeASecretOfSeveralLines(t *testing.T) {
	t.Parallel()
	const pem = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----"
	doc, _ := folder(t, "s: {password_file: secrets/key}\n", map[string]string{"key": pem + "\n"})
	problems := doc.Problems()
	var got kitchen
	doc.Decode("s", &got, problems)
	if err := problems.Err(); err != nil || got.Password.Reveal() != pem {
		t.Errorf("got %q, %v", got.Password.Reveal(), err)
	}
}
