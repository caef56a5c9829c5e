package sql

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a piece of a query. Quoted texts and names are one each.
type token struct {
	text  string // a quoted one without its quotes
	quote rune   // 0 where it isn't quoted
	depth int    // of parentheses around it
	at    int    // byte in the query
	after bool   // a dot stands before it: whatever it spells, it is a column
}

// is reports whether the token is a keyword.
func (t token) is(words ...string) bool {
	return t.quote == 0 && !t.after && slices.Contains(words, strings.ToUpper(t.text))
}

// name is what an identifier calls, and "" of anything else. Names without
// quotes are read as PostgreSQL folds them.
func (t token) name() string {
	first, _ := utf8.DecodeRuneInString(t.text)
	switch {
	case t.quote == '"' || t.quote == '`':
		return t.text
	case t.quote != 0 || !unicode.IsLetter(first) && first != '_' || t.is("NULL", "TRUE", "FALSE", "END"):
		return ""
	}
	return strings.ToLower(t.text)
}

// refused are the signs by which a text could be more than it seems, or that
// engines read differently.
var refused = []struct{ sign, instead string }{
	{";", "want one statement, without it"},
	{"--", "want no comment"},
	{"/*", "want no comment"},
	{"?", "it stands for the driver's own values: write CHAR(63), CHR(63) on PostgreSQL"},
	{`\`, "databases read it differently: want a text without it"},
}

// outside are refused where they aren't quoted.
var outside = []struct{ sign, instead string }{
	{"#", "MySQL takes it for a comment: want another way to say it"},
	{"$", "it stands for the driver's own values: put names that hold it into quotes"},
}

// scan takes a query apart, and refuses what the driver can't add to safely.
func scan(text string) ([]token, error) {
	for _, r := range refused {
		if strings.Contains(text, r.sign) {
			return nil, fmt.Errorf("holds %q: %s", r.sign, r.instead)
		}
	}
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) }) || !utf8.ValidString(text) {
		return nil, errors.New("holds characters that aren't text")
	}
	var tokens []token
	depth, dot := 0, false
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		t := token{depth: depth, at: at, after: dot}
		dot = r == '.' && !afterNumber(tokens)
		switch {
		case unicode.IsSpace(r):
			at += size
			continue
		case r == '\'' || r == '"' || r == '`':
			inner, length, closed := quoted(text[at:], r)
			if !closed {
				return nil, fmt.Errorf("holds a %c that isn't closed", r)
			}
			t.text, t.quote, size = inner, r, length
		case wordly(r):
			size = strings.IndexFunc(text[at:], func(r rune) bool { return !wordly(r) })
			if size < 0 {
				size = len(text) - at
			}
			t.text = text[at : at+size]
		default:
			for _, o := range outside {
				if string(r) == o.sign {
					return nil, fmt.Errorf("holds %q: %s", o.sign, o.instead)
				}
			}
			t.text = string(r)
			if r == '(' {
				depth++
			}
			if r == ')' {
				depth--
				t.depth = depth
			}
			if depth < 0 {
				return nil, errors.New("closes a parenthesis that it didn't open")
			}
		}
		tokens = append(tokens, t)
		at += size
	}
	if depth != 0 {
		return nil, errors.New("opens a parenthesis that it doesn't close")
	}
	return tokens, writes(tokens)
}

// afterNumber reports whether a dot is a decimal point, behind which a word is none of a column's.
func afterNumber(tokens []token) bool {
	return len(tokens) > 0 && tokens[len(tokens)-1].quote == 0 && strings.Trim(tokens[len(tokens)-1].text, "0123456789") == ""
}

