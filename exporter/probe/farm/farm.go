// Package farm is a farm of targets on loopback, good and bad: servers that
// answer, and servers that hang, trickle, answer without end, break TLS or
// refuse. Tests look at them, and so does the program that measures what a
// look costs, with thousands of targets in a process of its own.
//
// The room is for tests and measurements; nothing that watches a shop may
// import it. It listens on 127.0.0.1 only. Every behaviour ends when its client
// leaves or the farm is closed, and none keeps more than a small buffer, so a
// farm can't hurt the machine that it stands on.
package farm

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Key is the kind of key that the farm's certificates have.
type Key string

// The keys. A server pays about 20 times as much for a handshake with RSA.
const (
	ECDSA Key = "P-256"
	RSA   Key = "RSA-2048"
)

// Config is how a farm behaves. The zero value is ready for use.
type Config struct {
	// Key of the servers' certificates; default ECDSA. The authority's is always ECDSA.
	Key Key
	// Names that the good certificate is for, beside localhost, 127.0.0.1 and ::1.
	Names []string
	// Body of a good answer; default a short page.
	Body string
	// Pace is the pause before each byte of what trickles; default 1 s.
	Pace time.Duration
	// Ports is how many ports answer, each over HTTP and over HTTPS; default 1.
	// With many targets more ports keep the client from running out of its own.
	Ports int
}

// Farm is a running farm. It may be used by many goroutines at once.
type Farm struct {
	config    Config
	authority *authority
	bomb      []byte // one member of a gzip stream
	good      *tls.Config
	answer    []byte
	plain     []string // addresses that answer over HTTP
	secure    []string // over HTTPS
	buffers   sync.Pool

	done     chan struct{}
	running  sync.WaitGroup
	accepted atomic.Int64

	mu        sync.Mutex
	closed    bool
	addresses map[Behaviour]string
	listeners []net.Listener
	conns     map[net.Conn]struct{}
}

var errClosed = errors.New("the farm is closed")

// New starts a farm. Its errors are those of making keys and of listening.
func New(config Config) (*Farm, error) {
	if config.Key == "" {
		config.Key = ECDSA
	}
	if config.Body == "" {
		config.Body = "<!doctype html><title>shop</title><p>cards in stock\n"
	}
	if config.Pace <= 0 {
		config.Pace = time.Second
	}
	if config.Ports <= 0 {
		config.Ports = 1
	}
	f := &Farm{
		config: config, done: make(chan struct{}), addresses: map[Behaviour]string{}, conns: map[net.Conn]struct{}{},
		buffers: sync.Pool{New: func() any { b := make([]byte, maxRequest); return &b }},
		answer: []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s",
			len(config.Body), config.Body)),
	}
	var err error
	if f.authority, err = newAuthority(config.Key, config.Names); err != nil {
		return nil, err
	}
	if f.good, err = f.authority.serverConfig(goodCertificate); err != nil {
		return nil, err
	}
	if f.bomb, err = compressedZeros(); err != nil {
		return nil, err
	}
	for range config.Ports {
		plain, err := f.listen(f.byPath)
		if err != nil {
			f.Close()
			return nil, err
		}
		secure, err := f.listen(overTLS(f.good, f.byPath))
		if err != nil {
			f.Close()
			return nil, err
		}
		f.plain, f.secure = append(f.plain, plain), append(f.secure, secure)
	}
	return f, nil
}

// Close ends every behaviour and waits until the last one has ended.
func (f *Farm) Close() {
	f.mu.Lock()
	if !f.closed {
		f.closed = true
		close(f.done)
	}
	for _, listener := range f.listeners {
		listener.Close()
	}
	for conn := range f.conns {
		conn.Close()
	}
	f.mu.Unlock()
	f.running.Wait()
}

// Accepted is how many connections the farm has taken so far.
func (f *Farm) Accepted() int64 { return f.accepted.Load() }

// URL is where a behaviour is found over HTTP or, where it is about TLS, over
// HTTPS. Anything may be appended to its path; it names the target and changes
// nothing but the delay of Spread.
func (f *Farm) URL(b Behaviour) (string, error) {
	conduct, known := conducts[b]
	switch {
	case !known:
		return "", fmt.Errorf("behaviour %q is not known", b)
	case conduct.afterRequest != nil:
		return "http://" + f.plain[0] + "/" + string(b) + "/", nil
	}
	address, err := f.Address(b)
	if err != nil {
		return "", err
	}
	if conduct.certificate != noCertificate || conduct.secure {
		return "https://" + address + "/", nil
	}
	return "http://" + address + "/", nil
}

