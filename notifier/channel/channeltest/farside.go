package channeltest

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// HTTP starts a far side that answers by the handler, and returns its host:port.
func HTTP(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// TCP starts a far side that gives every connection to talk, and closes the
// connection when talk returns. It returns its host:port.
func TCP(t *testing.T, talk func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	var (
		mu    sync.Mutex
		open  []net.Conn
		group sync.WaitGroup
	)
	group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			group.Go(func() {
				defer conn.Close()
				talk(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		mu.Lock()
		for _, conn := range open {
			conn.Close()
		}
		mu.Unlock()
		group.Wait()
	})
	return listener.Addr().String()
}

// silent listens and never answers. The channel gets a value at every connection.
func silent(t *testing.T) (string, <-chan struct{}) {
	reached := make(chan struct{}, 16)
	return TCP(t, func(conn net.Conn) {
		reached <- struct{}{}
		drain(conn)
	}), reached
}

// saying says the words and hangs up.
func saying(t *testing.T, words string) string {
	return TCP(t, func(conn net.Conn) { _, _ = conn.Write([]byte(words)) })
}

// flooding writes without end, and without a line's end.
func flooding(t *testing.T) string {
	chunk := make([]byte, 16<<10)
	for i := range chunk {
		chunk[i] = '2'
	}
	return TCP(t, func(conn net.Conn) {
		go drain(conn)
		for {
			if _, err := conn.Write(chunk); err != nil {
				return
			}
		}
	})
}

// closed returns an address where nobody listens.
func closed(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func drain(conn net.Conn) {
	buffer := make([]byte, 4<<10)
	for {
		if _, err := conn.Read(buffer); err != nil {
			return
		}
	}
}
