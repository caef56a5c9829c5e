package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"shopwatch/rules"
)

// quicWire makes requests over HTTP/3, each over a fresh connection. Resolving
// and dialling are ours, so that a guard sees every address, a redirect's too.
// There is no race: the first address that the module allows is asked.
type quicWire struct{ *wire }

// RoundTrip implements http.RoundTripper.
func (w *quicWire) RoundTrip(request *http.Request) (*http.Response, error) {
	l, h := w.look, w.begin()
	if request.URL.Scheme != "https" {
		return nil, Problem(rules.ReasonStatus, "redirects to something that is not https, which HTTP/3 needs")
	}
	secure, err := w.secure(request.URL)
	if err != nil {
		return nil, err
	}
	secure = secure.Clone()
	secure.MinVersion, secure.NextProtos = max(secure.MinVersion, tls.VersionTLS13), nil
	transport := &http3.Transport{
		TLSClientConfig: secure, QUICConfig: &quic.Config{}, MaxResponseHeaderBytes: maxHeader,
		Dial: func(ctx context.Context, address string, secure *tls.Config, options *quic.Config) (*quic.Conn, error) {
			return w.dial(ctx, h, address, secure, options)
		},
	}
	if !l.keep(request.Context(), transport) {
		return nil, Problem(rules.ReasonConnect, "the look is over")
	}
	response, err := transport.RoundTrip(request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{
		GotFirstResponseByte: func() { l.mark(&h.answered, h, "reading the answer") },
	})))
	if err != nil {
		return nil, w.blame(request.Context(), h, err)
	}
	if h.answered.IsZero() {
		l.mark(&h.answered, h, "reading the answer")
	}
	h.tls = response.TLS
	response.Request = request
	return response, nil
}

// dial opens a QUIC connection, whose handshake is TLS's.
func (w *quicWire) dial(ctx context.Context, h *hop, address string, secure *tls.Config, options *quic.Config) (*quic.Conn, error) {
	l := w.look
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, Problem(rules.ReasonOther, "target has no host and port")
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, Problem(rules.ReasonOther, "the port is none")
	}
	if h.addresses == nil {
		if err := l.lookup(ctx, h, ascii(host), w.by); err != nil {
			return nil, err
		}
	}
	if err := l.allow(h.address, uint16(port)); err != nil {
		return nil, err
	}
	l.mark(&h.connected, h, "connecting")
	l.mark(&h.securing, h, "in the TLS handshake")
	conn, err := quic.DialAddr(ctx, net.JoinHostPort(h.address.String(), text), secure, options)
	if err != nil {
		return nil, err
	}
	l.mark(&h.handshaken, h, "waiting for the answer")
	l.mark(&h.ready, h, "waiting for the answer")
	return conn, nil
}

// blame makes a problem of a round trip over QUIC.
func (w *quicWire) blame(ctx context.Context, h *hop, err error) error {
	if known, ok := errors.AsType[*problem](err); ok {
		return known
	}
	l := w.look
	l.mu.Lock()
	handshaking := h.handshaken.IsZero()
	l.mu.Unlock()
	if _, unverified := errors.AsType[*tls.CertificateVerificationError](err); unverified {
		return l.blameHandshake(ctx, err)
	}
	if failed, ok := errors.AsType[*quic.TransportError](err); ok && failed.ErrorCode.IsCryptoError() {
		return l.Blame(ctx, err, rules.ReasonTLS, "QUIC: "+failed.ErrorCode.String())
	}
	if handshaking {
		return l.Blame(ctx, err, rules.ReasonConnect, "nobody answers over QUIC")
	}
	return l.Blame(ctx, err, rules.ReasonConnect, "the far side broke off the QUIC connection")
}
