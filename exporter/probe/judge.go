package probe

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"
	blackbox "github.com/prometheus/blackbox_exporter/config"

	"shopwatch/rules"
)

// judge holds the response against the module, in blackbox_exporter's order,
// and gives the first problem. The body is read in full either way, so that the
// transfer is timed; what nothing is matched against is thrown away as it comes.
func (e *exchange) judge(ctx context.Context, unfollowed bool) error {
	m, response := e.module, e.response
	failure := e.judgeHead()
	var reader io.Reader = response.Body
	if m.Compression != "" {
		unpacked, err := unpack(m.Compression, response.Body)
		switch {
		case err == nil:
			reader = unpacked
		case failure == nil:
			failure = e.blameBody(ctx, err)
		}
	}
	limit := int64(m.BodySizeLimit)
	if limit > 0 {
		reader = http.MaxBytesReader(nil, io.NopCloser(reader), limit)
	}
	counted := &counter{Reader: reader}
	if failure == nil && e.matches() {
		failure = e.judgeBody(ctx, counted)
	}
	if _, failed := errors.AsType[*excess](failure); !unfollowed && !failed {
		if _, err := io.Copy(io.Discard, counted); err != nil && failure == nil {
			failure = e.blameBody(ctx, err)
		}
	}
	if !unfollowed {
		e.body = counted.read
	}
	if last := e.look.lastHop(); last != nil {
		e.look.mark(&last.ended, last, "reading the answer")
	}
	e.modified, _ = http.ParseTime(response.Header.Get("Last-Modified"))
	if failure != nil {
		return failure
	}
	return e.judgeConnection()
}

// judgeHead judges the status and the headers.
func (e *exchange) judgeHead() error {
	status := e.response.StatusCode
	if !validStatus(e.module.ValidStatusCodes, status) {
		if e.stray != nil {
			return e.stray
		}
		return Problem(rules.ReasonStatus, "answered "+statusText(status))
	}
	err := judgeHeaders(e.response.Header, e.module.FailIfHeaderMatchesRegexp, true)
	if err == nil {
		err = judgeHeaders(e.response.Header, e.module.FailIfHeaderNotMatchesRegexp, false)
	}
	e.regex = err != nil
	return err
}

// judgeHeaders gives a problem if any value of a header matches, or, where it
// should, none does.
func judgeHeaders(header http.Header, wanted []blackbox.HeaderMatch, bad bool) error {
	for _, match := range wanted {
		values := header[textproto.CanonicalMIMEHeaderKey(match.Header)]
		switch {
		case len(values) == 0 && !match.AllowMissing:
			return Problem(rules.ReasonStatus, fmt.Sprintf("answered without header %s", clip(match.Header, maxQuote)))
		case len(values) == 0:
		case slices.ContainsFunc(values, match.Regexp.MatchString) == bad:
			verb := "doesn't match"
			if bad {
				verb = "matches"
			}
			return Problem(rules.ReasonStatus, fmt.Sprintf("header %s %s %q", clip(match.Header, maxQuote), verb, clip(match.Regexp.String(), maxQuote)))
		}
	}
	return nil
}

// judgeConnection judges how the answer came.
func (e *exchange) judgeConnection() error {
	proto := e.response.Proto
	switch {
	case len(e.module.ValidHTTPVersions) > 0 && !slices.Contains(e.module.ValidHTTPVersions, proto):
		return Problem(rules.ReasonStatus, fmt.Sprintf("answered in HTTP/%d.%d, which is not among %s",
			e.response.ProtoMajor, e.response.ProtoMinor, clip(strings.Join(e.module.ValidHTTPVersions, " "), maxQuote)))
	case e.session != nil && e.module.FailIfSSL:
		return Problem(rules.ReasonTLS, "answered over TLS, which is not wanted")
	case e.session == nil && e.module.FailIfNotSSL:
		return Problem(rules.ReasonTLS, "answered without TLS")
	}
	return nil
}

// matches reports whether the body must be held to be matched.
func (e *exchange) matches() bool {
	m := e.module
	return len(m.FailIfBodyMatchesRegexp) > 0 || len(m.FailIfBodyNotMatchesRegexp) > 0 ||
		m.FailIfBodyJsonMatchesCEL != nil || m.FailIfBodyJsonNotMatchesCEL != nil
}

// judgeBody reads the body, at most as much as is held, and matches it.
func (e *exchange) judgeBody(ctx context.Context, reader io.Reader) error {
	m := e.module
	patterns := len(m.FailIfBodyMatchesRegexp)+len(m.FailIfBodyNotMatchesRegexp) > 0
	held := bodies.Get().(*[]byte)
	most := int64(defaultMaxBody)
	if limit := int64(m.BodySizeLimit); limit > 0 {
		most = min(limit, maxMatched)
	}
	body, err := readBounded(reader, (*held)[:0], most)
	defer func() {
		if cap(body) <= maxPooled {
			*held = body
			bodies.Put(held)
		}
	}()
	if err == nil {
		err = e.judgePatterns(body)
	} else {
		err = e.blameBody(ctx, err)
	}
	if err != nil {
		e.regex, e.cel = patterns, !patterns
		return err
	}
	if m.FailIfBodyJsonMatchesCEL != nil || m.FailIfBodyJsonNotMatchesCEL != nil {
		err = e.judgeJSON(ctx, body)
		e.cel = err != nil
	}
	return err
}

