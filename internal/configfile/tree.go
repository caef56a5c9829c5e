package configfile

import (
	"fmt"
	"regexp"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// kind is what a value of the file is.
type kind int

const (
	null kind = iota
	scalar
	mapping
	list
	refused
)

// node is one value of the file, free of the YAML library.
type node struct {
	kind  kind
	line  int
	text  string // scalar: as written, escapes undone, environment not yet expanded
	plain bool   // scalar: without quotes

	fields []field // mapping: in the file's order, each key once
	items  []*node // list

	oddities []oddity // what YAML allows and we refuse in this mapping
	refusal  string   // refused: what it is, "an alias"
}

// field is one key of a mapping.
type field struct {
	key   string
	line  int
	value *node
}

// oddity is a key that a mapping may not have.
type oddity struct {
	key, got, want string
	line           int
}

// plainKey matches keys that stand in a path as they are.
var plainKey = regexp.MustCompile(`^[\pL\pN_-]{1,80}$`)

// field gives the value of a key, nil where a mapping has none or where the node is none.
func (n *node) field(key string) *node {
	for _, field := range n.fields {
		if field.key == key {
			return field.value
		}
	}
	return nil
}

// describe says in a word what the node is, without showing a value.
func (n *node) describe() string {
	switch n.kind {
	case mapping:
		return "a mapping"
	case list:
		return "a list"
	case scalar:
		return "a text"
	case refused:
		return n.refusal
	}
	return "nothing"
}

// grow makes a node of the library's tree. Its depth is bounded by the limits
// on tokens, so that it may recurse.
func grow(from ast.Node) *node {
	if from == nil {
		return &node{}
	}
	line := 1
	if at := from.GetToken(); at != nil && at.Position != nil {
		line = at.Position.Line
	}
	switch from := from.(type) {
	case *ast.NullNode:
		return &node{kind: null, line: line}
	case *ast.StringNode:
		quoted := from.Token.Type == token.SingleQuoteType || from.Token.Type == token.DoubleQuoteType
		return &node{kind: scalar, line: line, text: from.Value, plain: !quoted}
	case *ast.LiteralNode:
		return &node{kind: scalar, line: line, text: from.Value.Value}
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return &node{kind: scalar, line: line, text: from.GetToken().Value, plain: true}
	case *ast.MappingNode:
		return growMapping(line, from.Values)
	case *ast.MappingValueNode:
		return growMapping(line, []*ast.MappingValueNode{from})
	case *ast.SequenceNode:
		grown := &node{kind: list, line: line}
		for _, value := range from.Values {
			grown.items = append(grown.items, grow(value))
		}
		return grown
	case *ast.AnchorNode:
		return &node{kind: refused, line: line, refusal: "an anchor"}
	case *ast.AliasNode:
		return &node{kind: refused, line: line, refusal: "an alias"}
	case *ast.TagNode:
		return &node{kind: refused, line: line, refusal: "a tag"}
	}
	return &node{kind: refused, line: line, refusal: "an odd value"}
}

func growMapping(line int, values []*ast.MappingValueNode) *node {
	grown := &node{kind: mapping, line: line}
	first := make(map[string]int)
	for _, value := range values {
		key, what := keyOf(value.Key)
		at := line
		if tok := value.Key.GetToken(); tok != nil && tok.Position != nil {
			at = tok.Position.Line
		}
		if what != "" {
			grown.oddities = append(grown.oddities, oddity{"", what, "plain keys", at})
			continue
		}
		if _, again := first[key]; again {
			grown.oddities = append(grown.oddities, oddity{key, "the key a second time", fmt.Sprintf("it once (it is on line %d)", first[key]), at})
			continue
		}
		first[key] = at
		grown.fields = append(grown.fields, field{key, at, grow(value.Value)})
	}
	return grown
}

// keyOf gives the text of a key, or what it is if it is none.
func keyOf(from ast.MapKeyNode) (key, what string) {
	switch from := from.(type) {
	case *ast.StringNode:
		return from.Value, ""
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
		return from.GetToken().Value, ""
	case *ast.MergeKeyNode:
		return "", "a merge key"
	case *ast.MappingKeyNode:
		return "", "a key after ?"
	case *ast.AnchorNode:
		return "", "an anchor"
	case *ast.AliasNode:
		return "", "an alias"
	case *ast.TagNode:
		return "", "a tag"
	}
	return "", "an odd key"
}
