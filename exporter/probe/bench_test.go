package probe_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"
	"github.com/prometheus/blackbox_exporter/prober"
	"github.com/prometheus/client_golang/prometheus"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
)

// The server is in the same process, so its part is in every number; it is the
// same for both sides.

// spent is the processor time of this process.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// measure looks again and again, and reports processor time besides.
func measure(b *testing.B, look func() bool) {
	b.Helper()
	b.ReportAllocs()
	begin := spent(b)
	for b.Loop() {
		if !look() {
			b.Fatal("the look failed")
		}
	}
	b.ReportMetric(float64((spent(b)-begin).Microseconds())/float64(b.N), "cpu-µs/op")
}

var page = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })

func unverified(h *blackbox.HTTPProbe) { h.HTTPClientConfig.TLSConfig.InsecureSkipVerify = true }

func secureServer(b *testing.B, http2 bool) string {
	b.Helper()
	address, _ := knownServer(b, http2)
	return address
}

// knownServer is one whose authority stands in a file, which a module names.
func knownServer(b *testing.B, http2 bool) (string, func(*blackbox.HTTPProbe)) {
	b.Helper()
	authority := newAuthority(b, time.Now().Add(time.Hour))
	file := filepath.Join(b.TempDir(), "ca.pem")
	if err := os.WriteFile(file, authority.pem(), 0o600); err != nil {
		b.Fatal(err)
	}
	server := serveTLS(b, authority.issue(b, time.Now().Add(time.Hour), "127.0.0.1"), http2, page)
	return server.URL, func(h *blackbox.HTTPProbe) { h.HTTPClientConfig.TLSConfig.CAFile = file }
}

func benchmarkOurs(b *testing.B, target string, change func(*blackbox.HTTPProbe)) {
	b.Helper()
	service := webService(target, wanting(change), wanting(limit(0)))
	p := probe.New(probe.Config{})
	measure(b, func() bool { return lookWith(p, service).Success })
}

func benchmarkBlackbox(b *testing.B, target string, change func(*blackbox.HTTPProbe)) {
	b.Helper()
	module := *exporter.HTTPModule(change).Blackbox
	quietly := slog.New(slog.DiscardHandler)
	measure(b, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		registry := prometheus.NewRegistry()
		ok := prober.ProbeHTTP(ctx, target, module, registry, quietly)
		_, err := registry.Gather()
		return ok && err == nil
	})
}

func BenchmarkLookHTTP(b *testing.B)         { benchmarkOurs(b, serve(b, page).URL, unverified) }
func BenchmarkLookHTTPBlackbox(b *testing.B) { benchmarkBlackbox(b, serve(b, page).URL, unverified) }
func BenchmarkLookHTTPS(b *testing.B)        { benchmarkOurs(b, secureServer(b, false), unverified) }
func BenchmarkLookHTTPSBlackbox(b *testing.B) {
	benchmarkBlackbox(b, secureServer(b, false), unverified)
}
func BenchmarkLookHTTP2(b *testing.B) { benchmarkOurs(b, secureServer(b, true), unverified) }
func BenchmarkLookHTTP2Blackbox(b *testing.B) {
	benchmarkBlackbox(b, secureServer(b, true), unverified)
}

// The certificates are checked against an authority in a file.

func BenchmarkLookHTTPSVerified(b *testing.B) {
	address, trusting := knownServer(b, false)
	benchmarkOurs(b, address, trusting)
}

func BenchmarkLookHTTPSVerifiedBlackbox(b *testing.B) {
	address, trusting := knownServer(b, false)
	benchmarkBlackbox(b, address, trusting)
}

// BenchmarkServerAlone is the server's part, with a client that does nothing.
func BenchmarkServerAlone(b *testing.B) {
	address := strings.TrimPrefix(serve(b, page).URL, "http://")
	buffer := make([]byte, 4096)
	dialer := net.Dialer{KeepAlive: -1}
	measure(b, func() bool {
		conn, err := dialer.Dial("tcp", address)
		if err != nil {
			return false
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
		n, _ := conn.Read(buffer)
		return n > 0
	})
}

// BenchmarkHandshakesAtOnce starts 67 looks together, a second's share of 1,000
// targets every 15 s, and reports the median of their tls phase beside that of
// lone looks.
func BenchmarkHandshakesAtOnce(b *testing.B) {
	const together = 67
	for name, turns := range map[string]int{"default": 0, "1 turn": 1, "2 turns": 2, "4 turns": 4, "8 turns": 8, "no bound": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			service := webService(secureServer(b, false), wanting(unverified))
			p := probe.New(probe.Config{Handshakes: turns})
			var lone, grouped []time.Duration
			for b.Loop() {
				lone = append(lone, tlsPhase(b, lookWith(p, service)))
				readings := make([]exporter.Reading, together)
				var group sync.WaitGroup
				for i := range readings {
					group.Go(func() { readings[i] = lookWith(p, service) })
				}
				group.Wait()
				for _, reading := range readings {
					grouped = append(grouped, tlsPhase(b, reading))
				}
			}
			b.ReportMetric(median(lone), "lone-ms")
			b.ReportMetric(median(grouped), "grouped-ms")
			b.ReportMetric(median(grouped)/median(lone), "ratio")
		})
	}
}

func tlsPhase(b *testing.B, reading exporter.Reading) time.Duration {
	b.Helper()
	for _, phase := range reading.Phases {
		if phase.Name == "tls" {
			return phase.Took
		}
	}
	b.Fatalf("no tls phase: %s %s", reading.Reason, reading.Detail)
	return 0
}

// median is in milliseconds.
func median(took []time.Duration) float64 {
	slices.Sort(took)
	return float64(took[len(took)/2].Microseconds()) / 1000
}
