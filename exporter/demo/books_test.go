package demo_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter/demo"
)

const (
	children = `SELECT count(*) FROM orders WHERE parent_id IS NOT NULL AND status=?`
	parents  = `SELECT count(*) FROM orders WHERE parent_id IS NULL AND status=?`
	since    = ` AND CAST(strftime('%s', created_at) AS INTEGER) >= ?`
)

func TestCustomersComePayAndAreDelivered(t *testing.T) {
	t.Parallel()
	o := open(t, t.TempDir())
	o.passed(3 * time.Minute)
	all := o.count(`SELECT count(*) FROM orders WHERE parent_id IS NULL`)
	if all < 45 || all > 90 {
		t.Errorf("%d orders in three minutes, want one every two to four seconds", all)
	}
	if got := o.count(`SELECT count(*) FROM orders WHERE parent_id IS NOT NULL`); got != all {
		t.Errorf("%d children of %d parents, want one each", got, all)
	}
	done := o.count(children, "completed")
	if done < all/2 {
		t.Errorf("%d of %d orders were delivered by machine, want most", done, all)
	}
	if got := o.count(parents, "completed"); got != done {
		t.Errorf("%d parents are completed, want %d as children", got, done)
	}
	if got := o.count(parents, "canceled"); got == 0 || got > all/3 {
		t.Errorf("%d of %d orders were canceled, want a few that nobody paid", got, all)
	}
	if got := o.count(`SELECT count(*) FROM orders WHERE parent_id IS NOT NULL AND status IN ('fulfilling','delivered')`); got == 0 {
		t.Error("nobody bought what a person delivers")
	}
	if got := o.count(`SELECT count(*) FROM card_secrets WHERE status='used'`); got != done {
		t.Errorf("%d cards are used, want %d: one an automatic delivery", got, done)
	}
	if got := o.count(`SELECT count(*) FROM card_secrets c JOIN fulfillments f ON f.order_id=c.order_id AND f.payload=c.secret AND f.type='auto'`); got != done {
		t.Errorf("%d goods are the card that was taken for them, want %d", got, done)
	}
	open := o.count(`SELECT count(*) FROM card_secrets WHERE status='reserved'`)
	if want := o.count(`SELECT count(*) FROM orders o JOIN order_items i ON i.order_id=o.id WHERE i.fulfillment_type='auto' AND o.status IN ('pending_payment','paid')`); open != want {
		t.Errorf("%d cards are reserved, want %d: one an open automatic order", open, want)
	}
	const delay = `SELECT count(*) FROM fulfillments f JOIN orders o ON o.id=f.order_id WHERE f.type='auto'
		AND NOT (julianday(f.delivered_at)-julianday(o.paid_at))*86400 BETWEEN 0.15 AND 2.1`
	if got := o.count(delay); got != 0 {
		t.Errorf("%d automatic deliveries took less than 0.15 s or more than 2.1 s", got)
	}
	if got := o.count(`SELECT count(*) FROM payments p JOIN orders o ON o.id=p.order_id WHERE p.status='success' AND (o.parent_id IS NOT NULL OR p.paid_at<>o.paid_at OR o.online_paid_amount<>p.amount)`); got != 0 {
		t.Errorf("%d payments differ from their parent order", got)
	}
}

