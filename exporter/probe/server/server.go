// Package server looks at the servers behind a shop: MySQL and MariaDB,
// PostgreSQL, Redis, mail servers, and whatever else speaks TLS. Each kind is a
// [probe.Kind]: it logs in over a fresh connection of the look's, asks one
// question and leaves.
//
// The reason of a failed look tells these apart:
//
//   - connect: the server is down, and buyers feel it: refused, reset, closed
//     amid the talk, full ("too many connections"), starting, stopping,
//     recovering;
//   - auth: the server is up and refuses us: wrong user or password, no right,
//     this machine's address not allowed, or a way of logging in that we don't
//     speak or wouldn't use on this connection;
//   - query: the login was good and the answer wasn't: an error, no row, no
//     such database, too long;
//   - vantage: this machine spoiled the look; it says nothing of the server;
//   - timeout, dns, tls, certificate as everywhere;
//   - other: the far side doesn't speak the protocol.
//
// The room must not repeat what a server says: it may echo our password, or
// hold buyers' data. A detail is the server's error code, where the protocol
// has one of a fixed form, and a sentence of ours. Nor may it believe a server:
// the client libraries below believe the lengths that they are told, so their
// connections are watched (see wire and the packets of each protocol).
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/prometheus/common/config"

	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

const (
	// maxAnswer bounds all that a look reads of a database server, TLS included.
	maxAnswer = 1 << 20
	// maxTalk bounds all that a look reads of a Redis or mail server.
	maxTalk = 64 << 10
	// maxLogin bounds one message of a login.
	maxLogin = 16 << 10
	// farewell is how long a look whose verdict is known reads on, so that the
	// server sees an orderly end and has nothing to log.
	farewell = 250 * time.Millisecond
)

// errTooMuch is more than a look is ready to read.
var errTooMuch = errors.New("more than a look reads")

// talk is one conversation with a server.
type talk struct {
	look     *probe.Look
	protocol string // for people
	target   string // host:port
	host     string
	wire     *wire
}

// looked makes a kind of a conversation. Whatever happens in it, the samples of
// its connection are given, and a client library that stumbles over what a
// server sent (they were written for friends) takes nothing else down.
func looked(ctx context.Context, l *probe.Look, protocol string, run func(context.Context, *talk) error) (err error) {
	t := &talk{look: l, protocol: protocol, target: l.Target()}
	defer func() {
		if recover() != nil {
			err = t.foreign()
		}
		if t.wire != nil {
			t.wire.release()
		}
		l.SampleSession(err)
	}()
	if t.host, _, err = net.SplitHostPort(t.target); err != nil {
		return probe.Problem(rules.ReasonOther, "target is not host:port")
	}
	return run(ctx, t)
}

// connect opens the conversation's connection, of which at most limit bytes
// are read.
func (t *talk) connect(ctx context.Context, secure *tls.Config, limit int) error {
	conn, err := t.look.Connect(ctx, t.target, secure)
	if err != nil {
		return err
	}
	t.wire = newWire(ctx, conn, limit)
	return nil
}

// secure is the TLS configuration of the connection, nil without options.
func (t *talk) secure(options *config.TLSConfig) (*tls.Config, error) {
	if options == nil {
		return nil, nil
	}
	return t.look.TLSConfig(t.host, *options)
}

// begin starts a phase of the conversation and gives what ends it. A phase
// that fails isn't ended: its duration would say nothing.
func (t *talk) begin(phase, doing string) (end func()) {
	t.look.Step(doing)
	return t.look.Phase(phase)
}

// broken makes a problem of a step that gave err: of what the wire met, if it
// met anything, else of the protocol. A server that hangs up is down, but one
// that never ends is a bad answer to the step, which reason names.
func (t *talk) broken(ctx context.Context, err error, reason rules.Reason) error {
	met := t.wire.met()
	switch {
	case errors.Is(met, errTooMuch) || errors.Is(err, errTooMuch):
		return probe.Problem(reason, "the server sends more than a look reads")
	case met != nil:
		return t.look.Blame(ctx, met, rules.ReasonConnect, probe.SafeText(met))
	case ctx.Err() != nil:
		return t.look.Blame(ctx, ctx.Err(), rules.ReasonConnect, "the look is over")
	}
	return t.foreign()
}

// foreign is the problem of a server that breaks the protocol.
func (t *talk) foreign() error {
	return probe.Problem(rules.ReasonOther, "the far side doesn't speak "+t.protocol)
}

// loopback reports whether the far side is this machine.
func loopback(conn net.Conn) bool {
	address, ok := conn.RemoteAddr().(*net.TCPAddr)
	return ok && address.IP.IsLoopback()
}
