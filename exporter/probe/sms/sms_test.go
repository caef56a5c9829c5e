package sms_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/exporter/probe/sms"
	"shopwatch/rules"
)

// The key of all tests: neither half may come into a reading.
const (
	keyID     = "CanaryKeyIdDoNotShow"
	keySecret = "CanarySecretDoNotShow"
)

// subject is a provider with what it takes.
type subject struct {
	options exporter.SMS
	serve   func(*testing.T) http.Handler
}

func subjects() []subject {
	return []subject{
		{exporter.SMS{Provider: sms.Aliyun, SignName: "小明卡铺 一店", Template: "SMS_100", LeastBalance: 10}, serveAliyun},
		{exporter.SMS{Provider: sms.Tencent, SignName: "1234", Template: "5678", AppID: "1400006666", LeastBalance: 10}, serveTencent},
		{exporter.SMS{Provider: sms.Twilio, LeastBalance: 10}, serveTwilio},
	}
}

// look looks once with the key, and finds no secret in what it sees.
func look(t *testing.T, target string, options exporter.SMS, change ...func(*probe.Config, *exporter.Service)) exporter.Reading {
	t.Helper()
	if options.KeyID == "" {
		options.KeyID, options.KeySecret = keyID, keySecret
	}
	config := probe.Config{Kinds: map[exporter.Kind]probe.Kind{exporter.KindSMS: sms.Look}}
	service := exporter.Service{Shop: "main", ID: "sms", Timeout: 20 * time.Second}
	service.Module = exporter.Module{Kind: exporter.KindSMS, SMS: &options}
	for _, c := range change {
		c(&config, &service)
	}
	reading := probe.New(config).Look(t.Context(), service, target)
	seen, err := json.Marshal(reading)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{keyID, keySecret, options.KeyID, options.KeySecret} {
		if secret != "" && strings.Contains(strings.ToLower(string(seen)), strings.ToLower(secret)) {
			t.Errorf("the reading shows a secret: %s", seen)
		}
	}
	return reading
}

// clockOf is the time of a provider in a test, which may be off.
func clockOf(r *http.Request) time.Time {
	off, _ := time.ParseDuration(r.Header.Get("Test-Clock"))
	return time.Now().Add(off)
}