func TestTheSameRandomnessGivesTheSameCustomers(t *testing.T) {
	t.Parallel()
	story := func() string {
		o := open(t, t.TempDir())
		o.passed(20 * time.Second)
		var text string
		if err := o.books.QueryRow(`SELECT group_concat(x, ' ') FROM (SELECT o.order_no || o.status || p.channel_type || o.created_at AS x
			FROM orders o JOIN payments p ON p.order_id=o.id ORDER BY o.id)`).Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	if a, b := story(), story(); a != b || a == "" {
		t.Errorf("two shops with one randomness differ:\n%s\n%s", a, b)
	}
}

func TestTimesAreWrittenAsDujiaoNextDoes(t *testing.T) {
	t.Parallel()
	o := open(t, t.TempDir())
	o.passed(90 * time.Second)
	utc := regexp.MustCompile(`^2026-11-21 23:3\d:\d\d(\.\d{1,9})?\+00:00$`)
	local := regexp.MustCompile(`^2026-11-22 07:3\d:\d\d(\.\d{1,9})?\+08:00$`)
	for query, form := range map[string]*regexp.Regexp{
		`SELECT CAST(created_at AS TEXT) FROM orders`:                                utc,
		`SELECT CAST(updated_at AS TEXT) FROM orders`:                                utc,
		`SELECT CAST(paid_at AS TEXT) FROM orders WHERE paid_at IS NOT NULL`:         local,
		`SELECT CAST(canceled_at AS TEXT) FROM orders WHERE canceled_at IS NOT NULL`: local,
		`SELECT CAST(delivered_at AS TEXT) FROM fulfillments`:                        local,
		`SELECT CAST(paid_at AS TEXT) FROM payments WHERE status='success'`:          local,
		`SELECT substr(order_no, 1, 12) FROM orders`:                                 regexp.MustCompile(`^DJ2026112207$`),
		`SELECT order_no FROM orders WHERE parent_id IS NULL`:                        regexp.MustCompile(`^DJ\d{20}$`),
		`SELECT order_no FROM orders WHERE parent_id IS NOT NULL`:                    regexp.MustCompile(`^DJ\d{20}-01$`),
	} {
		rows, err := o.books.Query(query)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; rows.Next(); n++ {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			if !form.MatchString(text) {
				t.Errorf("%s gives %q, want %s", query, text, form)
			}
		}
		if err := rows.Err(); err != nil || n == 0 {
			t.Errorf("%s gives %d rows, error %v", query, n, err)
		}
	}
}

func TestWithoutDeliveryPaidOrdersWaitAndHealingDrainsThem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := open(t, dir)
	if err := o.Break("delivery"); err != nil {
		t.Fatal(err)
	}
	o.passed(time.Minute)
	backlog := o.count(children, "paid")
	if backlog < 8 {
		t.Errorf("%d children wait after a minute without delivery, want them all to", backlog)
	}
	if got := o.count(children, "completed"); got != 0 {
		t.Errorf("%d orders were delivered by a broken machine", got)
	}
	if err := o.stop(); err != nil {
		t.Fatal(err)
	}

	again := openAt(t, dir, o.clock.Now())
	if got := again.count(children, "paid"); got != backlog {
		t.Errorf("%d children wait after a restart, want %d", got, backlog)
	}
	again.passed(2 * time.Second)
	if got := again.count(children, "completed"); got != 0 {
		t.Errorf("%d orders were delivered by a machine that a restart does not mend", got)
	}
	if err := again.Heal("delivery"); err != nil {
		t.Fatal(err)
	}
	again.passed(6 * time.Second)
	if got := again.count(children+since, "paid", start.Unix()); got > 3 {
		t.Errorf("%d children still wait six seconds after the healing", got)
	}
	if got := again.count(children, "completed"); got < backlog {
		t.Errorf("%d orders were delivered after the healing, want at least the %d that waited", got, backlog)
	}
}

func TestOrdersThatAStopLeftPaidAreDeliveredBeforeTheDoorsOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := open(t, dir)
	for i := 0; o.count(children, "paid") == 0; i++ {
		if i == 1200 {
			t.Fatal("no order was paid in two minutes")
		}
		o.passed(100 * time.Millisecond)
	}
	var child int64
	if err := o.books.QueryRow(`SELECT id FROM orders WHERE parent_id IS NOT NULL AND status='paid'`).Scan(&child); err != nil {
		t.Fatal(err)
	}
	if err := o.stop(); err != nil {
		t.Fatal(err)
	}
	again := openAt(t, dir, o.clock.Now().Add(time.Hour))
	if got := again.count(`SELECT count(*) FROM orders WHERE id=? AND status='completed'`, child); got != 1 {
		t.Error("the order that waited at the stop still waits")
	}
}

func TestABrokenPaymentLeavesItsOrdersUnpaid(t *testing.T) {
	t.Parallel()
	o := open(t, t.TempDir())
	if err := o.Break("alipay"); err != nil {
		t.Fatal(err)
	}
	o.passed(90 * time.Second)
	const by = `SELECT count(*) FROM payments WHERE channel_type=? AND status=?`
	if got := o.count(by, "alipay", "success"); got != 0 {
		t.Errorf("%d orders were paid by a broken Alipay", got)
	}
	if got := o.count(by, "alipay", "expired"); got < 5 {
		t.Errorf("%d orders by Alipay expired, want those of the first 45 seconds", got)
	}
	if got := o.count(by, "wechat", "success"); got < 5 {
		t.Errorf("%d orders were paid by WeChat, which is whole", got)
	}
}

