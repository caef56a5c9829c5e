package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/internal/servertest"
	"shopwatch/rules"
)

type counter struct{ n atomic.Int64 }

func (c *counter) add()       { c.n.Add(1) }
func (c *counter) get() int64 { return c.n.Load() }

// countedConn counts its first Close.
type countedConn struct {
	net.Conn
	once   sync.Once
	closed *counter
}

func (c *countedConn) Close() error {
	c.once.Do(c.closed.add)
	return c.Conn.Close()
}

func TestATCPServiceMustTakeAConnection(t *testing.T) {
	t.Parallel()
	open := farm(t, hang)
	reading := look(tcpService(open, false))
	mustSucceed(t, reading)
	if value(t, reading, rules.ProbeIPProtocol) != 4 || !has(reading, rules.ProbeDNSLookup) || !has(reading, rules.ProbeDuration) {
		t.Errorf("samples are %v", reading.Samples)
	}
	if reading.Target != open {
		t.Errorf("target is %q, want %q", reading.Target, open)
	}
	mustFail(t, look(tcpService(servertest.FreeAddress(t), false)), rules.ReasonConnect)
	mustFail(t, look(tcpService("no-port", false)), rules.ReasonOther)
	mustFail(t, look(exporter.Service{Targets: []string{open}}), rules.ReasonOther)
}

func TestCertificatesAreChecked(t *testing.T) {
	t.Parallel()
	soon, later := time.Now().Add(24*time.Hour).Truncate(time.Second), time.Now().Add(1000*time.Hour).Truncate(time.Second)
	past := time.Now().Add(-time.Hour).Truncate(time.Second)
	ca := newAuthority(t, later)
	prober := probe.New(probe.Config{RootCAs: ca.pool})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) })
	good := serveTLS(t, ca.issue(t, soon, "127.0.0.1", "shop.example"), false, handler)
	modern := serveTLS(t, ca.issue(t, soon, "127.0.0.1"), true, handler)
	expired := serveTLS(t, ca.issue(t, past, "127.0.0.1"), false, handler)
	stranger := serveTLS(t, newAuthority(t, later).issue(t, soon, "127.0.0.1"), false, handler)
	wrongName := serveTLS(t, ca.issue(t, soon, "other.example"), false, handler)

	t.Run("a good certificate is good, and its ends are told", func(t *testing.T) {
		t.Parallel()
		for _, service := range []exporter.Service{webService(good.URL), tcpService(good.Listener.Addr().String(), true)} {
			reading := lookWith(prober, service)
			mustSucceed(t, reading)
			if got := value(t, reading, rules.ProbeSSLExpiry); got != float64(soon.Unix()) {
				t.Errorf("earliest end is %v, want %v", got, soon.Unix())
			}
			if got := value(t, reading, rules.ProbeSSLChain); got != float64(soon.Unix()) {
				t.Errorf("chain's end is %v, want %v", got, soon.Unix())
			}
			if value(t, reading, rules.ProbeTLSVersion, "TLS 1.3") != 1 {
				t.Error("version of TLS is missing")
			}
		}
		reading := lookWith(prober, webService(good.URL))
		if value(t, reading, rules.ProbeHTTPSSL) != 1 || value(t, reading, rules.ProbeHTTPDuration, "tls") <= 0 {
			t.Error("the handshake is not told")
		}
	})
	t.Run("HTTP/2 is spoken where it is offered", func(t *testing.T) {
		t.Parallel()
		service := webService(modern.URL)
		wanting(contains("HTTP/2.0"))(&service)
		reading := lookWith(prober, service)
		mustSucceed(t, reading)
		if got := value(t, reading, rules.ProbeHTTPVersion); got != 2 {
			t.Errorf("version is %v, want 2", got)
		}
		if value(t, reading, rules.ProbeHTTPDuration, "processing") <= 0 {
			t.Error("processing is not timed")
		}
	})
	t.Run("an expired one is refused, and its end is still told", func(t *testing.T) {
		t.Parallel()
		for _, service := range []exporter.Service{webService(expired.URL), tcpService(expired.Listener.Addr().String(), true)} {
			reading := lookWith(prober, service)
			mustFail(t, reading, rules.ReasonCertificate)
			if got := value(t, reading, rules.ProbeSSLExpiry); got != float64(past.Unix()) {
				t.Errorf("earliest end is %v, want %v", got, past.Unix())
			}
			if has(reading, rules.ProbeSSLChain) {
				t.Error("a chain that wasn't verified has an end")
			}
			if !strings.Contains(reading.Detail, "expired") {
				t.Errorf("detail is %q", reading.Detail)
			}
		}
	})
	t.Run("a stranger's and a wrong name are refused", func(t *testing.T) {
		t.Parallel()
		mustFail(t, lookWith(prober, webService(stranger.URL)), rules.ReasonCertificate)
		mustFail(t, lookWith(prober, webService(wrongName.URL)), rules.ReasonCertificate)
		mustFail(t, lookWith(prober, tcpService(wrongName.Listener.Addr().String(), true)), rules.ReasonCertificate)
	})
	t.Run("unless the owner says so", func(t *testing.T) {
		t.Parallel()
		service := webService(stranger.URL)
		service.Module.Blackbox.HTTP.HTTPClientConfig.TLSConfig.InsecureSkipVerify = true
		reading := lookWith(prober, service)
		mustSucceed(t, reading)
		if !has(reading, rules.ProbeSSLExpiry) || value(t, reading, rules.ProbeSSLChain) != float64(time.Time{}.Unix()) {
			t.Errorf("samples are %v", reading.Samples)
		}
	})
	t.Run("a Host header is the name to check", func(t *testing.T) {
		t.Parallel()
		service := webService(wrongName.URL)
		service.Module.Blackbox.HTTP.Headers = map[string]string{"Host": "other.example"}
		mustSucceed(t, lookWith(prober, service))
	})
	t.Run("a plain server is not TLS", func(t *testing.T) {
		t.Parallel()
		plain := serve(t, func(http.ResponseWriter, *http.Request) {})
		reading := lookWith(prober, webService(strings.Replace(plain.URL, "http", "https", 1)))
		mustFail(t, reading, rules.ReasonTLS)
	})
	t.Run("a handshake that hangs is a timeout", func(t *testing.T) {
		t.Parallel()
		mute := farm(t, hang)
		service := tcpService(mute, true)
		service.Timeout = 200 * time.Millisecond
		for _, s := range []exporter.Service{service, webService("https://"+mute, within(200*time.Millisecond))} {
			reading := lookWith(prober, s)
			mustFail(t, reading, rules.ReasonTimeout)
			if !strings.Contains(reading.Detail, "TLS handshake") {
				t.Errorf("detail is %q", reading.Detail)
			}
		}
	})
}

