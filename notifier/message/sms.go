package message

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"

	"shopwatch/notifier"
)

// maxParam is how many runes an SMS provider takes in one variable (Aliyun's
// limit for general text).
const maxParam = 35

// textTemplate is the provider's registered template that tells a notice, and
// its variables in their order. What joined a trouble, and what began again, is
// told as a trouble of its own, since nobody registers more.
//
//	down, prolonged    title, since, lasted
//	updated            title, status, eta
//	eased              title
//	recovered          title, since, over, lasted
//	confirm, code      code
//	welcome            shop
//	digest             count, open
//
// No value is empty, which providers refuse. There is none for who has the trouble in hand: a text message doesn't tell.
func textTemplate(f Facts) (string, []notifier.Param) {
	name, title, since, lasted := f.Event, f.Title, f.Since, f.Lasted
	var params []notifier.Param
	add := func(name, value string) {
		params = append(params, notifier.Param{Name: name, Value: clamp(variable(value), maxParam, "…")})
	}
	switch f.Event {
	case notifier.EventConfirm, notifier.EventCode:
		add("code", f.Code)
		return string(name), params
	case notifier.EventWelcome:
		add("shop", f.Shop)
		return string(name), params
	case notifier.EventDigest:
		add("count", strconv.Itoa(len(f.Digest)))
		add("open", strconv.Itoa(f.Open))
		return string(name), params
	case notifier.EventJoined:
		name = notifier.EventDown
		if f.OnCall != nil && len(f.OnCall.News) > 0 {
			title, since, lasted = f.OnCall.News[0], f.OnCall.NewsSince, f.OnCall.NewsLasted
		}
	case notifier.EventReopened:
		name, since = notifier.EventDown, f.At // it lasts since it began first
	}
	add("title", title)
	switch name {
	case notifier.EventUpdated:
		add("status", cmp.Or(f.Status, wordsOf[f.Language].status[notifier.Investigating]))
		add("eta", cmp.Or(f.ETA, wordsOf[f.Language].unsaid))
	case notifier.EventEased:
	case notifier.EventRecovered:
		add("since", since)
		add("over", f.Over)
		add("lasted", lasted)
	default:
		add("since", since)
		add("lasted", lasted)
	}
	return string(name), params
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
