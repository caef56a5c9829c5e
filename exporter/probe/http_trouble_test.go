package probe_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/internal/servertest"
	"shopwatch/rules"
)

func TestASecretNeverReachesTheReading(t *testing.T) {
	t.Parallel()
	echo := farm(t, func(conn net.Conn) { // answers with the request itself
		buffer := make([]byte, 4096)
		n, _ := conn.Read(buffer)
		_, _ = conn.Write(buffer[:n])
	})
	for name, service := range map[string]exporter.Service{
		"an echoing target":    webService("http://owner:pa55@" + echo + "/pay?key=s3cret"),
		"a refusing target":    webService("http://owner:pa55@" + servertest.FreeAddress(t) + "/pay?key=s3cret"),
		"a target of nonsense": webService("http://owner:pa55@%zz/pay?key=s3cret"),
		"no host":              webService("/pay?key=s3cret"),
		"a tcp target":         tcpService("owner:pa55@"+servertest.FreeAddress(t), false),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if service.Module.Kind == exporter.KindHTTP {
				service.Module.Blackbox.HTTP.Headers = map[string]string{"X-Key": "s3cret"}
			}
			reading := look(service)
			if reading.Success || reading.Detail == "" {
				t.Fatalf("want a failure with a detail, got %+v", reading)
			}
			if text := fmt.Sprint(reading); strings.Contains(text, "s3cret") || strings.Contains(text, "pa55") {
				t.Errorf("the reading tells a secret: %s", text)
			}
			if strings.ContainsAny(reading.Detail, "\r\n") {
				t.Errorf("detail %q has more than one line", reading.Detail)
			}
		})
	}
}

func TestAFaultyTargetGivesAReason(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, c := range map[string]struct {
		behave func(net.Conn)
		reason rules.Reason
		detail string // part of it
	}{
		"never answers":    {hang, rules.ReasonTimeout, "still waiting for the answer"},
		"trickles headers": {func(c net.Conn) { drip(c, ok+"X-Slow: aaaaaaaaaaaaaaaaaaaaaaaa", 50*time.Millisecond) }, rules.ReasonTimeout, "still reading the answer"},
		"trickles a body": {func(c net.Conn) {
			_, _ = io.WriteString(c, ok+"Content-Length: 100000\r\n\r\n")
			drip(c, "x", 50*time.Millisecond)
		}, rules.ReasonTimeout, "still reading the answer"},
		"sends headers without end": {func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, ok)
			endlessly(c, "X-Filler: "+strings.Repeat("y", 1000)+"\r\n")
		}, rules.ReasonOther, "broke the protocol"},
		"sends early hints without end": {func(c net.Conn) {
			readRequest(c)
			endlessly(c, "HTTP/1.1 103 Early Hints\r\nLink: </"+strings.Repeat("z", 500)+">\r\n\r\n")
		}, rules.ReasonOther, "broke the protocol"},
		"sends a body without end": {func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, ok+"\r\n")
			endlessly(c, strings.Repeat("x", 4096))
		}, rules.ReasonBody, "longer than"},
		"speaks unasked": {func(c net.Conn) {
			_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n")
			hang(c)
		}, rules.ReasonOther, "broke the protocol"},
		"speaks another protocol": {func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n")
		}, rules.ReasonOther, "broke the protocol"},
		"hangs up at once":           {func(net.Conn) {}, rules.ReasonConnect, ""},
		"hangs up after the request": {func(c net.Conn) { readRequest(c) }, rules.ReasonConnect, "before an answer"},
		"resets": {func(c net.Conn) {
			readRequest(c)
			_ = c.(*net.TCPConn).SetLinger(0)
		}, rules.ReasonConnect, ""},
		"cuts its body": {func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, ok+"Content-Length: 100\r\n\r\nshort")
		}, rules.ReasonBody, "closed the connection"},
		"sends a trailer without end": {func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, ok+"Transfer-Encoding: chunked\r\n\r\n0\r\n")
			endlessly(c, "X-Filler: "+strings.Repeat("y", 1000)+"\r\n")
		}, rules.ReasonBody, "broke the protocol"},
		"answers 503 and trickles": {func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 503 No\r\nContent-Length: 100000\r\n\r\n")
			drip(c, "x", 50*time.Millisecond)
		}, rules.ReasonStatus, "answered 503"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := time.Minute
			slow := c.reason == rules.ReasonTimeout || strings.Contains(name, "trickles")
			if slow {
				timeout = 400 * time.Millisecond
			}
			service := webService("http://"+farm(t, c.behave)+"/", within(timeout))
			wanting(limit(1 << 20))(&service)
			reading := look(service)
			mustFail(t, reading, c.reason)
			if !strings.Contains(reading.Detail, c.detail) {
				t.Errorf("detail is %q, want %q in it", reading.Detail, c.detail)
			}
			if took := reading.End.Sub(reading.Start); slow && (took < timeout-50*time.Millisecond || took > timeout+20*time.Second) {
				t.Errorf("look took %v, its timeout is %v", took, timeout)
			}
		})
	}
}
