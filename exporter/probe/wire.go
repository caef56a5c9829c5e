package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"

	"shopwatch/rules"
)

// wire makes requests, each over a fresh connection and as one hop of the look.
// It is an http.RoundTripper without what a single request has no use for: no
// pool, no goroutine beside the caller's (HTTP/2 has its own), and no more
// memory while an answer is waited for than one small buffer.
type wire struct {
	look   *Look
	secure func(*url.URL) (*tls.Config, error)
	by     route
	take   func() *hop // gives a hop that was begun before, if any; may be nil
	// pooled says that no body is read after the look, so that buffers may be
	// used again.
	pooled bool
}

// http2Client holds no connection: each request gives it one, through its context.
var http2Client = &http.Transport{
	DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return ctx.Value(connKey{}).(net.Conn), nil
	},
	Protocols: http2Only(), DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
}

type connKey struct{}

func http2Only() *http.Protocols {
	var only http.Protocols
	only.SetHTTP2(true)
	return &only
}

var (
	readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, bufferSize) }}
	writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, bufferSize) }}
)

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := w.hop(request)
	if err != nil && request.Body != nil {
		request.Body.Close()
	}
	return response, err
}

// begin gives the hop of the next request.
func (w *wire) begin() *hop {
	if w.take != nil {
		if h := w.take(); h != nil {
			return h
		}
	}
	return w.look.begin()
}

func (w *wire) hop(request *http.Request) (*http.Response, error) {
	h := w.begin()
	address, err := authority(request.URL)
	if err != nil {
		return nil, err
	}
	var secure *tls.Config
	if request.URL.Scheme == "https" {
		if secure, err = w.secure(request.URL); err != nil {
			return nil, err
		}
	}
	conn, err := w.look.connectBy(request.Context(), h, address, w.by, nil)
	if err == nil && secure != nil {
		conn, err = w.look.prober.trust.handshake(request.Context(), w.look, h, conn, secure)
	}
	if err != nil {
		return nil, err
	}
	w.look.mark(&h.ready, h, "waiting for the answer")
	if h.tls != nil && h.tls.NegotiatedProtocol == "h2" {
		return w.http2(conn, h, address, request)
	}
	return w.http1(conn, h, request)
}

// http2 makes a request over a connection whose far side chose HTTP/2.
func (w *wire) http2(conn net.Conn, h *hop, address string, request *http.Request) (*http.Response, error) {
	ctx := context.WithValue(request.Context(), connKey{}, conn)
	client, err := http2Client.NewClientConn(ctx, "https", address)
	if err != nil {
		return nil, err
	}
	trace := &httptrace.ClientTrace{GotFirstResponseByte: func() { w.look.mark(&h.answered, h, "reading the answer") }}
	response, err := client.RoundTrip(request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
	if err != nil {
		return nil, err
	}
	response.TLS, response.Request = h.tls, request
	response.Body = &hopBody{body: response.Body, conn: conn}
	return response, nil
}

// http1 makes a request over a connection in HTTP/1.1.
func (w *wire) http1(conn net.Conn, h *hop, request *http.Request) (*http.Response, error) {
	sent := *request
	if !strings.EqualFold(request.Header.Get("Connection"), "upgrade") {
		sent.Close = true
	}
	writer := writers.Get().(*bufio.Writer)
	writer.Reset(conn)
	unsent := sent.Write(writer)
	if unsent == nil {
		unsent = writer.Flush()
	}
	writer.Reset(nil)
	writers.Put(writer)

	// What couldn't be sent may still have been answered, as a body that is too
	// large is.
	bounded := &headReader{conn: conn, left: maxHeader}
	reader := readers.Get().(*bufio.Reader)
	reader.Reset(bounded)
	if w.pooled {
		w.look.lend(reader)
	}
	if _, err := reader.Peek(1); err != nil {
		if unsent != nil && !timedOut(request.Context(), err) {
			err = unsent
		}
		return nil, err
	}
	w.look.mark(&h.answered, h, "reading the answer")
	for {
		response, err := http.ReadResponse(reader, request)
		if err != nil {
			if bounded.err != nil { // net/http makes nonsense of a line that was cut
				err = bounded.err
			}
			return nil, err
		}
		if response.StatusCode >= 200 || response.StatusCode == http.StatusSwitchingProtocols {
			bounded.left = math.MaxInt64
			response.TLS = h.tls
			response.Body = &hopBody{body: response.Body, conn: conn}
			return response, nil
		}
	}
}

// errLongHeader is a header, with all answers before the final one, that is
// longer than what is read of it.
var errLongHeader = errors.New("the header is too long")

// headReader reads a bounded header, and remembers why it ended early.
type headReader struct {
	conn io.Reader
	left int64
	err  error // unless it is the far side's end
}

func (r *headReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		r.err = errLongHeader
		return 0, r.err
	}
	n, err := r.conn.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// hopBody is the body of one answer; closing it closes the connection.
type hopBody struct {
	body   io.Reader
	conn   net.Conn
	closed bool
}

// Read implements io.Reader.
func (b *hopBody) Read(p []byte) (int, error) {
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.body.Read(p)
}

// Close implements io.Closer. The rest of the body is not waited for, nor is
// a goodbye of TLS sent: a far side that takes nothing would hold us up.
func (b *hopBody) Close() error {
	b.closed = true
	if session, ok := b.conn.(*tls.Conn); ok {
		return session.NetConn().Close()
	}
	return b.conn.Close()
}

// authority is the host and port of a URL, as they are dialled.
func authority(u *url.URL) (string, error) {
	host, port := u.Hostname(), u.Port()
	if host == "" || !followable(u) {
		return "", Problem(rules.ReasonOther, "not an http or https URL")
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(ascii(host), port), nil
}
