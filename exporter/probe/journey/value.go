package journey

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// placeholder is where an extracted value goes.
var placeholder = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_-]*\}`)

// expand puts values into a template, each through escape if there is one. A
// name that no former step extracted is a problem.
func expand(template string, values map[string]string, escape func(string) string) (string, error) {
	var missing error
	text := placeholder.ReplaceAllStringFunc(template, func(found string) string {
		name := found[2 : len(found)-1]
		value, ok := values[name]
		if !ok {
			missing = errors.Join(missing, probe.Problem(rules.ReasonOther, fmt.Sprintf("no former step extracts %q", clip(name))))
		}
		if escape != nil {
			return escape(value)
		}
		return value
	})
	return text, missing
}

// expandURL puts values into a URL. A template that is one placeholder as a
// whole takes its value as it is.
func expandURL(template string, values map[string]string) (string, error) {
	if placeholder.FindString(template) == template {
		return expand(template, values, nil)
	}
	if placeholder.MatchString(template) && !fixedHost(template) {
		return "", probe.Problem(rules.ReasonOther, "its URL has a value in its scheme or host")
	}
	return expand(template, values, escapeURL)
}

// fixedHost reports whether a template leads to the same scheme and host
// whatever its values are: headers that the owner wrote for one host must not
// go where an answer says.
func fixedHost(template string) bool {
	a, err := url.Parse(placeholder.ReplaceAllString(template, "a"))
	if err != nil {
		return false
	}
	b, err := url.Parse(placeholder.ReplaceAllString(template, "b"))
	return err == nil && origin(a) == origin(b)
}

func origin(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host}).String()
}

// escapeURL percent-encodes all but RFC 3986's unreserved characters.
// url.QueryEscape writes a space as +, which means a plus sign in a path; and a
// value of dots alone would climb in the path.
func escapeURL(value string) string {
	if strings.Trim(value, ".") == "" {
		return strings.ReplaceAll(value, ".", "%2E")
	}
	return strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
}

// guessType is the Content-Type of a body that names none.
func guessType(body string) string {
	if begin := strings.TrimSpace(body); strings.HasPrefix(begin, "{") || strings.HasPrefix(begin, "[") {
		return "application/json"
	}
	return "application/x-www-form-urlencoded"
}

// escapeFor is how a value is written into a body of a Content-Type; nil where
// it stands as it is.
func escapeFor(contentType string) func(string) string {
	media, _, _ := mime.ParseMediaType(contentType)
	switch {
	case media == "application/x-www-form-urlencoded":
		return url.QueryEscape
	case media == "application/json" || strings.HasSuffix(media, "+json"):
		return func(value string) string {
			quoted, err := json.Marshal(value)
			if err != nil { // a string always marshals
				return ""
			}
			return string(quoted[1 : len(quoted)-1])
		}
	}
	return nil
}

// extract takes a value from an answer. An empty one is none.
func extract(wanted *exporter.Extraction, headers http.Header, body []byte) (string, error) {
	var value string
	switch {
	case wanted.Regexp != "":
		pattern, err := patterns.get(wanted.Regexp)
		if err != nil {
			return "", probe.Problem(rules.ReasonOther, fmt.Sprintf("the pattern for %q is not a regular expression with a group", clip(wanted.Name)))
		}
		if found := pattern.FindSubmatch(body); found != nil {
			value = string(found[1])
		}
		if isHTML(headers) { // what a page writes as &amp; its browser reads as &
			value = html.UnescapeString(value)
		}
	case wanted.JSON != "":
		value = atPath(body, strings.Split(wanted.JSON, "."))
	default:
		value = headers.Get(wanted.Header)
	}
	switch {
	case value == "":
		return "", probe.Problem(rules.ReasonBody, fmt.Sprintf("nothing found for %q", clip(wanted.Name)))
	case len(value) > maxValue:
		return "", probe.Problem(rules.ReasonBody, fmt.Sprintf("what is found for %q is longer than %d bytes", clip(wanted.Name), maxValue))
	}
	return value, nil
}

func isHTML(headers http.Header) bool {
	media, _, _ := mime.ParseMediaType(headers.Get("Content-Type"))
	return media == "text/html" || media == "application/xhtml+xml"
}

// atPath is the text of the string, number or truth value at a path of a JSON
// document, "" where there is none. It reads token by token: a document as a
// whole may take fifty times its length in memory.
func atPath(document []byte, path []string) string {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	for _, step := range path {
		token, err := decoder.Token()
		if err != nil {
			return ""
		}
		switch token {
		case json.Delim('{'):
			err = seekKey(decoder, step)
		case json.Delim('['):
			err = seekIndex(decoder, step)
		default:
			return ""
		}
		if err != nil {
			return ""
		}
	}
	token, err := decoder.Token()
	if err != nil {
		return ""
	}
	switch value := token.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	case bool:
		return strconv.FormatBool(value)
	}
	return ""
}

var errNoSuch = errors.New("no such key or index")

// seekKey goes to the value of a key in an object that was entered.
func seekKey(decoder *json.Decoder, key string) error {
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		if token == key {
			return nil
		}
		if err := skip(decoder); err != nil {
			return err
		}
	}
	return errNoSuch
}

// seekIndex goes to an element of an array that was entered.
func seekIndex(decoder *json.Decoder, text string) error {
	index, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return errNoSuch
	}
	for ; decoder.More(); index-- {
		if index == 0 {
			return nil
		}
		if err := skip(decoder); err != nil {
			return err
		}
	}
	return errNoSuch
}

// skip passes over one value.
func skip(decoder *json.Decoder) error {
	for depth := 0; ; {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// patterns are the compiled patterns of extractions. They stand apart from the
// modules, which are plain words; a pattern that a reload dropped goes when the
// cache is full.
var patterns = patternCache{compiled: map[string]*regexp.Regexp{}}

// maxPatterns bounds the cache: more than any configuration has.
const maxPatterns = 1000

type patternCache struct {
	mu       sync.Mutex
	compiled map[string]*regexp.Regexp // nil: not a pattern with a group
}

var errNoPattern = errors.New("not a regular expression with a group")

func (c *patternCache) get(text string) (*regexp.Regexp, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	pattern, known := c.compiled[text]
	if !known {
		made, err := regexp.Compile(text)
		if err == nil && made.NumSubexp() > 0 {
			pattern = made
		}
		if len(c.compiled) >= maxPatterns {
			clear(c.compiled)
		}
		c.compiled[text] = pattern
	}
	if pattern == nil {
		return nil, errNoPattern
	}
	return pattern, nil
}
