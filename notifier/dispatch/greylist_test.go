package dispatch_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/email"
	"shopwatch/notifier/sandbox"
	"shopwatch/rules"
)

// wire is a listener within the bubble, whose clock a real network would stop.
type wire struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

func newWire() *wire {
	w := &wire{conns: make(chan net.Conn), closed: make(chan struct{})}
	w.close = sync.OnceFunc(func() { close(w.closed) })
	return w
}

func (w *wire) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case w.conns <- wired{far}:
		return wired{near}, nil
	case <-w.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (w *wire) Accept() (net.Conn, error) {
	select {
	case conn := <-w.conns:
		return conn, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *wire) Close() error { w.close(); return nil }

func (w *wire) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 25} }

// wired is between two ends of this machine: to others no password goes in the clear.
type wired struct{ net.Conn }

func (wired) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000} }

// mailServer is the sandbox's, in the bubble, and a line of e-mail to it.
func (w *world) mailServer() *sandbox.Sandbox {
	w.t.Helper()
	var wires []*wire
	box, err := sandbox.New(sandbox.Config{Now: time.Now, Listen: func() (net.Listener, error) {
		wires = append(wires, newWire())
		return wires[len(wires)-1], nil
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- box.Run(context.Background()) }()
	w.t.Cleanup(func() {
		box.Close()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
	const smtp = 1 // the second door that the sandbox opens
	channel, err := email.New(email.Config{
		Host: "127.0.0.1", Port: 25, Username: box.Credentials().SMTPUsername, Password: box.Credentials().SMTPPassword,
		From: "status@shop.example", TLS: email.NoTLS, Now: time.Now, Dial: wires[smtp].Dial, Connections: w.line.Senders,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.line.Channel = channel
	return box
}

func TestServerThatGreylistsEachSenderAndRecipientGetsEachMailOnceAfterItsDelay(t *testing.T) {
	const (
		readers = 100
		again   = time.Minute // between tries where the server names no time
	)
	for _, delay := range []time.Duration{time.Minute, 5 * time.Minute} { // the second is Postgrey's
		t.Run(delay.String(), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.line.Senders = 4
				w.line.Pace, w.line.Domain = notifier.PerSecond(10), func(address string) (string, notifier.Pace) {
					return address[strings.IndexByte(address, '@')+1:], notifier.PerSecond(5)
				}
				box := w.mailServer()
				box.Greylist(delay)
				err := w.store.SyncPeople(t.Context(), mailReaders(readers), nil)
				if err != nil {
					t.Fatal(err)
				}
				w.start()
				w.notify("i1", ops(notifier.EventDown))
				time.Sleep(delay + 3*again) // the pace holds the last back half a minute each time
				tries, got := box.Greeted(), map[string]int{}
				for _, m := range box.Messages() {
					got[m.To]++
					if waited := m.At.Sub(tries[m.To].First); waited < delay || waited > delay+2*again {
						t.Errorf("%s has its mail %s after the first try, want no less than %s and little more", m.To, waited, delay)
					}
				}
				for to, g := range tries {
					if most := int(delay/again) + 1; got[to] != 1 || g.Tries > most {
						t.Errorf("%s has %d mails after %d tries, want 1 after %d at most", to, got[to], g.Tries, most)
					}
				}
				if o := w.outbox(); len(got) != readers || o.Queued != 0 || o.Dead != 0 {
					t.Errorf("%d of %d have their mail: %+v", len(got), readers, o)
				}
			})
		})
	}
}

// mailReaders are people at twenty mail servers.
func mailReaders(n int) []notifier.Recipient {
	var people []notifier.Recipient
	for i := range n {
		people = append(people, notifier.Recipient{Audience: rules.Ops, Channel: "email", Address: fmt.Sprintf("reader%d@far%d.example", i, i%20), Language: notifier.English})
	}
	return people
}
