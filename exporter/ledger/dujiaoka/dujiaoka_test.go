package dujiaoka_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/exporter/ledger/dujiaoka"
	"shopwatch/exporter/ledger/dujiaoka/dujiaokatest"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/rules"
)

func TestDriverOnMariaDB(t *testing.T) {
	t.Parallel()
	server := ledgertest.MariaDB(t)
	// The subtests run in parallel among themselves; the group ends before the server.
	t.Run("suite", func(t *testing.T) { ledgertest.Run(t, fixture(server)) })
	t.Run("own", func(t *testing.T) {
		for _, c := range []struct {
			name string
			test func(*testing.T, *ledgertest.Server)
		}{
			{"the account can't read card keys or addresses", accountIsNarrow},
			{"without the right to buy_amount an order is one item", quantityIsOptional},
			{"an order's payment follows the channel that the buyer switches to", paymentFollows},
			{"an unknown channel is named unknown and asked for once", unknownChannel},
			{"a self-check names every fault", checkNamesFaults},
			{"a wrong password is unfit and not quoted", passwordStaysSecret},
			{"the wrong zone is found out", wrongZone},
			{"the server ends a statement that lasts too long", statementIsLimited},
			{"tables may have a prefix", prefixWorks},
			{"failed jobs are counted up to a bound", failedJobsAreCounted},
			{"a doubt says what it costs", doubtsSayWhatTheyCost},
			{"a status that a fork added is unknown", statesOfForks},
			{"an odd row hides no other", oddRows},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.test(t, server)
			})
		}
	})
}

func fixture(server *ledgertest.Server) ledgertest.Fixture {
	count := func(payment string, event rules.OrderEvent) exporter.OrderCount {
		return exporter.OrderCount{Payment: payment, Event: event}
	}
	return ledgertest.Fixture{
		Open: func(t testing.TB, now time.Time) ledgertest.Shop { return dujiaokatest.New(t, server, now) },
		Away: exporter.Ledger{DSN: "u:p@tcp(127.0.0.1:1)/shop"},
		Waiting: map[rules.Kind]map[rules.Age]int{
			rules.Automatic: {rules.AgeUnder5m: 1, rules.Age5to30m: 1, rules.AgeOver30m: 1},
			rules.Manual:    {rules.AgeOver30m: 2}, // 3 h 58 min, and exactly 30 min
		},
		ShortOfStock: 3,
		States: map[exporter.OrderState]int{
			exporter.Delivered: 4, exporter.Expired: 1, exporter.FailedShortOfStock: 3, exporter.Removed: 1,
			exporter.ManualWaiting: 1, exporter.ManualWorking: 1, exporter.Failed: 1, exporter.Unpaid: 1,
		},
		Orders: map[exporter.OrderCount]uint64{
			count("zfbf2f", rules.OrderCreated): 7, count("zfbf2f", rules.OrderPaid): 7,
			count("zfbf2f", rules.OrderDelivered): 2, count("zfbf2f", rules.OrderFailed): 1,
			count("wxpay", rules.OrderCreated): 5, count("wxpay", rules.OrderPaid): 2, count("wxpay", rules.OrderDelivered): 1,
			count("wxpay", rules.OrderExpired): 1, count("wxpay", rules.OrderUnpaidAtDeadline): 1, count("wxpay", rules.OrderRemoved): 1,
			count("", rules.OrderCreated): 1, count("", rules.OrderPaid): 1, count("", rules.OrderDelivered): 1, // the free one
		},
		Stock: []exporter.Stock{{Product: "1", Cards: 2}, {Product: "2", Looped: true}, {Product: "3", Cards: 40}},
		Secret: func(testing.TB, ledgertest.Shop) []string {
			return []string{"SELECT carmi FROM carmis", "SELECT email FROM orders", "SELECT info FROM orders", "UPDATE orders SET status=4",
				"DELETE FROM orders", "SELECT payload FROM failed_jobs", "SELECT COUNT(*) FROM mysql.user"}
		},
	}
}

