package farm

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// maxRequest bounds the header of a request that is understood.
	maxRequest = 8 << 10
	// bombMembers is how many times 1 MiB of zeros a gzip bomb unpacks to.
	bombMembers = 1 << 10
	// metadata is where Redirect leads by default: the address that a guard must refuse.
	metadata = "http://169.254.169.254/latest/meta-data/"
)

var (
	filler = bytes.Repeat([]byte("0123456789abcdef"), 256)
	lines  = bytes.Repeat([]byte("250-this goes on\r\n"), 200)
)

// request is what is understood of a request: enough to choose an answer.
type request struct {
	target string // as in the request line
	close  bool   // the client wants the connection closed
}

// segment is the n-th part of the path, "" where there is none.
func (r request) segment(n int) string {
	path, _, _ := strings.Cut(r.target, "?")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if n >= len(parts) {
		return ""
	}
	return parts[n]
}

// overTLS wraps every connection before it behaves. A handshake that fails ends it.
func overTLS(config *tls.Config, behave func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		session := tls.Server(conn, config)
		if session.Handshake() != nil {
			return
		}
		behave(session)
		session.Close()
	}
}

// byPath behaves as the first part of each request's path says; a path that
// names no behaviour is answered at once.
func (f *Farm) byPath(conn net.Conn) {
	f.serve(conn, func(f *Farm, conn net.Conn, r request) bool {
		if conduct := conducts[Behaviour(r.segment(0))]; conduct.afterRequest != nil {
			return conduct.afterRequest(f, conn, r)
		}
		return f.answerAtOnce(conn, r)
	})
}

// serve reads requests without bodies, one after the other, as little as must
// be: net/http would cost more than the looks that are to be measured.
func (f *Farm) serve(conn net.Conn, behave func(*Farm, net.Conn, request) bool) {
	held := f.buffers.Get().(*[]byte)
	defer f.buffers.Put(held)
	buffer, filled := *held, 0
	for {
		end := bytes.Index(buffer[:filled], []byte("\r\n\r\n"))
		if end < 0 {
			if filled == len(buffer) {
				return
			}
			n, err := conn.Read(buffer[filled:])
			if err != nil {
				return
			}
			filled += n
			continue
		}
		head := buffer[:end]
		first, rest, _ := bytes.Cut(head, []byte("\r\n"))
		words := strings.SplitN(string(first), " ", 3)
		if len(words) != 3 {
			return
		}
		asked := request{target: words[1], close: bytes.Contains(rest, []byte("onnection: close"))}
		if !behave(f, conn, asked) || asked.close {
			return
		}
		filled = copy(buffer, buffer[end+4:filled])
	}
}

func (f *Farm) answerAtOnce(conn net.Conn, _ request) bool {
	_, err := conn.Write(f.answer)
	return err == nil
}

func (f *Farm) answerSpread(conn net.Conn, r request) bool {
	return f.pause(nil, SpreadOf(r.target)) && f.answerAtOnce(conn, r)
}

// SpreadOf is how long Spread takes to answer this path: 20–200 ms, whole
// milliseconds, evenly spread over paths.
func SpreadOf(path string) time.Duration {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(path))
	steps := uint32((spreadMost-spreadLeast)/time.Millisecond) + 1
	return spreadLeast + time.Duration(hash.Sum32()%steps)*time.Millisecond
}

func (f *Farm) answerAfter(conn net.Conn, r request) bool {
	delay, err := time.ParseDuration(r.segment(1))
	if err != nil {
		return respond(conn, http.StatusBadRequest, "")
	}
	return f.pause(nil, delay) && f.answerAtOnce(conn, r)
}

func (f *Farm) answerStatus(conn net.Conn, r request) bool {
	status, err := strconv.Atoi(r.segment(1))
	if err != nil || status < 200 || status > 999 {
		status = http.StatusBadRequest
	}
	return respond(conn, status, "")
}

func (f *Farm) redirect(conn net.Conn, r request) bool {
	location := metadata
	if asked, err := url.Parse(r.target); err == nil && asked.Query().Get("to") != "" {
		location = asked.Query().Get("to")
	}
	return respond(conn, http.StatusFound, location)
}

func (f *Farm) redirectCircle(conn net.Conn, r request) bool {
	next := "/" + string(RedirectCircle) + "/there"
	if r.segment(1) == "there" {
		next = "/" + string(RedirectCircle) + "/back"
	}
	return respond(conn, http.StatusFound, next)
}

func (f *Farm) redirectNowhere(conn net.Conn, _ request) bool {
	return respond(conn, http.StatusFound, "http://nowhere.invalid/")
}

// respond answers without a body.
func respond(conn net.Conn, status int, location string) bool {
	head := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Length: 0\r\n", status, http.StatusText(status))
	if status == http.StatusNoContent || status == http.StatusNotModified {
		head = fmt.Sprintf("HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	}
	if location != "" {
		head += "Location: " + strings.NewReplacer("\r", "", "\n", "").Replace(location) + "\r\n"
	}
	_, err := conn.Write([]byte(head + "\r\n"))
	return err == nil
}

// compressedZeros is one gzip member of 1 MiB of zeros. A gzip stream is any
// number of members, so a bomb costs us no more than one.
func compressedZeros() ([]byte, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
