package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier/sandbox"
	"shopwatch/rules"
)

// does asks for a deed and wants it done.
func (b *bench) does(path, body string) string {
	b.t.Helper()
	status, answer := b.ask(http.MethodPost, path, body)
	if status != http.StatusOK {
		b.t.Fatalf("%s was answered %d %s", path, status, answer)
	}
	return answer
}

// never holds that nobody at an address was told any of the words.
func (b *bench) never(to, word string) {
	b.t.Helper()
	for _, m := range b.world.Messages() {
		if m.To == to && strings.Contains(m.Subject+m.Text+m.HTML+m.Raw, word) {
			b.t.Errorf("%s was told %q: %s", to, word, m.Text)
		}
	}
}

// pageSays waits until the public page shows something.
func (b *bench) pageSays(path, what string) {
	b.t.Helper()
	b.eventually(path+" says "+what, func() bool { return strings.Contains(b.page(path), what) })
}

func TestWhatPeopleTellReachesWhoeverKnowsAndThePage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	begin := time.Now().Add(-5 * time.Second)
	b.tell(rules.Ops, "firing", begin)
	b.tell(rules.Subscribers, "firing", begin)
	b.arrives("buyer@x.example", "Alipay payments are failing")
	id := b.only()
	eta := b.now().Add(time.Hour).UTC().Truncate(time.Minute)
	b.does("/api/incidents/"+id+"/updates", fmt.Sprintf(
		`{"by":"Wang","status":"identified","text":{"en":"The certificate ran out.","zh":"证书过期了。"},"scope":{"en":"everybody who pays with Alipay","zh":"所有人"},"eta":%q,"workaround":{"en":"pay with WeChat","zh":"用微信"}}`, eta.Format(time.RFC3339)))
	b.arrives("buyer@x.example", "The certificate ran out.", "pay with WeChat")
	b.arrives("100", "The certificate ran out.", "Wang")
	b.never("buyer@x.example", "Wang")
	b.pageSays("/incidents/"+id, "The certificate ran out.")
	for _, want := range []string{"everybody who pays with Alipay", "Expected to be over by " + eta.Format("15:04"), "pay with WeChat"} {
		b.pageSays("/incidents/"+id, want)
	}
	if page := b.page("/incidents/" + id); strings.Contains(page, "Wang") {
		t.Error("the page tells who works on it")
	}
	b.never("boss@x.example", "certificate") // who never heard of it
	var account struct {
		Told []struct {
			Audience, Channel string
			Sent              int
		}
		Updates []struct{ By string }
	}
	b.eventually("the account counts what was sent", func() bool {
		_, body := b.ask(http.MethodGet, "/api/incidents/"+id, "")
		return json.Unmarshal([]byte(body), &account) == nil && len(account.Told) == 2 && account.Told[0].Sent == 2 && account.Told[1].Sent == 2
	})
	if account.Told[0].Audience != "ops" || account.Told[1].Channel != "email" || len(account.Updates) != 2 || account.Updates[1].By != "Wang" {
		t.Errorf("the account is %+v", account)
	}
}

func TestAPersonPublishesHoldsAndCallsOver(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	begin := time.Now().Add(-5 * time.Second)
	b.tell(rules.Ops, "firing", begin)
	b.arrives("100", "Alipay payments are failing")
	path := "/api/incidents/" + b.only()
	b.does(path+"/hold", `{"by":"Wang"}`)
	b.never("buyer@x.example", "Alipay")
	if page := b.page("/"); strings.Contains(page, "Alipay payments are failing") {
		t.Error("what is held stands on the page")
	}
	b.does(path+"/publish", `{"by":"Wang","scope":{"en":"some users"}}`)
	b.arrives("buyer@x.example", "Alipay payments are failing", "some users")
	b.pageSays("/", "Alipay payments are failing")
	if status, body := b.ask(http.MethodPost, path+"/hold", ""); status != http.StatusConflict {
		t.Errorf("taken back from the public: %d %s", status, body)
	}
	if status, body := b.ask(http.MethodPost, path+"/resolve", "{}"); status != http.StatusConflict || !strings.Contains(body, "ServiceDown") {
		t.Errorf("resolved while it fires: %d %s", status, body)
	}
	b.does(path+"/resolve", `{"by":"Wang","force":true,"text":{"en":"We checked by hand."}}`)
	b.arrives("buyer@x.example", "Resolved: Alipay")
	b.pageSays(strings.TrimPrefix(path, "/api"), "We checked by hand.")
	b.tell(rules.Ops, "firing", begin) // Alertmanager repeats itself
	if _, body := b.ask(http.MethodGet, "/api/incidents", ""); !strings.Contains(body, `"incidents":[]`) {
		t.Errorf("a repeat opened it again: %s", body)
	}
	var record struct {
		Entries []struct{ By, Way, Deed, Subject string }
	}
	_, body := b.ask(http.MethodGet, "/api/audit?subject=incident+"+strings.TrimPrefix(path, "/api/incidents/"), "")
	if err := json.Unmarshal([]byte(body), &record); err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, e := range record.Entries {
		if e.By != "Wang" || e.Way != "api" {
			t.Errorf("the record says %+v", e)
		}
		did = append(did, e.Deed)
	}
	if got, want := strings.Join(did, " "), "resolve publish update hold"; got != want {
		t.Errorf("the record is %q, want %q", got, want)
	}
}

func TestADeedThatFailsLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.post(rules.Ops, `{"alerts":[{"status":"firing","labels":{"alertname":"DiskFull","severity":"warning"},"startsAt":"2026-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"b7"}]}`)
	path := "/api/incidents/" + b.only()
	status, body := b.ask(http.MethodPost, path+"/publish", `{"by":"Wang","text":{"en":"half done"}}`)
	if status != http.StatusConflict || !strings.Contains(body, "not public") {
		t.Errorf("a stranger's alert was published: %d %s", status, body)
	}
	if _, body := b.ask(http.MethodGet, path, ""); strings.Contains(body, "half done") {
		t.Errorf("the update that went with it was kept: %s", body)
	}
	if _, body := b.ask(http.MethodGet, "/api/audit", ""); !strings.Contains(body, `"entries":[]`) {
		t.Errorf("the record tells of what was not done: %s", body)
	}
}

func TestWhatWasGivenUpIsSentAgainByHand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.world.Fail(sandbox.Telegram, sandbox.Fault{Status: http.StatusForbidden, Times: 1})
	b.tell(rules.Ops, "firing", time.Now().Add(-5*time.Second))
	var letters struct {
		Dead []struct {
			Delivery  int64
			Recipient int64
			Problem   string
		}
	}
	b.eventually("the notice is given up", func() bool {
		_, body := b.ask(http.MethodGet, "/api/outbox/dead", "")
		return json.Unmarshal([]byte(body), &letters) == nil && len(letters.Dead) == 1
	})
	if l := letters.Dead[0]; l.Recipient == 0 || l.Problem == "" || strings.Contains(l.Problem, "100") {
		t.Errorf("the dead letter is %+v", l)
	}
	if _, body := b.ask(http.MethodGet, "/api/outbox", ""); !strings.Contains(body, `"dead":1`) || !strings.Contains(body, `"channel":"telegram"`) {
		t.Errorf("the outbox is %s", body)
	}
	if answer := b.does("/api/outbox/resend", `{"by":"Wang","all":true}`); !strings.Contains(answer, `"resent":1`) {
		t.Errorf("sent again: %s", answer)
	}
	b.arrives("100", "Alipay payments are failing")
	if answer := b.does("/api/outbox/resend", fmt.Sprintf(`{"deliveries":[%d]}`, letters.Dead[0].Delivery)); !strings.Contains(answer, `"resent":0`) {
		t.Errorf("what was sent is sent again: %s", answer)
	}
	if _, body := b.ask(http.MethodGet, "/api/audit?subject=outbox", ""); !strings.Contains(body, `"deed":"resend"`) || strings.Count(body, `"deed"`) != 1 {
		t.Errorf("the record is %s", body)
	}
}

func TestASilenceIsAskedForByNameAndKeptInTheRecord(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(rules.Ops, "firing", time.Now().Add(-5*time.Second))
	path := "/api/incidents/" + b.only()
	for body, want := range map[string]string{
		`{"by":"Wang"}`: "1 minute to 24 hours", `{"by":"a\nb","for":"1h"}`: "one line", `{"for":"an hour"}`: "invalid duration",
	} {
		if status, answer := b.ask(http.MethodPost, path+"/silence", body); status != http.StatusUnprocessableEntity || !strings.Contains(answer, want) {
			t.Errorf("%s was answered %d %s, want %q", body, status, answer, want)
		}
	}
	if status, answer := b.ask(http.MethodPost, "/api/incidents/nosuch/silence", `{"for":"1h"}`); status != http.StatusNotFound {
		t.Errorf("an unknown incident was answered %d %s", status, answer)
	}
	if silences := b.near.silenced(); len(silences) != 0 {
		t.Fatalf("Alertmanager was told %v", silences)
	}
	if answer := b.does(path+"/silence", `{"by":" Wang ","for":"90m"}`); !strings.Contains(answer, `"deed":"silence","detail":"until `) {
		t.Errorf("answered %s", answer)
	}
	if silences := b.near.silenced(); len(silences) != 1 || !strings.Contains(silences[0], `"createdBy":"Wang"`) {
		t.Errorf("Alertmanager was told %v", silences)
	}
	// The process died before it kept that: who presses again has the same silence.
	b.stop()
	b.start()
	b.does(path+"/silence", `{"by":"Wang","for":"90m"}`)
	if silences := b.near.silenced(); len(silences) != 2 || !strings.Contains(silences[1], `"id":"s1"`) {
		t.Errorf("Alertmanager was told %v, want the second to change the first", silences)
	}
	if _, body := b.ask(http.MethodGet, "/api/audit", ""); !strings.Contains(body, `"by":"Wang","way":"api","deed":"silence"`) {
		t.Errorf("the record is %s", body)
	}
}
