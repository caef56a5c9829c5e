package ledger_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/dujiaoka/dujiaokatest"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/rules"
)

// troubled is a real shop on a real server, and a follower of it on a clock that
// the test turns. The shop's own rows are older than the follower looks back.
type troubled struct {
	*dujiaokatest.Shop
	*ledger.Follower
	t      *testing.T
	config ledger.Config
	clock  time.Time
}

func newTroubled(t *testing.T, server *ledgertest.Server) *troubled {
	t.Helper()
	s := &troubled{Shop: dujiaokatest.New(t, server, start.Add(-30*24*time.Hour)), t: t, clock: start}
	s.config = ledger.Config{Shop: "shop", Ledger: ledgertest.Ledger(s.Ledger()), Dir: t.TempDir(), Now: func() time.Time { return s.clock }}
	s.begin(nil)
	t.Cleanup(func() { s.Close() })
	return s
}

// begin is a new process, whose driver may be wrapped.
func (s *troubled) begin(wrap func(ledger.Driver) ledger.Driver) {
	s.t.Helper()
	d, err := s.Shop.Open(s.config.Ledger)
	if err != nil {
		s.t.Fatal(err)
	}
	if wrap != nil {
		d = wrap(d)
	}
	s.config.Driver = d
	if s.Follower, err = ledger.New(s.config); err != nil {
		s.t.Fatal(err)
	}
}

func (s *troubled) run(statements ...string) {
	s.t.Helper()
	for _, statement := range statements {
		if _, err := s.DB().Exec(statement); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *troubled) after(d time.Duration) time.Time {
	s.clock = s.clock.Add(d)
	return s.clock
}

// poll is a good one, a moment later.
func (s *troubled) poll() {
	s.t.Helper()
	s.after(15 * time.Second)
	if err := s.Poll(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	if b := s.Books(); !b.Up || b.Problem != "" || !b.LastSuccess.Equal(s.clock) {
		s.t.Fatalf("after a good poll at %v: up %v, problem %q, last success %v", s.clock, b.Up, b.Problem, b.LastSuccess)
	}
}

// fails polls in trouble: its reason is told and counted, and what was known stays as it was.
func (s *troubled) fails(reason rules.LedgerReason, says string) {
	s.t.Helper()
	before := s.Books()
	s.after(15 * time.Second)
	err := s.Poll(s.t.Context())
	b := s.Books()
	if err == nil || b.Up || ledger.Reason(err) != reason || !strings.Contains(b.Problem, says) {
		s.t.Fatalf("in trouble: up %v, reason %s, problem %q, %v; want %s and %q", b.Up, ledger.Reason(err), b.Problem, err, reason, says)
	}
	if strings.Contains(b.Problem, dujiaokatest.Password) {
		s.t.Errorf("the problem tells the password: %s", b.Problem)
	}
	if b.Failures[reason] != before.Failures[reason]+1 || !b.LastSuccess.Equal(before.LastSuccess) {
		s.t.Errorf("failures %v after %v, last success %v after %v", b.Failures, before.Failures, b.LastSuccess, before.LastSuccess)
	}
	known := func(b exporter.Books) string {
		return fmt.Sprint(b.Orders, b.Waiting, b.Oldest, b.ShortOfStock, b.Late, b.Open, b.Items, b.Revenue)
	}
	if got, want := known(b), known(before); got != want {
		s.t.Errorf("what was known changed from\n%s to\n%s", want, got)
	}
}

// failsFirst is fails of a process that hasn't polled yet: its first poll tells
// when one of the process before it succeeded.
func (s *troubled) failsFirst(reason rules.LedgerReason, says string) {
	s.t.Helper()
	s.after(15 * time.Second)
	if err := s.Poll(s.t.Context()); ledger.Reason(err) != reason {
		s.t.Fatalf("Poll = %v, want reason %s", err, reason)
	}
	if b := s.Books(); b.LastSuccess.IsZero() || !b.LastSuccess.Before(s.clock) {
		s.t.Errorf("the last success is told to be at %v, and it is %v", b.LastSuccess, s.clock)
	}
	s.fails(reason, says)
}

// tally is orders created, paid and delivered, and those that wait.
type tally struct{ created, paid, delivered, waiting int }

func (s *troubled) counts(want tally) {
	s.t.Helper()
	b := s.Books()
	n := events(b)
	got := tally{int(n[rules.OrderCreated]), int(n[rules.OrderPaid]), int(n[rules.OrderDelivered]), 0}
	for _, age := range rules.Ages {
		got.waiting += b.Waiting[rules.Automatic][age]
	}
	if got != want {
		s.t.Errorf("counted %+v, want %+v", got, want)
	}
}

// busy books an order, one that is paid, and one that is delivered.
func (s *troubled) busy() {
	s.t.Helper()
	s.Create(s.t, s.clock)
	s.Pay(s.t, s.Create(s.t, s.clock), s.clock)
	delivered := s.Create(s.t, s.clock)
	s.Pay(s.t, delivered, s.clock)
	s.Deliver(s.t, delivered, s.clock)
}

func TestFollowerOfARealShopInTrouble(t *testing.T) {
	t.Parallel()
	server := ledgertest.MariaDB(t)
	t.Run("alone", func(t *testing.T) { // what one shop has, while others do well
		for name, test := range map[string]func(*testing.T, *troubled){
			"a table that is locked":                         lockedTable,
			"a table that is altered":                        alteredTable,
			"a server that is too slow":                      slowTable,
			"rights that are taken away":                     takenRights,
			"an account that is changed":                     changedAccount,
			"keys with steps and gaps":                       steppedKeys,
			"a key that becomes visible late":                lateKey,
			"rows that hold nothing, or nonsense":            oddRows,
			"a book that is emptied and begins anew":         emptiedBook,
			"a clock that jumps":                             jumpingClock,
			"an exporter that dies amid a cold start":        dyingColdStart,
			"two exporters of one book":                      twoExporters,
			"an order that is paid and gone while it's away": goneMeanwhile,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, newTroubled(t, server))
			})
		}
	})
	t.Run("no connection left", func(t *testing.T) { noConnectionLeft(t, newTroubled(t, server), server) })
	t.Run("server stopped and started", func(t *testing.T) { stoppedServer(t, newTroubled(t, server), server) })
}

