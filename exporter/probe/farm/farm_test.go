package farm_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"shopwatch/exporter/probe/farm"
)

func start(t testing.TB, config farm.Config) *farm.Farm {
	t.Helper()
	if config.Pace == 0 {
		config.Pace = time.Millisecond
	}
	f, err := farm.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func must(t testing.TB) func(string, error) string {
	return func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// client is one that opens a fresh connection for every request and follows nothing.
func client(f *farm.Farm) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
			TLSClientConfig: &tls.Config{RootCAs: f.Pool()},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func get(t testing.TB, f *farm.Farm, url string) (int, http.Header, string) {
	t.Helper()
	response, err := client(f).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(body)
}

func dial(t testing.TB, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestGoodTargetsAnswerOverHTTPAndHTTPS(t *testing.T) {
	t.Parallel()
	for _, key := range []farm.Key{farm.ECDSA, farm.RSA} {
		t.Run(string(key), func(t *testing.T) {
			t.Parallel()
			f := start(t, farm.Config{Key: key, Body: "cards", Ports: 3})
			for _, secure := range []bool{false, true} {
				hosts := map[string]bool{}
				for _, target := range f.Targets(6, farm.Answer, secure) {
					status, _, body := get(t, f, target)
					if status != http.StatusOK || body != "cards" {
						t.Errorf("%s answers %d %q", target, status, body)
					}
					hosts[strings.Split(target, "/")[2]] = true
				}
				if len(hosts) != 3 {
					t.Errorf("targets go to %d ports, want 3", len(hosts))
				}
			}
			if got := f.Accepted(); got != 12 {
				t.Errorf("farm took %d connections, want 12", got)
			}
			conn, err := tls.Dial("tcp", strings.Split(f.Targets(1, farm.Answer, true)[0], "/")[2], &tls.Config{RootCAs: f.Pool()})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			want := map[farm.Key]x509.PublicKeyAlgorithm{farm.ECDSA: x509.ECDSA, farm.RSA: x509.RSA}[key]
			if got := conn.ConnectionState().PeerCertificates[0].PublicKeyAlgorithm; got != want {
				t.Errorf("key is %v, want %v", got, want)
			}
		})
	}
}

func TestAConnectionMayBeUsedAgain(t *testing.T) {
	t.Parallel()
	f := start(t, farm.Config{})
	kept := &http.Client{Transport: &http.Transport{}}
	defer kept.CloseIdleConnections()
	for _, target := range f.Targets(5, farm.Answer, false) {
		response, err := kept.Get(target)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	if got := f.Accepted(); got != 1 {
		t.Errorf("five requests took %d connections, want 1", got)
	}
}

func TestTheSpreadIsBetween20And200MillisecondsAndSteady(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]bool{}
	var sum time.Duration
	f := start(t, farm.Config{})
	targets := f.Targets(1000, farm.Spread, false)
	for _, target := range targets {
		path := target[strings.Index(target, "/spread"):]
		d := farm.SpreadOf(path)
		if d < 20*time.Millisecond || d > 200*time.Millisecond || d != farm.SpreadOf(path) {
			t.Fatalf("%s takes %v", path, d)
		}
		seen[d] = true
		sum += d
	}
	if mean := sum / 1000; len(seen) < 150 || mean < 90*time.Millisecond || mean > 130*time.Millisecond {
		t.Errorf("%d different delays with a mean of %v, want most of 181 and about 110 ms", len(seen), mean)
	}
	if status, _, _ := get(t, f, targets[0]); status != http.StatusOK {
		t.Errorf("spread answers %d", status)
	}
	began := time.Now()
	get(t, f, must(t)(f.URL(farm.After))+"30ms")
	if time.Since(began) < 30*time.Millisecond { // a lower bound holds on any machine
		t.Error("an answer after 30 ms came before")
	}
}

func TestRequestsAreAnsweredAsTheirBehaviourSays(t *testing.T) {
	t.Parallel()
	f := start(t, farm.Config{})
	for _, secure := range []bool{false, true} {
		find := f.URL
		if secure {
			find = f.SecureURL
		}
		if status, _, _ := get(t, f, must(t)(find(farm.Status))+"503"); status != 503 {
			t.Errorf("status/503 answers %d", status)
		}
		_, header, _ := get(t, f, must(t)(find(farm.Redirect)))
		if got := header.Get("Location"); got != "http://169.254.169.254/latest/meta-data/" {
			t.Errorf("redirects to %q", got)
		}
		_, header, _ = get(t, f, must(t)(find(farm.Redirect))+"?to=http%3A%2F%2Fother.invalid%2F")
		if got := header.Get("Location"); got != "http://other.invalid/" {
			t.Errorf("redirects to %q", got)
		}
		circle := client(f)
		circle.CheckRedirect = nil
		if _, err := circle.Get(must(t)(find(farm.RedirectCircle))); err == nil || !strings.Contains(err.Error(), "stopped after 10 redirects") {
			t.Errorf("circle gives %v", err)
		}
	}
}

func TestFaultsAfterARequestAreWhatTheySay(t *testing.T) {
	t.Parallel()
	f := start(t, farm.Config{})
	tests := []struct {
		behaviour farm.Behaviour
		holds     func(*http.Response, error) bool
	}{
		{farm.Hang, func(_ *http.Response, err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		{farm.SlowHeader, func(r *http.Response, err error) bool { return err == nil && r.StatusCode == 200 }},
		{farm.Trickle, func(r *http.Response, err error) bool {
			return err == nil && reads(r.Body, "dripdripdrip")
		}},
		{farm.EndlessHeader, func(_ *http.Response, err error) bool {
			return err != nil && strings.Contains(err.Error(), "headers exceeded")
		}},
		{farm.EndlessBody, func(r *http.Response, err error) bool {
			if err != nil {
				return false
			}
			n, err := io.CopyN(io.Discard, r.Body, 50<<20)
			return err == nil && n == 50<<20
		}},
		{farm.GzipBomb, func(r *http.Response, err error) bool {
			if err != nil || r.ContentLength < 1<<20 || r.ContentLength > 2<<20 { // 1,024 members of 1 MiB
				return false
			}
			unpacked, err := gzip.NewReader(r.Body)
			if err != nil {
				return false
			}
			const enough = 16 << 20 // of 1 GiB
			n, err := io.CopyN(io.Discard, unpacked, enough)
			return err == nil && n == enough
		}},
		{farm.Truncated, func(r *http.Response, err error) bool {
			if err != nil {
				return false
			}
			_, err = io.ReadAll(r.Body)
			return errors.Is(err, io.ErrUnexpectedEOF)
		}},
		{farm.ResetAfter, func(_ *http.Response, err error) bool { return errors.Is(err, syscall.ECONNRESET) }},
		{farm.CloseAfter, func(_ *http.Response, err error) bool { return errors.Is(err, io.EOF) }},
		{farm.Garbage, func(_ *http.Response, err error) bool {
			return err != nil && strings.Contains(err.Error(), "malformed HTTP")
		}},
	}
	for _, test := range tests {
		t.Run(string(test.behaviour), func(t *testing.T) {
			t.Parallel()
			own := "http://" + must(t)(f.Address(test.behaviour)) + "/"
			for _, url := range []string{must(t)(f.URL(test.behaviour)), must(t)(f.SecureURL(test.behaviour)), own} {
				timeout := time.Minute
				if test.behaviour == farm.Hang {
					timeout = 50 * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(context.Background(), timeout)
				request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
				if err != nil {
					t.Fatal(err)
				}
				response, err := client(f).Do(request)
				if !test.holds(response, err) {
					t.Errorf("%s gives %v, %v", url, response, err)
				}
				if response != nil {
					response.Body.Close()
				}
				cancel()
			}
		})
	}
}

func reads(r io.Reader, want string) bool {
	got := make([]byte, len(want))
	_, err := io.ReadFull(r, got)
	return err == nil && string(got) == want
}

func TestFaultsOfAConnectionAreWhatTheySay(t *testing.T) {
	t.Parallel()
	f := start(t, farm.Config{})
	_, err := net.Dial("tcp", must(t)(f.Address(farm.Refuse)))
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("refuse gives %v", err)
	}
	if !reads(dial(t, must(t)(f.Address(farm.Drip))), "dripdrip") {
		t.Error("drip doesn't speak")
	}
	flood := make([]byte, 1<<20)
	if _, err := io.ReadFull(dial(t, must(t)(f.Address(farm.Flood))), flood); err != nil || bytes.ContainsAny(flood, "\r\n") {
		t.Errorf("flood gives %v, or ends its line", err)
	}
	if !reads(dial(t, must(t)(f.Address(farm.Chatter))), strings.Repeat("250-this goes on\r\n", 1000)) {
		t.Error("chatter doesn't chat")
	}
	if _, err := dial(t, must(t)(f.Address(farm.CloseFirst))).Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("close-first gives %v", err)
	}
	conn, err := net.Dial("tcp", must(t)(f.Address(farm.Reset)))
	if err == nil { // the reset may be quicker than the dialling
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset gives %v", err)
	}
	for _, behaviour := range []farm.Behaviour{farm.Silent, farm.SilentTLS} {
		silent := dial(t, must(t)(f.Address(behaviour)))
		if _, err := silent.Write([]byte("anybody there?")); err != nil {
			t.Fatal(err)
		}
		_ = silent.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		var network net.Error
		if _, err := silent.Read(make([]byte, 1)); !errors.As(err, &network) || !network.Timeout() {
			t.Errorf("%s gives %v", behaviour, err)
		}
	}
}

func TestFaultsOfTLSAreWhatTheySay(t *testing.T) {
	t.Parallel()
	f := start(t, farm.Config{Names: []string{"shop.example"}})
	tests := []struct {
		behaviour farm.Behaviour
		holds     func(error) bool
	}{
		{farm.BrokenTLS, func(err error) bool { return strings.Contains(err.Error(), "tls: ") }},
		{farm.PlainTLS, func(err error) bool {
			return strings.Contains(err.Error(), "HTTP response to HTTPS client")
		}},
		{farm.Expired, func(err error) bool {
			invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
			return ok && invalid.Reason == x509.Expired
		}},
		{farm.WrongName, func(err error) bool { _, ok := errors.AsType[x509.HostnameError](err); return ok }},
		{farm.SelfSigned, func(err error) bool { _, ok := errors.AsType[x509.UnknownAuthorityError](err); return ok }},
	}
	for _, test := range tests {
		url := must(t)(f.URL(test.behaviour))
		if !strings.HasPrefix(url, "https://") {
			t.Errorf("%s is at %s", test.behaviour, url)
		}
		if _, err := client(f).Get(url); err == nil || !test.holds(err) {
			t.Errorf("%s gives %v", test.behaviour, err)
		}
	}
	named := dial(t, strings.Split(f.Targets(1, farm.Answer, true)[0], "/")[2])
	if err := tls.Client(named, &tls.Config{RootCAs: f.Pool(), ServerName: "shop.example"}).Handshake(); err != nil {
		t.Errorf("a name of the configuration gives %v", err)
	}
}
