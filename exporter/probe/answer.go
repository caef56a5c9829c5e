package probe

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"shopwatch/rules"
)

// Kinds that ask somebody's API share this: a bounded answer, what the answer
// tells of the far side's clock, and what may be said of an answer that isn't
// the API's.

// Answer is what came back for one request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	// Skew is how far the far side's clock is ahead of ours, by the Date of its
	// answer and the middle of the exchange, so to about a second and half the
	// time that the exchange took. Timed is false where no Date tells it.
	Skew  time.Duration
	Timed bool
}

// Ask makes the request with a client of [Look.Client] and reads its answer,
// whose body may have at most limit bytes. It judges no status. Its errors are
// problems.
func (l *Look) Ask(ctx context.Context, client *http.Client, request *http.Request, limit int64) (Answer, error) {
	if request.Header.Get("User-Agent") == "" {
		request.Header.Set("User-Agent", l.prober.userAgent)
	}
	sent := l.Now()
	response, err := client.Do(request.WithContext(ctx))
	if err != nil {
		return Answer{}, l.BlameExchange(ctx, err)
	}
	defer response.Body.Close()
	came := l.Now()
	body, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	switch {
	case int64(len(body)) > limit:
		return Answer{}, Problem(rules.ReasonBody, fmt.Sprintf("body is longer than %d bytes", limit))
	case err != nil:
		return Answer{}, l.Blame(ctx, err, rules.ReasonBody, SafeText(err))
	}
	// PHP scripts that were saved by a Windows editor begin with a byte order mark.
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	answer := Answer{Status: response.StatusCode, Header: response.Header, Body: body}
	// A cache repeats the Date of the answer that it kept.
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil && response.Header.Get("Age") == "" {
		middle := sent.Add(came.Sub(sent) / 2)
		answer.Skew, answer.Timed = date.Add(time.Second/2).Sub(middle), true
	}
	return answer, nil
}

// Foreign is the problem of an answer that isn't in the API's protocol: a page
// of somebody in between, such as a hijacked name's, a challenge of a CDN, or an
// error page of a proxy before the API.
func (a Answer) Foreign() error {
	page := bytes.ToLower(a.Body[:min(len(a.Body), 64<<10)])
	html := strings.Contains(a.Header.Get("Content-Type"), "html") || bytes.HasPrefix(bytes.TrimSpace(page), []byte("<"))
	switch {
	case a.Header.Get("Cf-Mitigated") != "", html && bytes.Contains(page, []byte("challenge-platform")),
		html && bytes.Contains(page, []byte("<title>just a moment")):
		return Problem(rules.ReasonBody, fmt.Sprintf("answered %d with a challenge page, which no program can pass", a.Status))
	case a.Status == http.StatusTooManyRequests:
		return Problem(rules.ReasonVantage, "asked too often (429)")
	case a.Status >= 500:
		return Problem(rules.ReasonStatus, fmt.Sprintf("answered %d", a.Status))
	case a.Status >= 300 && a.Status < 400:
		return Problem(rules.ReasonBody, fmt.Sprintf("answered %d: redirects, which its protocol doesn't", a.Status))
	case len(bytes.TrimSpace(page)) == 0:
		return Problem(rules.ReasonBody, fmt.Sprintf("answered %d with nothing", a.Status))
	case html:
		return Problem(rules.ReasonBody, fmt.Sprintf("answered %d with an HTML page, not in its protocol", a.Status))
	}
	return Problem(rules.ReasonBody, fmt.Sprintf("answered %d, but not in its protocol", a.Status))
}

// codeWord is what an API's error codes look like: words, or a short number.
// Keys and signatures mix long runs of both.
var codeWord = regexp.MustCompile(`^-?[0-9]{1,6}$|^[A-Za-z]+([._-][A-Za-z]+)*$`)

// Code is an error code of an API as it may be shown. One that looks like none,
// or that repeats one of the secrets, is not shown: a far side may echo our request.
func Code(code string, secrets ...string) string {
	const hidden = "a code that is not shown"
	if len(code) > 64 || !codeWord.MatchString(code) {
		return hidden
	}
	for _, secret := range secrets {
		if secret != "" && strings.Contains(strings.ToLower(code), strings.ToLower(secret)) {
			return hidden
		}
	}
	return code
}
