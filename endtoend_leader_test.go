package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"shopwatch/internal/servertest"
	"shopwatch/notifier/sandbox"
)

// pollers counts who asks a Bot API for updates, each replica at an address of
// its own.
type pollers struct {
	mu       sync.Mutex
	waiting  map[string]int // requests under way
	polls    map[string]int // since the last kill
	overlaps []string       // two that waited at once
	refused  int            // 409
}

// gate is the Bot API as one replica reaches it.
func (p *pollers) gate(t *testing.T, box *sandbox.Sandbox, replica string) string {
	t.Helper()
	target, err := url.Parse(box.TelegramURL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }, // whoever asked is gone
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode == http.StatusConflict {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.refused++
			}
			return nil
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(strings.ToLower(r.URL.Path), "/getupdates") {
			p.enter(replica)
			defer p.leave(replica)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func (p *pollers) enter(replica string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for other, n := range p.waiting {
		if n > 0 {
			p.overlaps = append(p.overlaps, other+" and "+replica)
		}
	}
	p.waiting[replica]++
	p.polls[replica]++
}

func (p *pollers) leave(replica string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting[replica] = max(p.waiting[replica]-1, 0)
}

// dead forgets a replica that was killed: its last request waits for nobody.
func (p *pollers) dead(replica string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting[replica], p.polls = 0, map[string]int{}
}

// only objects unless one replica polls and no other has since the last kill.
func (p *pollers) only(replica string) func() error {
	return func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.polls) != 1 || p.polls[replica] == 0 {
			return fmt.Errorf("these poll: %v, want %s", p.polls, replica)
		}
		return nil
	}
}

// pair is two notifiers on one PostgreSQL beside one Alertmanager, which tells
// them what begins and never what ends.
type pair struct {
	dir, database string
	box           *sandbox.Sandbox
	polls         *pollers
	replicas      map[string]*process
	address       map[string]string // host:port of the private one
	alertmanager  string            // URL
	judge         *process
	began         time.Time // of all its alerts
}

func openPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{
		dir: t.TempDir(), database: servertest.Postgres(t).NewDatabase(t), box: mailbox(t), began: time.Now(),
		polls: &pollers{waiting: map[string]int{}, polls: map[string]int{}}, replicas: map[string]*process{}, address: map[string]string{},
	}
	address := servertest.FreeAddress(t)
	p.alertmanager = "http://" + address
	put(t, filepath.Join(p.dir, "shopwatch.yml"), `escalation: {ops: 10s, management: 25s, pace: 0.1}
notifier:
  prometheus: {url: "http://127.0.0.1:1"}
  alertmanagers: [{url: "`+p.alertmanager+`"}]
  webhook: {token: token-of-the-webhook}
  store: {postgres: "${DATABASE}", contact_key_file: contact.key}
  telegram: {token: "`+p.box.Credentials().TelegramToken+`", api_url: "${TELEGRAM_API_URL}"}
  audiences: {ops: [{telegram: "-1001", language: zh}]}
`)
	p.open(t, "first")
	p.open(t, "second")
	posts := printed(t, shopwatch(t, "alertmanager", "--webhook.url=http://"+p.address["first"], "--tier.ops=10s", "--tier.management=25s", "--tier.pace=0.1"))
	posts = everyWebhook.ReplaceAllStringFunc(posts, func(one string) string { return one + strings.ReplaceAll(one, p.address["first"], p.address["second"]) })
	put(t, filepath.Join(p.dir, "alertmanager.yml"), strings.ReplaceAll(posts, "send_resolved: true", "send_resolved: false"))
	put(t, filepath.Join(p.dir, "webhook.token"), "token-of-the-webhook")
	p.judge = start(t, "Alertmanager", exec.Command(debian(t, "prometheus-alertmanager", "prometheus-alertmanager"), "--config.file="+filepath.Join(p.dir, "alertmanager.yml"),
		"--storage.path="+filepath.Join(p.dir, "alertmanager"), "--web.listen-address="+address, "--cluster.listen-address="))
	return p
}

// open starts a replica.
func (p *pair) open(t *testing.T, name string) {
	t.Helper()
	command := shopwatch(t, "notifier", "--config.file="+filepath.Join(p.dir, "shopwatch.yml"), "--data.dir="+filepath.Join(p.dir, name),
		"--private.listen-address=127.0.0.1:0", "--web.listen-address=127.0.0.1:0")
	command.Env = append(command.Env, "DATABASE="+p.database+"&application_name="+name, "TELEGRAM_API_URL="+p.polls.gate(t, p.box, name))
	p.replicas[name] = start(t, name, command)
	p.address[name] = p.replicas[name].says(t, saysWebhook)[2]
}

// kill ends a replica as a power cut would.
func (p *pair) kill(name string) {
	p.replicas[name].kill()
	delete(p.replicas, name)
	p.polls.dead(name)
}

func (p *pair) eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	alive := []*process{p.judge}
	for _, replica := range p.replicas {
		alive = append(alive, replica)
	}
	eventually(t, what, check, alive...)
}