func driver(t *testing.T, l exporter.Ledger) *dujiaoka.Driver {
	t.Helper()
	d, err := dujiaoka.Open(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func accountIsNarrow(t *testing.T, server *ledgertest.Server) {
	shop := dujiaokatest.New(t, server, ledgertest.Now)
	d := driver(t, shop.Ledger())
	if _, err := d.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	account, err := sql.Open("mysql", shop.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer account.Close()
	for _, query := range []string{"SELECT carmi FROM carmis", "SELECT email FROM orders", "SELECT info FROM orders", "UPDATE orders SET status=4"} {
		var e *mysql.MySQLError
		if _, err := account.ExecContext(t.Context(), query); !errors.As(err, &e) || e.Number != 1143 && e.Number != 1142 {
			t.Errorf("the account's %s = %v, want it denied", query, err)
		}
	}
	grants := strings.Join(dujiaoka.Book.Grants(database.MySQL, "db", "", "account"), "\n")
	for _, secret := range []string{"`carmi`", "email", "info", "search_pwd", "buy_ip", "trade_no", "payload", "exception", "*"} {
		if strings.Contains(grants, secret) {
			t.Errorf("the grant holds %q:\n%s", secret, grants)
		}
	}
}

func quantityIsOptional(t *testing.T, server *ledgertest.Server) {
	shop := dujiaokatest.New(t, server, ledgertest.Now)
	if _, err := shop.DB().Exec("UPDATE orders SET buy_amount=3 WHERE id=1"); err != nil {
		t.Fatal(err)
	}
	quantity := func() int {
		d := driver(t, shop.Ledger())
		if _, err := d.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		orders, err := d.ByID(t.Context(), []int64{1})
		if err != nil {
			t.Fatal(err)
		}
		return orders[0].Items[0].Quantity
	}
	if got := quantity(); got != 3 {
		t.Errorf("with the right, quantity = %d, want 3", got)
	}
	if _, err := shop.DB().Exec("REVOKE SELECT (buy_amount) ON orders FROM 'shopwatch'@'127.0.0.1'"); err != nil {
		t.Fatal(err)
	}
	if got := quantity(); got != 1 {
		t.Errorf("without the right, quantity = %d, want 1", got)
	}
}

func paymentFollows(t *testing.T, server *ledgertest.Server) {
	shop := dujiaokatest.New(t, server, ledgertest.Now)
	d := driver(t, shop.Ledger())
	payment := func(channel string) string {
		if _, err := shop.DB().Exec("UPDATE orders SET pay_id=" + channel + " WHERE id=1"); err != nil {
			t.Fatal(err)
		}
		orders, err := d.ByID(t.Context(), []int64{1})
		if err != nil {
			t.Fatal(err)
		}
		return orders[0].Payment
	}
	for _, c := range []struct{ channel, want string }{{"1", "zfbf2f"}, {"15", "wxpay"}, {"NULL", ""}} {
		if got := payment(c.channel); got != c.want {
			t.Errorf("payment by channel %s = %q, want %q", c.channel, got, c.want)
		}
	}
}

func unknownChannel(t *testing.T, server *ledgertest.Server) {
	shop := dujiaokatest.New(t, server, ledgertest.Now)
	d := driver(t, shop.Ledger())
	payment := func() string {
		orders, err := d.ByID(t.Context(), []int64{1})
		if err != nil {
			t.Fatal(err)
		}
		return orders[0].Payment
	}
	if _, err := shop.DB().Exec("UPDATE orders SET pay_id=77 WHERE id=1"); err != nil {
		t.Fatal(err)
	}
	if got := payment(); got != "unknown" {
		t.Errorf("payment by a channel that isn't there = %q, want unknown", got)
	}
	if _, err := shop.DB().Exec("INSERT INTO pays (id,pay_name,pay_check) VALUES (77,'PayPal','paypal')"); err != nil {
		t.Fatal(err)
	}
	if got := payment(); got != "unknown" {
		t.Errorf("payment = %q: the channels were read with every order", got)
	}
	if _, _, err := d.Stock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := payment(); got != "paypal" {
		t.Errorf("after the next count of the stock, payment = %q, want paypal", got)
	}
}

func checkNamesFaults(t *testing.T, server *ledgertest.Server) {
	shop := dujiaokatest.New(t, server, ledgertest.Now)
	for _, statement := range []string{
		"ALTER TABLE carmis DROP COLUMN is_loop",
		"DROP TABLE goods",
		"REVOKE SELECT (pay_check) ON pays FROM 'shopwatch'@'127.0.0.1'",
	} {
		if _, err := shop.DB().Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	_, err := driver(t, shop.Ledger()).Check(t.Context())
	if !errors.Is(err, ledger.ErrUnfit) {
		t.Fatalf("Check = %v, want ErrUnfit", err)
	}
	for _, want := range []string{"is_loop", "is the shop dujiaoka 2.0,", "goods", "check database and table prefix", "pay_check", "grant SELECT"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Check doesn't say %q:\n%v", want, err)
		}
	}
}

func passwordStaysSecret(t *testing.T, server *ledgertest.Server) {
	const secret = "s3cr3t-0f-the-owner"
	shop := dujiaokatest.New(t, server, ledgertest.Now)
	l := shop.Ledger()
	l.DSN = strings.Replace(l.DSN, dujiaokatest.Password, secret, 1)
	_, err := driver(t, l).Check(t.Context())
	if !errors.Is(err, ledger.ErrUnfit) || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), dujiaokatest.User) {
		t.Errorf("Check with a wrong password = %v", err)
	}
}

func wrongZone(t *testing.T, server *ledgertest.Server) {
	shop := dujiaokatest.New(t, server, ledgertest.Now)
	l := ledgertest.Ledger(shop.Ledger())
	l.Zone = time.UTC
	now := func() time.Time { return ledgertest.Now }
	f, err := ledger.New(ledger.Config{Shop: "shop", Ledger: l, Driver: driver(t, l), Dir: t.TempDir(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Poll(t.Context()); !errors.Is(err, ledger.ErrUnfit) {
		t.Errorf("Poll = %v, want ErrUnfit", err)
	}
	if b := f.Books(); b.Up || !strings.Contains(b.Problem, "8h0m0s in the future") || !strings.Contains(b.Problem, "zone") {
		t.Errorf("up %v, problem %q", b.Up, b.Problem)
	}
}

func statementIsLimited(t *testing.T, server *ledgertest.Server) {
	shop := dujiaokatest.New(t, server, ledgertest.Now)
	// A view in the table's place makes each row cost a second.
	for _, statement := range []string{
		"RENAME TABLE orders TO kept",
		"CREATE VIEW orders AS SELECT id,goods_id,type,actual_price,buy_amount,pay_id,status,updated_at,deleted_at,created_at FROM kept WHERE SLEEP(1)=0",
	} {
		if _, err := shop.DB().Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	_, err := driver(t, shop.Ledger()).After(t.Context(), 0, 500)
	if err == nil || !strings.Contains(err.Error(), "too slow") {
		t.Errorf("After of a table that takes 13 s = %v, want the server to end it", err)
	}
}

func prefixWorks(t *testing.T, server *ledgertest.Server) {
	shop := dujiaokatest.New(t, server, ledgertest.Now)
	for _, table := range []string{"orders", "pays", "goods", "carmis", "failed_jobs"} {
		if _, err := shop.DB().Exec(fmt.Sprintf("RENAME TABLE %s TO djk_%[1]s", table)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := driver(t, shop.Ledger()).Check(t.Context()); !errors.Is(err, ledger.ErrUnfit) {
		t.Errorf("without the prefix, Check = %v", err)
	}
	l := shop.Ledger()
	l.Prefix = "djk_"
	var name string
	if err := shop.DB().QueryRow("SELECT DATABASE()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	for _, grant := range dujiaoka.Book.Grants(database.MySQL, name, "djk_", "'shopwatch'@'127.0.0.1'") {
		if _, err := shop.DB().Exec(grant); err != nil {
			t.Fatal(err)
		}
	}
	d := driver(t, l)
	if _, err := d.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if stock, _, err := d.Stock(t.Context()); err != nil || !slices.Contains(stock, exporter.Stock{Product: "1", Cards: 2}) {
		t.Errorf("Stock = %v, %v", stock, err)
	}
}

func TestOpenRefusesWhatItCannotUseAndNeverQuotesIt(t *testing.T) {
	t.Parallel()
	const secret = "p4ssw0rd"
	for _, c := range []struct {
		name   string
		ledger exporter.Ledger
		want   string
	}{
		{"nothing", exporter.Ledger{}, "user:password@tcp(host:3306)/database"},
		{"no slash", exporter.Ledger{DSN: "u:" + secret + "@tcp(h:1)"}, "user:password@tcp(host:3306)/database"},
		{"a URL", exporter.Ledger{DSN: "mysql://u:" + secret + "@h/db"}, "user:password@tcp(host:3306)/database"},
		{"an @ behind the password", exporter.Ledger{DSN: "u:x@" + secret + "(tcp)/db"}, "user:password@tcp(host:3306)/database"},
		{"no database", exporter.Ledger{DSN: "u:" + secret + "@tcp(h:1)/"}, "user:password@tcp(host:3306)/database"},
		{"a zone of the connection", exporter.Ledger{DSN: "u:" + secret + "@tcp(h:1)/db?time_zone=%27%2B08%3A00%27"}, "time_zone"},
		{"a prefix that isn't one", exporter.Ledger{DSN: "u:" + secret + "@tcp(h:1)/db", Prefix: "a`b"}, "prefix"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := dujiaoka.Open(c.ledger)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("Open = %v, want it to say %q and not the password", err, c.want)
			}
		})
	}
}
