package dujiaoka_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger/dujiaoka"
	"shopwatch/exporter/ledger/dujiaoka/dujiaokatest"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/internal/servertest"
)

func change(t *testing.T, shop *dujiaokatest.Shop, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := shop.DB().Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func failedJobsAreCounted(t *testing.T, server *ledgertest.Server) {
	shop := dujiaokatest.New(t, server, ledgertest.Now)
	jobs := func(d *dujiaoka.Driver) int {
		t.Helper()
		queues, failed, err := d.Jobs(t.Context())
		if err != nil || len(queues) > 0 {
			t.Fatalf("Jobs = %v, %d, %v", queues, failed, err)
		}
		return failed
	}
	checked := func() *dujiaoka.Driver {
		t.Helper()
		d := driver(t, shop.Ledger())
		if _, err := d.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := checked()
	for _, c := range []struct{ rows, want int }{{0, 0}, {3, 3}, {dujiaoka.MaxFailed - 3, dujiaoka.MaxFailed}, {500, dujiaoka.MaxFailed + 1}} {
		if c.rows > 0 {
			change(t, shop, fmt.Sprintf("INSERT INTO failed_jobs (connection,queue,payload,exception) SELECT 'redis','default','P','E' FROM seq_1_to_%d", c.rows))
		}
		if got := jobs(d); got != c.want {
			t.Errorf("failed jobs = %d, want %d", got, c.want)
		}
	}
	change(t, shop, "REVOKE SELECT (id) ON failed_jobs FROM 'shopwatch'@'127.0.0.1'")
	if got := jobs(checked()); got != -1 {
		t.Errorf("without the right, failed jobs = %d, want -1", got)
	}
	change(t, shop, "DROP TABLE failed_jobs")
	if got := jobs(checked()); got != -1 {
		t.Errorf("without the table, failed jobs = %d, want -1", got)
	}
}

func doubtsSayWhatTheyCost(t *testing.T, server *ledgertest.Server) {
	shop := dujiaokatest.New(t, server, ledgertest.Now)
	redis := servertest.Redis(t)
	l := shop.Ledger()
	l.Queue = redisURL("", redis.Password, redis.Addr, "?prefix=p_")
	doubts := func(l exporter.Ledger, want ...string) {
		t.Helper()
		d := driver(t, l)
		got, err := d.Check(t.Context())
		if err != nil || len(got) != len(want) {
			t.Fatalf("Check = %q, %v, want %q", got, err, want)
		}
		for _, words := range want {
			if !slices.ContainsFunc(got, func(doubt string) bool { return strings.Contains(doubt, words) }) {
				t.Errorf("doubts %q, want %q", got, words)
			}
		}
	}
	doubts(shop.Ledger())
	doubts(l, "the shop's queue is empty now")
	redis.Do(t, "ZADD p_queues:default:delayed 1 a")
	doubts(l)
	l.Queue = redisURL("", "wr0ng", redis.Addr, "?prefix=p_")
	doubts(l, "wrong user or password")
	change(t, shop, "REVOKE SELECT (order_sn, buy_amount) ON orders FROM 'shopwatch'@'127.0.0.1'")
	doubts(shop.Ledger(), "orders can't be looked up", "counts as one item", `column "order_sn" of table "orders"`, `column "buy_amount" of table "orders"`)
	d := driver(t, shop.Ledger())
	if _, err := d.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if numbers, err := d.Numbers(t.Context(), []int64{1}); err != nil || len(numbers) > 0 {
		t.Errorf("Numbers = %v, %v", numbers, err)
	}
	if o, err := d.Find(t.Context(), "AAAAAAAAAAAAAA01"); err == nil || !strings.Contains(err.Error(), "grant SELECT") || o.ID != 0 {
		t.Errorf("Find = %v, %v: an order that can't be looked up isn't one that isn't there", o, err)
	}
}

func statesOfForks(t *testing.T, server *ledgertest.Server) {
	shop := dujiaokatest.New(t, server, ledgertest.Now)
	d := driver(t, shop.Ledger())
	for _, c := range []struct {
		status, kind string
		want         exporter.OrderState
		automatic    bool
	}{
		{"1", "1", exporter.Unpaid, true}, {"1", "2", exporter.Unpaid, false}, {"-1", "1", exporter.Expired, true},
		{"2", "1", exporter.PaidAutoWaiting, true}, {"3", "1", exporter.PaidAutoWaiting, true}, {"6", "1", exporter.FailedShortOfStock, true},
		{"2", "2", exporter.ManualWaiting, false}, {"3", "2", exporter.ManualWorking, false}, {"6", "2", exporter.ManualWaiting, false},
		{"4", "1", exporter.Delivered, true}, {"4", "2", exporter.Delivered, false}, {"5", "2", exporter.Failed, false},
		{"0", "1", exporter.UnknownState, true}, {"7", "1", exporter.UnknownState, true}, {"99", "2", exporter.UnknownState, false},
		{"-2", "2", exporter.UnknownState, false}, {"2", "3", exporter.UnknownState, false}, {"4", "3", exporter.Delivered, false},
		{"NULL", "1", exporter.UnknownState, true}, {"2", "NULL", exporter.UnknownState, false},
	} {
		change(t, shop, "ALTER TABLE orders MODIFY status tinyint NULL, MODIFY type tinyint NULL",
			fmt.Sprintf("UPDATE orders SET status=%s, type=%s WHERE id=1", c.status, c.kind))
		orders, err := d.ByID(t.Context(), []int64{1})
		if err != nil || len(orders) != 1 {
			t.Fatal(orders, err)
		}
		if o := orders[0]; o.State != c.want || o.Automatic != c.automatic {
			t.Errorf("status %s of type %s = %s, automatic %v, want %s", c.status, c.kind, o.State, o.Automatic, c.want)
		}
	}
}

func oddRows(t *testing.T, server *ledgertest.Server) {
	shop := dujiaokatest.New(t, server, ledgertest.Now)
	conn, err := shop.DB().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, statement := range []string{
		"SET sql_mode=''",
		"ALTER TABLE orders MODIFY created_at timestamp NOT NULL, MODIFY actual_price decimal(10,2) NULL, MODIFY buy_amount int NULL, MODIFY goods_id int NULL",
		"ALTER TABLE pays MODIFY pay_check varbinary(50) NULL",
		"INSERT INTO pays (id,pay_name,pay_check) VALUES (20,'x',x'fffe'),(21,'x','支付宝'),(22,'x',NULL),(23,'x','')",
		"UPDATE orders SET created_at='0000-00-00 00:00:00', updated_at=NULL WHERE id=1",
		"UPDATE orders SET actual_price=NULL, buy_amount=NULL, goods_id=NULL WHERE id=2",
		"UPDATE orders SET buy_amount=-3, pay_id=20 WHERE id=4",
		"UPDATE orders SET pay_id=21 WHERE id=5",
		"UPDATE orders SET pay_id=22 WHERE id=6",
		"UPDATE orders SET pay_id=23 WHERE id=8",
	} {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	d := driver(t, shop.Ledger())
	if _, err := d.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	orders, err := d.After(t.Context(), 0, 500)
	if err != nil || len(orders) != 13 {
		t.Fatalf("%d orders, %v", len(orders), err)
	}
	by := map[int64]exporter.Order{}
	for _, o := range orders {
		by[o.ID] = o
	}
	if o := by[1]; !o.Created.IsZero() || !o.Updated.IsZero() || o.State != exporter.Delivered {
		t.Errorf("with a zero date: %+v", o)
	}
	if o := by[2]; o.Amount != 0 || o.Payment != "" || o.Items[0].Quantity != 1 {
		t.Errorf("with NULLs: %+v", o)
	}
	if o := by[4]; o.Items[0].Quantity != 1 {
		t.Errorf("with -3 items: %+v", o)
	}
	for id, want := range map[int64]string{4: "channel-20", 5: "channel-21", 6: "channel-22", 8: "channel-23", 9: "zfbf2f"} {
		if got := by[id].Payment; got != want {
			t.Errorf("payment of order %d = %q, want %q", id, got, want)
		}
	}
}
