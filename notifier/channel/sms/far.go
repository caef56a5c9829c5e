package sms

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"shopwatch/notifier"
)

const (
	// answerLimit is the most of an answer that is read. Providers say a few hundred bytes.
	answerLimit = 64 << 10
	// providerRefused is how long the whole provider rests after it refused our
	// account, key, signature or balance. Only a person mends those.
	providerRefused = 5 * time.Minute
	// throttled is how long the whole provider rests when its API is asked too
	// often; such limits are counted by the second and by the minute.
	throttled = time.Minute
	// longestWait is the longest that an answer can make us wait: a day, which
	// is the longest window that providers count in.
	longestWait = 24 * time.Hour
)

// far is a provider's side of one connection pool: it follows no redirect, which
// would carry the number elsewhere, and reads answers only so far.
type far struct{ next http.RoundTripper }

func newFar() *far {
	pool := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one unless a program replaces it
	pool.MaxIdleConnsPerHost = 16
	pool.MaxResponseHeaderBytes = answerLimit
	return &far{next: pool}
}

// trip is one request and what became of it.
type trip struct {
	wrote  atomic.Bool // something of it may have reached the provider
	status int
	header http.Header
	body   []byte
	err    error // nil once there is an answer
}

type tripKey struct{}

// begin gives a context whose one request is told of in the trip.
func begin(ctx context.Context) (context.Context, *trip) {
	t := &trip{}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { t.wrote.Store(true) }})
	return context.WithValue(ctx, tripKey{}, t), t
}

var (
	errRedirect = errors.New("the provider redirects: check the endpoint")
	errLong     = errors.New("the answer is too long: check the endpoint")
)

// RoundTrip makes the request and reads the whole answer.
func (f *far) RoundTrip(r *http.Request) (*http.Response, error) {
	t, ok := r.Context().Value(tripKey{}).(*trip)
	if !ok {
		return nil, errors.New("a request without a trip")
	}
	answer, err := f.next.RoundTrip(r)
	if err != nil {
		t.err = err
		return nil, err
	}
	defer answer.Body.Close()
	t.status, t.header = answer.StatusCode, answer.Header
	if t.status >= 300 && t.status < 400 {
		t.wrote.Store(false) // nobody there deals with messages
		t.err = errRedirect
		return nil, t.err
	}
	t.body, t.err = io.ReadAll(io.LimitReader(answer.Body, answerLimit+1))
	if t.err == nil && len(t.body) > answerLimit {
		t.err = errLong
	}
	if t.err != nil {
		return nil, t.err
	}
	answer.Body = io.NopCloser(bytes.NewReader(t.body))
	return answer, nil
}

// do makes a request whose context is of begin.
func (f *far) do(r *http.Request) {
	if answer, err := f.RoundTrip(r); err == nil {
		_ = answer.Body.Close()
	}
}

// failed words a trip that got no answer: no number, no secret.
func (t *trip) failed(ctx context.Context, provider string, secrets ...string) error {
	var said error
	switch ended := ctx.Err(); {
	case ended != nil:
		said = fmt.Errorf("sms %s: %w", provider, ended)
	default:
		said = fmt.Errorf("sms %s: no answer: %s", provider, redact(innermost(t.err).Error(), secrets...))
	}
	if t.wrote.Load() {
		return fmt.Errorf("%w (%w)", said, errUnclear)
	}
	return said
}

// unread words an answer that isn't of the provider's protocol: a proxy's, or of
// another server altogether. The status says how much it tells.
func (t *trip) unread(provider string) error {
	said := fmt.Errorf("sms %s: HTTP %d without a word that can be read: check the endpoint", provider, t.status)
	switch {
	case t.status == http.StatusTooManyRequests || t.status == http.StatusServiceUnavailable:
		return &notifier.RetryAfterError{After: t.after(throttled), Whole: true, Err: said}
	case t.status == http.StatusUnauthorized || t.status == http.StatusForbidden:
		return &notifier.RetryAfterError{After: providerRefused, Whole: true, Err: said}
	case t.status < 300 || t.status >= 500: // it may have taken the message before it stumbled
		return fmt.Errorf("%w (%w)", said, errUnclear)
	}
	return said
}

// after is what the answer's Retry-After names in seconds (RFC 9110, 10.2.3), or the usual.
func (t *trip) after(usual time.Duration) time.Duration {
	seconds, err := strconv.Atoi(t.header.Get("Retry-After"))
	if err != nil || seconds <= 0 {
		return usual
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second, longestWait)
}

// innermost is the last error of a chain: the outer ones repeat the URL.
func innermost(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}

// base checks where a provider is reached: https, or this machine. Without a
// scheme it is https.
func base(endpoint string) (*url.URL, error) {
	if !strings.Contains(endpoint, "://") {
		endpoint = "https://" + endpoint
	}
	parsed, err := url.Parse(endpoint)
	switch {
	case err != nil || parsed.Host == "" || parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" || strings.Trim(parsed.Path, "/") != "":
		return nil, fmt.Errorf("endpoint: got %q, want host, host:port, or their https://… address", endpoint)
	case parsed.Scheme == "https" || parsed.Scheme == "http" && loopback(parsed.Hostname()):
		parsed.Path = ""
		return parsed, nil
	case parsed.Scheme == "http":
		return nil, errors.New("endpoint: http would show the numbers to everybody on the way: use https")
	}
	return nil, fmt.Errorf("endpoint: got %q, want https", parsed.Scheme)
}

// loopback reports whether the host is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
