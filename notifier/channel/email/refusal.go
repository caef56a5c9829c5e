package email

import (
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"shopwatch/notifier"
)

// How long somebody is left alone after a refusal that names no time.
const (
	// loginRefused is how long the whole channel rests after the server refused
	// our login or our sender. Only a person mends that, and a server may lock an
	// account that tries too often.
	loginRefused = 5 * time.Minute
	// quotaMet is how long the whole channel rests once the account's quota of
	// mails is used up. NetEase counts in 15 minutes, others by the hour or day.
	quotaMet = 15 * time.Minute
	// tooFast is how long the whole channel rests when the server asks to be
	// asked less often for the moment.
	tooFast = time.Minute
	// greylisted is how long a recipient waits whose server takes mail of
	// strangers at the second try only: Postgrey wants five minutes, others one,
	// and an early try costs nothing (RFC 6647, 4.1).
	greylisted = time.Minute
	// longestWait is the longest that a server's own words can make us wait.
	longestWait = time.Hour
)

// word words an error of a session for the caller: no address, no password.
func (c *Channel) word(ctx context.Context, err error, address string) error {
	if err == nil {
		return nil
	}
	var failed *stepError
	if !errors.As(err, &failed) {
		failed = &stepError{step: "send", err: err}
	}
	if ended := ctx.Err(); ended != nil {
		return fmt.Errorf("email: %s: %w", failed.step, ended)
	}
	if errors.Is(failed.err, os.ErrDeadlineExceeded) { // a dialer may see the deadline before the context does
		return fmt.Errorf("email: %s: %w", failed.step, context.DeadlineExceeded)
	}
	words := failed.err.Error()
	var refused *textproto.Error
	if errors.As(failed.err, &refused) {
		words = fmt.Sprintf("%d %s", refused.Code, refused.Msg)
	}
	// What is read below is read of the redacted words: an address that somebody
	// signed up with must not speak for the server.
	words = c.redact(words, address)
	said := fmt.Errorf("email: %s: %s", failed.step, words)
	switch {
	case errors.Is(failed.err, errNoSecureLogin):
		return &notifier.RetryAfterError{After: loginRefused, Whole: true, Err: said}
	case errors.Is(failed.err, errNoUTF8):
		return fmt.Errorf("%w: %w", said, notifier.ErrUnsendable)
	case refused == nil:
		return said
	case refused.Code >= 500:
		return final(failed.step, refused.Code, words, said)
	}
	return passing(refused.Code, words, said)
}

// passing reads a 4xx answer: what it says will pass.
func passing(code int, words string, said error) error {
	enhanced := enhancedOf(words)
	after, named := waitNamed(words)
	later := func(usual time.Duration, whole bool) error {
		if !named {
			after = usual
		}
		return &notifier.RetryAfterError{After: after, Whole: whole, Err: said}
	}
	switch {
	case code == 421: // closing, perhaps just this connection
		return said
	case greylistWords.MatchString(words):
		return later(greylisted, false)
	case strings.HasPrefix(enhanced, "4.2."): // the mailbox: full, or getting more than it may
		return later(greylisted, false)
	case quotaWords.MatchString(words):
		return later(quotaMet, true)
	case speedWords.MatchString(words):
		return later(tooFast, true)
	case named:
		return later(after, false)
	case enhanced == "4.7.1" && (code == 450 || code == 451): // how Postfix greylists where nobody gave it words
		return later(greylisted, false)
	}
	return said
}

// final reads a 5xx answer: whose fault it is decides who is left alone. A
// number of providers send no enhanced code (RFC 3463), or the wrong one, so a
// few words go first; the rest is decided by the step that was refused.
func final(step string, code int, words string, said error) error {
	enhanced := enhancedOf(words)
	whole := func(after time.Duration, hint string) error {
		if hint != "" {
			said = fmt.Errorf("%w: %s", said, hint)
		}
		return &notifier.RetryAfterError{After: after, Whole: true, Err: said}
	}
	switch {
	case enhanced == "5.4.5" || quotaWords.MatchString(words):
		return whole(quotaMet, "")
	case step == stepAuth:
		return whole(loginRefused, "check username and password (QQ and 163 want an app password, 授权码, and SMTP switched on in the mailbox's settings)")
	case code == 530 || enhanced == "5.7.8" || loginWords.MatchString(words):
		return whole(loginRefused, "the server wants a login: check username and password")
	case relayWords.MatchString(words):
		return whole(loginRefused, "the server sends no mail of ours: log in, or let it relay for this machine")
	case step == stepSender && code != 552:
		return whole(loginRefused, "from must be a mailbox that the username may send for, on QQ and 163 the username itself")
	case speedWords.MatchString(words):
		return whole(tooFast, "")
	case spamWords.MatchString(words):
		return fmt.Errorf("%w: %w", said, notifier.ErrUnsendable)
	case step != stepRecipient && step != stepData:
		return said
	case aboutAddress(step, code, enhanced):
		return fmt.Errorf("%w: %w", said, notifier.ErrPermanent)
	case code < 550 || enhanced == "5.2.2" || strings.HasPrefix(enhanced, "5.3.") && enhanced != "5.3.4" || strings.HasPrefix(enhanced, "5.4."):
		return said // our command, a full mailbox, their system, the way: may be otherwise in an hour
	case code == 552 && step == stepRecipient && enhanced == "":
		return said // over quota
	}
	return fmt.Errorf("%w: %w", said, notifier.ErrUnsendable) // size, content, policy
}

