package main

import (
	"context"
	"net"
	"sync"
)

// inside is the private address as the parts of this process reach one another:
// in memory, so that neither the TLS nor the login that --web.config.file asks of
// everybody else stands between them. It is a net.Listener.
type inside struct {
	address string // as the configuration files of the parts name it
	conns   chan net.Conn
	closed  chan struct{}
	close   sync.Once
	outward net.Dialer
}

func newInside(address string) *inside {
	return &inside{address: address, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Dial connects to the private address within the process, and to every other
// one through the network.
func (i *inside) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if address != i.address {
		return i.outward.DialContext(ctx, network, address)
	}
	near, far := net.Pipe()
	select {
	case i.conns <- far:
		return near, nil
	case <-i.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (i *inside) Accept() (net.Conn, error) {
	select {
	case conn := <-i.conns:
		return conn, nil
	case <-i.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (i *inside) Close() error {
	i.close.Do(func() { close(i.closed) })
	return nil
}

// Addr implements net.Listener.
func (i *inside) Addr() net.Addr { return insideAddr(i.address) }

type insideAddr string

func (insideAddr) Network() string  { return "memory" }
func (a insideAddr) String() string { return string(a) }
