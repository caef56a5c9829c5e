package sms

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"shopwatch/notifier"
)

// maxValue is how many runes of a template's variable a provider takes.
const maxValue = 35

// insteadOf is the template that tells an event which has none of its own: these
// have the same variables.
var insteadOf = map[notifier.Event]notifier.Event{
	notifier.EventProlonged: notifier.EventDown,
	notifier.EventReopened:  notifier.EventDown,
	notifier.EventCode:      notifier.EventConfirm,
}

// Templates name what a provider approved, by event: "down". An entry "down.zh"
// goes before "down" for a message in that language. What prolongs or reopens
// trouble is told with the template of its beginning where it has none of its own.
type Templates map[string]string

// of finds the template for an event, in the language or in any where it is empty.
func (t Templates) of(event notifier.Event, language notifier.Language) (string, bool) {
	for ; event != ""; event = insteadOf[event] {
		if id, ok := t[string(event)+"."+string(language)]; ok {
			return id, true
		}
		if id, ok := t[string(event)]; ok {
			return id, true
		}
	}
	return "", false
}

// tells reports whether the event has a template in every language of the house.
func (t Templates) tells(event notifier.Event) bool {
	_, zh := t.of(event, notifier.Chinese)
	_, en := t.of(event, notifier.English)
	return slices.Contains(notifier.Texted, event) && zh && en
}

// find is of for a message, or the error that names what is missing.
func (t Templates) find(provider string, m notifier.Message) (string, error) {
	id, ok := t.of(notifier.Event(m.Template), m.Language)
	if !ok {
		return "", fmt.Errorf("sms %s: no template for the notice %q in language %q: name one in templates: %w", provider, m.Template, m.Language, notifier.ErrUnsendable)
	}
	return id, nil
}

// checkNumber refuses what is no number, or in no country that we send to.
func checkNumber(number string, prefixes []string) error {
	if !notifier.PhoneNumber(number) {
		return fmt.Errorf(`sms: the address is not a phone number with its country, as "+86…": %w`, notifier.ErrPermanent)
	}
	for _, prefix := range prefixes {
		if strings.HasPrefix(number, prefix) {
			return nil
		}
	}
	return fmt.Errorf("sms: the phone number is of a country that is not in the allowed prefixes (%s): %w", strings.Join(prefixes, ", "), notifier.ErrPermanent)
}

// checkPrefixes refuses prefixes that are none.
func checkPrefixes(prefixes []string) error {
	for _, prefix := range prefixes {
		if !prefixShape.MatchString(prefix) {
			return fmt.Errorf(`allowed prefixes: got %q, want "+" and digits, as "+86"`, prefix)
		}
	}
	return nil
}

var prefixShape = regexp.MustCompile(`^\+[1-9][0-9]{0,6}$`)

// home is a number without its country where that is mainland China, and with
// its country and without "+" elsewhere: what gateways there want.
func home(number string) string {
	if local, ok := strings.CutPrefix(number, "+86"); ok {
		return local
	}
	return strings.TrimPrefix(number, "+")
}

// value makes a variable's value fit for a template: one line, without the
// brackets that mark a signature, at most maxValue runes, never half of one.
func value(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '【' || r == '】':
			return -1
		case unicode.IsControl(r):
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return clip(strings.Join(strings.Fields(s), " "), maxValue)
}

// clip cuts at runes, never inside one.
func clip(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}

// longDigits are phone numbers and whatever else might be one, and the six digits
// that prove one.
var longDigits = regexp.MustCompile(`\+?[0-9]{6,}`)

// redact makes a provider's words fit for a log.
func redact(words string, secrets ...string) string {
	words = strings.ToValidUTF8(words, "?")
	for _, secret := range secrets {
		if secret != "" {
			words = strings.ReplaceAll(words, secret, "[redacted]")
		}
	}
	words = strings.Join(strings.Fields(longDigits.ReplaceAllLiteralString(words, "[number]")), " ")
	return clip(words, 200)
}
