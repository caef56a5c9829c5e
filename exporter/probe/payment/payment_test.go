package payment_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/exporter/probe/payment"
	"shopwatch/rules"
)

// The secrets of all tests: none of them may come into a reading.
const (
	sharedKey = "CanaryKeyDoNotShow"
	apiV3Key  = "CanaryApiKeyOfThirtyTwoLetters32"
	token     = "CanaryTokenDoNotShow"
)

var merchantKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

var otherKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func pemOf(key *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

// bareOf is a key as Alipay's tool gives it: base64 of PKCS #8 without lines.
func bareOf(t *testing.T, key *rsa.PrivateKey) string {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// subject is a gateway with the credentials that it takes.
type subject struct {
	name        string
	path        string // of the target
	credentials exporter.Payment
	serve       func(*testing.T) http.Handler
}

func subjects() []subject {
	key := pemOf(merchantKey())
	return []subject{
		{payment.Alipay, "/gateway.do", exporter.Payment{Merchant: appID, Key: key}, serveAlipay},
		{payment.WeChatPay, "", exporter.Payment{Merchant: mchID, Key: key, Serial: serial, APIKey: apiV3Key}, serveWeChatPay},
		{payment.Epay, "/", exporter.Payment{Merchant: pid, Key: sharedKey}, serveEpay},
		{payment.Codepay, "/submit.php", exporter.Payment{Merchant: pid, Key: sharedKey}, serveEpay},
		{payment.Epusdt, "/api/v1/order/create-transaction", exporter.Payment{APIKey: token}, serveEpusdt},
		{payment.BEpusdt, "/", exporter.Payment{APIKey: token}, serveBEpusdt},
	}
}

func (s subject) options(authenticated bool) exporter.Payment {
	var options exporter.Payment
	if authenticated {
		options = s.credentials
	}
	options.Gateway = s.name
	return options
}

// look looks once, and finds no secret in what it sees.
func look(t *testing.T, target string, options exporter.Payment, change ...func(*probe.Config, *exporter.Service)) exporter.Reading {
	t.Helper()
	config := probe.Config{Kinds: map[exporter.Kind]probe.Kind{exporter.KindPayment: payment.Look}}
	service := exporter.Service{Shop: "main", ID: "pay", Timeout: 20 * time.Second}
	service.Module = exporter.Module{Kind: exporter.KindPayment, Payment: &options}
	for _, c := range change {
		c(&config, &service)
	}
	reading := probe.New(config).Look(t.Context(), service, target)
	seen, err := json.Marshal(reading)
	if err != nil {
		t.Fatal(err)
	}
	private := []string{sharedKey, apiV3Key, token, options.Key, options.APIKey}
	for _, line := range strings.Split(options.Key, "\n") {
		if len(line) > 40 && !strings.Contains(line, "-----") {
			private = append(private, line)
		}
	}
	for _, secret := range private {
		if secret != "" && strings.Contains(strings.ToLower(string(seen)), strings.ToLower(secret)) {
			t.Errorf("the reading shows a secret: %s", seen)
		}
	}
	return reading
}

func start(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func want(t *testing.T, reading exporter.Reading, reason rules.Reason, says string) {
	t.Helper()
	if reading.Reason != reason || reading.Success != (reason == "") || !strings.Contains(reading.Detail, says) {
		t.Errorf("reason %q, detail %q; want %q and %q", reading.Reason, reading.Detail, reason, says)
	}
}

func sampled(reading exporter.Reading, metric *rules.Metric) (float64, bool) {
	for _, sample := range reading.Samples {
		if sample.Metric == metric {
			return sample.Value, true
		}
	}
	return 0, false
}

func TestAGatewayThatIsWellIsSeenWell(t *testing.T) {
	t.Parallel()
	for _, s := range subjects() {
		for _, authenticated := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s authenticated=%t", s.name, authenticated), func(t *testing.T) {
				t.Parallel()
				reading := look(t, start(t, s.serve(t))+s.path, s.options(authenticated))
				want(t, reading, "", "")
				if skew, ok := sampled(reading, &rules.GatewaySkew); !ok || skew < -5 || skew > 5 {
					t.Errorf("clock skew %v, %t: want about 0", skew, ok)
				}
			})
		}
	}
}

func TestWrongCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	for _, s := range subjects() {
		for name, spoil := range map[string]func(*exporter.Payment){
			"key": func(p *exporter.Payment) {
				if strings.Contains(p.Key, "-----") {
					p.Key = pemOf(otherKey())
				} else if p.Key != "" {
					p.Key += "x"
				} else {
					p.APIKey += "x"
				}
			},
			"merchant": func(p *exporter.Payment) { p.Merchant += "9" },
			"serial":   func(p *exporter.Payment) { p.Serial += "A" },
		} {
			options := s.options(true)
			if name == "merchant" && options.Merchant == "" || name == "serial" && options.Serial == "" {
				continue
			}
			spoil(&options)
			t.Run(s.name+" "+name, func(t *testing.T) {
				t.Parallel()
				want(t, look(t, start(t, s.serve(t))+s.path, options), rules.ReasonAuth, "refuses")
			})
		}
	}
}