func wordly(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// quoted gives what stands between two quotes; a doubled one stands for itself.
func quoted(text string, quote rune) (inner string, length int, closed bool) {
	sign := string(quote)
	for end := 1; ; {
		next := strings.Index(text[end:], sign)
		if next < 0 {
			return "", 0, false
		}
		end += next + 1
		if !strings.HasPrefix(text[end:], sign) {
			return strings.ReplaceAll(text[1:end-1], sign+sign, sign), end, true
		}
		end++
	}
}

// writes refuses what a SELECT can do besides reading.
func writes(tokens []token) error {
	for i, t := range tokens {
		following := func(words ...string) bool { return i+1 < len(tokens) && tokens[i+1].is(words...) }
		switch {
		case t.is("INTO"):
			return errors.New("holds INTO: want a query that only reads")
		case t.is("FOR") && following("UPDATE", "SHARE", "NO", "KEY"), t.is("LOCK") && following("IN"):
			return errors.New("locks what it reads: want a query without FOR UPDATE, FOR SHARE or LOCK IN SHARE MODE")
		}
	}
	return nil
}

// ownWords are the parts of a SELECT that the driver writes, and what to do with one's own.
var ownWords = map[string]string{
	"WHERE": "put the condition into where",
	"ORDER": "leave it out: the driver reads by key", "LIMIT": "leave it out: the driver sets it",
	"OFFSET": "leave it out: the driver reads by key", "FETCH": "leave it out: the driver sets the limit",
	"GROUP":  "leave it out: rows of one id are put together, and sums belong into a sub-select in parentheses",
	"HAVING": "leave it out: put conditions into where", "WINDOW": "leave it out",
	"UNION": "want one table of orders, or a view", "EXCEPT": "put the condition into where", "INTERSECT": "put the condition into where",
}

// plain refuses the words outside parentheses that would end a part of the query.
func plain(tokens []token) error {
	for _, t := range tokens {
		if instead, own := ownWords[strings.ToUpper(t.text)]; own && t.depth == 0 && t.is(strings.ToUpper(t.text)) {
			return fmt.Errorf("holds %s: %s", strings.ToUpper(t.text), instead)
		}
	}
	return nil
}

// expression checks a condition or a value; "" is none.
func expression(text string) (string, error) {
	text = strings.TrimSpace(text)
	tokens, err := scan(text)
	if err == nil {
		err = plain(tokens)
	}
	if err != nil {
		return "", err
	}
	for _, t := range tokens {
		if t.depth == 0 && (t.is("SELECT", "FROM") || t.text == "," && t.quote == 0) {
			return "", errors.New("is no single expression: want one, such as o.id; a sub-select stands in parentheses")
		}
	}
	return text, nil
}

// query checks a whole SELECT; "" is none.
func query(text string) (string, error) {
	text = strings.TrimSpace(text)
	tokens, err := scan(text)
	if err != nil || text == "" {
		return "", err
	}
	if !tokens[0].is("SELECT") {
		return "", errors.New("begins with another word than SELECT: want one SELECT")
	}
	return text, nil
}

// selection is a SELECT … FROM … taken apart.
type selection struct {
	list, from string
	columns    []string // by name, in their order; "" for one without
	// aliases are of the tables outside parentheses, inner of all.
	aliases, inner aliases
}

// readSelect takes the orders' SELECT apart.
func readSelect(text string) (selection, error) {
	var s selection
	text = strings.TrimSpace(text)
	if text == "" {
		return s, errors.New(`missing: want "SELECT … FROM …" with columns named id, state and created`)
	}
	tokens, err := scan(text)
	if err != nil {
		return s, err
	}
	if !tokens[0].is("SELECT") {
		return s, errors.New("begins with another word than SELECT: want SELECT … FROM …")
	}
	if err := plain(tokens); err != nil {
		return s, err
	}
	if len(tokens) > 1 && tokens[1].is("DISTINCT") {
		return s, errors.New("holds DISTINCT: leave it out, since rows of one id are put together")
	}
	from := slices.IndexFunc(tokens, func(t token) bool { return t.depth == 0 && t.is("FROM") })
	if from < 0 {
		return s, errors.New("has no FROM: want SELECT … FROM …")
	}
	s.list = strings.TrimSpace(text[tokens[0].at+len("SELECT") : tokens[from].at])
	s.from = text[tokens[from].at:]
	s.aliases, s.inner = readAliases(tokens[from:], false), readAliases(tokens, true)
	begin := 1
	for i := 1; i <= from; i++ {
		if i < from && (tokens[i].depth != 0 || tokens[i].quote != 0 || tokens[i].text != ",") {
			continue
		}
		item := tokens[begin:i]
		if last := tokens[i-1]; len(item) > 0 && last.text == "*" && last.quote == 0 {
			return s, errors.New("holds *: name the columns, so that no card key is ever read")
		}
		s.columns = append(s.columns, nameOf(item))
		begin = i + 1
	}
	return s, nil
}

// operators are the words behind which a name is no alias.
var operators = []string{"AND", "OR", "XOR", "NOT", "IN", "IS", "LIKE", "ILIKE", "BETWEEN", "DIV", "MOD", "REGEXP", "RLIKE", "COLLATE", "CASE", "WHEN", "THEN", "ELSE", "DISTINCT", "ALL"}

// nameOf gives the name of a column of a SELECT, "" where it has none that all
// databases agree on.
func nameOf(item []token) string {
	if len(item) == 0 {
		return ""
	}
	last := item[len(item)-1]
	if len(item) == 1 {
		return last.name()
	}
	before := item[len(item)-2]
	switch {
	case before.is("AS"):
		return last.name()
	case last.after: // a column, unless it is part of more
		for i, t := range item {
			if i%2 == 0 && t.name() == "" || i%2 == 1 && t.text != "." {
				return ""
			}
		}
		return last.name()
	case before.quote != 0 || before.text == ")" || wordly([]rune(before.text)[0]) && !before.is(operators...):
		return last.name()
	}
	return ""
}

// aliases are the tables of a FROM as they stand in it, by the name that the rest
// of the query calls them.
type aliases map[string]string

// readAliases reads the tables outside parentheses, or all. What it doesn't
// understand is left out.
func readAliases(tokens []token, all bool) aliases {
	found := aliases{}
	for i, t := range tokens {
		if t.depth != 0 && !all || !t.is("FROM", "JOIN") && (t.text != "," || t.quote != 0) {
			continue
		}
		table, j := "", i+1
		last := ""
		for j < len(tokens) && tokens[j].name() != "" {
			last = tokens[j].name()
			table += quoteOf(tokens[j])
			if j+1 >= len(tokens) || tokens[j+1].text != "." {
				break
			}
			table += "."
			j += 2
		}
		if last == "" {
			continue
		}
		next := func() (token, bool) { j++; return at(tokens, j) }
		alias, there := next()
		if there && alias.is("AS") {
			alias, there = next()
		}
		if there && alias.name() != "" && !alias.is(joins...) {
			last = alias.name()
		}
		if _, met := found[strings.ToLower(last)]; !met {
			found[strings.ToLower(last)] = table
		}
	}
	return found
}

// joins are the words that may follow a table and are no alias of it.
var joins = []string{"JOIN", "LEFT", "RIGHT", "INNER", "OUTER", "CROSS", "FULL", "NATURAL", "ON", "USING", "USE", "FORCE", "IGNORE", "STRAIGHT_JOIN", "PARTITION", "INDEXED", "NOT", "TABLESAMPLE"}

func at(tokens []token, i int) (token, bool) {
	if i >= len(tokens) {
		return token{}, false
	}
	return tokens[i], true
}

func quoteOf(t token) string {
	if t.quote == 0 {
		return t.text
	}
	sign := string(t.quote)
	return sign + strings.ReplaceAll(t.text, sign, sign+sign) + sign
}
