package probe_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"
	"github.com/prometheus/common/config"

	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// Where a look is not blackbox_exporter's on purpose.

func TestWhatTheClientKnowsStaysWithTheTargetsHost(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[string][]http.Header{}
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		host, port, _ := net.SplitHostPort(r.Host)
		mu.Lock()
		defer mu.Unlock()
		seen[host] = append(seen[host], r.Header.Clone())
		switch r.URL.Path {
		case "/":
			http.Redirect(w, r, "/own", http.StatusFound)
		case "/own":
			http.Redirect(w, r, "http://other.example:"+port+"/there", http.StatusFound)
		case "/there":
			http.Redirect(w, r, "http://shop.example:"+port+"/back", http.StatusFound)
		}
	})
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	prober := probe.New(probe.Config{Resolver: fakeResolver{names: map[string][]string{"shop.example": {"127.0.0.1"}, "other.example": {"127.0.0.1"}}}})
	secrets := &config.Headers{Headers: map[string]config.Header{"X-Secret": {Secrets: []config.Secret{"s3cret"}}}}
	for name, change := range map[string]func(*blackbox.HTTPProbe){
		"a password": func(h *blackbox.HTTPProbe) {
			h.HTTPClientConfig.BasicAuth = &config.BasicAuth{Username: "owner", Password: "s3cret"}
		},
		"a token": func(h *blackbox.HTTPProbe) {
			h.HTTPClientConfig.Authorization = &config.Authorization{Type: "Bearer", Credentials: "s3cret"}
		},
		"a header of the client": func(h *blackbox.HTTPProbe) { h.HTTPClientConfig.HTTPHeaders = secrets },
		"a header of the module": headers(map[string]string{"X-Secret": "s3cret"}),
	} {
		t.Run(name, func(t *testing.T) {
			mu.Lock()
			clear(seen)
			mu.Unlock()
			mustSucceed(t, lookWith(prober, webService("http://shop.example:"+port+"/", wanting(change))))
			told := func(header http.Header) bool {
				return header.Get("Authorization") != "" || header.Get("X-Secret") != ""
			}
			mu.Lock()
			defer mu.Unlock()
			if own := seen["shop.example"]; len(own) != 3 || !told(own[0]) || !told(own[1]) {
				t.Errorf("the target's host got %v", own)
			} else if told(own[2]) {
				t.Error("a chain that had left was told again where another host led it")
			}
			if slices.ContainsFunc(seen["other.example"], told) {
				t.Errorf("another host got %v", seen["other.example"])
			}
		})
	}
}

func TestPatternsAndExpressionsJudgeTheSameBody(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"stock": 3}`) })
	program := blackbox.MustNewCELProgram("body.stock > 2")
	mustSucceed(t, look(webService(server.URL, wanting(contains("stock")), wanting(func(h *blackbox.HTTPProbe) {
		h.FailIfBodyJsonNotMatchesCEL = &program
	}))))
}

func TestASwitchOfProtocolsEndsTheLook(t *testing.T) {
	t.Parallel()
	target := "http://" + farm(t, func(conn net.Conn) {
		readRequest(conn)
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		hang(conn)
	})
	mustSucceed(t, look(webService(target, wanting(statuses(101)),
		wanting(headers(map[string]string{"Connection": "Upgrade", "Upgrade": "websocket"})))))
}

func TestOnlyTheFamilyThatIsNamedIsDialled(t *testing.T) {
	t.Parallel()
	names := fakeResolver{names: map[string][]string{
		"both.example": {"2001:db8::1", "192.0.2.1"}, "four.example": {"192.0.2.1"}, "six.example": {"2001:db8::1"},
	}}
	for name, c := range map[string]struct {
		host     string
		prefer   string
		fallback bool
		want     string // addresses that are dialled, in no order
		reason   rules.Reason
	}{
		"none named: all":           {"both.example", "", true, "192.0.2.1 2001:db8::1", rules.ReasonConnect},
		"ip4":                       {"both.example", "ip4", true, "192.0.2.1", rules.ReasonConnect},
		"ip6":                       {"both.example", "ip6", true, "2001:db8::1", rules.ReasonConnect},
		"ip6 falls back":            {"four.example", "ip6", true, "192.0.2.1", rules.ReasonConnect},
		"ip4 falls back":            {"six.example", "ip4", true, "2001:db8::1", rules.ReasonConnect},
		"ip6 alone":                 {"four.example", "ip6", false, "", rules.ReasonDNS},
		"none named, no fallback":   {"both.example", "", false, "2001:db8::1", rules.ReasonConnect},
		"another word means ip4":    {"both.example", "ipv4", true, "192.0.2.1", rules.ReasonConnect},
		"ip4 alone, which is there": {"both.example", "ip4", false, "192.0.2.1", rules.ReasonConnect},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var dialled []string
			prober := probe.New(probe.Config{Resolver: names, Dial: func(_ context.Context, _, address string) (net.Conn, error) {
				host, _, _ := net.SplitHostPort(address)
				mu.Lock()
				defer mu.Unlock()
				dialled = append(dialled, host)
				return nil, fmt.Errorf("nobody there")
			}})
			mustFail(t, lookWith(prober, webService("http://"+c.host+"/", wanting(func(h *blackbox.HTTPProbe) {
				h.IPProtocol, h.IPProtocolFallback = c.prefer, c.fallback
			}))), c.reason)
			mu.Lock()
			defer mu.Unlock()
			slices.Sort(dialled)
			if got := strings.Join(dialled, " "); got != c.want {
				t.Errorf("dialled %q, want %q", got, c.want)
			}
		})
	}
}

// A serial test: it measures the memory of the whole process, both ends of
// every connection.
func TestLooksThatHangTogetherHoldLittleMemory(t *testing.T) {
	const together = 300
	authority := newAuthority(t, time.Now().Add(time.Hour))
	secure := &tls.Config{Certificates: []tls.Certificate{authority.issue(t, time.Now().Add(time.Hour), "127.0.0.1")}}
	for name, c := range map[string]struct {
		scheme string
		most   uint64 // bytes a look, its server's end included
	}{"plain": {"http://", 64 << 10}, "over TLS": {"https://", 160 << 10}} {
		t.Run(name, func(t *testing.T) {
			var reached sync.WaitGroup
			reached.Add(together)
			address := farm(t, func(conn net.Conn) {
				if c.scheme == "https://" {
					conn = tls.Server(conn, secure)
				}
				readRequest(conn)
				reached.Done()
				hang(conn)
			})
			prober := probe.New(probe.Config{RootCAs: authority.pool})
			ctx, cancel := context.WithCancel(context.Background())
			before := held()
			var looks sync.WaitGroup
			for range together {
				looks.Go(func() { prober.Look(ctx, webService(""), c.scheme+address) })
			}
			reached.Wait()
			spent := held() - before
			cancel()
			looks.Wait()
			if each := spent / together; each > c.most {
				t.Errorf("a look that waits holds %d bytes, want at most %d", each, c.most)
			}
		})
	}
}

// held is what the process holds once garbage is gone.
func held() uint64 {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return memory.HeapInuse + memory.StackInuse
}