func lockedTable(t *testing.T, s *troubled) {
	s.busy()
	s.poll()
	conn, err := s.DB().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	execute := func(statement string) {
		t.Helper()
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	execute("LOCK TABLES orders WRITE")
	execute("UPDATE orders SET status=4 WHERE status=6")
	s.fails(rules.LedgerLocked, "locked")
	s.counts(tally{3, 2, 1, 1})
	execute("UNLOCK TABLES")
	s.busy()
	s.poll()
	s.counts(tally{6, 4, 3, 1})
}

func alteredTable(_ *testing.T, s *troubled) {
	s.busy()
	s.poll()
	s.run("ALTER TABLE orders CHANGE status state tinyint(1) NOT NULL DEFAULT 1")
	s.fails(rules.LedgerSchema, "status")
	s.run("ALTER TABLE orders CHANGE state status tinyint(1) NOT NULL DEFAULT 1")
	s.poll()
	s.run("ALTER TABLE orders ADD COLUMN note text FIRST, MODIFY id bigint unsigned NOT NULL AUTO_INCREMENT, ENGINE=InnoDB")
	s.busy()
	s.poll()
	s.counts(tally{6, 4, 2, 2})
}

func slowTable(_ *testing.T, s *troubled) {
	s.busy()
	s.poll()
	s.run("RENAME TABLE orders TO kept",
		"CREATE VIEW orders AS SELECT id,goods_id,type,actual_price,buy_amount,pay_id,status,updated_at,deleted_at,created_at,order_sn FROM kept WHERE SLEEP(3)=0")
	s.fails(rules.LedgerSlow, "too slow")
	s.run("DROP VIEW orders", "RENAME TABLE kept TO orders")
	s.busy()
	s.poll()
	s.counts(tally{6, 4, 2, 2})
}

func takenRights(_ *testing.T, s *troubled) {
	s.busy()
	s.poll()
	account := fmt.Sprintf("'%s'@'127.0.0.1'", dujiaokatest.User)
	s.run("REVOKE SELECT (status) ON orders FROM " + account)
	s.fails(rules.LedgerAccess, "status")
	s.run("GRANT SELECT (status) ON orders TO " + account)
	s.poll()
	s.busy()
	s.poll()
	s.counts(tally{6, 4, 2, 2})
}

func changedAccount(_ *testing.T, s *troubled) {
	s.busy()
	s.poll()
	s.Close()
	good := s.config.Ledger
	s.config.Ledger.DSN = strings.Replace(good.DSN, dujiaokatest.Password, dujiaokatest.Password+"-of-old", 1)
	s.begin(nil)
	s.failsFirst(rules.LedgerAccess, "password")
	s.Close()
	s.config.Ledger = good
	s.begin(nil)
	s.busy()
	s.poll()
	s.counts(tally{6, 4, 2, 2})
}

// dying is a driver whose process ends at a call.
type dying struct {
	ledger.Driver
	calls int
	end   func()
}

func (d *dying) After(ctx context.Context, id int64, limit int) ([]exporter.Order, error) {
	if d.calls--; d.calls == 0 {
		d.end()
	}
	return d.Driver.After(ctx, id, limit)
}

func dyingColdStart(t *testing.T, s *troubled) {
	const orders = 1700
	s.run("SET SESSION max_recursive_iterations = 2000; " + fmt.Sprintf("INSERT INTO orders (order_sn,goods_id,title,type,actual_price,email,pay_id,buy_ip,status,created_at,updated_at)"+
		" WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i+1 FROM n WHERE i < %d)"+
		" SELECT CONCAT('N',i),1,'t',1,10,'',1,'',ELT(1+MOD(i,3),1,4,6),%s,%[2]s FROM n", orders, dujiaokatest.Wall(s.clock)))
	for call := 1; call <= 6; call++ {
		s.Close()
		ctx, end := context.WithCancel(t.Context())
		s.begin(func(d ledger.Driver) ledger.Driver { return &dying{Driver: d, calls: call, end: end} })
		s.after(15 * time.Second)
		if err := s.Poll(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		end()
	}
	s.Close()
	s.begin(nil)
	s.poll()
	s.counts(tally{orders, 1134, 567, 567})
}

func twoExporters(t *testing.T, s *troubled) {
	s.busy()
	s.poll()
	second := &troubled{Shop: s.Shop, t: t, clock: s.clock, config: s.config}
	second.config.Dir = t.TempDir()
	second.config.Now = func() time.Time { return second.clock }
	second.begin(nil)
	defer func() { second.Close() }()
	if err := second.Poll(t.Context()); ledger.Reason(err) != rules.LedgerClaimed {
		t.Fatalf("a second exporter polls: %v", err)
	}
	if b := second.Books(); b.Up || len(b.Orders) != 0 || !strings.Contains(b.Problem, "another exporter") {
		t.Errorf("a second exporter tells %+v", b)
	}
	s.poll()
	s.Close()
	second.poll()
	second.counts(tally{3, 2, 1, 1})
}

func noConnectionLeft(t *testing.T, s *troubled, server *ledgertest.Server) {
	s.busy()
	s.poll()
	root := server.Root(t, "")
	one := func(query string) (n int) {
		t.Helper()
		if err := root.QueryRow(query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	root.SetMaxOpenConns(1)
	s.DB().SetMaxOpenConns(1)
	s.Close() // a connection that it has, it keeps
	limit := one("SELECT @@max_connections")
	if _, err := root.Exec("SET GLOBAL max_connections = 10"); err != nil {
		t.Fatal(err)
	}
	var crowd []*sql.Conn
	guests := server.Root(t, "")
	for {
		conn, err := guests.Conn(t.Context())
		if err != nil {
			break // the last one was root's own
		}
		crowd = append(crowd, conn)
	}
	s.begin(nil)
	s.failsFirst(rules.LedgerConnections, "no more connections")
	for _, conn := range crowd {
		conn.Close()
	}
	guests.Close()
	if _, err := root.Exec(fmt.Sprint("SET GLOBAL max_connections = ", limit)); err != nil {
		t.Fatal(err)
	}
	s.busy()
	s.poll()
	s.counts(tally{6, 4, 2, 2})
}

func stoppedServer(t *testing.T, s *troubled, server *ledgertest.Server) {
	s.run("SET GLOBAL innodb_flush_log_at_trx_commit = 1") // what the shop has booked outlives a crash
	s.busy()
	s.poll()
	s.busy()
	server.Stop()
	for range 3 {
		s.fails(rules.LedgerAway, "connection")
	}
	s.Close()
	s.begin(nil) // also of a process that begins while the database is away
	s.after(5 * time.Minute)
	s.failsFirst(rules.LedgerAway, "connection")
	if b := s.Books(); b.Delivery != rules.Unknown {
		t.Errorf("of a database that is away for long, delivery is %s", b.Delivery)
	}
	server.Start(t)
	s.busy()
	s.poll()
	s.counts(tally{9, 6, 3, 3})
	if b := s.Books(); b.Late != 2 || b.Waiting[rules.Automatic][rules.Age5to30m] != 2 {
		t.Errorf("%d late, %v wait", b.Late, b.Waiting[rules.Automatic])
	}
}
