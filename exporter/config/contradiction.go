package config

import (
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"shopwatch/internal/configfile"
)

// contradictions are what blackbox_exporter's types say of values that are fine
// each by itself, and how we say it. An empty got is the culprit's value, an empty
// field whatever turns out to be the culprit, a dot the mapping itself.
var contradictions = []struct{ says, got, want, field string }{
	{"body and body_file both", "both body and body_file", "one of the two", ""},
	{`invalid configuration "`, "an Accept-Encoding without the compression that is asked for", "the compression among them", ""},
	{"HTTP/3 cannot be used as a valid", "HTTP/3.0", "enable_http3 with it", "valid_http_versions"},
	{"HTTP/3 and HTTP/2.0/1.1", "another version than HTTP/3.0", "HTTP/3.0 alone where enable_http3 is true", "valid_http_versions"},
	{"enable_http2 must be set to false", "HTTP/3 and HTTP/2 both", "enable_http2: false where enable_http3 is true", ""},
	{"query name must be set", "no query_name", "the name to ask for in query_name", "."},
	{"query class '", "", "a class such as IN or CH", "query_class"},
	{"query type '", "", "a type such as A, AAAA or SOA", "query_type"},
	{`"ttl" cannot`, "", "0–255", "ttl"},
	{"expect and expect_bytes", "both expect and expect_bytes", "one of the two", ""},
	{"header name must be set", "no header", "the name of a header in header", "."},
	{"regexp must be set", "no regexp", "a regular expression in regexp", "."},
	{"exactly one of key or key_file", "a certificate without its key", "key or key_file", ""},
	{"exactly one of cert or cert_file", "a key without its certificate", "cert or cert_file", ""},
}

// whole asks the type about a mapping whose values are fine each by itself.
func (i *inspector) whole(path string, node *yaml.Node, of reflect.Type) {
	err := node.Decode(reflect.New(of).Interface())
	if err == nil {
		return
	}
	at, culprit := i.culprit(path, node, of, err)
	for _, known := range contradictions {
		if !strings.Contains(err.Error(), known.says) {
			continue
		}
		if known.field == "." {
			at = path
		} else if n := keyAt(node, known.field); n >= 0 {
			at, culprit = configfile.Field(path, known.field), node.Content[n+1]
		}
		switch {
		case known.got != "":
			i.problems.Add(at, configfile.Phrase(known.got), known.want)
		case culprit != nil:
			i.problems.Add(at, culprit.Value, known.want)
		default:
			i.problems.Add(at, configfile.Phrase("another value"), known.want)
		}
		return
	}
	// The other texts of theirs name fields and never a value.
	i.problems.Add(at, configfile.Phrase("a contradiction"), err.Error())
}

// keyAt is where a mapping has a key, -1 if it has none.
func keyAt(node *yaml.Node, key string) int {
	for n := 0; n+1 < len(node.Content); n += 2 {
		if node.Content[n].Value == key {
			return n
		}
	}
	return -1
}

// culprit finds the value that the contradiction is about: the last of those
// without which there is none, or else the last that err names, or else all.
func (i *inspector) culprit(path string, node *yaml.Node, of reflect.Type, err error) (string, *yaml.Node) {
	for n := len(node.Content) - 2; n >= 0; n -= 2 {
		without := *node
		without.Content = slices.Delete(slices.Clone(node.Content), n, n+2)
		if i.left -= len(node.Content); i.left < 0 {
			break
		}
		if without.Decode(reflect.New(of).Interface()) == nil {
			at := configfile.Field(path, node.Content[n].Value)
			if value := node.Content[n+1]; value.Kind == yaml.MappingNode && len(value.Content) == 2 {
				return configfile.Field(at, value.Content[0].Value), value.Content[1]
			}
			return at, node.Content[n+1]
		}
	}
	for n := len(node.Content) - 2; n >= 0; n -= 2 {
		if key := node.Content[n].Value; key != "" && strings.Contains(err.Error(), key) {
			return configfile.Field(path, key), node.Content[n+1]
		}
	}
	return path, nil
}
