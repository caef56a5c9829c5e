package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/web"
	"shopwatch/rules"
)

const token = "s3cret-token"

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// made is a Web with what a test doesn't give.
func made(t *testing.T, config web.Config, listed ...string) *web.Web {
	t.Helper()
	if config.Module == nil {
		config.Module = func(name string) (exporter.Module, bool) {
			m := exporter.HTTPModule(nil)
			m.Name = name
			return m, name == "http_2xx"
		}
	}
	if config.Look == nil {
		config.Look = succeed
	}
	if config.Guard == nil {
		config.Guard = guard(t, listed...)
	}
	if config.States == nil {
		config.States = func() []exporter.State { return nil }
	}
	if config.History == nil {
		config.History = func(string, string) ([]exporter.Past, bool) { return nil, true }
	}
	config.Now = func() time.Time { return noon }
	w, err := web.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func guard(t *testing.T, listed ...string) *web.Guard {
	t.Helper()
	g, err := web.NewGuard(listed)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// succeed is a look that saw all is well.
func succeed(_ context.Context, _ exporter.Service, target string) exporter.Reading {
	return exporter.Reading{
		Target: target, Success: true, Start: noon, End: noon.Add(time.Second),
		Samples: []exporter.Sample{{Metric: &rules.ProbeSuccess, Value: 1}, {Metric: &rules.ProbeHTTPDuration, Labels: []string{"tls"}, Value: 0.5}},
		Phases:  []exporter.Phase{{Name: "resolve", Took: 3 * time.Millisecond}},
	}
}

// get asks for a path and query; header is in pairs.
func get(handler http.Handler, url string, header ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, url, nil)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

func TestAWebWithoutItsPartsIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := web.New(web.Config{}); err == nil {
		t.Error("it is made of nothing")
	}
}
