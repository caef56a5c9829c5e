package sql_test

import (
	"path/filepath"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/exporter/ledger/sql"
	"shopwatch/rules"
)

func TestDriverOnEachEngine(t *testing.T) {
	t.Parallel()
	s := servers{maria: ledgertest.MariaDB(t), postgres: ledgertest.PostgreSQL(t)}
	// The subtests run in parallel among themselves; the group ends before the servers.
	t.Run("on", func(t *testing.T) {
		for engine, away := range map[database.Engine]string{
			database.MySQL: "u:p@tcp(127.0.0.1:1)/shop", database.PostgreSQL: "postgres://u:p@127.0.0.1:1/shop", database.SQLite: filepath.Join(t.TempDir(), "not-yet.db"),
		} {
			t.Run(string(engine), func(t *testing.T) {
				t.Parallel()
				t.Run("suite", func(t *testing.T) {
					t.Parallel()
					ledgertest.Run(t, fixture(s, engine, away))
				})
				t.Run("plans", func(t *testing.T) {
					t.Parallel()
					plansAreJudged(t, s, engine)
				})
				t.Run("check", func(t *testing.T) {
					t.Parallel()
					checkIsHonest(t, s, engine)
				})
				t.Run("rows", func(t *testing.T) {
					t.Parallel()
					rowsAreOrders(t, s, engine)
				})
			})
		}
	})
}

func fixture(s servers, engine database.Engine, away string) ledgertest.Fixture {
	count := func(payment string, event rules.OrderEvent) exporter.OrderCount {
		return exporter.OrderCount{Payment: payment, Event: event}
	}
	q := queries()
	secret := func(testing.TB, ledgertest.Shop) []string {
		return []string{"SELECT mail FROM trade", "SELECT card FROM line", "SELECT secret FROM card", "SELECT * FROM trade", "UPDATE trade SET status='sent'", "DELETE FROM line"}
	}
	if engine == database.SQLite {
		secret = nil // it knows no accounts
	}
	return ledgertest.Fixture{
		Open: func(t testing.TB, now time.Time) ledgertest.Shop { return s.stocked(t, engine, now) },
		Away: exporter.Ledger{Software: "sql", DSN: away, Queries: &q},
		Waiting: map[rules.Kind]map[rules.Age]int{
			rules.Automatic: {rules.AgeUnder5m: 1, rules.Age5to30m: 1, rules.AgeOver30m: 1},
			rules.Manual:    {rules.AgeOver30m: 1},
		},
		ShortOfStock: 1,
		States: map[exporter.OrderState]int{
			exporter.Delivered: 3, exporter.PaidAutoWaiting: 2, exporter.FailedShortOfStock: 1, exporter.ManualWaiting: 1, exporter.Unpaid: 1,
			exporter.Expired: 1, exporter.Failed: 1, exporter.Refunded: 1, exporter.UnknownState: 1, exporter.Removed: 1,
		},
		Orders: map[exporter.OrderCount]uint64{
			count("alipay", rules.OrderCreated): 10, count("alipay", rules.OrderPaid): 7, count("alipay", rules.OrderDelivered): 2,
			count("alipay", rules.OrderFailed): 1, count("alipay", rules.OrderRefunded): 1, count("alipay", rules.OrderRemoved): 1,
			count("alipay", rules.OrderUnpaidAtDeadline): 1,
			count("wx_pay", rules.OrderCreated):          2, count("wx_pay", rules.OrderPaid): 1, count("wx_pay", rules.OrderDelivered): 1,
			count("wx_pay", rules.OrderExpired): 1, count("wx_pay", rules.OrderUnpaidAtDeadline): 1,
			count("", rules.OrderCreated): 1, count("", rules.OrderPaid): 1, count("", rules.OrderDelivered): 1,
		},
		Unknown: 1,
		Stock:   []exporter.Stock{{Product: "A-1", Cards: 2}, {Product: "B", Looped: true}, {Product: "D"}},
		Secret:  secret,
	}
}

func driver(t testing.TB, l exporter.Ledger) *sql.Driver {
	t.Helper()
	d, err := sql.Open(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

var _ ledger.Driver = (*sql.Driver)(nil)
