package notifier

import (
	"net/mail"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// MailAddress reads a bare mail address and gives the form in which it is kept,
// compared and written on the wire: the domain in lower case and ASCII (RFC
// 5891), the part before it as it is, which may hold other letters than ASCII
// (RFC 6531) where the reader's server takes them. It is false where no mail
// server could take the address, at most 254 bytes long (RFC 5321, 4.5.3.1.3).
func MailAddress(text string) (string, bool) {
	at := strings.LastIndexByte(text, '@')
	if at < 1 || len(text) > 254 || strings.ContainsFunc(text, isBlank) || strings.ContainsAny(text, `<>"(),:;[]\`) {
		return "", false
	}
	domain, err := idna.Lookup.ToASCII(text[at+1:])
	if err != nil || domain == "" {
		return "", false
	}
	address := text[:at] + "@" + strings.ToLower(domain)
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Name != "" || parsed.Address != address || len(address) > 254 {
		return "", false
	}
	return address, true
}

func isBlank(r rune) bool {
	return unicode.IsSpace(r) || !unicode.IsGraphic(r)
}

// phoneNumber is E.164: "+", country, and at most 15 digits in all.
var phoneNumber = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// PhoneNumber reports whether the text is a phone number with its country, as "+8613800138000".
func PhoneNumber(text string) bool { return phoneNumber.MatchString(text) }
