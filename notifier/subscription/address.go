package subscription

import (
	"net"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"

	"shopwatch/notifier"
)

// Limits of RFC 5321, 4.5.3.1, in bytes.
const (
	maxAddress = 254
	maxLocal   = 64
)

var (
	// localForm is a dot-atom of RFC 5322: nobody's real mailbox is quoted.
	localForm = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+/=?^_{|}~` + "`" + `-]+(\.[A-Za-z0-9!#$%&'*+/=?^_{|}~` + "`" + `-]+)*$`)
	// domainForm has at least two labels, the last of which is no number.
	domainForm = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+([a-z]([a-z0-9-]{0,61}[a-z0-9])?)$`)
	// mainlandForm is a mobile number of mainland China: fixed lines take no text.
	mainlandForm = regexp.MustCompile(`^\+861[3-9][0-9]{9}$`)
	// phoneDress is what people write between digits.
	phoneDress = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", ".", "", "/", "", "\u00a0", "")
)

// ParseMail gives a mail address in the form of [notifier.MailAddress]. It takes
// what people type, also in the wide letters of a Chinese keyboard, and is
// stricter with strangers than that: no letters beside ASCII before the @, and a
// domain that the internet may know.
func ParseMail(typed string) (string, bool) {
	text, ok := plainLine(typed)
	if !ok {
		return "", false
	}
	address, ok := notifier.MailAddress(strings.TrimPrefix(text, "mailto:"))
	local, domain, _ := strings.Cut(address, "@")
	return address, ok && len(local) <= maxLocal && localForm.MatchString(local) && domainForm.MatchString(domain)
}

// ParsePhone gives a number in E.164. One without a country gets that of the
// first of the prefixes, with one of which it must begin.
func ParsePhone(typed string, prefixes []string) (string, bool) {
	text, ok := plainLine(typed)
	if !ok || len(prefixes) == 0 {
		return "", false
	}
	text = phoneDress.Replace(text)
	switch {
	case strings.HasPrefix(text, "+"):
	case strings.HasPrefix(text, "00"):
		text = "+" + text[2:]
	default:
		text = country(prefixes[0]) + strings.TrimPrefix(text, "0")
	}
	if !notifier.PhoneNumber(text) || strings.HasPrefix(text, "+86") && !mainlandForm.MatchString(text) {
		return "", false
	}
	return text, slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(text, p) })
}

// country is the country of a prefix that may say more of a number.
func country(prefix string) string {
	if strings.HasPrefix(prefix, "+86") {
		return "+86"
	}
	return prefix
}

// plainLine is one line in narrow letters without anything that can't be seen.
func plainLine(typed string) (string, bool) {
	if len(typed) > 4*maxAddress || !utf8.ValidString(typed) {
		return "", false
	}
	text := strings.TrimSpace(width.Narrow.String(strings.TrimSpace(typed)))
	text = strings.ReplaceAll(text, "｡", ".") // a full stop of a Chinese keyboard, made narrow
	return text, text != "" && !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) })
}

// ParseAddress reads a mail address or a phone number: what holds an @ is mail.
func (s *Service) ParseAddress(typed string) (channel, address string, ok bool) {
	if strings.ContainsAny(typed, "@＠") {
		address, ok = ParseMail(typed)
		return Email, address, ok
	}
	address, ok = ParsePhone(typed, s.cfg.Prefixes)
	return SMS, address, ok
}

// Mask shows so much of an address that its owner knows it, and nobody else:
// m…@q….com, +86138****8000, …0002 of a chat.
func Mask(channel, address string) string {
	switch channel {
	case Email:
		local, domain, _ := strings.Cut(address, "@")
		name, top := domain, ""
		if dot := strings.LastIndexByte(domain, '.'); dot > 0 {
			name, top = domain[:dot], domain[dot:]
		}
		return first(local) + "…@" + first(name) + "…" + top
	case SMS:
		if len(address) < 10 {
			return "****"
		}
		return address[:len(address)-8] + "****" + address[len(address)-4:]
	}
	if len(address) <= 6 {
		return "…"
	}
	return "…" + address[len(address)-4:]
}

func first(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return ""
	}
	return string(r)
}

func loopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }
