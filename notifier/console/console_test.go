package console_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"shopwatch/internal/guard"
	"shopwatch/notifier"
	"shopwatch/notifier/console"
	"shopwatch/rules"
)

var now = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

// source tells one overview, or an error, and knows one incident: i1.
type source struct {
	overview console.Overview
	running  []notifier.Incident
	outbox   console.Outbox
	letters  []console.DeadLetter
	record   []notifier.AuditEntry
	asked    []string // of the record: its subject, and before what
	deeds    []string
	works    []notifier.Maintenance
	planned  []console.Work
	wishes   []console.Wish
	resent   []console.Resending
	refusal  error // of every deed
	err      error
}

func (s *source) Overview(context.Context) (console.Overview, error)     { return s.overview, s.err }
func (s *source) Incidents(context.Context) ([]notifier.Incident, error) { return s.running, s.err }
func (s *source) Outbox(context.Context) (console.Outbox, error)         { return s.outbox, s.err }

func (s *source) Incident(_ context.Context, id string) (console.Incident, error) {
	if s.err != nil {
		return console.Incident{}, s.err
	}
	for _, i := range s.overview.Incidents {
		if i.ID == id {
			return i, nil
		}
	}
	return console.Incident{}, &notifier.Error{Code: notifier.NotFound, Message: "there is no incident " + id}
}

func (s *source) Do(_ context.Context, id string, deed notifier.Deed, w console.Wish) (notifier.Incident, error) {
	switch {
	case s.err != nil:
		return notifier.Incident{}, s.err
	case id != "i1":
		return notifier.Incident{}, &notifier.Error{Code: notifier.NotFound, Message: "there is no incident " + id}
	case s.refusal != nil:
		return notifier.Incident{}, s.refusal
	case w.By == "nobody":
		return notifier.Incident{}, &notifier.Error{Code: notifier.Conflict, Message: "incident i1 is over"}
	}
	s.deeds = append(s.deeds, string(deed)+" by "+w.By)
	s.wishes = append(s.wishes, w)
	return notifier.Incident{ID: id, Acknowledged: notifier.Acknowledgement{By: w.By, At: now}}, nil
}

func (s *source) Maintenances(context.Context) ([]notifier.Maintenance, error) { return s.works, s.err }

func (s *source) Maintenance(_ context.Context, id string) (notifier.Maintenance, error) {
	for _, m := range s.works {
		if m.ID == id {
			return m, s.err
		}
	}
	return notifier.Maintenance{}, &notifier.Error{Code: notifier.NotFound, Message: "there is no maintenance " + id}
}

func (s *source) Schedule(_ context.Context, w console.Work) (notifier.Maintenance, error) {
	if s.refusal != nil {
		return notifier.Maintenance{}, s.refusal
	}
	s.planned = append(s.planned, w)
	return notifier.Maintenance{ID: "m1", Title: w.Title, Services: w.Services, Window: notifier.Window{From: w.From, Until: w.Until}, Status: notifier.Scheduled}, s.err
}

func (s *source) Work(ctx context.Context, id string, deed notifier.Deed, w console.Work) (notifier.Maintenance, error) {
	m, err := s.Maintenance(ctx, id)
	if err == nil {
		s.deeds, s.planned = append(s.deeds, string(deed)+" by "+w.By), append(s.planned, w)
	}
	return m, err
}

func (s *source) DeadLetters(_ context.Context, before int64, limit int) ([]console.DeadLetter, error) {
	var list []console.DeadLetter
	for _, l := range s.letters {
		if (before == 0 || l.Delivery < before) && len(list) < limit {
			list = append(list, l)
		}
	}
	return list, s.err
}

func (s *source) Resend(_ context.Context, r console.Resending) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	s.resent = append(s.resent, r)
	return max(len(r.Deliveries), 1), nil
}

func (s *source) Audit(_ context.Context, subject string, before int64, limit int) ([]notifier.AuditEntry, error) {
	s.asked = append(s.asked, fmt.Sprintf("%s before %d", subject, before))
	return s.record[:min(limit, len(s.record))], s.err
}