func start(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func answering(t *testing.T, status int, body string) string {
	return start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
}

func want(t *testing.T, reading exporter.Reading, reason rules.Reason, says string) {
	t.Helper()
	if reading.Reason != reason || reading.Success != (reason == "") || !strings.Contains(reading.Detail, says) {
		t.Errorf("reason %q, detail %q; want %q and %q", reading.Reason, reading.Detail, reason, says)
	}
}

func balance(reading exporter.Reading) string {
	for _, sample := range reading.Samples {
		if sample.Metric == &rules.SMSBalance {
			return fmt.Sprintf("%.2f %s", sample.Value, strings.Join(sample.Labels, ","))
		}
	}
	return ""
}

func TestAProviderThatWouldSendIsSeenWell(t *testing.T) {
	t.Parallel()
	for _, s := range subjects() {
		t.Run(s.options.Provider, func(t *testing.T) {
			t.Parallel()
			target := start(t, s.serve(t))
			reading := look(t, target, s.options)
			want(t, reading, "", "")
			if got := balance(reading); got != "1234.56 CNY" {
				t.Errorf("balance %q", got)
			}
			want(t, look(t, target, exporter.SMS{Provider: s.options.Provider}), "", "")
		})
	}
}

func TestTooLittleBalanceIsAFailureWithBothAmounts(t *testing.T) {
	t.Parallel()
	for _, s := range subjects() {
		t.Run(s.options.Provider, func(t *testing.T) {
			t.Parallel()
			s.options.LeastBalance = 1234.57
			reading := look(t, start(t, s.serve(t)), s.options)
			want(t, reading, rules.ReasonQuery, "1234.56 CNY, less than 1234.57")
			if balance(reading) == "" {
				t.Error("the balance is not sampled just when it matters")
			}
		})
	}
}

func TestAWrongKeyIsRefused(t *testing.T) {
	t.Parallel()
	for _, s := range subjects() {
		for name, spoil := range map[string]func(*exporter.SMS){
			"id":     func(o *exporter.SMS) { o.KeyID, o.KeySecret = keyID+"x", keySecret },
			"secret": func(o *exporter.SMS) { o.KeyID, o.KeySecret = keyID, keySecret+"x" },
		} {
			t.Run(s.options.Provider+" "+name, func(t *testing.T) {
				t.Parallel()
				options := s.options
				spoil(&options)
				want(t, look(t, start(t, s.serve(t)), options), rules.ReasonAuth, "refuses")
			})
		}
	}
}

func TestWhatIsNotTheProviderSpeakingFails(t *testing.T) {
	t.Parallel()
	endless := func(w http.ResponseWriter, r *http.Request) {
		for chunk := strings.Repeat(" ", 64<<10); r.Context().Err() == nil; {
			if _, err := fmt.Fprint(w, chunk); err != nil {
				return
			}
		}
	}
	page := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	for _, fault := range []struct {
		name   string
		reason rules.Reason
		serve  http.HandlerFunc
	}{
		{"the page of a hijacked name", rules.ReasonBody, page(200, "<!DOCTYPE html><title>Welcome")},
		{"a challenge page", rules.ReasonBody, page(503, "<html><title>Just a moment...</title>")},
		{"an API of somebody else", rules.ReasonBody, page(200, `{"hello":"world"}`)},
		{"other types in the same fields", rules.ReasonBody, page(200, `{"Code":1,"RequestId":[],"Response":"x","balance":{},"SignStatus":{}}`)},
		{"nothing", rules.ReasonBody, page(200, "")},
		{"a proxy's error", rules.ReasonStatus, page(502, "<html>502")},
		{"a proxy that has enough of us", rules.ReasonVantage, page(429, "")},
		{"a body without end", rules.ReasonBody, endless},
		{"a connection that is dropped", rules.ReasonConnect, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	} {
		for _, s := range subjects() {
			t.Run(s.options.Provider+": "+fault.name, func(t *testing.T) {
				t.Parallel()
				want(t, look(t, start(t, fault.serve), s.options), fault.reason, "")
			})
		}
	}
}

func TestASlowProviderCostsItsTimeout(t *testing.T) {
	t.Parallel()
	for _, s := range subjects() {
		t.Run(s.options.Provider, func(t *testing.T) {
			t.Parallel()
			target := start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body) // or the server doesn't notice that the client has gone
				<-r.Context().Done()
			}))
			reading := look(t, target, s.options, func(_ *probe.Config, service *exporter.Service) { service.Timeout = 300 * time.Millisecond })
			want(t, reading, rules.ReasonTimeout, "300ms")
		})
	}
}

func TestNothingThatAProviderEchoesIsShown(t *testing.T) {
	t.Parallel()
	for _, s := range subjects() {
		for _, word := range []string{"", keyID, keySecret} {
			for _, status := range []int{200, 400, 401, 404, 500} {
				target := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					echo := word
					if echo == "" {
						_, password, _ := r.BasicAuth()
						echo = r.URL.String() + r.Header.Get("Authorization") + string(body) + password
					}
					w.WriteHeader(status)
					json.NewEncoder(w).Encode(map[string]any{
						"RequestId": echo, "Code": echo, "Message": echo, "SignStatus": nil, "balance": echo, "currency": echo,
						"Response": map[string]any{"RequestId": echo, "Error": map[string]string{"Code": echo, "Message": echo}},
					})
				}))
				if reading := look(t, target, s.options); reading.Success || reading.Detail == "" {
					t.Errorf("%s took an echo for its provider: %+v", s.options.Provider, reading)
				}
			}
		}
	}
}

func TestAModuleThatSaysTooLittleIsNamed(t *testing.T) {
	t.Parallel()
	want(t, look(t, "http://127.0.0.1:1", exporter.SMS{Provider: "carrier-pigeon"}), rules.ReasonOther, "carrier-pigeon")
	want(t, look(t, "sms.example.com", exporter.SMS{Provider: sms.Twilio}), rules.ReasonOther, "URL of the provider")
	want(t, look(t, "http://127.0.0.1:1", exporter.SMS{Provider: sms.Tencent, Template: "SMS_1"}), rules.ReasonOther, "template is not a number")
	want(t, look(t, "http://127.0.0.1:1", exporter.SMS{Provider: sms.Twilio, KeyID: "AC1"}), rules.ReasonOther, "key_secret")
	for provider, url := range map[string]string{
		sms.Aliyun: "https://dysmsapi.ap-southeast-1.aliyuncs.com", sms.Tencent: "https://sms.tencentcloudapi.com", sms.Twilio: "https://api.twilio.com",
	} {
		if got := sms.DefaultTarget(provider, "ap-southeast-1"); got != url {
			t.Errorf("default target of %s: %q, want %q", provider, got, url)
		}
	}
}
