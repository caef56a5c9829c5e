package kamifaka_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/exporter/ledger/kamifaka"
	"shopwatch/exporter/ledger/ledgertest"
)

func TestDriverOnSQLite(t *testing.T) {
	t.Parallel()
	f := fixture(onSQLite)
	f.Away = exporter.Ledger{DSN: filepath.Join(t.TempDir(), "nowhere.db")}
	t.Run("suite", func(t *testing.T) { ledgertest.Run(t, f) })
	t.Run("own", func(t *testing.T) { own(t, onSQLite) })
}

func TestDriverOnMariaDB(t *testing.T) {
	t.Parallel()
	server := ledgertest.MariaDB(t, ledgertest.Logged)
	f := fixture(onMariaDB(server))
	f.Away, f.Secret = exporter.Ledger{DSN: "u:p@tcp(127.0.0.1:1)/shop"}, secrets
	// The subtests run in parallel among themselves; the group ends before the server.
	t.Run("suite", func(t *testing.T) { ledgertest.Run(t, f) })
	t.Run("own", func(t *testing.T) { own(t, onMariaDB(server)) })
	t.Run("late", func(t *testing.T) { lateHandout(t, onMariaDB(server)(t, ledgertest.Now)) })
	t.Run("no statement scans a table", func(t *testing.T) { statementsGoByKey(t, server) })
}

func TestDriverOnPostgreSQL(t *testing.T) {
	t.Parallel()
	server := ledgertest.PostgreSQL(t)
	f := fixture(onPostgreSQL(server))
	f.Away, f.Secret = exporter.Ledger{DSN: "postgres://u:p@127.0.0.1:1/shop"}, secrets
	t.Run("suite", func(t *testing.T) { ledgertest.Run(t, f) })
	t.Run("own", func(t *testing.T) { own(t, onPostgreSQL(server)) })
	t.Run("late", func(t *testing.T) { lateHandout(t, onPostgreSQL(server)(t, ledgertest.Now)) })
}

func own(t *testing.T, open maker) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *shop)
	}{
		{"a handout that a person filled is delivered, and nobody knows when", filledByHand},
		{"who deletes an empty handout settles the order", settledByDeletion},
		{"handouts that were deleted stay known, and new ones with their keys are found", clearedHandouts},
		{"handouts that were restored under other keys are the same", restoredHandouts},
		{"what the shop deletes at night is not counted as removed", nightlyPurge},
		{"while no attempt is open the handouts are not read", idleIsCheap},
		{"what is no longer remembered is unknown, and waits for nobody", forgottenIsUnknown},
		{"a number that two attempts share finds neither, nor one of another hour", oddNumbers},
		{"an odd row is read as far as it goes", oddRows},
		{"a self-check names every fault", checkNamesFaults},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t, ledgertest.Now))
		})
	}
}

func driver(t *testing.T, s *shop) *kamifaka.Driver {
	t.Helper()
	d, err := kamifaka.Open(s.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func one(t *testing.T, d *kamifaka.Driver, id int64) exporter.Order {
	t.Helper()
	orders, err := d.ByID(t.Context(), []int64{id})
	if err != nil || len(orders) != 1 {
		t.Fatalf("ByID(%d) = %v, %v", id, orders, err)
	}
	return orders[0]
}

// is holds orders to states.
func is(t *testing.T, d *kamifaka.Driver, when string, want map[int64]exporter.OrderState) {
	t.Helper()
	for id, state := range want {
		if got := one(t, d, id).State; got != state {
			t.Errorf("%s order %d is %s, want %s", when, id, got, state)
		}
	}
}

// paid books an attempt and its payment.
func paid(t *testing.T, s *shop) int64 {
	t.Helper()
	id := s.Create(t, ledgertest.Now)
	s.Pay(t, id, ledgertest.Now)
	return id
}

func oddNumbers(t *testing.T, s *shop) {
	d := driver(t, s)
	numbers, err := d.Numbers(t.Context(), []int64{1, 3, 13, 14})
	if err != nil || len(numbers) != 4 || numbers[13] != numbers[14] {
		t.Fatalf("Numbers = %v, %v", numbers, err)
	}
	s.run("UPDATE temporder SET out_order_id=UPPER(out_order_id) WHERE id=4")
	upper, err := d.Numbers(t.Context(), []int64{4})
	if err != nil {
		t.Fatal(err)
	}
	late := ledgertest.Now.Add(-2 * time.Hour) // by the clock of the browser that made the number
	id := s.Create(t, late)
	s.run("UPDATE temporder SET updatetime=" + wall(late.Add(61*time.Minute)) + fmt.Sprintf(" WHERE id=%d", id))
	hour, err := d.Numbers(t.Context(), []int64{id})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, number string
		want         int64
	}{
		{"its own", numbers[1], 1},
		{"its own", numbers[3], 3},
		{"shared", numbers[13], 0},
		{"of another case", "Order_" + strings.ToLower(upper[4][len("Order_"):]), 0},
		{"of another hour", hour[id], 0},
		{"of another form", "演示订单可删除", 0},
		{"of no time", "Order_99999999999999999999999999", 0},
	} {
		o, err := d.Find(t.Context(), c.number)
		if err != nil || o.ID != c.want || o.ID == 0 && !reflect.DeepEqual(o, exporter.Order{}) {
			t.Errorf("Find of a number %s gives %+v, %v, want order %d", c.name, o, err, c.want)
		}
	}
}

func oddRows(t *testing.T, s *shop) {
	s.run("UPDATE temporder SET num=0, payment='a b\nc', name='' WHERE id=1")
	switch s.engine {
	case database.SQLite:
		s.run(`UPDATE temporder SET name=CAST(X'FF41' AS TEXT), payment=CAST(X'FF41' AS TEXT), updatetime='' WHERE id=2`)
		s.run(`UPDATE "order" SET updatetime='soon' WHERE id=3`)
	case database.MySQL:
		s.run(`SET sql_mode=''; UPDATE temporder SET updatetime='0000-00-00 00:00:00' WHERE id=2; UPDATE "order" SET updatetime='0000-00-00 00:00:00' WHERE id=3`)
	default:
		s.run(`UPDATE temporder SET updatetime='infinity' WHERE id=2; UPDATE "order" SET updatetime='-infinity' WHERE id=3`)
	}
	d := driver(t, s)
	if _, err := d.After(t.Context(), 0, ledger.MaxBatch); err != nil {
		t.Fatal(err)
	}
	if o := one(t, d, 1); o.State != exporter.Delivered || !strings.HasPrefix(o.Payment, "other-") || o.Items[0] != (exporter.Item{Product: "unknown", Quantity: 1}) {
		t.Errorf("order 1 = %+v", o)
	}
	if o := one(t, d, 2); o.State != exporter.Delivered || !o.Created.IsZero() || !o.Delivered.IsZero() {
		t.Errorf("order 2 = %+v", o)
	}
}

func checkNamesFaults(t *testing.T, s *shop) {
	s.run(`DROP TABLE prod_info; ALTER TABLE card RENAME COLUMN reuse TO loop_; ALTER TABLE temporder RENAME COLUMN auto TO machine`)
	_, err := driver(t, s).Check(t.Context())
	if !errors.Is(err, ledger.ErrUnfit) {
		t.Fatalf("Check = %v, want ErrUnfit", err)
	}
	for _, want := range []string{"prod_info", "reuse", "auto", "kamiFaka 1.x"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Check doesn't say %q:\n%v", want, err)
		}
	}
}

// statementsGoByKey is of MariaDB, which logs: the statements are the same everywhere.
func statementsGoByKey(t *testing.T, server *ledgertest.Server) {
	s := onMariaDB(server)(t, ledgertest.Now)
	old := ledgertest.Now.Add(-100 * 24 * time.Hour)
	s.run(`INSERT INTO "order" (id,out_order_id,name,payment,price,num,total_price,status,updatetime)
		SELECT seq+5000,CONCAT('old',seq),'普通商品演示','p',1,1,1,true,` + wall(old) + ` FROM seq_1_to_5000`)
	s.run(`UPDATE "order" SET id=id+20000 WHERE id<5000`)
	s.run(`INSERT INTO temporder (id,out_order_id,name,payment,price,num,total_price,status,auto,updatetime)
		SELECT seq+5000,CONCAT('new',seq),'普通商品演示','p',1,1,1,false,true,` + wall(ledgertest.Now) + ` FROM seq_1_to_5000; ANALYZE TABLE "order", temporder`)
	d := driver(t, s)
	numbers, err := d.Numbers(t.Context(), []int64{1})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err1 := d.After(t.Context(), 0, 20)
		_, err2 := d.ByID(t.Context(), []int64{5, 6, 7, 11})
		_, err3 := d.At(t.Context(), 5500)
		_, err4 := d.Last(t.Context())
		_, err5 := d.Find(t.Context(), numbers[1])
		if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
			t.Fatal(err)
		}
	}
	for _, scan := range server.Scans(t, s.name, s.name, "prod_info") {
		t.Error(scan)
	}
	handouts := regexp.MustCompile("FROM `order` WHERE id > (\\d+) ")
	for _, statement := range server.Statements(t, s.name) {
		if from := handouts.FindStringSubmatch(statement); from != nil && len(from[1]) < 4 {
			t.Errorf("handouts are read from %s on, where there are only old ones:\n%s", from[1], statement)
		}
	}
}

func TestEveryPaymentHasAPlainCodeOfItsOwn(t *testing.T) {
	t.Parallel()
	plain := regexp.MustCompile(`^[\w.-]{1,64}$`)
	seen := map[string]string{}
	names := []string{"Mugglepay", "YunGouOS", "YunGouOS_WXPAY", "新支付", "新支付二", "a b", "\xff", strings.Repeat("x", 51)}
	for name := range kamifaka.Codes {
		names = append(names, name)
	}
	for _, name := range names {
		code := kamifaka.Code(name)
		if !plain.MatchString(code) {
			t.Errorf("the code of %q is %q", name, code)
		}
		if other, taken := seen[code]; taken {
			t.Errorf("%q and %q are both %q", name, other, code)
		}
		seen[code] = name
	}
	if got := kamifaka.Code("Mugglepay"); got != "Mugglepay" {
		t.Errorf("a plain name becomes %q", got)
	}
	if got := kamifaka.Code(""); got != "" {
		t.Errorf("no payment becomes %q", got)
	}
}
