package message

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"shopwatch/notifier"
)

// maxParam is how many runes an SMS provider takes in one variable (Aliyun's
// limit for general text).
const maxParam = 35

// textTemplate is the provider's registered template that tells a notice, and
// its variables in their order: those of notifier.Texted alone.
//
//	down, prolonged, reopened  title, since, lasted; on call, the title ends with the
//	                           service's key, and lasted with who has it in hand
//	recovered                  title, since, over, lasted
//	maintenance_in_progress    title, since, until
//	confirm, code              code
//
// No value is empty, which providers refuse.
func textTemplate(f Facts) (string, []notifier.Param) {
	var params []notifier.Param
	add := func(name, value string) {
		params = append(params, notifier.Param{Name: name, Value: clamp(variable(value), maxParam, "…")})
	}
	title, lasted := f.Title, f.Lasted
	if f.OnCall != nil {
		title = placed(f)
		lasted += wordsOf[f.Language].pause + f.OnCall.Hand
	}
	switch f.Event {
	case notifier.EventConfirm, notifier.EventCode:
		add("code", f.Code)
	case notifier.EventRecovered:
		add("title", title)
		add("since", f.Since)
		add("over", f.Over)
		add("lasted", f.Lasted)
	case notifier.EventBegan:
		add("title", title)
		add("since", f.Since)
		add("until", f.Until)
	default: // what began again lasts since it began first
		add("title", title)
		add("since", f.Since)
		add("lasted", lasted)
	}
	return string(f.Event), params
}

// placed is the title and the service's key, of which the key is kept whole
// where both are too long for a variable.
func placed(f Facts) string {
	if f.OnCall.Key == "" {
		return f.Title
	}
	key := fmt.Sprintf(wordsOf[f.Language].key, f.OnCall.Key)
	return clamp(variable(f.Title), max(maxParam-utf8.RuneCountInString(key), 1), "…") + key
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
