package dispatch_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/dispatch"
	"shopwatch/notifier/store"
	"shopwatch/rules"
)

// What a process of a test's own is told by its environment.
const (
	envRole    = "SHOPWATCH_TEST_ROLE" // "far" or "tell"
	envFar     = "SHOPWATCH_TEST_FAR"  // where the far side is
	envStore   = "SHOPWATCH_TEST_STORE"
	envSenders = "SHOPWATCH_TEST_SENDERS"
	envLater   = "SHOPWATCH_TEST_LATER" // how far its clock is ahead
	envBook    = "SHOPWATCH_TEST_BOOK"  // in which the far side keeps what it took; empty: nowhere
)

// helper reports whether this process is one of a test's own, and did its work.
func helper() bool {
	switch os.Getenv(envRole) {
	case "far":
		beFar()
	case "tell":
		beTelling()
	default:
		return false
	}
	return true
}

// spawn starts a process of the test's own, which ends with the test.
func spawn(tb testing.TB, role string, env ...string) (process *exec.Cmd, firstLine string) {
	tb.Helper()
	process = exec.CommandContext(tb.Context(), os.Args[0])
	process.Env = append(append(os.Environ(), envRole+"="+role), env...)
	process.Stderr = os.Stderr
	stdin, err := process.StdinPipe() // its end is the end of this process, however that comes
	if err != nil {
		tb.Fatal(err)
	}
	out, err := process.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := process.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		stdin.Close()
		process.Process.Kill()
		process.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		tb.Fatalf("%s: %v", role, err)
	}
	return process, strings.TrimSpace(line)
}

