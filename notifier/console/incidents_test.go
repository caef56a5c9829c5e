package console_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/console"
	"shopwatch/rules"
)

// outage is an incident that runs.
func outage() notifier.Incident {
	return notifier.Incident{
		ID: "i1", Key: "main/alipay", Title: rules.Text{ZH: "支付宝暂时无法支付", EN: "Alipay payments are failing"}, Status: notifier.Investigating, Impact: notifier.ImpactMajor,
		Since: now.Add(-6 * time.Minute), Opened: now.Add(-time.Minute),
		Alerts: []notifier.ActiveAlert{
			{Name: rules.AlertServiceDown, Severity: rules.SeverityCritical, Summary: rules.Text{ZH: "支付宝坏了", EN: "Alipay is down"}},
			{Name: "ServiceFlapping", Ended: now},
		},
	}
}

func (b *bench) client(token string) console.Client {
	return console.Client{URL: b.server.URL, Token: token, HTTP: b.server.Client()}
}

func TestOperatorsButtonAcknowledgesAndWithdraws(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.source.overview.Incidents = []console.Incident{{Incident: outage()}}
	press := func(deed string) (int, string, string) {
		return b.answer(b.browser.PostForm(b.server.URL+"/console/incidents/"+deed, nil))
	}
	if status, _, _ := press("i1/acknowledge"); status != http.StatusUnauthorized || len(b.source.deeds) != 0 {
		t.Fatalf("a stranger's button was answered %d", status)
	}
	b.get("/console/login?code="+b.operator.Code(), "en")
	if _, _, page := b.get("/console/", "en"); !strings.Contains(page, `action="/console/incidents/i1/acknowledge"`) || !strings.Contains(page, "Alipay is down") {
		t.Errorf("the overview has no button, or doesn't list what fires:\n%s", page)
	}
	if status, path, _ := press("i1/acknowledge"); status != http.StatusOK || path != "/console/incidents/i1" {
		t.Errorf("the button led to %s, %d", path, status)
	}
	mine := outage()
	mine.Acknowledged = notifier.Acknowledgement{By: "<b>小王", At: now}
	mine.Acts = []notifier.Act{{At: now, By: "<b>小王", Deed: notifier.DeedAcknowledge}}
	mine.Held = &notifier.Facts{}
	b.source.overview.Incidents[0].Incident = mine
	_, _, page := b.get("/console/", "zh")
	for _, want := range []string{`action="/console/incidents/i1/withdraw"`, "已接手", "&lt;b&gt;小王 接手", "没有通知负责人"} {
		if !strings.Contains(page, want) {
			t.Errorf("the overview lacks %q:\n%s", want, page)
		}
	}
	press("i1/withdraw")
	if want := []string{"acknowledge by ", "withdraw by "}; !slices.Equal(b.source.deeds, want) {
		t.Errorf("did %q, want %q", b.source.deeds, want)
	}
	mine.Closed = now
	b.source.overview.Incidents[0].Incident = mine
	if _, _, page := b.get("/console/", "en"); strings.Contains(page, `action="/console/incidents/`) {
		t.Error("an incident that is over has a button")
	}
	for path, want := range map[string]int{"i2/acknowledge": 404, "i1/delete": 404} {
		if status, _, _ := press(path); status != want {
			t.Errorf("%s was answered %d, want %d", path, status, want)
		}
	}
}

func TestProgramsAcknowledgeByTheOperatorsToken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.source.running = []notifier.Incident{outage()}
	c := b.client("the-token")
	list, err := c.Incidents(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != "i1" || !slices.Equal(list[0].Alerts, []string{rules.AlertServiceDown}) || list[0].Acknowledged != nil {
		t.Errorf("listed %+v, %v", list, err)
	}
	done, err := c.Do(t.Context(), notifier.DeedAcknowledge, "i1", console.Wish{By: "小王"})
	if err != nil || done.Acknowledged == nil || done.Acknowledged.By != "小王" || !done.Acknowledged.At.Equal(now) {
		t.Errorf("acknowledged %+v, %v", done, err)
	}
	if _, err := c.Do(t.Context(), notifier.DeedWithdraw, "i1", console.Wish{By: ""}); err != nil {
		t.Error(err)
	}
	if want := []string{"acknowledge by 小王", "withdraw by "}; !slices.Equal(b.source.deeds, want) {
		t.Errorf("did %q, want %q", b.source.deeds, want)
	}
	r, err := http.NewRequest(http.MethodPost, b.server.URL+"/api/incidents/i1/acknowledge", nil) // curl without a body
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer the-token")
	if status, _, body := b.answer(b.server.Client().Do(r)); status != http.StatusOK || !strings.Contains(body, `"acknowledged":{"at":`) {
		t.Errorf("without a body it was answered %d: %s", status, body)
	}
}

func TestMistakesAreToldByStatusAndSentence(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ask := func(method, path, token, body string) (int, string) {
		r, err := http.NewRequest(method, b.server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		status, _, answer := b.answer(b.server.Client().Do(r))
		return status, answer
	}
	for _, c := range []struct {
		method, path, token, body string
		status                    int
		says                      string
	}{
		{"GET", "/api/incidents", "wrong", "", 401, "operator"},
		{"POST", "/api/incidents/i1/acknowledge", "", "", 401, "operator"},
		{"POST", "/api/incidents/i9/acknowledge", "the-token", "{}", 404, "no incident i9"},
		{"POST", "/api/incidents/i1/acknowledge", "the-token", `{"by":"nobody"}`, 409, "is over"},
		{"POST", "/api/incidents/i1/acknowledge", "the-token", `by=me`, 422, "the body is not"},
		{"POST", "/api/incidents/i1/delete", "the-token", "{}", 404, "acknowledged"},
		{"POST", "/api/incidents/i1/updates", "the-token", `{"txt":{"zh":"x"}}`, 422, "txt"},
		{"POST", "/api/incidents/i1/updates", "the-token", `{"eta":"soon"}`, 422, "soon"},
		{"POST", "/api/incidents/i1/updates", "the-token", `{} {}`, 422, "the body is not"},
		{"POST", "/api/incidents/i1/updates", "the-token", `{"text":{"zh":"` + strings.Repeat("x", 70_000) + `"}}`, 422, "64 KiB"},
		{"POST", "/api/incidents/i1/updates", "", `{"text":{"zh":"x"}}`, 401, "operator"},
		{"POST", "/api/incidents/i1/resolve", "wrong", `{}`, 401, "operator"},
		{"GET", "/api/incidents/i9", "the-token", "", 404, "no incident i9"},
		{"GET", "/api/incidents/i1", "", "", 401, "operator"},
		{"GET", "/api/outbox", "", "", 401, "operator"},
		{"GET", "/api/outbox/dead", "wrong", "", 401, "operator"},
		{"GET", "/api/outbox/dead?before=-1", "the-token", "", 422, "number of the last"},
		{"POST", "/api/outbox/resend", "", `{"all":true}`, 401, "operator"},
		{"POST", "/api/outbox/resend", "the-token", `{}`, 422, "name the deliveries"},
		{"POST", "/api/outbox/resend", "the-token", `{"all":true,"deliveries":[1]}`, 422, "name the deliveries"},
		{"POST", "/api/outbox/resend", "the-token", `{"deliveries":[1` + strings.Repeat(",1", 1000) + `]}`, 422, "at most 1000"},
		{"GET", "/api/audit", "", "", 401, "operator"},
		{"GET", "/api/audit?before=x", "the-token", "", 422, "number of the last"},
		{"GET", "/api/incidents/i1/acknowledge", "the-token", "", 405, ""},
	} {
		if status, answer := ask(c.method, c.path, c.token, c.body); status != c.status || !strings.Contains(answer, c.says) {
			t.Errorf("%s %s was answered %d %s, want %d with %q", c.method, c.path, status, answer, c.status, c.says)
		}
	}
	b.source.err = errors.New("open /var/lib/secret.db")
	if status, answer := ask("GET", "/api/incidents", "the-token", ""); status != 500 || strings.Contains(answer, "secret.db") {
		t.Errorf("trouble of the store was answered %d %s", status, answer)
	}
}

func TestClientSaysWhatToDo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	gone := httptest.NewServer(nil)
	gone.Close()
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/html" + console.API:
			fmt.Fprint(w, "<html>")
		case "/login" + console.API:
			w.Header().Set("WWW-Authenticate", "Basic")
			w.WriteHeader(http.StatusUnauthorized)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(stranger.Close)
	for name, c := range map[string]struct {
		client console.Client
		away   bool
		want   string
	}{
		"nobody there":    {console.Client{URL: gone.URL, HTTP: gone.Client()}, true, "--private.listen-address"},
		"the exporter":    {console.Client{URL: stranger.URL, HTTP: stranger.Client()}, true, "knows no incidents"},
		"another program": {console.Client{URL: stranger.URL + "/html", HTTP: stranger.Client()}, false, "something else than incidents"},
		"a login":         {console.Client{URL: stranger.URL + "/login", HTTP: stranger.Client()}, false, "--web.config.file"},
		"wrong token":     {b.client("wrong"), false, "--data.dir"},
	} {
		_, err := c.client.Incidents(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, console.ErrNoNotifier) != c.away {
			t.Errorf("%s: got %v, want %q in it", name, err, c.want)
		}
	}
	if _, err := b.client("the-token").Do(t.Context(), notifier.DeedAcknowledge, "i9", console.Wish{}); err == nil || err.Error() != "there is no incident i9" {
		t.Errorf("an unknown id: %v", err)
	}
}

