package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"shopwatch/rules"
)

// maxDetail is how many characters of a detail are kept.
const maxDetail = 200

// problem is why a look failed: one bounded word for the metric and one line
// for the owner. The line never repeats what the far side sent as it stands,
// since a target may echo our own request with its secrets.
type problem struct {
	reason rules.Reason
	detail string
}

// Problem is why a look failed. The detail is for the owner's eyes: one line,
// and never what the far side sent as it stands.
func Problem(reason rules.Reason, detail string) error { return &problem{reason, detail} }

func (p *problem) Error() string { return string(p.reason) + ": " + p.detail }

// certificateProblem is a certificate that we refused, and what it said: its
// expiry is exported, or the series would vanish at the moment it matters most.
type certificateProblem struct {
	problem
	state tls.ConnectionState
}

// Blame makes a problem of a failed step, with a text that may be shown. A
// step that the look's deadline ended is a timeout, whatever the step was, and
// one that this machine spoiled is inconclusive; every other has its own reason.
func (l *Look) Blame(ctx context.Context, err error, reason rules.Reason, text string) error {
	if timedOut(ctx, err) {
		return Problem(rules.ReasonTimeout, fmt.Sprintf("not done within %s, still %s", l.timeout, l.phase()))
	}
	if ours(err) {
		reason = rules.ReasonVantage
	}
	return Problem(reason, text)
}

// ours reports whether a step failed because this machine ran out of something,
// which says nothing about the service. An unreachable network is not among
// them: a router beside the shop can report one too.
func ours(err error) bool {
	for _, code := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}

// timedOut reports whether err came of the look's deadline.
func timedOut(ctx context.Context, err error) bool {
	return errors.Is(ctx.Err(), context.DeadlineExceeded) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// SafeText is the text of an error on an open connection if it is of a kind
// whose text is ours or the system's; any other may quote what the far side sent.
func SafeText(err error) string {
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "not TLS: " + record.Msg
	}
	if alert, ok := errors.AsType[tls.AlertError](err); ok {
		return "TLS alert: " + alert.Error()
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Error()
	}
	if closed(err) {
		return "the far side closed the connection"
	}
	text := err.Error()
	if strings.HasPrefix(text, "tls: ") || strings.HasPrefix(text, "remote error: tls: ") {
		return text
	}
	return "the far side broke the protocol"
}

// closed reports whether the connection ended before its time.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// explain gives the reason and the clipped line of a failed look.
func explain(err error) (rules.Reason, string) {
	if certificate, ok := errors.AsType[*certificateProblem](err); ok {
		return certificate.reason, oneLine(certificate.detail)
	}
	if p, ok := errors.AsType[*problem](err); ok {
		return p.reason, oneLine(p.detail)
	}
	return rules.ReasonOther, "the look failed in an unexpected way"
}

// oneLine makes a text fit for one line of a page: valid, printable, clipped.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	return clip(text, maxDetail)
}

// clip cuts a text to a number of characters.
func clip(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

// publicTarget is the target as it may be shown: a URL without user info, query
// and fragment, where secrets live.
func publicTarget(target string) string {
	if !strings.Contains(target, "://") {
		if cut := strings.IndexAny(target, "?#"); cut >= 0 {
			target = target[:cut]
		}
		return target[strings.LastIndexByte(target, '@')+1:]
	}
	parsed, err := url.Parse(target)
	if err != nil {
		return ""
	}
	return publicURL(parsed)
}

func publicURL(u *url.URL) string {
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return shown.String()
}
