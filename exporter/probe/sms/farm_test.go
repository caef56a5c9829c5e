package sms_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/exporter/probe/farm"
	"shopwatch/exporter/probe/sms"
	"shopwatch/rules"
)

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

func trusting(t *testing.T) func(*probe.Config, *exporter.Service) {
	pool := plough(t).Pool()
	return func(config *probe.Config, _ *exporter.Service) { config.RootCAs = pool }
}

func TestTheCertificateIsSampledGoodOrBad(t *testing.T) {
	t.Parallel()
	f := plough(t)
	expired, err := f.URL(farm.Expired)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range subjects() {
		t.Run(s.options.Provider, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(s.serve(t))
			server.TLS = f.ServerTLS()
			server.StartTLS()
			t.Cleanup(server.Close)
			now := float64(time.Now().Unix())
			reading := look(t, server.URL, s.options, trusting(t))
			want(t, reading, "", "")
			if expiry := expiryOf(reading); expiry < now {
				t.Errorf("expiry %v, want one to come", expiry)
			}
			reading = look(t, expired, s.options, trusting(t))
			want(t, reading, rules.ReasonCertificate, "expired")
			if expiry := expiryOf(reading); expiry == 0 || expiry > now {
				t.Errorf("expiry %v, want one that is over", expiry)
			}
		})
	}
}

// expiryOf is the sample of the certificate's expiry, 0 without.
func expiryOf(reading exporter.Reading) float64 {
	for _, sample := range reading.Samples {
		if sample.Metric == &rules.ProbeSSLExpiry {
			return sample.Value
		}
	}
	return 0
}

func TestNoFaultOfATargetIsTakenForAProvider(t *testing.T) {
	t.Parallel()
	f := plough(t)
	for _, behaviour := range farm.Behaviours() {
		target, err := f.URL(behaviour)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range subjects() {
			t.Run(string(behaviour)+" "+s.options.Provider, func(t *testing.T) {
				t.Parallel()
				reading := look(t, target, s.options, trusting(t), func(_ *probe.Config, service *exporter.Service) {
					service.Timeout = 200 * time.Millisecond
				})
				if reading.Success || reading.Reason == "" || reading.Detail == "" || strings.Contains(reading.Detail, "unexpected way") {
					t.Errorf("success %t, reason %q, detail %q", reading.Success, reading.Reason, reading.Detail)
				}
			})
		}
	}
}

func TestAClockThatIsOffIsSaidWithHowFar(t *testing.T) {
	t.Parallel()
	for _, s := range subjects()[:2] { // Twilio signs no time
		for _, off := range []time.Duration{20 * time.Minute, -20 * time.Minute} {
			t.Run(s.options.Provider+" "+off.String(), func(t *testing.T) {
				t.Parallel()
				provider := s.serve(t)
				target := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
					r.Header.Set("Test-Clock", off.String())
					provider.ServeHTTP(w, r)
				}))
				side := "behind"
				if off < 0 {
					side = "ahead of"
				}
				reading := look(t, target, s.options)
				want(t, reading, rules.ReasonOther, "our clock is ")
				want(t, reading, rules.ReasonOther, " "+side+" the provider's")
			})
		}
	}
}

func TestTheTargetMayBeAProxyWithAPath(t *testing.T) {
	t.Parallel()
	options := exporter.SMS{Provider: sms.Twilio, LeastBalance: 1}
	target := start(t, http.StripPrefix("/proxy", serveTwilio(t)))
	want(t, look(t, target+"/proxy", options), "", "")
}
