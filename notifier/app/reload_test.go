package app_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shopwatch/internal/configfile"
	"shopwatch/notifier"
	"shopwatch/notifier/config"
	"shopwatch/notifier/sandbox"
	"shopwatch/rules"
)

// reload puts another configuration into force.
func (b *bench) reload(edit func(*config.Config)) {
	b.t.Helper()
	b.edit = edit
	use, err := b.app.Prepare(b.config())
	if err != nil {
		b.t.Fatal(err)
	}
	use()
}

// onCallAt lets one chat be on call.
func onCallAt(chat string) func(*config.Config) {
	return func(c *config.Config) {
		c.Audiences[rules.Ops] = []notifier.Recipient{{Audience: rules.Ops, Channel: config.Telegram, Address: chat, Language: notifier.English}}
		c.Page.Title = rules.Text{ZH: "新店", EN: "Renamed Shop"}
	}
}

func TestAReloadTellsTheNewPeopleAndShowsNoGap(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.near.measure(rules.Operational)
	b.pageSays("/", "Operational")
	b.reload(onCallAt("200"))
	if page := b.page("/"); !strings.Contains(page, "Renamed Shop") || !strings.Contains(page, "Alipay") || !strings.Contains(page, "Operational") {
		t.Errorf("right after the reload the page is\n%s", page)
	}
	b.tell(rules.Ops, "firing", b.now())
	b.arrives("200", "Alipay payments are failing")
	b.never("100", "Alipay payments are failing")
	b.gather(rules.ChannelUp.Name) // asked of Telegram
	for _, family := range b.gather(rules.SubscribersCount.Name) {
		if family.GetName() == rules.SubscribersCount.Name && !strings.Contains(family.String(), "active") {
			t.Errorf("of the one subscriber there is %v", family)
		}
	}
	b.reload(func(c *config.Config) { c.Telegram = nil; b.posted(c) }) // which names no subscriber
	for _, family := range b.gather(rules.Notices.Name) {
		if family.GetName() == rules.ChannelUp.Name {
			t.Errorf("of a channel that is no more there still is %v", family)
		}
		if family.GetName() == rules.SubscribersCount.Name && strings.Contains(family.String(), "active") {
			t.Errorf("of a subscriber who is no more there still is %v", family)
		}
	}
}

func TestAnotherTokenForOthersLocksOurOwnAlertmanagerOutAtNoTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	over, refused := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { refused <- n }()
		for {
			select {
			case <-over:
				return
			default:
			}
			if b.post(rules.Deadman, `{"alerts":[]}`) != http.StatusOK {
				n++
			}
		}
	}()
	for n := range 3 {
		b.reload(func(c *config.Config) { c.Webhook.Token = configfile.NewSecret(fmt.Sprint("token-of-others-", n)) })
	}
	close(over)
	if n := <-refused; n > 0 {
		t.Errorf("our own Alertmanager was refused %d times, and tries a refused alert again minutes later", n)
	}
}

func TestWhoIsPutOnCallDuringAnOutageHearsOfItAndOfItsEndAndNothingWaitsForWhoWas(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.world.Fail(config.Telegram, sandbox.Fault{Times: -1}) // which is why somebody else is named
	b.tell(rules.Ops, "firing", b.now())
	b.eventually("a notice waits", func() bool {
		o, err := b.app.Overview(t.Context())
		return err == nil && o.Queued > 0
	})
	b.reload(func(c *config.Config) {
		c.Telegram = nil
		c.Audiences[rules.Ops] = []notifier.Recipient{{Audience: rules.Ops, Channel: config.Email, Address: "oncall@x.example", Language: notifier.English}}
	})
	b.arrives("oncall@x.example", "Alipay payments are failing")
	b.eventually("nothing waits for who was on call", func() bool {
		o, err := b.app.Overview(t.Context())
		return err == nil && o.Queued == 0
	})
	b.reload(b.edit) // who was told is not told again
	b.tell(rules.Ops, "resolved", b.now())
	b.arrives("oncall@x.example", "Resolved: Alipay")
	var told []string
	for _, m := range b.world.Messages() {
		if m.To == "oncall@x.example" {
			told = append(told, m.Subject)
		}
	}
	if len(told) != 2 {
		t.Errorf("who is on call now was told %q, want the outage and its end", told)
	}
}

func TestAConfigurationThatCannotBeBuiltChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cfg := b.config()
	onCallAt("200")(&cfg)
	cfg.Prometheus = &config.ServerConfig{URL: b.nearURL, CAFile: "/nowhere/ca.pem"}
	if use, err := b.app.Prepare(cfg); err == nil || use != nil || !strings.Contains(err.Error(), "/nowhere/ca.pem") {
		t.Fatalf("got %v, want the file that isn't there", err)
	}
	b.tell(rules.Ops, "firing", b.now())
	b.arrives("100", "Alipay payments are failing")
	b.never("200", "Alipay payments are failing")
}

func TestReloadsUnderWayLoseNoAlertAndDoubleNone(t *testing.T) {
	t.Parallel()
	b := newBenchWith(t, func(b *bench) { b.edit = b.posted })
	const reloads, most = 12, 300
	title := func(n int) string { return fmt.Sprintf("Outage number %03d", n) }
	over, posted := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { posted <- n }()
		for ; n < most; n++ {
			select {
			case <-over:
				return
			default:
			}
			body := fmt.Sprintf(`{"alerts":[{"status":"firing","fingerprint":"f%[1]d","startsAt":%[2]q,"labels":{"alertname":"Outage%[1]d","severity":"critical","tier":"ops","incident":"main/outage%[1]d"},
				"annotations":{"summary":%[3]q,"summary_zh":%[3]q}}]}`, n, b.now().Format(time.RFC3339Nano), title(n))
			if code := b.post(rules.Ops, body); code != http.StatusOK {
				b.t.Errorf("alert %d was answered %d", n, code)
			}
		}
	}()
	for range reloads {
		b.reload(b.posted)
	}
	close(over)
	alerts := <-posted
	times := map[int]int{}
	b.eventually("all are told", func() bool {
		clear(times)
		for _, m := range b.world.Messages() {
			for n := range alerts {
				if strings.Contains(m.Text, title(n)) {
					times[n]++
				}
			}
		}
		return len(times) == alerts
	})
	t.Logf("%d alerts came during %d reloads", alerts, reloads)
	for n, told := range times {
		if told != 1 {
			t.Errorf("%s was told %d times", title(n), told)
		}
	}
}

func TestAReloadThatComesAsTheNotifierStopsReturns(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	use, err := b.app.Prepare(b.config())
	if err != nil {
		t.Fatal(err)
	}
	b.stop()
	use()
}

// lock has another program hold the database against writers until it is let go.
func (b *bench) lock() (letGo func()) {
	b.t.Helper()
	other, err := sql.Open("sqlite", "file:"+filepath.Join(b.dir, "notifier.db")+"?_txlock=immediate&_pragma=busy_timeout(20000)")
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { other.Close() })
	tx, err := other.BeginTx(b.t.Context(), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return func() { tx.Rollback() }
}

func TestAReloadIsRefusedWhileTheStoreTakesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	letGo := b.lock()
	if use, err := b.app.Prepare(b.config()); err == nil || use != nil {
		t.Errorf("a configuration that can't be put into force was taken")
	}
	letGo()
	b.reload(onCallAt("200"))
	b.tell(rules.Ops, "firing", b.now())
	b.arrives("200", "Alipay payments are failing")
}

// lines passes on each line that is logged with some words.
type lines struct {
	words string
	heard chan struct{}
}

func (l lines) Write(line []byte) (int, error) {
	if strings.Contains(string(line), l.words) {
		select {
		case l.heard <- struct{}{}:
		default:
		}
	}
	return len(line), nil
}

func TestWhatWasToldAndNotRecordedBeforeAReloadIsNotToldAgain(t *testing.T) {
	t.Parallel()
	came, answer := make(chan struct{}, 10), make(chan struct{})
	far := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came <- struct{}{}; <-answer }))
	t.Cleanup(far.Close)
	waits := lines{"waits until the store", make(chan struct{}, 1)}
	b := newBenchWith(t, func(b *bench) {
		b.log = waits
		b.edit = func(c *config.Config) {
			b.posted(c)
			c.Webhooks[0].URL = configfile.NewSecret(far.URL)
		}
	})
	use, err := b.app.Prepare(b.config())
	if err != nil {
		t.Fatal(err)
	}
	b.tell(rules.Ops, "firing", b.now())
	<-came
	letGo := b.lock()
	used := make(chan struct{})
	go func() { use(); close(used) }()
	close(answer) // and nobody can write down that it was
	<-waits.heard
	letGo()
	<-used
	b.tell(rules.Ops, "resolved", b.now())
	<-came // by then what had a message before it was looked at
	if n := len(came); n > 0 {
		t.Errorf("%d messages more than the trouble and its end", n)
	}
	b.eventually("all is recorded", func() bool {
		o, err := b.app.Overview(t.Context())
		return err == nil && o.Queued == 0
	})
	if n := len(came); n > 0 {
		t.Errorf("%d messages more than the trouble and its end", n)
	}
}