// faults are answers that no gateway gives in its protocol.
var faults = []struct {
	name   string
	reason rules.Reason
	says   string
	serve  http.HandlerFunc
}{
	{"the page of a hijacked name", rules.ReasonBody, "HTML", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<!DOCTYPE html><html><title>Domain for sale</title>")
	}},
	{"a challenge page of a CDN, told by its header", rules.ReasonBody, "challenge", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cf-Mitigated", "challenge")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "<html>")
	}},
	{"a challenge page of a CDN with a 503", rules.ReasonBody, "challenge", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `<html><head><title>Just a moment...</title></head><script src="/cdn-cgi/challenge-platform/h/b"></script>`)
	}},
	{"a redirect to a portal", rules.ReasonBody, "redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/portal", http.StatusFound)
	}},
	{"an API of somebody else", rules.ReasonBody, "not in its protocol", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"hello":"world","code":{"a":1},"status_code":[]}`)
	}},
	{"an empty object", rules.ReasonBody, "not in its protocol", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) }},
	{"a list", rules.ReasonBody, "not in its protocol", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `[1,2,3]`) }},
	{"half of an object", rules.ReasonBody, "not in its protocol", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"code":"ORDER_NOT_EX`) }},
	{"nothing", rules.ReasonBody, "nothing", func(http.ResponseWriter, *http.Request) {}},
	{"a proxy's error", rules.ReasonStatus, "502", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprint(w, "<html>502 Bad Gateway")
	}},
	{"a proxy that has enough of us", rules.ReasonVantage, "429", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTooManyRequests)
	}},
	{"a body without end", rules.ReasonBody, "longer", func(w http.ResponseWriter, r *http.Request) {
		for chunk := strings.Repeat(" ", 64<<10); r.Context().Err() == nil; {
			if _, err := fmt.Fprint(w, chunk); err != nil {
				return
			}
		}
	}},
	{"a connection that is dropped", rules.ReasonConnect, "", func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	}},
}

func TestWhatIsNotTheGatewaySpeakingFails(t *testing.T) {
	t.Parallel()
	for _, s := range subjects() {
		for _, fault := range faults {
			t.Run(s.name+": "+fault.name, func(t *testing.T) {
				t.Parallel()
				target := start(t, fault.serve) + s.path
				for _, authenticated := range []bool{false, true} {
					reading := look(t, target, s.options(authenticated))
					want(t, reading, fault.reason, fault.says)
					if _, ok := sampled(reading, &rules.GatewaySkew); ok {
						t.Error("a clock was read that isn't the gateway's")
					}
				}
			})
		}
	}
}

func TestASlowGatewayCostsItsTimeout(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]http.HandlerFunc{
		"silent": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"stops in the body": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `{"code":`)
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	} {
		for _, s := range subjects() {
			t.Run(s.name+" "+name, func(t *testing.T) {
				t.Parallel()
				read := func(w http.ResponseWriter, r *http.Request) {
					r.ParseForm() // or the server doesn't notice that the client has gone
					serve(w, r)
				}
				reading := look(t, start(t, http.HandlerFunc(read))+s.path, s.options(true),
					func(_ *probe.Config, service *exporter.Service) { service.Timeout = 300 * time.Millisecond })
				want(t, reading, rules.ReasonTimeout, "300ms")
			})
		}
	}
}

func TestAClockThatIsOffIsAFailureOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, s := range subjects() {
		for off, side := range map[time.Duration]string{10 * time.Minute: "10m0s ahead", -10 * time.Minute: "10m0s behind"} {
			t.Run(fmt.Sprintf("%s %s", s.name, side), func(t *testing.T) {
				t.Parallel()
				gateway := s.serve(t)
				target := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
					r.Header.Set("Test-Clock", off.String())
					gateway.ServeHTTP(w, r)
				})) + s.path
				options := s.options(true)
				reading := look(t, target, options)
				want(t, reading, rules.ReasonOther, "clock is "+side)
				if skew, ok := sampled(reading, &rules.GatewaySkew); !ok || skew < off.Seconds()-5 || skew > off.Seconds()+5 {
					t.Errorf("skew %v, %t; want about %v", skew, ok, off.Seconds())
				}
				options = s.options(false)
				options.Skew = time.Hour
				want(t, look(t, target, options), "", "")
			})
		}
	}
}

func TestAModuleThatSaysHalfIsNamed(t *testing.T) {
	t.Parallel()
	half := exporter.Payment{Gateway: payment.Alipay, Merchant: appID}
	want(t, look(t, "http://127.0.0.1:1/", half), rules.ReasonOther, "credentials are missing")
	broken := exporter.Payment{Gateway: payment.Alipay, Merchant: appID, Key: sharedKey}
	want(t, look(t, "http://127.0.0.1:1/", broken), rules.ReasonOther, "RSA private key")
	want(t, look(t, "http://127.0.0.1:1/", exporter.Payment{Gateway: "paypal"}), rules.ReasonOther, "paypal")
	want(t, look(t, "", exporter.Payment{Gateway: payment.Epay}), rules.ReasonOther, "URL of the gateway")
	want(t, look(t, "pay.example.com", exporter.Payment{Gateway: payment.Epay}), rules.ReasonOther, "URL of the gateway")
	for _, gateway := range []string{payment.Alipay, payment.WeChatPay} {
		if !strings.HasPrefix(payment.DefaultTarget(gateway), "https://") {
			t.Errorf("%s has no default target", gateway)
		}
	}
}
