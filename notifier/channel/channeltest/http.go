package channeltest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// statuses are of every class that a server may answer with.
var statuses = []int{
	200, 201, 202, 204, 301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 415, 422, 425, 429, 451,
	500, 501, 502, 503, 504, 507, 520, 599,
}

// runHTTP meets the channel with far sides that speak HTTP and nothing sensible in it.
func (s Subject) runHTTP(t *testing.T) {
	for _, status := range statuses {
		t.Run(fmt.Sprintf("understands HTTP %d around nonsense", status), func(t *testing.T) {
			t.Parallel()
			hostport := HTTP(t, func(w http.ResponseWriter, r *http.Request) { quote(w, r, status) })
			err := s.send(t, t.Context(), s.Connect(t, hostport), s.Address)
			got, _ := Understand(err)
			if want := s.Status(status); got != want {
				t.Errorf("understood as %q, want %q (error: %v)", got, want, err)
			}
			if leaked := Leaked(err, s.Private...); leaked != "" {
				t.Errorf("error holds %q: %v", leaked, err)
			}
		})
	}
	t.Run("follows no redirect", func(t *testing.T) {
		t.Parallel()
		elsewhere, taken := s.Accepting(t)
		hostport := HTTP(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+elsewhere+r.URL.RequestURI(), http.StatusTemporaryRedirect)
		})
		s.expect(t, s.send(t, t.Context(), s.Connect(t, hostport), s.Address), Answer{Want: s.Status(http.StatusTemporaryRedirect)})
		if taken() != 0 {
			t.Errorf("the redirect's target took %d messages, want 0", taken())
		}
	})
	for name, talk := range map[string]func(net.Conn){
		"when the connection is reset amid the answer": func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4096\r\n\r\n{\"")
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
		},
		"when the answer ends before its length": func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4096\r\n\r\n{}")
		},
		"when the connection is reset before the answer": func(conn net.Conn) {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
		},
		"when the answer's chunks are broken": func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n")
		},
	} {
		t.Run("tries again later "+name, func(t *testing.T) {
			t.Parallel()
			hostport := TCP(t, func(conn net.Conn) {
				_, _ = conn.Read(make([]byte, 64<<10)) // the request's beginning at least
				talk(conn)
			})
			s.expect(t, s.send(t, t.Context(), s.Connect(t, hostport), s.Address), Answer{Want: Temporary})
		})
	}
	t.Run("holds no secret when what it said comes back in place of an answer", func(t *testing.T) {
		t.Parallel()
		hostport := TCP(t, func(conn net.Conn) {
			heard := make([]byte, 64<<10)
			n, _ := conn.Read(heard)
			_, _ = conn.Write(heard[:n])
		})
		s.expect(t, s.send(t, t.Context(), s.Connect(t, hostport), s.Address), Answer{Want: Temporary})
	})
	t.Run("reads only so much of an endless answer", func(t *testing.T) { t.Parallel(); s.runEndless(t, false) })
	t.Run("unpacks only so much of an endless answer", func(t *testing.T) { t.Parallel(); s.runEndless(t, true) })
	t.Run("gives up at the deadline when the answer stops in its middle", func(t *testing.T) {
		t.Parallel()
		hostport := TCP(t, func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 64<<10))
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n{")
			drain(conn)
		})
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		err := s.send(t, ctx, s.Connect(t, hostport), s.Address)
		s.expect(t, err, Answer{Want: Temporary})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v doesn't wrap context.DeadlineExceeded", err)
		}
	})
}

// endless is how much of an endless answer is offered, in bytes.
const endless = 64 << 20

var (
	blank = []byte(strings.Repeat(" ", 1<<20))
	// packedBlank is a gzip member of its own, so that any number of them in a
	// row is one packed answer.
	packedBlank = sync.OnceValue(func() []byte {
		var packed bytes.Buffer
		pack := gzip.NewWriter(&packed)
		_, _ = pack.Write(blank)
		_ = pack.Close()
		return packed.Bytes()
	})
)

// runEndless offers a huge answer and counts how much of it was taken: what
// fits in the buffers on the way, and little more.
func (s Subject) runEndless(t *testing.T, packed bool) {
	var offered atomic.Int64
	done := make(chan struct{}, 16)
	hostport := HTTP(t, func(w http.ResponseWriter, r *http.Request) {
		defer func() { done <- struct{}{} }()
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		piece := blank
		if packed {
			w.Header().Set("Content-Encoding", "gzip")
			piece = packedBlank()
		}
		for offered.Load() < endless {
			n, err := w.Write(piece)
			if err != nil {
				offered.Add(int64(n))
				return
			}
			offered.Add(int64(len(blank)))
		}
	})
	s.expect(t, s.send(t, t.Context(), s.Connect(t, hostport), s.Address), Answer{Want: Temporary})
	<-done
	if n := offered.Load(); !packed && n >= endless {
		t.Errorf("%d bytes of the answer were taken", n)
	}
}

// quote answers with the status and with all of the request, secrets and
// address among it, as debugging proxies do.
func quote(w http.ResponseWriter, r *http.Request, status int) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("X-Echo", r.Host)
	w.WriteHeader(status)
	if status != http.StatusNoContent {
		_, _ = fmt.Fprintf(w, "<html>%s %s %v %s</html>", r.Method, r.URL, r.Header, body)
	}
}
