package config

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"

	"shopwatch/internal/configfile"
	"shopwatch/notifier"
)

// GatewayConfig is any other provider that takes one HTTP request a message. Its
// texts may hold the ${names} of gatewayNames.
type GatewayConfig struct {
	Method               string
	URL, Secret          configfile.Secret
	Query, Headers, Form map[string]string
	JSON                 string            // a JSON document; empty: none
	Templates            map[string]string // as in AliyunConfig; empty: it takes words
	Result               GatewayResult
}

// GatewayResult is where a gateway's answer says what became of a message, and
// in which words.
type GatewayResult struct {
	JSON                                              string         // the way through the answer: "data.code"
	Regex                                             *regexp.Regexp // or this; nil: neither, the status alone decides
	Accepted, Permanent, Unsendable, Limited, Refused []string
}
type gatewayFields struct {
	Method               string
	URL, Secret          configfile.Secret
	Query, Headers, Form map[string]configfile.Template
	JSON                 configfile.Template
	Templates            map[notifier.Event]text
	Result               resultFields
}

// SetDefaults is called before the file's values.
func (f *gatewayFields) SetDefaults() { f.Method = "POST" }

type resultFields struct {
	JSON, Regex                                       string
	Accepted, Permanent, Unsendable, Limited, Refused []string
}

// gatewayNames are what a gateway's texts may hold as ${name}.
var gatewayNames = []string{
	"number", "number_digits", "number_home", "text", "id", "event", "language", "template", "secret", "title", "since", "over", "lasted", "code",
}

func (b builder) gateway(path string, fields *gatewayFields) *GatewayConfig {
	if fields == nil {
		return nil
	}
	if fields.Method != "GET" && fields.Method != "POST" {
		b.add(path, "method", fields.Method, "GET or POST")
	}
	if got, want := secretURL(fields.URL, false); want != "" {
		b.add(path, "url", got, want)
	}
	expand := func(texts map[string]configfile.Template) map[string]string {
		if texts == nil {
			return nil
		}
		made := make(map[string]string, len(texts))
		for name, text := range texts {
			made[name] = text.Expand(b.problems, isGatewayName)
		}
		return made
	}
	gateway := &GatewayConfig{
		Method: fields.Method, URL: fields.URL, Secret: fields.Secret,
		Query: expand(fields.Query), Headers: expand(fields.Headers), Form: expand(fields.Form), JSON: fields.JSON.Expand(b.problems, isGatewayName),
		Result: b.result(configfile.Field(path, "result"), fields.Result),
	}
	for _, name := range slices.Sorted(maps.Keys(fields.Headers)) {
		if !headerForm.MatchString(name) {
			b.add(configfile.Field(path, "headers"), name, configfile.Phrase("no header's name"), "letters, digits and -")
		}
	}
	switch {
	case gateway.Form != nil && gateway.JSON != "":
		b.problems.Add(path, configfile.Phrase("both form and json"), "one of the two")
	case fields.Method == "GET" && (gateway.Form != nil || gateway.JSON != ""):
		b.add(path, "method", fields.Method, "POST, or query instead of form and json")
	case gateway.JSON != "" && !json.Valid([]byte(gateway.JSON)):
		b.add(path, "json", configfile.Phrase("no JSON"), `a document such as '{"to": "${number}", "text": "${text}"}'`)
	}
	if len(fields.Templates) > 0 {
		gateway.Templates = b.templates(configfile.Field(path, "templates"), fields.Templates, anyCode, "a template's code")
	}
	return gateway
}

func isGatewayName(name string) bool { return slices.Contains(gatewayNames, name) }

func (b builder) result(path string, fields resultFields) GatewayResult {
	result := GatewayResult{
		JSON: fields.JSON, Accepted: fields.Accepted, Permanent: fields.Permanent, Unsendable: fields.Unsendable, Limited: fields.Limited, Refused: fields.Refused,
	}
	if fields.Regex != "" {
		var err error
		if result.Regex, err = regexp.Compile(fields.Regex); err != nil {
			b.add(path, "regex", fields.Regex, "a regular expression")
		}
	}
	told := len(fields.Accepted)+len(fields.Permanent)+len(fields.Unsendable)+len(fields.Limited)+len(fields.Refused) > 0
	switch {
	case fields.JSON != "" && fields.Regex != "":
		b.problems.Add(path, configfile.Phrase("both json and regex"), "one of the two")
	case (fields.JSON != "" || fields.Regex != "") && len(fields.Accepted) == 0:
		b.add(path, "accepted", nil, `what the gateway says of a message that it took, such as ["0"]`)
	case fields.JSON == "" && fields.Regex == "" && told:
		b.add(path, "json", nil, "where the answer says it, such as data.code, or a pattern in regex")
	}
	return result
}

// secretURL checks an address that holds a secret, so that it stands in no