func TestANameMustResolve(t *testing.T) {
	t.Parallel()
	unknown := probe.New(probe.Config{Resolver: fakeResolver{}})
	reading := lookWith(unknown, webService("http://gone.example/"))
	mustFail(t, reading, rules.ReasonDNS)
	if reading.Detail != "lookup gone.example: no such host" {
		t.Errorf("detail is %q", reading.Detail)
	}
	if got := value(t, reading, rules.ProbeHTTPStatus); got != 0 {
		t.Errorf("status is %v, want 0", got)
	}
	mustFail(t, lookWith(unknown, tcpService("gone.example:6379", false)), rules.ReasonDNS)

	mute := probe.New(probe.Config{Resolver: fakeResolver{mute: true}})
	reading = lookWith(mute, webService("http://slow.example/", within(100*time.Millisecond)))
	mustFail(t, reading, rules.ReasonTimeout)
	if !strings.Contains(reading.Detail, "resolving the name") {
		t.Errorf("detail is %q", reading.Detail)
	}
}

func TestAChineseNameIsAskedForInItsWireForm(t *testing.T) {
	t.Parallel()
	server := serve(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	prober := probe.New(probe.Config{Resolver: fakeResolver{names: map[string][]string{"xn--fiq228c.example": {"127.0.0.1"}}}})
	mustSucceed(t, lookWith(prober, webService("http://中文.example:"+port+"/")))
}

func TestABrokenFamilyDoesNotMakeAnOutage(t *testing.T) {
	t.Parallel()
	server := serve(t, func(http.ResponseWriter, *http.Request) {})
	names := fakeResolver{names: map[string][]string{"shop.example": {"2001:db8::1", "2001:db8::2", "192.0.2.1"}}}
	for name, broken := range map[string]func(context.Context) error{
		"one that refuses": func(context.Context) error { return syscall.ENETUNREACH },
		"one that is mute": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prober := probe.New(probe.Config{Resolver: names, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				if strings.HasPrefix(address, "[") {
					return nil, broken(ctx)
				}
				return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
			}})
			reading := lookWith(prober, webService("http://shop.example/"))
			mustSucceed(t, reading)
			if got := value(t, reading, rules.ProbeIPProtocol); got != 4 {
				t.Errorf("protocol is %v, want the one that worked", got)
			}
		})
	}
}

func TestALookThatWeSpoiledIsInconclusive(t *testing.T) {
	t.Parallel()
	poor := probe.New(probe.Config{Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", syscall.EMFILE)}
	}})
	reading := lookWith(poor, tcpService("127.0.0.1:1", false))
	mustFail(t, reading, rules.ReasonVantage)
	if reading.Conclusive() {
		t.Error("running out of files says nothing about the service")
	}

	ctx, cancel := context.WithCancel(context.Background())
	mute := farm(t, func(conn net.Conn) { cancel(); hang(conn) })
	reading = probe.New(probe.Config{}).Look(ctx, webService(""), "http://"+mute)
	mustFail(t, reading, rules.ReasonVantage)

	ctx, cancel = context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	reading = probe.New(probe.Config{}).Look(ctx, webService(""), "http://"+farm(t, hang))
	mustFail(t, reading, rules.ReasonTimeout)
}

func TestAGuardSeesEveryAddressThatALookDials(t *testing.T) {
	t.Parallel()
	inside := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the guarded address was reached") })
	_, port, _ := net.SplitHostPort(inside.Listener.Addr().String())
	outside := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://rebound.example:"+port+"/", http.StatusFound)
	})
	prober := probe.New(probe.Config{
		Resolver: fakeResolver{names: map[string][]string{"rebound.example": {"127.0.0.2"}}},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if strings.HasPrefix(address, "127.0.0.2:") {
				return nil, errors.New("address is not allowed")
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	})
	reading := lookWith(prober, webService(outside.URL))
	mustFail(t, reading, rules.ReasonConnect)
	if reading.Detail != "address is not allowed" {
		t.Errorf("detail is %q, want the guard's words", reading.Detail)
	}
}
