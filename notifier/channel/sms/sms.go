// Package sms says one message to one phone number through an SMS provider.
//
// Each provider is a file with its own constructor (NewAliyun); what they share
// is here: numbers, and values that a registered template takes. Providers in
// mainland China send no free text, only templates that they approved with
// variables filled in, so a message is its Template and Params, and Text is for
// providers that take words. The room never retries and never paces: a
// provider's limit becomes a notifier.RetryAfterError. Errors hold no number
// and no key; a provider's words are redacted, since they quote both.
package sms

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"shopwatch/notifier"
)

// maxValue is how many runes of a template's variable a provider takes.
const maxValue = 35

// e164 is a number with its country: "+8613800138000".
var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// checkNumber refuses what is no number, or in no country that we send to.
func checkNumber(number string, prefixes []string) error {
	if !e164.MatchString(number) {
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
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > maxValue {
		s = string(runes[:maxValue-1]) + "…"
	}
	return s
}

// longDigits are phone numbers and whatever else might be one.
var longDigits = regexp.MustCompile(`\+?[0-9]{7,}`)

// redact makes a provider's words fit for a log.
func redact(words string, secrets ...string) string {
	words = strings.ToValidUTF8(words, "?")
	for _, secret := range secrets {
		if secret != "" {
			words = strings.ReplaceAll(words, secret, "[redacted]")
		}
	}
	words = strings.Join(strings.Fields(longDigits.ReplaceAllLiteralString(words, "[number]")), " ")
	if runes := []rune(words); len(runes) > 200 {
		words = string(runes[:200]) + "…"
	}
	return words
}
