package demo_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/demo"
	"shopwatch/rules"
)

// start is when the tests' shops open: a moment whose date differs between
// UTC and Shanghai.
var start = time.Date(2026, 11, 21, 23, 30, 0, 0, time.UTC)

// clock is a given clock: it moves when a test moves it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// opened is a shop whose doors are open and whose life stands still until
// passed moves it: Run gets a clock of its own that never moves.
type opened struct {
	*demo.Shop
	t     *testing.T
	clock *clock
	books *sql.DB
	log   *bytes.Buffer
	stop  func() error
}

func open(t *testing.T, dir string) *opened {
	t.Helper()
	return openAt(t, dir, start)
}

func openAt(t *testing.T, dir string, at time.Time) *opened {
	t.Helper()
	o := &opened{t: t, clock: &clock{now: at}, log: &bytes.Buffer{}}
	shop, err := demo.New(demo.Config{
		Dir: dir, Now: o.clock.Now, Rand: rand.New(rand.NewPCG(1, 2)),
		Logger: slog.New(slog.NewTextHandler(&locked{w: o.log}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	o.Shop = shop
	demo.HoldBeat(shop)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- shop.Run(ctx) }()
	o.stop = sync.OnceValue(func() error {
		began := time.Now()
		cancel()
		err := errors.Join(<-ended, shop.Close())
		// A second is promised; the rest is for a machine that has other work.
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("the shop took %v to stop, want about a second at most", took)
		}
		return err
	})
	t.Cleanup(func() {
		if err := o.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	books, err := sql.Open("sqlite", "file:"+shop.Shop().Ledger.DSN+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { books.Close() })
	o.books = books
	until(t, "the shop opens", func() bool { return demo.Serving(shop) })
	return o
}

// until waits for a condition that other goroutines bring about.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatal("not within 30 seconds: " + what)
		}
	}
}

// passed lets shop time pass, beat by beat.
func (o *opened) passed(d time.Duration) {
	o.t.Helper()
	for end := o.clock.Now().Add(d); o.clock.Now().Before(end); {
		o.clock.add(100 * time.Millisecond)
		demo.Step(o.t.Context(), o.Shop)
	}
}

// count runs a counting query on the books, read-only and from outside.
func (o *opened) count(query string, values ...any) int {
	o.t.Helper()
	var n int
	if err := o.books.QueryRow(query, values...).Scan(&n); err != nil {
		o.t.Fatalf("%s: %v", query, err)
	}
	return n
}

type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// look does what a watcher does with a service: nil when it is well. Only who
// hangs by intent is given up as early as a watcher would: a busy machine is not
// a broken shop.
func look(t *testing.T, service exporter.Service, hangs bool) error {
	t.Helper()
	timeout := 15 * time.Second
	if hangs {
		timeout = service.Timeout
	}
	if service.Module.Kind == exporter.KindTCP {
		conn, err := net.DialTimeout("tcp", service.Targets[0], timeout)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	request, err := http.NewRequest(service.Module.Blackbox.HTTP.Method, service.Targets[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status + ": " + string(body))
	}
	wanted := service.Module.Blackbox.HTTP.FailIfBodyNotMatchesRegexp
	if len(wanted) == 0 {
		t.Fatalf("service %s asks nothing of its page", service.ID)
	}
	for _, pattern := range wanted {
		if !pattern.Match(body) {
			return errors.New("body lacks " + pattern.String() + ": " + string(body))
		}
	}
	return nil
}

func looks(t *testing.T, o *opened) map[string]error {
	t.Helper()
	found := map[string]error{}
	for _, service := range o.Shop.Shop().Services {
		found[service.ID] = look(t, service, service.ID == "alipay" && slices.Contains(o.Broken(), "alipay"))
	}
	return found
}

func TestAWholeShopPassesEveryLook(t *testing.T) {
	t.Parallel()
	for id, err := range looks(t, open(t, t.TempDir())) {
		if err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestEachBrokenServiceFailsInItsOwnWayAndHealingMendsIt(t *testing.T) {
	t.Parallel()
	timeout := "Client.Timeout exceeded"
	for _, c := range []struct {
		breaks string
		fails  map[string]string // service to what its failure says
		again  string            // what the second look says, where it differs
	}{
		{breaks: "storefront", fails: map[string]string{"storefront": "502 Bad Gateway"}},
		{breaks: "order", fails: map[string]string{"order": "body lacks"}},
		{breaks: "alipay", fails: map[string]string{"alipay": timeout}, again: `isp.unknow-error`},
		{breaks: "wechat", fails: map[string]string{"wechat": "SYSTEM_ERROR"}},
		{breaks: "usdt", fails: map[string]string{"usdt": "node is not in sync"}},
		{breaks: "database", fails: map[string]string{"database": "refused", "order": "503", "api": "database is unreachable"}},
		{breaks: "sms", fails: map[string]string{"sms": "isv.AMOUNT_NOT_ENOUGH"}},
		{breaks: "api", fails: map[string]string{"api": "EOF"}},
		{breaks: "delivery", fails: map[string]string{}},
	} {
		t.Run(c.breaks, func(t *testing.T) {
			t.Parallel()
			o := open(t, t.TempDir())
			if err := o.Break(c.breaks); err != nil {
				t.Fatal(err)
			}
			for id, err := range looks(t, o) {
				want, fails := c.fails[id]
				switch {
				case !fails && err != nil:
					t.Errorf("%s fails though %s is broken: %v", id, c.breaks, err)
				case fails && (err == nil || !strings.Contains(err.Error(), want)):
					t.Errorf("%s: got %v, want an error with %q", id, err, want)
				}
			}
			if c.again != "" {
				if err := looks(t, o)[c.breaks]; err == nil || !strings.Contains(err.Error(), c.again) {
					t.Errorf("second look: got %v, want an error with %q", err, c.again)
				}
			}
			if err := o.Heal(c.breaks); err != nil {
				t.Fatal(err)
			}
			for id, err := range looks(t, o) {
				if err != nil {
					t.Errorf("%s is healed and yet %v", id, err)
				}
			}
		})
	}
}

func TestBrokenServicesStayBrokenAcrossARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, dir)
	for _, service := range []string{"sms", "database", "alipay", "sms"} {
		if err := first.Break(service); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Heal("alipay"); err != nil {
		t.Fatal(err)
	}
	want := []string{"database", "sms"}
	if got := first.Broken(); !slices.Equal(got, want) {
		t.Fatalf("broken: got %v, want %v in the order of Services", got, want)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	second := open(t, dir)
	if got := second.Broken(); !slices.Equal(got, want) {
		t.Errorf("broken after a restart: got %v, want %v", got, want)
	}
	found := looks(t, second)
	if found["sms"] == nil || found["database"] == nil {
		t.Errorf("after a restart sms is %v and database %v, want both to fail", found["sms"], found["database"])
	}
	if err := errors.Join(second.Heal("database"), second.Heal("sms")); err != nil {
		t.Fatal(err)
	}
	for id, err := range looks(t, second) {
		if err != nil {
			t.Errorf("%s is healed and yet %v", id, err)
		}
	}
}

func TestAnUnknownServiceIsRefusedWithTheKnownOnes(t *testing.T) {
	t.Parallel()
	o := open(t, t.TempDir())
	want := `demo has no service "paypal": choose one of storefront, order, delivery, alipay, wechat, usdt, database, sms, api`
	if err := o.Break("paypal"); err == nil || err.Error() != want {
		t.Errorf("break: got %v, want %s", err, want)
	}
	if err := o.Heal("paypal"); err == nil || err.Error() != want {
		t.Errorf("heal: got %v, want %s", err, want)
	}
	if got := o.Broken(); len(got) != 0 {
		t.Errorf("broken: got %v, want none", got)
	}
}

func TestAnUnreadableFileOfBrokenServicesIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "broken.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := demo.New(demo.Config{Dir: dir, Rand: rand.New(rand.NewPCG(1, 2))})
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names %s", err, path)
	}
}

func TestAShopIsNotBuiltWrong(t *testing.T) {
	t.Parallel()
	_, err := demo.New(demo.Config{Pace: 2})
	for _, want := range []string{"Dir is empty", "Rand is nil", "Pace is 2"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	full := errors.New("no sockets left")
	calls := 0
	_, err = demo.New(demo.Config{Dir: t.TempDir(), Rand: rand.New(rand.NewPCG(1, 2)), Listen: func() (net.Listener, error) {
		if calls++; calls > 3 {
			return nil, full
		}
		return net.Listen("tcp", "127.0.0.1:0")
	}})
	if !errors.Is(err, full) {
		t.Errorf("got %v, want the listener's error", err)
	}
}

func TestAShopIsOpenedOnce(t *testing.T) {
	t.Parallel()
	o := open(t, t.TempDir())
	if err := o.Run(t.Context()); err == nil {
		t.Error("a second Run of an open shop succeeds")
	}
	if err := o.stop(); err != nil {
		t.Fatal(err)
	}
	if err := o.Run(t.Context()); err == nil {
		t.Error("Run of a closed shop succeeds")
	}
	if err := o.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

func TestAShopThatNeverRanCloses(t *testing.T) {
	t.Parallel()
	shop, err := demo.New(demo.Config{Dir: t.TempDir(), Rand: rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		t.Fatal(err)
	}
	if err := shop.Close(); err != nil {
		t.Error(err)
	}
	if err := shop.Run(t.Context()); err == nil {
		t.Error("Run of a closed shop succeeds")
	}
}

func TestStoppingDoesNotWaitForAHangingGateway(t *testing.T) {
	t.Parallel()
	o := open(t, t.TempDir())
	if err := o.Break("alipay"); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(o.Shop.Shop().Services, func(s exporter.Service) bool { return s.ID == "alipay" })
	hanging := make(chan error, 1)
	go func() {
		answer, err := http.Get(o.Shop.Shop().Services[i].Targets[0])
		if err == nil {
			answer.Body.Close()
		}
		hanging <- err
	}()
	until(t, "the request reaches the gateway", func() bool { return demo.Failures(o.Shop, "alipay") > 0 })
	if err := o.stop(); err != nil { // fails the test if it takes long
		t.Fatal(err)
	}
	if err := <-hanging; err == nil {
		t.Error("the hanging request was answered")
	}
}

func TestTheShopSaysWhatIsWatched(t *testing.T) {
	t.Parallel()
	o := open(t, t.TempDir())
	shop := o.Shop.Shop()
	if shop.ID != "demo" || shop.Name != (rules.Text{ZH: "演示发卡店", EN: "Demo card shop"}) {
		t.Errorf("shop is %q %v", shop.ID, shop.Name)
	}
	ledger := shop.Ledger
	if ledger.Software != "dujiaonext" || ledger.Late != 15*time.Second || ledger.Stuck != 90*time.Second ||
		ledger.Slow != 3*time.Second || ledger.Interval != time.Second || ledger.Zone.String() != "Asia/Shanghai" {
		t.Errorf("ledger is %+v", *ledger)
	}
	if _, err := os.Stat(ledger.DSN); err != nil {
		t.Errorf("the books aren't where the ledger says: %v", err)
	}
	var ids []string
	places := map[int]bool{}
	for _, s := range append(shop.Services, o.Delivery()) {
		if places[s.Position] || s.Position < 1 || s.Shop != "demo" || s.Name.ZH == "" || s.Name.EN == "" || s.Group.ZH == "" || s.Group.EN == "" {
			t.Errorf("service %s lacks a place or a name: %+v", s.ID, s)
		}
		places[s.Position] = true
		if s.ID != rules.ServiceDelivery && (s.Module.Blackbox == nil || len(s.Targets) != 1 || s.Targets[0] == "") {
			t.Errorf("service %s has not exactly one look", s.ID)
		}
		ids = append(ids, s.ID)
	}
	known := o.Services()
	slices.Sort(ids)
	if slices.Sort(known); !slices.Equal(ids, known) {
		t.Errorf("watched are %v, breakable %v", ids, known)
	}
}