func TestWithoutDatabaseNothingIsBookedAndAfterwardsLifeGoesOn(t *testing.T) {
	t.Parallel()
	o := open(t, t.TempDir())
	o.passed(30 * time.Second)
	const everything = `SELECT (SELECT count(*) FROM orders) || ' ' || (SELECT group_concat(status || updated_at) FROM orders)`
	state := func() (s string) {
		if err := o.books.QueryRow(everything).Scan(&s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := state()
	if err := o.Break("database"); err != nil {
		t.Fatal(err)
	}
	o.passed(10 * time.Second)
	if after := state(); after != before {
		t.Errorf("the books changed behind a closed door:\n%s\n%s", before, after)
	}
	if err := o.Heal("database"); err != nil {
		t.Fatal(err)
	}
	o.passed(20 * time.Second)
	if after := state(); after == before {
		t.Error("nothing happens after the healing")
	}
}

func TestFinishedOrdersAreForgottenAndWaitingOnesAreNot(t *testing.T) {
	t.Parallel()
	o := open(t, t.TempDir())
	o.passed(30 * time.Second)
	if err := o.Break("delivery"); err != nil {
		t.Fatal(err)
	}
	o.passed(30 * time.Second)
	finished, waits := o.count(children, "completed"), o.count(children, "paid")
	if finished == 0 || waits == 0 {
		t.Fatalf("%d orders are finished and %d wait, want some of both", finished, waits)
	}
	o.clock.add(27 * time.Hour)
	o.passed(2 * time.Second)
	// Those unpaid at the time are canceled only now, 27 hours late, and forgotten in a later round.
	if got := o.count(`SELECT count(*) FROM orders WHERE status IN ('completed','delivered') AND created_at < '2026-11-22'`); got != 0 {
		t.Errorf("%d rows that were finished 27 hours ago are still there", got)
	}
	if got := o.count(children, "paid"); got < waits {
		t.Errorf("%d orders wait, want the %d that waited before", got, waits)
	}
	for _, orphan := range []string{
		`SELECT count(*) FROM order_items WHERE order_id NOT IN (SELECT id FROM orders)`,
		`SELECT count(*) FROM fulfillments WHERE order_id NOT IN (SELECT id FROM orders)`,
		`SELECT count(*) FROM payments WHERE order_id NOT IN (SELECT id FROM orders)`,
		`SELECT count(*) FROM card_secrets WHERE order_id IS NOT NULL AND order_id NOT IN (SELECT id FROM orders)`,
	} {
		if got := o.count(orphan); got != 0 {
			t.Errorf("%d rows are left over: %s", got, orphan)
		}
	}
}

func TestTheTablesAreThoseOfTheSchemaFile(t *testing.T) {
	t.Parallel()
	o := open(t, t.TempDir())
	text, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "plain.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if _, err := plain.Exec(string(text)); err != nil {
		t.Fatal(err)
	}
	tables := func(db *sql.DB) (s string) {
		if err := db.QueryRow(`SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name)`).Scan(&s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	if got, want := tables(o.books), tables(plain); got != want {
		t.Errorf("tables are\n%s\nwant\n%s", got, want)
	}
	// What readers of dujiao-next rely on, whatever the file says.
	if got := o.count(`SELECT count(*) FROM sqlite_master WHERE name IN ('orders','order_items','payments','fulfillments','card_secrets','products','payment_channels',
		'idx_orders_status','idx_orders_order_no','idx_order_items_order_id','idx_fulfillments_delivered_at','idx_payments_created_at','idx_card_secret_reserve')`); got != 13 {
		t.Errorf("%d of 13 tables and indexes of dujiao-next are there", got)
	}
}

func TestStockMovesAndIsRefilledBeforeItRunsOut(t *testing.T) {
	t.Parallel()
	o := open(t, t.TempDir())
	least := func() int {
		return o.count(`SELECT min(n) FROM (SELECT count(*) n FROM card_secrets WHERE status='available' GROUP BY product_id)`)
	}
	before := least()
	if before < 200 {
		t.Errorf("the shop opens with %d cards of one product, want at least a day's sales", before)
	}
	o.passed(20 * time.Second)
	if sold := o.count(`SELECT count(*) FROM card_secrets WHERE status<>'available'`); sold == 0 {
		t.Error("no card was taken in 20 seconds")
	}
	demo.TakeCards(t.Context(), o.Shop, 10)
	if got := least(); got != 10 {
		t.Fatalf("%d cards are left, want 10", got)
	}
	o.passed(7 * time.Second)
	if got := least(); got < 200 {
		t.Errorf("%d cards are there after the refill, want a day's sales", got)
	}
}

func TestNeitherKeysNorAddressesAreLogged(t *testing.T) {
	t.Parallel()
	o := open(t, t.TempDir())
	o.passed(20 * time.Second)
	for _, service := range o.Services() {
		if err := o.Break(service); err != nil {
			t.Fatal(err)
		}
		o.passed(4 * time.Second)
		if err := o.Heal(service); err != nil {
			t.Fatal(err)
		}
		o.passed(4 * time.Second)
	}
	demo.CloseGateway(o.Shop, "wechat") // an error of the HTTP client itself
	o.passed(12 * time.Second)
	if err := o.stop(); err != nil {
		t.Fatal(err)
	}
	log := o.log.String()
	if !strings.Contains(log, "customer could not pay") || !strings.Contains(log, "back office stands still") ||
		!strings.Contains(log, "payment=wechat tries=1 err=\"dial tcp") {
		t.Fatalf("the log tells too little to prove anything:\n%s", log)
	}
	for _, secret := range []string{"DEMO-", "example.com", "DJ2026", "sign=", "cashier?"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q:\n%s", secret, log)
		}
	}
}
