package demo_test

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/demo"
	"shopwatch/rules"
)

// start is when the tests' shops open: a moment whose date differs between
// UTC and Shanghai.
var start = time.Date(2026, 11, 21, 23, 30, 0, 0, time.UTC)

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