type bench struct {
	t        *testing.T
	operator *guard.Operator
	source   *source
	server   *httptest.Server
	browser  *http.Client
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, operator: guard.NewOperator("the-token", func() time.Time { return now }), source: &source{}}
	handler, err := console.New(console.Config{
		Operator: b.operator, Source: b.source, Zone: time.UTC, Fresh: time.Minute,
		Links: []console.Link{{Name: rules.Text{ZH: "沙盒", EN: "Sandbox"}, URL: "/sandbox/"}},
		Now:   func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	b.server = httptest.NewServer(handler)
	t.Cleanup(b.server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b.browser = &http.Client{Jar: jar}
	return b
}

// get gives the status, the path that redirects ended at, and the page.
func (b *bench) get(path, language string) (int, string, string) {
	b.t.Helper()
	r, err := http.NewRequest(http.MethodGet, b.server.URL+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept-Language", language)
	return b.answer(b.browser.Do(r))
}

func (b *bench) answer(response *http.Response, err error) (int, string, string) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	var body strings.Builder
	if _, err := io.Copy(&body, response.Body); err != nil {
		b.t.Fatal(err)
	}
	return response.StatusCode, response.Request.URL.Path, body.String()
}

func TestOnlyTheOperatorSeesTheConsole(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.source.overview.Services = []notifier.Service{{Shop: "main", ID: "secret-service"}}
	if _, path, page := b.get("/console/", "en"); path != "/console/login" || strings.Contains(page, "secret-service") {
		t.Errorf("a stranger came to %s:\n%s", path, page)
	}
	status, _, _ := b.answer(b.browser.PostForm(b.server.URL+"/console/login", url.Values{"token": {"guess"}}))
	if status != http.StatusUnauthorized {
		t.Errorf("a wrong token was answered %d", status)
	}
	if _, path, page := b.answer(b.browser.PostForm(b.server.URL+"/console/login", url.Values{"token": {"the-token"}})); path != "/console/" || !strings.Contains(page, "secret-service") {
		t.Errorf("the operator came to %s", path)
	}
}

func TestLinkOfTheTerminalLogsInOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	link := "/console/login?code=" + b.operator.Code()
	if _, err := http.Head(b.server.URL + link); err != nil { // somebody's preview
		t.Fatal(err)
	}
	if _, path, _ := b.get(link, "en"); path != "/console/" {
		t.Errorf("the link led to %s", path)
	}
	if _, path, _ := b.get(link, "en"); path != "/console/" {
		t.Errorf("clicked again by who is logged in, the link led to %s", path)
	}
	other := newBench(t)
	other.operator = b.operator
	b.browser = other.browser // another browser
	if _, path, page := b.get(link, "zh"); path != "/console/login" || !strings.Contains(page, "已经用过") {
		t.Errorf("a used link led another browser to %s", path)
	}
}

func TestOverviewTellsWhatRunsAndWhoWasTold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.source.overview = console.Overview{
		Watchdog: now.Add(-2 * time.Minute), Queued: 3, Dead: 1, Oldest: now.Add(-time.Minute),
		Incidents: []console.Incident{{
			Incident: notifier.Incident{
				ID: "i1", Title: rules.Text{ZH: "支付宝暂时无法支付", EN: `<script>alert(1)</script>`}, Opened: now, Since: now,
				Alerts: []notifier.ActiveAlert{{Name: rules.AlertServiceDown}},
			},
			Told: []console.Told{{Audience: rules.Ops, Sent: 2, Dead: 1}},
		}},
		People: []console.People{{Audience: "ops", Channel: "email", Active: 2}},
	}
	b.get("/console/login?code="+b.operator.Code(), "en")
	_, _, english := b.get("/console/", "en-US,en")
	for _, want := range []string{"late: judging may have stopped", "waiting 3", "given up 1", "&lt;script&gt;", "ServiceDown", "ops: ✓ 2 ✕ 1", "ops · email: 2", `href="/sandbox/"`} {
		if !strings.Contains(english, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(english, "<script") {
		t.Error("a title is not escaped")
	}
	if _, _, chinese := b.get("/console/", "zh-CN"); !strings.Contains(chinese, "支付宝暂时无法支付") || !strings.Contains(chinese, `lang="zh"`) {
		t.Error("the page is not in Chinese")
	}
}

func TestTroubleOfTheStoreIsLoggedAndNotShown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.source.err = errors.New("open /var/lib/secret.db")
	b.get("/console/login?code="+b.operator.Code(), "en")
	if status, _, page := b.get("/console/", "en"); status != http.StatusInternalServerError || strings.Contains(page, "secret.db") {
		t.Errorf("answered %d: %s", status, page)
	}
}

func TestRunbooksNeedNoLoginAndKnowTheirNames(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if status, _, page := b.get("/runbooks/ServiceDown", "zh"); status != http.StatusOK || !strings.Contains(page, "ServiceDown") {
		t.Errorf("answered %d", status)
	}
	for _, name := range []string{"Nothing", "..%2f..%2fwords.go", "%2e%2e"} {
		if status, _, _ := b.get("/runbooks/"+name, "en"); status == http.StatusOK {
			t.Errorf("%s was found", name)
		}
	}
}
