package payment_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/exporter/probe/farm"
	"shopwatch/exporter/probe/payment"
	"shopwatch/rules"
)

// TestNothingThatAGatewayEchoesIsShown has gateways that repeat the request,
// secrets included, wherever their protocol has room for words. look itself
// searches each reading for secrets.
func TestNothingThatAGatewayEchoesIsShown(t *testing.T) {
	t.Parallel()
	for _, s := range subjects() {
		for _, word := range []string{"", s.credentials.Key, s.credentials.APIKey, s.credentials.Serial} {
			for _, status := range []int{200, 400, 401, 404, 500} {
				target := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					echo := word
					if echo == "" {
						echo = r.URL.String() + r.Header.Get("Authorization") + string(body)
					}
					w.Header().Set("X-Echo", echo)
					w.WriteHeader(status)
					json.NewEncoder(w).Encode(map[string]any{
						"code": echo, "msg": echo, "message": echo, "status_code": 77, "error": echo, "status": -2,
						"error_response": map[string]string{"code": echo, "sub_code": echo},
					})
				})) + s.path
				if reading := look(t, target, s.options(true)); reading.Success || reading.Detail == "" {
					t.Errorf("%s took an echo for its gateway: %+v", s.name, reading)
				}
			}
		}
	}
}

func TestTheKeyInATargetIsNotShown(t *testing.T) {
	t.Parallel()
	target := start(t, serveEpay(t)) + "/api.php?act=query&key=" + sharedKey
	options := exporter.Payment{Gateway: payment.Epay, Merchant: pid, Key: sharedKey}
	want(t, look(t, target, options), "", "")
	want(t, look(t, "http://user:"+sharedKey+"@127.0.0.1:1/?key="+sharedKey, options), rules.ReasonConnect, "")
}

var fields = sync.OnceValues(func() (*farm.Farm, error) { return farm.New(farm.Config{Pace: 20 * time.Millisecond}) })

// plough is the farm of all tests. It lives as long as they do.
func plough(t *testing.T) *farm.Farm {
	t.Helper()
	f, err := fields()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTheCertificateIsSampledGoodOrBad(t *testing.T) {
	t.Parallel()
	f := plough(t)
	for _, s := range subjects() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(s.serve(t))
			server.TLS = f.ServerTLS()
			server.StartTLS()
			t.Cleanup(server.Close)
			trusting := func(config *probe.Config, _ *exporter.Service) { config.RootCAs = f.Pool() }
			reading := look(t, server.URL+s.path, s.options(true), trusting)
			want(t, reading, "", "")
			if expiry, ok := sampled(reading, &rules.ProbeSSLExpiry); !ok || expiry < float64(time.Now().Unix()) {
				t.Errorf("expiry %v, %t; want one to come", expiry, ok)
			}
			expired, err := f.URL(farm.Expired)
			if err != nil {
				t.Fatal(err)
			}
			reading = look(t, expired, s.options(true), trusting)
			want(t, reading, rules.ReasonCertificate, "expired")
			if expiry, ok := sampled(reading, &rules.ProbeSSLExpiry); !ok || expiry > float64(time.Now().Unix()) {
				t.Errorf("expiry %v, %t; want one that is over", expiry, ok)
			}
		})
	}
}

func TestNoFaultOfATargetIsTakenForAGateway(t *testing.T) {
	t.Parallel()
	f := plough(t)
	for _, behaviour := range farm.Behaviours() {
		target, err := f.URL(behaviour)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range subjects() {
			t.Run(string(behaviour)+" "+s.name, func(t *testing.T) {
				t.Parallel()
				reading := look(t, target, s.options(true), func(config *probe.Config, service *exporter.Service) {
					config.RootCAs, service.Timeout = f.Pool(), 200*time.Millisecond
				})
				if reading.Success || reading.Reason == "" || reading.Detail == "" || strings.Contains(reading.Detail, "unexpected way") {
					t.Errorf("success %t, reason %q, detail %q", reading.Success, reading.Reason, reading.Detail)
				}
			})
		}
	}
}
