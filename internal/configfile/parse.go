package configfile

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits on the shape of a file. The library's parser takes time and memory in
// the square of the depth and of the length of a mapping; within these limits a
// megabyte takes a second as it is meant, and half a minute as a bomb. Ten
// thousand services have 180,000 words and signs.
const (
	maxTokens = 400_000
	maxDepth  = 32  // brackets within brackets, and dashes and keys on one line
	maxIndent = 100 // columns before a line
)

// parse makes the document's tree. Every error is Mistakes.
func parse(name string, data []byte) (*node, error) {
	mistake := func(line int, got, want string) error {
		return Mistakes{{File: name, Line: line, Got: got, Want: want}}
	}
	if len(data) > MaxSize {
		return nil, mistake(0, "a larger file", "at most 1 MiB")
	}
	if !utf8.Valid(data) {
		return nil, mistake(invalidLine(data), "bytes that are no UTF-8", "UTF-8 text")
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	// The library counts a CRLF within quotes twice.
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)

	file, err := parseText(text)
	var beyond shapeError
	if errors.As(err, &beyond) {
		return nil, mistake(beyond.line, beyond.got, beyond.want)
	}
	if err != nil {
		line, message := syntax(err)
		if flowExpansion(text, line) {
			message += `; within { } and [ ] a ${NAME} needs quotes`
		}
		return nil, mistake(line, "a slip of YAML ("+message+")", "well-formed YAML")
	}
	var root *node
	for _, part := range file.Docs {
		if part.Body == nil {
			continue
		}
		grown := grow(part.Body)
		switch {
		case part.Body.Type() == ast.DirectiveType:
			return nil, mistake(grown.line, "a directive", "none")
		case root != nil:
			return nil, mistake(grown.line, "a second document", "one")
		}
		root = grown
	}
	switch {
	case root == nil || root.kind == null:
		return &node{kind: mapping, line: 1}, nil
	case root.kind != mapping:
		return nil, mistake(root.line, root.describe(), "a mapping of sections")
	}
	return root, nil
}

// shapeError is a file beyond the limits on shape.
type shapeError struct {
	line      int
	got, want string
}

func (e shapeError) Error() string { return e.got }

// parseText runs the library, never beyond its strength. Should it panic on
// some malformed file, that is a slip of YAML like any other.
func parseText(text string) (file *ast.File, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			file, err = nil, errors.New("unreadable")
		}
	}()
	tokens := lexer.Tokenize(text)
	if err := checkShape(tokens); err != nil {
		return nil, err
	}
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

func checkShape(tokens token.Tokens) error {
	if len(tokens) > maxTokens {
		return shapeError{0, fmt.Sprintf("%d words and signs", len(tokens)), fmt.Sprintf("at most %d", maxTokens)}
	}
	brackets, line, nested := 0, 0, 0
	for _, tok := range tokens {
		if tok.Position.Line != line {
			line, nested = tok.Position.Line, 0
		}
		switch tok.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets--
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			nested++
		}
		if brackets > maxDepth || nested > maxDepth || tok.Position.IndentNum > maxIndent {
			return shapeError{line, "values nested too deeply", "a flatter file"}
		}
	}
	return nil
}

// quotedSource matches what the library quotes of the file in its messages.
var quotedSource = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// syntax gives line and message of the library's error, without the lines of
// source that its Error shows: they may hold a password.
func syntax(err error) (line int, message string) {
	line, message = 1, "unreadable"
	var found interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if errors.As(err, &found) {
		message = oneLine(quotedSource.ReplaceAllString(found.GetMessage(), "…"))
		if at := found.GetToken(); at != nil && at.Position != nil && at.Position.Line > 0 {
			line = at.Position.Line
		}
	}
	return line, message
}

var bareInFlow = regexp.MustCompile(`[{\[,].*[^"']\$\{`)

// flowExpansion reports whether the line has an unquoted ${ where YAML takes its brace for a mapping's.
func flowExpansion(text string, line int) bool {
	lines := strings.Split(text, "\n")
	if line < 1 || line > len(lines) {
		return false
	}
	return bareInFlow.MatchString(lines[line-1])
}

// invalidLine is the first line with bytes that are no UTF-8.
func invalidLine(data []byte) int {
	line := 1
	for part := range bytes.Lines(data) {
		if !utf8.Valid(part) {
			break
		}
		line++
	}
	return line
}
