package console_test

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/console"
	"shopwatch/rules"
)

func planned() notifier.Maintenance {
	return notifier.Maintenance{
		ID: "m1", Title: rules.Text{ZH: "搬迁数据库", EN: "<b>Moving</b>"}, Services: []string{"main/alipay", "main"}, Status: notifier.Scheduled,
		Window:  notifier.Window{From: now.Add(time.Hour), Until: now.Add(3 * time.Hour)},
		Updates: []notifier.MaintenanceUpdate{{At: now, Status: notifier.Scheduled, Text: rules.Text{ZH: "期间不能下单", EN: "No orders"}, By: "小王"}},
	}
}

func TestPlannedWorkIsShownPlannedAndChangedByForms(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.source.works = []notifier.Maintenance{planned()}
	b.source.overview.Services = []notifier.Service{
		{Shop: "main", ID: "alipay", Name: rules.Text{ZH: "支付宝", EN: "Alipay"}}, {Shop: "main", ID: "web", Name: rules.Text{ZH: "首页", EN: "Web"}},
	}
	b.get("/console/login?code="+b.operator.Code(), "zh")
	status, _, page := b.get("/console/maintenances", "zh-CN")
	for _, want := range []string{"搬迁数据库", "支付宝、整个店铺 main", "已计划", "期间不能下单", "小王", "取消维护", `value="main/web"`} {
		if status != http.StatusOK || !strings.Contains(page, want) {
			t.Errorf("the page (%d) doesn't say %q", status, want)
		}
	}
	if _, _, english := b.get("/console/maintenances", "en"); strings.Contains(english, "<b>Moving") || !strings.Contains(english, "the whole shop main") {
		t.Errorf("the English page says %s", english)
	}
	post := func(path string, form url.Values) (int, string) {
		t.Helper()
		status, _, page := b.answer(b.browser.PostForm(b.server.URL+path, form))
		return status, page
	}
	post("/console/maintenances", url.Values{"title_zh": {"升级"}, "service": {"main/web", "main/alipay"}, "from": {"2026-11-23T02:00"}, "until": {"2026-11-23T04:30"}, "silent": {"1"}})
	want := console.Work{
		Way: console.WayConsole, Title: rules.Text{ZH: "升级"}, Services: []string{"main/web", "main/alipay"}, Silent: true,
		From: time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC), Until: time.Date(2026, 11, 23, 4, 30, 0, 0, time.UTC),
	}
	if len(b.source.planned) != 1 || !reflect.DeepEqual(b.source.planned[0], want) {
		t.Errorf("planned is %+v, want %+v", b.source.planned, want)
	}
	post("/console/maintenances/m1/cancel", nil)
	if len(b.source.deeds) != 1 || b.source.deeds[0] != "cancel by " {
		t.Errorf("done is %v", b.source.deeds)
	}
	if status, page := post("/console/maintenances", url.Values{"title_zh": {"留下的字"}, "until": {"morgen"}}); status != http.StatusUnprocessableEntity || !strings.Contains(page, "留下的字") || !strings.Contains(page, "2026-11-23 02:00") {
		t.Errorf("a slip is answered %d with %s", status, page)
	}
	if status, _ := post("/console/maintenances/m1/erase", nil); status != http.StatusNotFound {
		t.Errorf("a deed that nobody knows is answered %d", status)
	}
}

func TestProgramsAndTheCommandLinePlanWork(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	client := console.Client{URL: b.server.URL, Token: "the-token", HTTP: http.DefaultClient}
	made, err := client.Schedule(t.Context(), console.Work{By: "小王", Title: rules.Text{EN: "Moving"}, Services: []string{"main"}, Until: now.Add(time.Hour)})
	if err != nil || made.ID != "m1" || b.source.planned[0].Way != console.WayCLI || b.source.planned[0].By != "小王" {
		t.Fatalf("planned is %+v (%v) as %+v", made, err, b.source.planned)
	}
	b.source.works = []notifier.Maintenance{planned()}
	for _, deed := range []notifier.Deed{notifier.DeedBegin, notifier.DeedUpdate, notifier.DeedComplete, notifier.DeedCancel} {
		if _, err := client.Work(t.Context(), deed, "m1", console.Work{By: "小王"}); err != nil {
			t.Errorf("%s: %v", deed, err)
		}
		if last := b.source.deeds[len(b.source.deeds)-1]; last != string(deed)+" by 小王" {
			t.Errorf("%s is done as %s", deed, last)
		}
	}
	if _, err := client.Work(t.Context(), notifier.DeedBegin, "m2", console.Work{}); err == nil || !strings.Contains(err.Error(), "there is no maintenance m2") {
		t.Errorf("of an unknown id is told %v", err)
	}
	if _, err := client.Work(t.Context(), notifier.DeedBegin, "..", console.Work{}); err == nil || !strings.Contains(err.Error(), "maintenance list") {
		t.Errorf("of a path for an id is told %v", err)
	}
	list, err := client.Maintenances(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("listed are %+v (%v)", list, err)
	}
	var table strings.Builder
	if err := console.WriteWorks(&table, "table", list, time.UTC); err != nil {
		t.Fatal(err)
	}
	if got := table.String(); !strings.Contains(got, "m1  scheduled  ") || !strings.Contains(got, "main/alipay main") {
		t.Errorf("the table is %s", got)
	}
	stranger := console.Client{URL: b.server.URL, Token: "guess", HTTP: http.DefaultClient}
	if _, err := stranger.Maintenances(t.Context()); err == nil {
		t.Error("a stranger reads planned work")
	}
}
