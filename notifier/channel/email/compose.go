package email

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/gomail.v2"

	"shopwatch/notifier"
)

// messageLimit is the largest message that is sent. A notice is a few kilobytes.
const messageLimit = 512 << 10

var listID = regexp.MustCompile(`^(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+)?$`)

// composed is a message as it goes over the wire, so that it can be sent again
// over another connection without a change.
type composed struct{ wire []byte }

// WriteTo writes the message.
func (m *composed) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(m.wire)
	return int64(n), err
}

func (c *Channel) compose(address string, m notifier.Message) (*composed, error) {
	if m.ID == "" {
		return nil, errors.New("the message has no id")
	}
	if strings.TrimSpace(m.Text) == "" && strings.TrimSpace(m.HTML) == "" {
		return nil, errors.New("the message has no text")
	}
	// Quoted-printable spends nine bytes on a Chinese character, base64 four.
	encoding := gomail.QuotedPrintable
	if m.Language == notifier.Chinese {
		encoding = gomail.Base64
	}
	letter := gomail.NewMessage(gomail.SetEncoding(encoding))
	letter.SetAddressHeader("From", c.from.Address, c.from.Name)
	letter.SetAddressHeader("To", address, "")
	// As an address without a name a header is written as it is; SetHeader
	// folds long words beyond the 76 columns of RFC 2047.
	letter.SetAddressHeader("Subject", encodeSubject(oneLine(m.Subject)), "")
	letter.SetDateHeader("Date", c.cfg.Now())
	letter.SetHeader("Message-ID", c.messageID(m.ID, m.Thread))
	if m.Thread != "" {
		// The root is nobody's message: every notice of the incident answers
		// it, so they are one conversation whichever of them a reader got.
		root := c.messageID(m.Thread)
		letter.SetHeader("In-Reply-To", root)
		letter.SetHeader("References", root)
	}
	letter.SetHeader("Auto-Submitted", "auto-generated")
	if c.cfg.ListID != "" {
		letter.SetHeader("List-Id", "<"+c.cfg.ListID+">")
	}
	if leaves(m.Leave) {
		letter.SetHeader("List-Unsubscribe", "<"+m.Leave+">")
		letter.SetHeader("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	switch {
	case m.HTML == "":
		letter.SetBody("text/plain", crlf(m.Text))
	case m.Text == "":
		letter.SetBody("text/html", crlf(m.HTML))
	default:
		letter.SetBody("text/plain", crlf(m.Text))
		letter.AddAlternative("text/html", crlf(m.HTML))
	}
	var wire bytes.Buffer
	if _, err := letter.WriteTo(&wire); err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	if wire.Len() > messageLimit {
		return nil, fmt.Errorf("compose: the message has %d bytes, want at most %d", wire.Len(), messageLimit)
	}
	return &composed{wire: wire.Bytes()}, nil
}

// leaves reports whether the address may stand in List-Unsubscribe: RFC 8058
// allows one click over https alone, and a header takes no other signs.
func leaves(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && parsed.Scheme == "https" && parsed.Host != "" && len(address) <= longestLink &&
		!strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' || r == '<' || r == '>' })
}

// longestLink is what fits in one line of a header, which is at most 998 bytes
// long (RFC 5322, 2.1.1).
const longestLink = 900

var notInID = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// messageID names a message on From's domain. The thread stands in it as well
// because ids start again in a new database, and a mail program hides a message
// whose Message-ID it has seen.
func (c *Channel) messageID(parts ...string) string {
	var named []string
	for _, part := range parts {
		if part = strings.Trim(notInID.ReplaceAllString(part, "-"), "."); part != "" {
			named = append(named, part)
		}
	}
	return "<" + strings.Join(named, ".") + "@" + domainOf(c.from.Address) + ">"
}

// oneLine keeps a subject from starting a header of its own.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return strings.Join(strings.Fields(s), " ")
}

// encodeSubject writes a subject in RFC 2047's encoded words, one a line, where
// it isn't ASCII.
func encodeSubject(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) {
		return s
	}
	const longest = 36 // bytes: with "Subject: " and the word's own marks 69 columns
	var (
		words []string
		chunk []byte
	)
	end := func() {
		words, chunk = append(words, "=?UTF-8?B?"+base64.StdEncoding.EncodeToString(chunk)+"?="), nil
	}
	for _, r := range s {
		if len(chunk)+utf8.RuneLen(r) > longest {
			end()
		}
		chunk = utf8.AppendRune(chunk, r)
	}
	end()
	return strings.Join(words, "\r\n ")
}

// crlf ends lines as mail does.
func crlf(s string) string {
	return strings.ReplaceAll(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s), "\n", "\r\n")
}

// mailbox is anything that might be somebody's address, and longRun whatever might
// be a token: our links change a subscription, whoever opens them.
var (
	mailbox = regexp.MustCompile(`[^\s<>"'(),:;]+@[^\s<>"'(),:;]+`)
	longRun = regexp.MustCompile(`[A-Za-z0-9_-]{24,}`)
)

// redact makes a server's words fit for a log.
func (c *Channel) redact(words, address string) string {
	words = strings.ToValidUTF8(words, "?")
	encoded := base64.StdEncoding.EncodeToString
	for _, private := range []string{
		address, address[:strings.LastIndexByte(address, '@')], c.cfg.Password,
		encoded([]byte("\x00" + c.cfg.Username + "\x00" + c.cfg.Password)), encoded([]byte(c.cfg.Password)),
	} {
		if private != "" {
			words = regexp.MustCompile(`(?i)`+regexp.QuoteMeta(private)).ReplaceAllLiteralString(words, "[redacted]")
		}
	}
	words = longRun.ReplaceAllLiteralString(mailbox.ReplaceAllLiteralString(words, "[address]"), "[redacted]")
	words = strings.Join(strings.Fields(words), " ")
	if runes := []rune(words); len(runes) > 200 {
		words = string(runes[:200]) + "…"
	}
	return words
}