func TestIDThatIsNoneIsNotTakenForAMissingNotifier(t *testing.T) {
	t.Parallel()
	c := newBench(t).client("the-token")
	for _, id := range []string{"", ".", ".."} {
		if _, err := c.Do(t.Context(), notifier.DeedAcknowledge, id, console.Wish{By: ""}); err == nil || errors.Is(err, console.ErrNoNotifier) || !strings.Contains(err.Error(), "there is no incident") {
			t.Errorf("the id %q: %v", id, err)
		}
	}
}

func TestAStrangersTitleMovesNoCursor(t *testing.T) {
	t.Parallel()
	for by, want := range map[string]string{
		"小王": "incident i1 (?[2Jgone): in hand of 小王 since 2026-11-22T03:00:00Z\n",
		"":   "incident i1 (?[2Jgone): in hand of the people on call since 2026-11-22T03:00:00Z\n",
	} {
		var out strings.Builder
		r := console.Running{ID: "i1", Title: rules.Text{EN: "\x1b[2Jgone"}, Acknowledged: &notifier.Acknowledgement{By: by, At: now}}
		if err := console.WriteDeed(&out, notifier.DeedAcknowledge, r, by, time.UTC); err != nil || out.String() != want {
			t.Errorf("got %q (%v), want %q", out.String(), err, want)
		}
	}
	var out strings.Builder
	if err := console.WriteDeed(&out, notifier.DeedWithdraw, console.Running{ID: "i1"}, "", time.UTC); err != nil || out.String() != "incident i1 (): in nobody's hand\n" {
		t.Errorf("withdrawn: %q (%v)", out.String(), err)
	}
}

func TestIncidentsArePrintedForPeopleAndPrograms(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	mine := outage()
	mine.Key = "main/\x1b[31malipay"
	mine.Acknowledged = notifier.Acknowledgement{By: "小王", At: now}
	b.source.running = []notifier.Incident{mine}
	list, err := b.client("the-token").Incidents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for format, wants := range map[string][]string{
		"table": {"ID  SINCE", "i1  2026-11-22T02:54:00Z  investigating  major   no      main/?[31malipay  Alipay payments are failing  ServiceDown  小王, 2026-11-22T03:00:00Z"},
		"json":  {`"id": "i1"`, `"by": "小王"`, `"zh": "支付宝暂时无法支付"`},
	} {
		var out strings.Builder
		if err := console.Write(&out, format, list, time.UTC); err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s lacks %q:\n%s", format, want, out.String())
			}
		}
	}
	var none strings.Builder
	if err := console.Write(&none, "json", nil, time.UTC); err != nil || !strings.Contains(none.String(), `"incidents": []`) {
		t.Errorf("no incidents are %q (%v)", none.String(), err)
	}
}