// aboutAddress tells a recipient's fault from a server's or ours among 5xx
// answers. The enhanced code decides where there is one: x.1 is the address, of
// which x.1.7 and x.1.8 are the sender's, x.2 the mailbox, of which x.2.2 is full
// and x.2.3 a message too long; x.3 is the system, x.7 a policy, x.4 the way, of
// which Exchange uses x.4.1 for an address that doesn't exist. Without one, only
// an answer to the address itself says so.
func aboutAddress(step string, code int, enhanced string) bool {
	if code < 550 || code > 559 {
		return false
	}
	switch enhanced {
	case "":
		return step == stepRecipient && code != 552 && code != 554 // over quota; anything
	case "5.1.7", "5.1.8", "5.2.2", "5.2.3":
		return false
	case "5.4.1":
		return step == stepRecipient
	}
	return strings.HasPrefix(enhanced, "5.1.") || strings.HasPrefix(enhanced, "5.2.")
}

var enhancedCode = regexp.MustCompile(`^[45]\.[0-9]{1,3}\.[0-9]{1,3}$`)

// enhancedOf is the enhanced code of an answer, as "550 5.1.1 unknown"; empty where it has none.
func enhancedOf(words string) string {
	_, words, _ = strings.Cut(words, " ")
	enhanced, _, _ := strings.Cut(words, " ")
	if !enhancedCode.MatchString(enhanced) {
		return ""
	}
	return enhanced
}

// What servers say, in the words of Postfix, Exchange, Gmail, QQ ("Sender
// frequency limited", "Mail content denied") and NetEase ("MI:SFQ", "DT:SPM":
// help.mail.163.com, 退信代码说明).
var (
	greylistWords = regexp.MustCompile(`(?i)gr[ea]y[- ]?list|postgrey`)
	quotaWords    = regexp.MustCompile(`(?i)\b(?:daily|hourly|sending|sender)\b[^.]{0,30}\b(?:limit|quota)\b|\b(?:MI:SFQ|MI:STC|MI:FSR|RP:QRC|RP:TRC)\b`)
	loginWords    = regexp.MustCompile(`(?i)authentication (?:is )?required|must (?:log|sign) ?in|not logged in`)
	speedWords    = regexp.MustCompile(`(?i)frequency limited|rate[- ]?limit|too (?:many|much) (?:messages|mails?|connections|recipients|requests)|sending too (?:fast|quickly)|slow down|throttl|\b(?:HL:IFC|HL:ICC|MI:DMC|MI:CCL|RP:CEL|RP:DRC|MI:CEL)\b`)
	relayWords    = regexp.MustCompile(`(?i)\brelay(?:ing)?\b`)
	spamWords     = regexp.MustCompile(`(?i)\bspam\b|spamhaus|black-?list|block-?list|\brbl\b|content (?:denied|rejected)|\b(?:DT:SPM|DT:SUM|MI:SPF|MI:SPB|DT:RBL)\b|\b(?:dmarc|dkim|spf)\b`)
	waitWords     = regexp.MustCompile(`(?i)\b(?:in|for|after|wait|within)\s+(?:about\s+)?([0-9]{1,5})\s*(s|sec|secs|seconds?|m|min|mins|minutes?|h|hours?)\b`)
)

// waitNamed reads how long a server asks us to wait, at most longestWait.
func waitNamed(words string) (time.Duration, bool) {
	found := waitWords.FindStringSubmatch(words)
	if found == nil {
		return 0, false
	}
	n, err := strconv.Atoi(found[1])
	if err != nil || n == 0 {
		return 0, false
	}
	unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour}[strings.ToLower(found[2])[0]]
	return min(time.Duration(n)*unit, longestWait), true
}
