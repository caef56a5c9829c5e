package probe_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/config"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// answerOf makes one request of a target within a look, and gives its answer.
func answerOf(t *testing.T, serve http.HandlerFunc, limit int64) (answer probe.Answer, failure error) {
	t.Helper()
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	kind := func(ctx context.Context, l *probe.Look) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.Target(), nil)
		if err != nil {
			return err
		}
		answer, failure = l.Ask(ctx, l.Client(config.TLSConfig{}), request, limit)
		return failure
	}
	prober := probe.New(probe.Config{UserAgent: "shopwatch/test", Kinds: map[exporter.Kind]probe.Kind{exporter.KindPayment: kind}})
	prober.Look(t.Context(), exporter.Service{Timeout: 20 * time.Second, Module: exporter.Module{Kind: exporter.KindPayment}}, server.URL)
	return answer, failure
}

func TestAnAnswerIsReadWholeAndTellsItsClock(t *testing.T) {
	t.Parallel()
	answer, err := answerOf(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "\xef\xbb\xbf{}"+r.UserAgent())
	}, 100)
	if err != nil || answer.Status != http.StatusTeapot || string(answer.Body) != "{}shopwatch/test" {
		t.Errorf("answer %d %q, %v", answer.Status, answer.Body, err)
	}
	if off := answer.Skew + time.Hour; !answer.Timed || off.Abs() > 15*time.Second {
		t.Errorf("skew %s, %t; want about an hour behind", answer.Skew, answer.Timed)
	}
}

func TestACachedAnswerTellsNoClock(t *testing.T) {
	t.Parallel()
	answer, err := answerOf(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Age", "600") }, 100)
	if err != nil || answer.Timed {
		t.Errorf("timed %t, %v", answer.Timed, err)
	}
}

func TestAnAnswerHasALimit(t *testing.T) {
	t.Parallel()
	serve := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 100)) }
	if _, err := answerOf(t, serve, 100); err != nil {
		t.Errorf("100 bytes of 100: %v", err)
	}
	_, err := answerOf(t, serve, 99)
	if reason, detail := probe.Explain(err); err == nil || reason != rules.ReasonBody || !strings.Contains(detail, "99 bytes") {
		t.Errorf("100 bytes of 99: %v", err)
	}
}

func TestAForeignAnswerIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer probe.Answer
		reason rules.Reason
		says   string
	}{
		{probe.Answer{Status: 200, Body: []byte("<html>")}, rules.ReasonBody, "HTML"},
		{probe.Answer{Status: 200, Header: http.Header{"Content-Type": {"text/html"}}, Body: []byte("hello")}, rules.ReasonBody, "HTML"},
		{probe.Answer{Status: 403, Header: http.Header{"Cf-Mitigated": {"challenge"}}}, rules.ReasonBody, "challenge"},
		{probe.Answer{Status: 503, Body: []byte("<TITLE>Just a moment...</TITLE>")}, rules.ReasonBody, "challenge"},
		{probe.Answer{Status: 503, Body: []byte("just a moment, challenge-platform")}, rules.ReasonStatus, "503"},
		{probe.Answer{Status: 302}, rules.ReasonBody, "redirects"},
		{probe.Answer{Status: 429}, rules.ReasonVantage, "429"},
		{probe.Answer{Status: 200, Body: []byte(" \n")}, rules.ReasonBody, "nothing"},
		{probe.Answer{Status: 404, Body: []byte("{}")}, rules.ReasonBody, "404"},
	} {
		if reason, detail := probe.Explain(c.answer.Foreign()); reason != c.reason || !strings.Contains(detail, c.says) {
			t.Errorf("%d %q: %s, %q; want %s, %q", c.answer.Status, c.answer.Body, reason, detail, c.reason, c.says)
		}
	}
}

func TestACodeIsShownOnlyIfItLooksLikeOneAndHoldsNoSecret(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"ORDER_NOT_EXIST", "isv.invalid-app-id", "ACQ.TRADE_NOT_EXIST", "InvalidAccessKeyId.NotFound", "-3", "10008", "20429"} {
		if got := probe.Code(code, "", "Secret"); got != code {
			t.Errorf("%s is shown as %q", code, got)
		}
	}
	for _, code := range []string{"", "Secret", "x.SECRET", "1234567", "5v4bRQhIB00Nqjcu", "a b", "<b>", "a\nb", strings.Repeat("a", 65), "密钥错误"} {
		if got := probe.Code(code, "Secret"); got == code {
			t.Errorf("%q is shown", code)
		}
	}
}
