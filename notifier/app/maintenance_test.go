package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier/config"
	"shopwatch/rules"
)

// plans has work on the service planned, and gives its id.
func (b *bench) plans(from, until time.Time) string {
	b.t.Helper()
	body := fmt.Sprintf(`{"by":"Wang","title":{"en":"Moving the till","zh":"搬收银台"},"text":{"en":"No Alipay meanwhile."},"services":["main/alipay"],"from":%q,"until":%q}`,
		from.UTC().Format(time.RFC3339Nano), until.UTC().Format(time.RFC3339Nano))
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(b.does("/api/maintenances", body)), &made); err != nil || made.ID == "" {
		b.t.Fatalf("planned is %+v (%v)", made, err)
	}
	return made.ID
}

// still waits until Alertmanager keeps still about so many things.
func (b *bench) still(n int) {
	b.t.Helper()
	b.eventually(fmt.Sprintf("Alertmanager keeps %d silences", n), func() bool { return len(b.near.silenced()) == n })
}

// steps waits until people on call and a buyer were told so often of the work: what
// is still unsent when it ends would give way.
func (b *bench) steps(n int) {
	b.t.Helper()
	b.eventually(fmt.Sprintf("everybody is told %d times", n), func() bool {
		told := map[string]int{}
		for _, m := range b.world.Messages() {
			if strings.Contains(m.Subject+m.Text, "Moving the till") {
				told[m.To]++
			}
		}
		return told["100"] == n && told["buyer@x.example"] == n
	})
}

func TestPlannedWorkIsToldKeepsAlertmanagerStillAndEndsOnceItsServicesWork(t *testing.T) {
	t.Parallel()
	b := newBenchWith(t, func(b *bench) { b.subscriptions = config.SubscriptionsConfig{Telegram: true} })
	b.near.measure(rules.Outage)
	from := b.now().Add(2 * time.Hour)
	id := b.plans(from, from.Add(time.Hour))
	b.arrives("100", "Moving the till", "No Alipay meanwhile.")
	b.arrives("buyer@x.example", "Moving the till", "No Alipay meanwhile.")
	b.steps(1)
	b.never("buyer@x.example", "Wang")
	b.pageSays("/", "Moving the till")
	b.still(0)

	b.advance(2 * time.Hour)
	b.still(1)
	b.steps(2)
	silence := b.near.silenced()[0]
	for _, want := range []string{`"name":"service","value":"alipay"`, `"name":"shop","value":"main"`, "shopwatch maintenance " + id, from.Add(time.Hour).UTC().Format("2006-01-02T15:04:05")} {
		if !strings.Contains(silence, want) {
			t.Errorf("Alertmanager was told %s, which lacks %s", silence, want)
		}
	}
	b.eventually("the page is blue, and sees", func() bool { // by the leap of the clock Watchdog was late
		page := b.page("/api/v2/status.json")
		return strings.Contains(page, `"indicator":"maintenance"`) && strings.Contains(page, `"interrupted":false`)
	})
	b.world.Say(4242, "en", "/status")
	b.arrives("4242", "🔵 Maintenance: Alipay")
	if !strings.Contains(b.console(), "Maintenance goes on: Moving the till") {
		t.Error("the console doesn't say what goes on")
	}

	b.advance(time.Hour)
	b.arrives("buyer@x.example", "takes longer than planned")
	b.steps(3)
	b.near.measure(rules.Operational)
	b.eventually("it is completed", func() bool {
		_, body := b.ask(http.MethodGet, "/api/maintenances/"+id, "")
		return strings.Contains(body, `"status":"completed"`)
	})
	b.steps(4) // planned, begun, longer, done; the reminder's hour was leapt over
	if _, body := b.ask(http.MethodGet, "/api/audit", ""); !strings.Contains(body, `"by":"Wang","way":"api","deed":"schedule","subject":"maintenance `+id) {
		t.Errorf("the record is %s", body)
	}
}

func TestWorkThatEndsEarlyLetsAlertmanagerSpeakAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.plans(time.Time{}, b.now().Add(time.Hour))
	b.still(1)
	b.stop()
	b.start() // what is silent is known after a restart
	later := b.now().Add(2 * time.Hour).UTC().Format("2006-01-02T15:04:05")
	b.does("/api/maintenances/"+id+"/updates", fmt.Sprintf(`{"until":"%sZ"}`, later))
	b.eventually("the silence lasts as long as the work", func() bool {
		list := b.near.silenced()
		return len(list) == 1 && strings.Contains(list[0], later)
	})
	b.does("/api/maintenances/"+id+"/complete", `{"by":"Wang"}`)
	b.still(0)
	if status, answer := b.ask(http.MethodPost, "/api/maintenances/"+id+"/complete", `{}`); status != http.StatusConflict || !strings.Contains(answer, "is completed") {
		t.Errorf("completed twice is answered %d %s", status, answer)
	}
	if status, answer := b.ask(http.MethodPost, "/api/maintenances", `{"title":{"en":"x"},"services":["main/wechat"],"until":"2030-01-01T00:00:00Z"}`); status != http.StatusUnprocessableEntity || !strings.Contains(answer, "there are main, main/alipay") {
		t.Errorf("a service that nobody measures is answered %d %s", status, answer)
	}
	if status, _ := b.ask(http.MethodGet, "/api/maintenances/nosuch", ""); status != http.StatusNotFound {
		t.Errorf("an unknown id is answered %d", status)
	}
}

func TestPeopleOnCallReadWhetherPlannedWorkPagesAnybody(t *testing.T) {
	t.Parallel()
	for alone, want := range map[bool]string{
		false: "alerts of these services are told to nobody",
		true:  "Alerts of these services are told as ever: notifier.alertmanagers names nobody",
	} {
		b := newBenchWith(t, func(b *bench) { b.alone = alone })
		b.plans(b.now(), b.now().Add(time.Hour))
		b.arrives("100", "Maintenance in progress: Moving the till", want)
		b.stop()
	}
}
