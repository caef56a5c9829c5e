package sandbox

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// entities is a message in Telegram's HTML, parsed.
type entities struct {
	visible string // the text without markup
	safe    string // HTML that a page may show as it is
}

// shown says how the page shows each tag that Telegram knows. An empty string
// shows its text alone.
var shown = map[string]string{
	"b": "strong", "strong": "strong", "i": "em", "em": "em", "u": "u", "ins": "u",
	"s": "s", "strike": "s", "del": "s", "code": "code", "pre": "pre", "blockquote": "blockquote",
	"tg-spoiler": "mark", "span": "mark", "a": "a", "tg-emoji": "",
}

// entityParser reads Telegram's HTML as its server does, mistakes included:
// anything behind "<" is a tag, and the error says at which byte.
type entityParser struct {
	text    string
	i       int
	open    []openTag
	visible strings.Builder
	safe    strings.Builder
}

// parseError is why a text cannot be parsed, in the words of Telegram's server.
type parseError string

func (e parseError) Error() string { return string(e) }

func unparsed(format string, args ...any) error { return parseError(fmt.Sprintf(format, args...)) }

type openTag struct{ name, shown string }

func parseEntities(text string) (entities, error) {
	p := &entityParser{text: text}
	for p.i < len(p.text) {
		if p.text[p.i] != '<' {
			p.write(p.character())
			continue
		}
		var err error
		if strings.HasPrefix(p.text[p.i:], "</") {
			err = p.endTag()
		} else {
			err = p.startTag()
		}
		if err != nil {
			return entities{}, err
		}
	}
	if len(p.open) > 0 {
		return entities{}, unparsed(`Can't find end tag corresponding to start tag "%s"`, p.open[len(p.open)-1].name)
	}
	return entities{visible: p.visible.String(), safe: p.safe.String()}, nil
}

func (p *entityParser) write(text string) {
	p.visible.WriteString(text)
	p.safe.WriteString(html.EscapeString(text))
}

// reference is every character reference that Telegram knows.
var reference = regexp.MustCompile(`^&(?:lt|gt|amp|quot|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});`)

// character takes one character or reference; anything else behind "&" is text.
func (p *entityParser) character() string {
	if found := reference.FindString(p.text[p.i:]); found != "" {
		p.i += len(found)
		return html.UnescapeString(found)
	}
	_, size := utf8.DecodeRuneInString(p.text[p.i:])
	p.i += size
	return p.text[p.i-size : p.i]
}

func (p *entityParser) startTag() error {
	begin := p.i
	p.i++
	name := strings.ToLower(p.until(" \t\r\n>"))
	if p.i >= len(p.text) {
		return unparsed("Unclosed start tag at byte offset %d", begin)
	}
	tag, known := shown[name]
	if !known {
		return unparsed(`Unsupported start tag "%s" at byte offset %d`, name, begin)
	}
	attributes, err := p.attributes(name, begin)
	if err != nil {
		return err
	}
	if name == "span" && attributes["class"] != "tg-spoiler" {
		return unparsed(`Tag "span" must have class "tg-spoiler" at byte offset %d`, begin)
	}
	if name == "a" && !linkable(attributes["href"]) {
		tag = "" // Telegram shows a link that it doesn't like as text
	}
	p.open = append(p.open, openTag{name: name, shown: tag})
	switch tag {
	case "":
	case "a":
		fmt.Fprintf(&p.safe, `<a href="%s" target="_blank" rel="noopener noreferrer">`, html.EscapeString(attributes["href"]))
	default:
		p.safe.WriteString("<" + tag + ">")
	}
	return nil
}

// attributes takes what stands between a tag's name and its ">".
func (p *entityParser) attributes(tag string, begin int) (map[string]string, error) {
	unclosed := unparsed("Unclosed start tag at byte offset %d", begin)
	found := map[string]string{}
	for {
		p.skipSpace()
		if p.i >= len(p.text) {
			return nil, unclosed
		}
		if p.text[p.i] == '>' {
			p.i++
			return found, nil
		}
		name := strings.ToLower(p.until(" \t\r\n=>"))
		if name == "" {
			return nil, unparsed(`Empty attribute name in the tag "%s" at byte offset %d`, tag, begin)
		}
		p.skipSpace()
		if p.i >= len(p.text) {
			return nil, unclosed
		}
		if p.text[p.i] != '=' {
			if name == "expandable" && tag == "blockquote" {
				continue
			}
			return nil, unparsed(`Expected equal sign in declaration of an attribute of the tag "%s" at byte offset %d`, tag, begin)
		}
		p.i++
		p.skipSpace()
		if p.i >= len(p.text) {
			return nil, unclosed
		}
		quote := p.text[p.i]
		if quote != '"' && quote != '\'' {
			found[name] = p.until(" \t\r\n>")
			continue
		}
		p.i++
		value := p.until(string(quote))
		if p.i >= len(p.text) {
			return nil, unclosed
		}
		p.i++
		found[name] = html.UnescapeString(value)
	}
}

func (p *entityParser) endTag() error {
	begin := p.i
	p.i += 2
	name := strings.ToLower(p.until(" \t\r\n>"))
	p.skipSpace()
	if p.i >= len(p.text) || p.text[p.i] != '>' {
		return unparsed("Unclosed end tag at byte offset %d", begin)
	}
	p.i++
	if len(p.open) == 0 {
		return unparsed("Unexpected end tag at byte offset %d", begin)
	}
	last := p.open[len(p.open)-1]
	if name != "" && name != last.name {
		return unparsed(`Unmatched end tag at byte offset %d, expected "</%s>", found "</%s>"`, begin, last.name, name)
	}
	p.open = p.open[:len(p.open)-1]
	if last.shown != "" {
		p.safe.WriteString("</" + last.shown + ">")
	}
	return nil
}

// until takes everything before the first of the characters.
func (p *entityParser) until(stop string) string {
	rest := p.text[p.i:]
	if end := strings.IndexAny(rest, stop); end >= 0 {
		rest = rest[:end]
	}
	p.i += len(rest)
	return rest
}

func (p *entityParser) skipSpace() {
	for p.i < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.i]) >= 0 {
		p.i++
	}
}

// linkable reports whether a page may link there.
func linkable(href string) bool {
	parsed, err := url.Parse(href)
	if err != nil {
		return false
	}
	switch parsed.Scheme {
	case "http", "https":
		return parsed.Host != ""
	case "mailto", "tg":
		return true
	}
	return false
}