// readBounded appends what is read to the buffer, which never grows beyond one
// byte more than most; a body that fills it is an excess.
func readBounded(reader io.Reader, buffer []byte, most int64) ([]byte, error) {
	for {
		if len(buffer) == cap(buffer) {
			grown := make([]byte, len(buffer), min(max(2*int64(cap(buffer)), bufferSize), most+1))
			copy(grown, buffer)
			buffer = grown
		}
		// A buffer that was used before may be larger than this body may be.
		n, err := reader.Read(buffer[len(buffer):min(int64(cap(buffer)), most+1)])
		buffer = buffer[:len(buffer)+n]
		switch {
		case int64(len(buffer)) > most:
			return buffer, &excess{most}
		case errors.Is(err, io.EOF):
			return buffer, nil
		case err != nil:
			return buffer, err
		}
	}
}

func (e *exchange) judgePatterns(body []byte) error {
	for _, pattern := range e.module.FailIfBodyMatchesRegexp {
		if pattern.Match(body) {
			return Problem(rules.ReasonBody, fmt.Sprintf("body matches %q", clip(pattern.String(), maxQuote)))
		}
	}
	for _, pattern := range e.module.FailIfBodyNotMatchesRegexp {
		if !pattern.Match(body) {
			return Problem(rules.ReasonBody, fmt.Sprintf("body doesn't match %q", clip(pattern.String(), maxQuote)))
		}
	}
	return nil
}

func (e *exchange) judgeJSON(ctx context.Context, body []byte) error {
	var document any
	if err := json.Unmarshal(body, &document); err != nil {
		return Problem(rules.ReasonBody, "body is not JSON")
	}
	known := map[string]any{"body": document}
	for _, c := range []struct {
		program *blackbox.CELProgram
		bad     bool
		verb    string
	}{{e.module.FailIfBodyJsonMatchesCEL, true, "matches"}, {e.module.FailIfBodyJsonNotMatchesCEL, false, "doesn't match"}} {
		if c.program == nil {
			continue
		}
		expression := clip(c.program.Expression, maxQuote)
		result, _, err := c.program.ContextEval(ctx, known)
		if err != nil { // its text may quote the body
			return e.look.Blame(ctx, err, rules.ReasonBody, fmt.Sprintf("body can't be judged by %q", expression))
		}
		matched, ok := result.Value().(bool)
		switch {
		case !ok:
			return Problem(rules.ReasonBody, fmt.Sprintf("%q is neither true nor false", expression))
		case matched == c.bad:
			return Problem(rules.ReasonBody, fmt.Sprintf("body %s %q", c.verb, expression))
		}
	}
	return nil
}

// blameBody makes a problem of a body that can't be read in full.
func (e *exchange) blameBody(ctx context.Context, err error) error {
	var tooLong *http.MaxBytesError
	var over *excess
	var flaw flate.CorruptInputError
	switch {
	case errors.As(err, &tooLong):
		return Problem(rules.ReasonBody, fmt.Sprintf("body is longer than %d bytes", tooLong.Limit))
	case errors.As(err, &over):
		return over
	case errors.Is(err, errUnfollowed):
		return Problem(rules.ReasonBody, "the redirect is not followed, and its body not read")
	case errors.Is(err, errPacking):
		return Problem(rules.ReasonOther, "compression is not br, deflate, gzip or identity")
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &flaw), strings.HasPrefix(err.Error(), "brotli: "):
		return Problem(rules.ReasonBody, "body is not compressed as "+strings.ToLower(e.module.Compression))
	}
	return e.look.Blame(ctx, err, rules.ReasonBody, SafeText(err))
}

// excess is a body that is longer than what is held to be matched.
type excess struct{ limit int64 }

func (x *excess) Error() string { return fmt.Sprintf("body is longer than %d bytes", x.limit) }

// As makes it a problem.
func (x *excess) As(target any) bool {
	if p, ok := target.(**problem); ok {
		*p = &problem{rules.ReasonBody, x.Error()}
		return true
	}
	return false
}

var errPacking = errors.New("unknown compression")

// unpack reads what is compressed in a way of blackbox_exporter's.
func unpack(algorithm string, body io.Reader) (io.Reader, error) {
	switch strings.ToLower(algorithm) {
	case "br":
		return brotli.NewReader(body), nil
	case "deflate":
		return flate.NewReader(body), nil
	case "gzip":
		return gzip.NewReader(body)
	case "identity":
		return body, nil
	}
	return nil, errPacking
}

// counter counts what is read.
type counter struct {
	io.Reader
	read int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += int64(n)
	return n, err
}

// unread is the body of a redirect that is not followed.
type unread struct{}

func (unread) Read([]byte) (int, error) { return 0, errUnfollowed }
func (unread) Close() error             { return nil }

func validStatus(valid []int, status int) bool {
	if len(valid) == 0 {
		return status >= 200 && status < 300
	}
	return slices.Contains(valid, status)
}
