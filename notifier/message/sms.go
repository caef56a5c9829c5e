package message

import (
	"regexp"
	"strings"

	"shopwatch/notifier"
)

// maxParam is how many runes an SMS provider takes in one variable (Aliyun's
// limit for general text).
const maxParam = 35

// textTemplate is the provider's registered template that tells a notice, and
// its variables in their order: those of notifier.Texted alone.
//
//	down, prolonged, reopened  title, since, lasted
//	recovered                  title, since, over, lasted
//	confirm, code              code
//
// No value is empty, which providers refuse.
func textTemplate(f Facts) (string, []notifier.Param) {
	var params []notifier.Param
	add := func(name, value string) {
		params = append(params, notifier.Param{Name: name, Value: clamp(variable(value), maxParam, "…")})
	}
	switch f.Event {
	case notifier.EventConfirm, notifier.EventCode:
		add("code", f.Code)
	case notifier.EventRecovered:
		add("title", f.Title)
		add("since", f.Since)
		add("over", f.Over)
		add("lasted", f.Lasted)
	default: // what began again lasts since it began first
		add("title", f.Title)
		add("since", f.Since)
		add("lasted", f.Lasted)
	}
	return string(f.Event), params
}

var (
	urlShape  = regexp.MustCompile(`(?i)\b(?:https?://|www\.)\S+`)
	hostShape = regexp.MustCompile(`(?i)\b(?:[a-z0-9-]+\.)+[a-z]{2,}\b`)
	// refused are signs that Aliyun takes in no variable.
	refused = strings.NewReplacer("※", "", "★", "", "→", "", "•", "", "①", "", "【", "", "】", "")
)

// variable is a value as providers take it: without links, nor what looks like
// one, nor signs that they refuse.
func variable(value string) string {
	value = urlShape.ReplaceAllString(value, "")
	value = hostShape.ReplaceAllStringFunc(value, func(host string) string { return strings.ReplaceAll(host, ".", " ") })
	return oneLine(refused.Replace(value))
}
