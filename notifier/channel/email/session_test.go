package email_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/channeltest"
)

func TestTheConnectionIsKept(t *testing.T) {
	t.Parallel()
	s := &server{replies: map[string]string{}}
	c := connect(t, one(config(t, s.start(t))))
	for range 5 {
		if err := c.Send(t.Context(), address, message); err != nil {
			t.Fatalf("Send: %v", err)
		}
	}
	if s.connections() != 1 || s.taken() != 5 {
		t.Errorf("%d messages over %d connections, want 5 over 1", s.taken(), s.connections())
	}
	if err := c.Close(); err != nil || !strings.HasSuffix(s.said(), "QUIT") {
		t.Errorf("Close: %v; the last line was not QUIT", err)
	}
	if err := c.Send(t.Context(), address, message); err != nil || s.connections() != 2 {
		t.Errorf("Send after Close: %v over %d connections, want success over the second", err, s.connections())
	}
}

func TestARefusedAddressDoesNotCostTheConnection(t *testing.T) {
	t.Parallel()
	s := &server{replies: map[string]string{"RCPT": "550 5.1.1 nobody"}}
	c := connect(t, one(config(t, s.start(t))))
	for range 2 {
		if err := c.Send(t.Context(), address, message); !errors.Is(err, notifier.ErrPermanent) {
			t.Fatalf("Send: %v", err)
		}
	}
	if s.connections() != 1 || strings.Count(s.said(), "RSET") != 2 {
		t.Errorf("%d connections, and the lines\n%s", s.connections(), s.said())
	}
}

func TestAServerThatSaysGoodbyeIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	s := &server{replies: map[string]string{"RCPT": "421 4.3.2 shutting down"}}
	c := connect(t, one(config(t, s.start(t))))
	for range 2 {
		if got, _ := channeltest.Understand(c.Send(t.Context(), address, message)); got != channeltest.Temporary {
			t.Fatalf("understood as %q, want %q", got, channeltest.Temporary)
		}
	}
	if s.connections() != 2 || strings.Contains(s.said(), "RSET") {
		t.Errorf("%d connections, and the lines\n%s", s.connections(), s.said())
	}
}

func TestAServerMaySayOnlySoMuch(t *testing.T) {
	t.Parallel()
	line := []byte("220-" + strings.Repeat("welcome ", 100) + "\r\n")
	c := connect(t, config(t, channeltest.TCP(t, func(conn net.Conn) {
		for {
			if _, err := conn.Write(line); err != nil {
				return
			}
		}
	})))
	if err := c.Send(t.Context(), address, message); err == nil || !strings.Contains(err.Error(), "says too much") {
		t.Errorf("Send: %v, want an end long before the deadline", err)
	}
}

func TestADeadConnectionIsReplacedBeforeTheMessageBegins(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(net.Conn){
		"the server closed it": func(conn net.Conn) { _ = conn.Close() },
		"the server says 421":  func(net.Conn) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &server{}
			cfg := one(config(t, s.start(t)))
			var dialled []net.Conn
			cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, address)
				dialled = append(dialled, conn)
				return &tired{Conn: conn, after: 1}, err
			}
			c := connect(t, cfg)
			for range 2 {
				if err := c.Send(t.Context(), address, message); err != nil {
					t.Fatalf("Send: %v", err)
				}
				cut(dialled[0])
			}
			if s.taken() != 2 {
				t.Errorf("the server took %d messages, want 2", s.taken())
			}
			if len(dialled) != 2 {
				t.Errorf("%d connections, want 2", len(dialled))
			}
		})
	}
}

// tired is a connection to a server that says 421 after some messages.
type tired struct {
	net.Conn
	after   int
	refused bool
}

func (c *tired) Write(p []byte) (int, error) {
	if strings.HasPrefix(string(p), "MAIL") {
		if c.after--; c.after < 0 {
			c.refused = true
			return len(p), nil
		}
	}
	return c.Conn.Write(p)
}

func (c *tired) Read(p []byte) (int, error) {
	if c.refused {
		return copy(p, "421 4.7.0 too many messages\r\n"), nil
	}
	return c.Conn.Read(p)
}

func TestAnOldConnectionIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	s := &server{}
	cfg := one(config(t, s.start(t)))
	now := noon
	cfg.Now = func() time.Time { return now }
	c := connect(t, cfg)
	for range 2 {
		if err := c.Send(t.Context(), address, message); err != nil {
			t.Fatalf("Send: %v", err)
		}
		now = now.Add(time.Hour)
	}
	if s.connections() != 2 {
		t.Errorf("%d connections, want 2", s.connections())
	}
}

func TestAConnectionCarriesAHundredMessages(t *testing.T) {
	t.Parallel()
	s := &server{}
	c := connect(t, one(config(t, s.start(t))))
	for range 101 {
		if err := c.Send(t.Context(), address, message); err != nil {
			t.Fatalf("Send: %v", err)
		}
	}
	if s.connections() != 2 {
		t.Errorf("%d connections, want 2", s.connections())
	}
}

func TestOwnTimeoutEndsASendWithoutDeadline(t *testing.T) {
	t.Parallel()
	cfg := config(t, channeltest.TCP(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }))
	cfg.Timeout = 50 * time.Millisecond
	if err := connect(t, cfg).Send(context.Background(), address, message); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Send: %v, want a deadline", err)
	}
}
