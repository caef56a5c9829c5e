package probe_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/internal/servertest"
	"shopwatch/rules"
)

// A serial test: it measures what the whole process allocates.
func TestACompressedBombCostsBoundedMemory(t *testing.T) {
	var bomb bytes.Buffer
	packer, err := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 64 {
		if _, err := packer.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := packer.Close(); err != nil {
		t.Fatal(err)
	}
	server := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(bomb.Bytes()) })
	for _, c := range []struct {
		name   string
		change func(*blackbox.HTTPProbe)
		reason rules.Reason
		read   float64 // of the body
		most   uint64  // bytes allocated
	}{
		{"what nothing is matched against is thrown away", func(h *blackbox.HTTPProbe) { h.BodySizeLimit = 0 }, "", 64 << 20, 1 << 20},
		{"a limit ends it", limit(32 << 20), rules.ReasonBody, 32 << 20, 1 << 20},
		{"what is matched is held up to 4 MiB", func(h *blackbox.HTTPProbe) { h.BodySizeLimit = 0; contains("never there")(h) }, rules.ReasonBody, 4<<20 + 1, 16 << 20},
	} {
		service := webService(server.URL, wanting(c.change), wanting(func(h *blackbox.HTTPProbe) { h.Compression = "gzip" }))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		reading := look(service)
		runtime.ReadMemStats(&after)
		if reading.Reason != c.reason {
			t.Errorf("%s: reason is %q (%s), want %q", c.name, reading.Reason, reading.Detail, c.reason)
		}
		if got := value(t, reading, rules.ProbeHTTPBody); got != c.read {
			t.Errorf("%s: read %v bytes of the body, want %v", c.name, got, c.read)
		}
		if spent := after.TotalAlloc - before.TotalAlloc; spent > c.most {
			t.Errorf("%s: the look allocated %d bytes, want at most %d", c.name, spent, c.most)
		}
	}
}

// A serial test: it counts the goroutines of the whole process.
func TestNothingIsLeftAfterALook(t *testing.T) {
	var dialled, closed counter
	prober := probe.New(probe.Config{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		dialled.add()
		return &countedConn{Conn: conn, closed: &closed}, nil
	}})
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/next", http.StatusFound)
			return
		}
		fmt.Fprint(w, "hello")
	})
	ca := newAuthority(t, time.Now().Add(time.Hour))
	secure := serveTLS(t, ca.issue(t, time.Now().Add(time.Hour), "127.0.0.1"), true, http.NotFoundHandler())
	insecure := webService(secure.URL)
	insecure.Module.Blackbox.HTTP.HTTPClientConfig.TLSConfig.InsecureSkipVerify = true
	services := []exporter.Service{
		webService(server.URL), webService(secure.URL), insecure, webService("http://" + servertest.FreeAddress(t)),
		webService("http://"+farm(t, hang), within(30*time.Millisecond)),
		webService("https://"+farm(t, hang), within(30*time.Millisecond)),
		webService("http://" + farm(t, func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			endlessly(c, strings.Repeat("x", 4096))
		})),
		tcpService(server.Listener.Addr().String(), false), tcpService(secure.Listener.Addr().String(), true),
	}
	for _, service := range services {
		lookWith(prober, service)
	}
	before := runtime.NumGoroutine()
	for range 20 {
		for _, service := range services {
			lookWith(prober, service)
		}
	}
	deadline := time.Now().Add(time.Minute)
	for runtime.NumGoroutine() > before+5 || dialled.get() != closed.get() {
		if time.Now().After(deadline) {
			buffer := make([]byte, 1<<16)
			t.Fatalf("%d goroutines before, %d after; %d connections dialled, %d closed\n%s",
				before, runtime.NumGoroutine(), dialled.get(), closed.get(), buffer[:runtime.Stack(buffer, true)])
		}
		runtime.Gosched()
	}
	if dialled.get() < 20*9 {
		t.Errorf("%d connections for %d looks: a look must never reuse one", dialled.get(), 20*len(services))
	}
}

func TestTheEnvironmentsProxyIsNotUsed(t *testing.T) {
	proxy := "http://" + servertest.FreeAddress(t)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"} {
		t.Setenv(name, proxy)
	}
	server := serve(t, func(http.ResponseWriter, *http.Request) {})
	var dialled []string
	prober := probe.New(probe.Config{
		Resolver: fakeResolver{names: map[string][]string{"shop.example": {"192.0.2.7"}}},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			dialled = append(dialled, address)
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		},
	})
	mustSucceed(t, lookWith(prober, webService("http://shop.example/")))
	if len(dialled) != 1 || dialled[0] != "192.0.2.7:80" {
		t.Fatalf("dialled %v, want the shop's address", dialled)
	}
}