// endWithParent ends the process once whoever started it is gone.
func endWithParent() {
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// identityHeader carries a message's identity. It is none that net/http takes as a
// promise that a request may be said again on a connection that broke.
const identityHeader = "X-Identity"

// gateway is a far side that speaks HTTP and counts what it takes by identity.
type gateway struct {
	lose   func(n int) bool // whether the answer to its n-th message is lost after it was taken
	refuse func(n int) int  // the status of its n-th answer, where it takes nothing; -1: it hangs up; 0: it takes it
	slow   time.Duration    // how long it takes before it has a message
	after  time.Duration    // how long its answer takes then
	book   io.Writer        // of the identities that it took, a line each; nil: none

	asked int

	mu    sync.Mutex
	n     int
	took  map[string]int
	lost  map[string]int // answers
	first time.Time
	last  time.Time
}

func newGateway() *gateway { return &gateway{took: map[string]int{}, lost: map[string]int{}} }

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/counts" {
		g.mu.Lock()
		defer g.mu.Unlock()
		json.NewEncoder(w).Encode(map[string]any{"n": g.n, "distinct": len(g.took), "seconds": g.last.Sub(g.first).Seconds()})
		return
	}
	io.Copy(io.Discard, r.Body)
	time.Sleep(g.slow)
	g.mu.Lock()
	g.asked++
	if g.refuse != nil {
		if status := g.refuse(g.asked); status != 0 {
			g.mu.Unlock()
			if status < 0 {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(status)
			return
		}
	}
	g.n++
	n, identity := g.n, r.Header.Get(identityHeader)
	g.took[identity]++
	if g.book != nil {
		fmt.Fprintln(g.book, identity)
	}
	g.last = time.Now()
	if g.first.IsZero() {
		g.first = g.last
	}
	g.mu.Unlock()
	time.Sleep(g.after)
	if g.lose != nil && g.lose(n) {
		g.mu.Lock()
		g.lost[identity]++
		g.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
}

func beFar() {
	far, address := newGateway(), "127.0.0.1:0"
	if was, ok := strings.CutPrefix(os.Getenv(envFar), "http://"); ok { // which may have been killed, and begins again
		address = was
	}
	listener, err := net.Listen("tcp", address)
	if err == nil && os.Getenv(envBook) != "" {
		far.after = 5 * time.Millisecond
		far.book, err = os.OpenFile(os.Getenv(envBook), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("http://" + listener.Addr().String())
	go endWithParent()
	http.Serve(listener, far)
}

// post is a channel that says a message in one request.
type post struct {
	url    string
	client *http.Client
}

func newPost(to string, senders int) *post {
	return &post{to, &http.Client{Transport: &http.Transport{MaxIdleConns: senders, MaxIdleConnsPerHost: senders}}}
}

func (p *post) Name() string { return "telegram" }

func (p *post) Send(ctx context.Context, address string, m notifier.Message) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, strings.NewReader(url.Values{"to": {address}, "text": {m.Text}}.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set(identityHeader, m.ID)
	answer, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d: %w", answer.StatusCode, err)
	}
	return nil
}

const text = "支付宝暂时无法支付。我们已经知道并正在处理，请稍后再试或改用微信支付。状态页：https://status.example.com/"

func words(d notifier.Delivery) (notifier.Message, error) {
	return notifier.Message{ID: d.Identity(), Event: d.Notice.Event, Text: text}, nil
}

// telling gives a dispatcher from a store to a gateway.
func telling(s dispatch.Outbox, far string, senders int, now func() time.Time) (*dispatch.Dispatcher, error) {
	return dispatch.New(dispatch.Config{
		Outbox: s, Lines: []dispatch.Line{{Channel: newPost(far, senders), Senders: senders}}, Compose: words, Zone: time.UTC,
		Recorder: &recorder{results: map[dispatch.Result]int{}}, Now: now, Logger: slog.New(slog.DiscardHandler),
	})
}

// beTelling is a notifier's outbox until it is killed.
func beTelling() {
	go endWithParent()
	var cfg store.Config
	var senders int
	err := json.Unmarshal([]byte(os.Getenv(envStore)), &cfg)
	if err == nil {
		_, err = fmt.Sscan(os.Getenv(envSenders), &senders)
	}
	if err == nil {
		err = tellUntilKilled(cfg, senders)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func tellUntilKilled(cfg store.Config, senders int) error {
	ctx := context.Background()
	s, err := store.Open(ctx, cfg)
	if err != nil {
		return err
	}
	if err := s.ReleaseLeases(ctx); err != nil {
		return err
	}
	later, err := time.ParseDuration(os.Getenv(envLater))
	if err != nil {
		return err
	}
	d, err := telling(s, os.Getenv(envFar), senders, func() time.Time { return time.Now().Add(later) })
	if err != nil {
		return err
	}
	fmt.Println("ready")
	d.Run(ctx)
	return nil
}

// subscribe signs up n in chunks, and decides a notice to them.
func subscribe(tb testing.TB, s *store.Store, n int) {
	tb.Helper()
	for from := 0; from < n; from += 1000 {
		err := s.Change(tb.Context(), func(tx *store.Tx) error {
			for i := from; i < min(from+1000, n); i++ {
				subscriber := notifier.Subscriber{Recipient: notifier.Recipient{
					Audience: rules.Subscribers, Channel: "telegram", Address: fmt.Sprint(100_000_000 + i), Language: notifier.Chinese, State: notifier.Active,
				}}
				if err := tx.KeepSubscriber(&subscriber); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// decide keeps an incident and its notices.
func decide(tb testing.TB, s *store.Store, incident string, notices ...notifier.Notice) {
	tb.Helper()
	for i := range notices {
		notices[i].Incident, notices[i].At = incident, time.Now()
		notices[i].Facts = notifier.Facts{Title: rules.Text{ZH: "支付宝暂时无法支付", EN: "Alipay payments are failing"}, Since: time.Now(), AlertStart: time.Now()}
	}
	err := s.Change(tb.Context(), func(tx *store.Tx) error {
		return tx.Save(notifier.Incident{ID: incident, Key: "demo/" + incident, Opened: time.Now()}, notices)
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// doubled is how many messages came again, and how many different ones came.
func (g *gateway) doubled() (again, different int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, n := range g.took {
		again += n - 1
	}
	return again, len(g.took)
}

// await waits until the gateway has taken so many different messages, for as
// long as more of them come: a busy machine is slow, not silent.
func (g *gateway) await(tb testing.TB, different int) {
	tb.Helper()
	had, last := -1, time.Now()
	for {
		_, have := g.doubled()
		if have >= different {
			return
		}
		if have > had {
			had, last = have, time.Now()
		} else if time.Since(last) > 2*time.Minute {
			tb.Fatalf("%d of %d messages came, and no more in two minutes", have, different)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// settle waits until the gateway has taken so many different messages and the
// outbox has recorded that, so that none is under way; then it has taken no other.
func (g *gateway) settle(tb testing.TB, s *store.Store, different int) {
	tb.Helper()
	g.await(tb, different)
	for deadline := time.After(2 * time.Minute); ; {
		o, err := s.Outbox(tb.Context())
		if err == nil && o.Queued == 0 {
			break
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			tb.Fatalf("the outbox still has %+v (%v)", o, err)
		}
	}
	if _, have := g.doubled(); have != different {
		tb.Errorf("%d different messages came, want %d", have, different)
	}
}
