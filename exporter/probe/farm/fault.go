package farm

import (
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

const unboundedHead = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n"

// hang takes whatever comes until the client leaves.
func (f *Farm) hang(conn net.Conn) {
	held := f.buffers.Get().(*[]byte)
	defer f.buffers.Put(held)
	for {
		if _, err := conn.Read(*held); err != nil {
			return
		}
	}
}

// endlessly writes a text again and again until the client leaves or the farm
// closes.
func (f *Farm) endlessly(conn net.Conn, text []byte) {
	for {
		if _, err := conn.Write(text); err != nil {
			return
		}
	}
}

// paced writes a text a byte at a time, each after the farm's pace, and
// reports whether all of it was taken. A client that left is seen at the next byte.
func (f *Farm) paced(conn net.Conn, ticker *time.Ticker, text string) bool {
	for i := range len(text) {
		if !f.pause(ticker, 0) {
			return false
		}
		if _, err := conn.Write([]byte{text[i]}); err != nil {
			return false
		}
	}
	return true
}

func (f *Farm) slowHeader(conn net.Conn) {
	ticker := time.NewTicker(f.config.Pace)
	defer ticker.Stop()
	if f.paced(conn, ticker, unboundedHead+"\r\n") {
		_, _ = conn.Write([]byte(f.config.Body))
	}
}

func (f *Farm) trickle(conn net.Conn) {
	if _, err := conn.Write([]byte(unboundedHead + "\r\n")); err != nil {
		return
	}
	f.drip(conn)
}

func (f *Farm) drip(conn net.Conn) {
	ticker := time.NewTicker(f.config.Pace)
	defer ticker.Stop()
	for f.paced(conn, ticker, "drip") {
	}
}

func (f *Farm) endlessHeader(conn net.Conn) {
	if _, err := conn.Write([]byte(unboundedHead)); err != nil {
		return
	}
	f.endlessly(conn, []byte("X-Filler: 0123456789abcdef0123456789abcdef0123456789abcdef\r\n"))
}

func (f *Farm) endlessBody(conn net.Conn) {
	if _, err := conn.Write([]byte(unboundedHead + "\r\n")); err != nil {
		return
	}
	f.endlessly(conn, filler)
}

func (f *Farm) gzipBomb(conn net.Conn) {
	head := fmt.Sprintf("%sContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", unboundedHead, bombMembers*len(f.bomb))
	if _, err := conn.Write([]byte(head)); err != nil {
		return
	}
	for range bombMembers {
		if _, err := conn.Write(f.bomb); err != nil {
			return
		}
	}
}

func (f *Farm) truncated(conn net.Conn) {
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(f.config.Body)+1000, f.config.Body)
}

func (f *Farm) garbage(conn net.Conn) {
	_, _ = conn.Write([]byte("\x00\xff\x13\x37 no protocol at all \x01\x02\x03\r\n\r\n"))
}

// reset ends a connection with RST: nothing that was sent may linger.
func reset(_ *Farm, conn net.Conn) {
	if session, ok := conn.(*tls.Conn); ok {
		conn = session.NetConn()
	}
	if plain, ok := conn.(*net.TCPConn); ok {
		_ = plain.SetLinger(0)
	}
	conn.Close()
}

// brokenTLS answers the client's hello with a handshake record of junk.
func (f *Farm) brokenTLS(conn net.Conn) { f.afterHello(conn, "\x16\x03\x03\x00\x08junkjunk") }

// plainTLS answers the client's hello as an HTTP server does that was spoken
// to in TLS on its plain port.
func (f *Farm) plainTLS(conn net.Conn) { f.afterHello(conn, "HTTP/1.1 400 Bad Request\r\n\r\n") }

// afterHello says its text and takes what still comes: closing with unread
// bytes would reset the connection, and the client would see that instead.
func (f *Farm) afterHello(conn net.Conn, text string) {
	held := f.buffers.Get().(*[]byte)
	defer f.buffers.Put(held)
	if _, err := conn.Read(*held); err != nil {
		return
	}
	if _, err := conn.Write([]byte(text)); err != nil {
		return
	}
	if plain, ok := conn.(*net.TCPConn); ok {
		_ = plain.CloseWrite()
	}
	f.hang(conn)
}