// SecureURL is where a behaviour that follows a request is found over HTTPS,
// with the good certificate.
func (f *Farm) SecureURL(b Behaviour) (string, error) {
	if conducts[b].afterRequest == nil {
		return "", fmt.Errorf("behaviour %q does not follow a request", b)
	}
	return "https://" + f.secure[0] + "/" + string(b) + "/", nil
}

// Targets are n URLs that differ in their path and go round the farm's ports:
// of Answer at once, of Spread after 20–200 ms.
func (f *Farm) Targets(n int, b Behaviour, secure bool) []string {
	scheme, addresses := "http://", f.plain
	if secure {
		scheme, addresses = "https://", f.secure
	}
	targets := make([]string, n)
	for i := range targets {
		targets[i] = fmt.Sprintf("%s%s/%s/%d", scheme, addresses[i%len(addresses)], b, i)
	}
	return targets
}

// Address is host:port of a listener where every connection behaves so,
// whatever path it asks for. A behaviour that follows a request waits for one,
// without TLS. The listener starts with the first call.
func (f *Farm) Address(b Behaviour) (string, error) {
	conduct, known := conducts[b]
	if !known {
		return "", fmt.Errorf("behaviour %q is not known", b)
	}
	f.mu.Lock()
	address, started := f.addresses[b]
	f.mu.Unlock()
	if started {
		return address, nil
	}
	address, err := f.start(b, conduct)
	if err != nil {
		return "", fmt.Errorf("behaviour %q: %w", b, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if first, started := f.addresses[b]; started { // two called at once: the first listener stays the one
		return first, nil
	}
	f.addresses[b] = address
	return address, nil
}

func (f *Farm) start(b Behaviour, conduct conduct) (string, error) {
	switch {
	case b == Refuse:
		return f.refuse()
	case conduct.certificate != noCertificate:
		config, err := f.authority.serverConfig(conduct.certificate)
		if err != nil {
			return "", err
		}
		return f.listen(overTLS(config, f.byPath))
	case conduct.afterRequest != nil:
		return f.listen(func(conn net.Conn) { f.serve(conn, conduct.afterRequest) })
	}
	return f.listen(func(conn net.Conn) { conduct.onConnect(f, conn) })
}

// listen gives every connection of a new port to behave and closes it after.
func (f *Farm) listen(behave func(net.Conn)) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		listener.Close()
		return "", errClosed
	}
	f.listeners = append(f.listeners, listener)
	f.running.Go(func() { f.accept(listener, behave) })
	return listener.Addr().String(), nil
}

func (f *Farm) accept(listener net.Listener, behave func(net.Conn)) {
	for {
		conn, err := listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors, or the client left before we came
			if !f.pause(nil, 10*time.Millisecond) {
				return
			}
			continue
		case !f.keep(conn):
			return
		}
		f.accepted.Add(1)
		f.running.Go(func() {
			defer f.drop(conn)
			behave(conn)
		})
	}
}

// keep remembers a connection so that Close ends it.
func (f *Farm) keep(conn net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		conn.Close()
		return false
	}
	f.conns[conn] = struct{}{}
	return true
}

func (f *Farm) drop(conn net.Conn) {
	conn.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, conn)
}

// pause waits, and reports whether the farm is still open. A ticker that is
// given saves making one for each of many pauses.
func (f *Farm) pause(ticker *time.Ticker, d time.Duration) bool {
	if ticker == nil {
		if d <= 0 {
			return true
		}
		ticker = time.NewTicker(d)
		defer ticker.Stop()
	}
	select {
	case <-ticker.C:
		return true
	case <-f.done:
		return false
	}
}

// refuse is an address that refuses connections and that nobody else can come
// to listen on while the farm is open: the near end of a connection of our own.
func (f *Farm) refuse() (string, error) {
	address, err := f.listen(func(conn net.Conn) { f.hang(conn) })
	if err != nil {
		return "", err
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}
	conn, err := dialer.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	if !f.keep(conn) {
		return "", errClosed
	}
	return conn.LocalAddr().String(), nil
}