// alert raises an alert in Alertmanager, or ends it there.
func (p *pair) alert(name string, fires bool, annotations map[string]string) error {
	labels := map[string]string{"alertname": name, "severity": "critical", "tier": "ops", "incident": "kiosk/" + name}
	if name == "Watchdog" {
		labels = map[string]string{"alertname": name, "severity": "none", "tier": "deadman"}
	}
	end := time.Now().Add(time.Hour)
	if !fires {
		end = time.Now()
	}
	body, err := json.Marshal([]map[string]any{{"labels": labels, "annotations": annotations, "startsAt": p.began, "endsAt": end}})
	if err != nil {
		return err
	}
	response, err := http.Post(p.alertmanager+"/api/v2/alerts", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// judging lets Alertmanager hear every second that rules are evaluated.
func (p *pair) judging(t *testing.T) (stop func()) {
	t.Helper()
	ended, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		for tick := time.NewTicker(time.Second); ; {
			_ = p.alert("Watchdog", true, map[string]string{"evaluated": fmt.Sprint(time.Now().Unix())}) // one that is lost is followed by another
			select {
			case <-ended:
				return
			case <-tick.C:
			}
		}
	}()
	stop = sync.OnceFunc(func() { close(ended); <-over })
	t.Cleanup(stop)
	return stop
}

// asks gives the first column of what PostgreSQL answers.
func (p *pair) asks(t *testing.T, question string, about ...any) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), question, about...)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// leads objects unless a replica is the one that does a thing.
func (p *pair) leads(t *testing.T, thing, replica string) func() error {
	lock := fnv.New32a()
	lock.Write([]byte("lead " + thing))
	return func() error {
		held := p.asks(t, `SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted AND objid = $1`, lock.Sum32())
		if len(held) != 1 || held[0] != replica {
			return fmt.Errorf("%s is done by %v, want %s", thing, held, replica)
		}
		return nil
	}
}

// answers is all that the bot said to a reader, who asks it for help and waits
// for that: what was said before is then answered, as often as it will be.
func (p *pair) answers(t *testing.T, reader int64) []string {
	t.Helper()
	p.box.Say(reader, "en", "/help")
	var said []string
	p.eventually(t, fmt.Sprintf("reader %d is helped", reader), func() error {
		said = nil
		for _, m := range p.box.Messages() {
			if m.To == fmt.Sprint(reader) {
				said = append(said, m.Text)
			}
		}
		if len(said) == 0 || !strings.Contains(said[len(said)-1], "/services") {
			return fmt.Errorf("was told %q", said)
		}
		return nil
	})
	return said
}

func TestWhatOneReplicaDoesForAllIsDoneByTheOtherWhenItIsKilled(t *testing.T) {
	compressed(t)
	const hello = "/start"
	outage, blind := readers("Till broken", [2]string{sandbox.Telegram, "-1001"}), kioskBlind
	p := openPair(t)
	silence := p.judging(t)
	p.eventually(t, "the first looks at the incidents", p.leads(t, "tick", "first")) // the second came later
	p.eventually(t, "the first hears the bot's readers", p.polls.only("first"))
	p.box.Say(20, "en", hello)
	usual := p.answers(t, 20)

	broken := map[string]string{"summary": "Till broken", "summary_zh": "Till broken"}
	p.eventually(t, "Alertmanager takes the outage", func() error { return p.alert("till", true, broken) })
	p.eventually(t, "the outage is told once by the two", counted(taken(p.box), 1, 0, outage))
	p.eventually(t, "the first found it in Alertmanager's list", func() error {
		if kept := p.asks(t, `SELECT body FROM incidents`); len(kept) != 1 || !strings.Contains(kept[0], `"Listed":true`) {
			return fmt.Errorf("kept is %v", kept)
		}
		return nil
	})
	p.kill("first")
	p.box.Say(21, "en", hello)
	if err := p.alert("till", false, broken); err != nil { // over, and told by nobody
		t.Fatal(err)
	}
	if said := p.answers(t, 21); !slices.Equal(said, usual) {
		t.Errorf("who spoke when the first was killed was told %q, want %q", said, usual)
	}
	p.eventually(t, "the second hears the bot's readers", p.polls.only("second"))
	p.eventually(t, "the second looks at the incidents", p.leads(t, "tick", "second"))
	p.eventually(t, "the second finds that the outage is over", counted(taken(p.box), 1, 1, outage))

	p.open(t, "third")
	silence()
	p.eventually(t, "the second tells that nobody judges", counted(taken(p.box), 1, 0, blind))
	p.kill("second")
	p.box.Say(22, "en", hello)
	p.eventually(t, "the third looks at the incidents", p.leads(t, "tick", "third"))
	if said := p.answers(t, 22); !slices.Equal(said, usual) {
		t.Errorf("who spoke when the second was killed was told %q, want %q", said, usual)
	}
	p.eventually(t, "the third hears the bot's readers", p.polls.only("third"))
	if err := counted(taken(p.box), 1, 1, outage)(); err != nil {
		t.Error(err)
	}
	if err := counted(taken(p.box), 1, 0, blind)(); err != nil {
		t.Error(err)
	}
	p.polls.mu.Lock()
	defer p.polls.mu.Unlock()
	if len(p.polls.overlaps) > 0 || p.polls.refused > 0 {
		t.Errorf("two polled at once: %v; the Bot API refused %d with 409", p.polls.overlaps, p.polls.refused)
	}
	p.replicas["third"].keeps(t, p.database, p.box.Credentials().TelegramToken)
	p.replicas["third"].stop(t)
}
