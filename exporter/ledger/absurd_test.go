package ledger_test

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// sold is an order that was paid and delivered just now.
func sold(s *shop, change func(*exporter.Order)) {
	now := s.now()
	o := exporter.Order{State: exporter.Delivered, Automatic: true, Payment: "alipay", Amount: 1, Currency: "CNY",
		Created: now, Paid: now, Delivered: now, Items: []exporter.Item{{Product: "1", Quantity: 1}}}
	change(&o)
	s.Put(o)
}

func TestAbsurdAmountsAndQuantitiesSpoilNoCounter(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.poll()
	for _, amount := range []float64{math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64, math.MaxFloat64, -5} {
		sold(s, func(o *exporter.Order) { o.Amount = amount })
	}
	items := uint64(0)
	for range 3 {
		sold(s, func(o *exporter.Order) { o.Items[0].Quantity = math.MaxInt64 })
		s.after(15 * time.Second)
		s.poll()
		if now := s.Books().Items["1"]; now <= items {
			t.Errorf("items went from %d to %d", items, now)
		} else {
			items = now
		}
	}
	s.restart()
	s.after(15 * time.Second)
	s.poll()
	if got := s.Books().Revenue[exporter.Money{Payment: "alipay", Currency: "CNY"}]; got != 3 {
		t.Errorf("revenue = %g, want that of the three honest orders", got)
	}
	s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 9, rules.OrderPaid: 9, rules.OrderDelivered: 9})
}

func TestProductsBeyondTheLimitKeepTheirCountOverARestart(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.poll()
	for i := range 1500 {
		sold(s, func(o *exporter.Order) {
			o.Items[0] = exporter.Item{Product: fmt.Sprint("p", i), Quantity: 100}
			o.Currency = fmt.Sprint("C", i%40)
		})
	}
	s.after(15 * time.Second)
	s.poll()
	before := s.Books()
	s.restart()
	s.after(15 * time.Second)
	s.poll()
	after := s.Books()
	for product, n := range before.Items {
		if after.Items[product] != n {
			t.Errorf("product %s went from %d to %d", product, n, after.Items[product])
		}
	}
	for money, sum := range before.Revenue {
		if after.Revenue[money] != sum {
			t.Errorf("revenue in %s went from %g to %g", money.Currency, sum, after.Revenue[money])
		}
	}
	sold(s, func(o *exporter.Order) { o.Currency = "C0" })
	s.after(15 * time.Second)
	s.poll()
	money := exporter.Money{Payment: "alipay", Currency: "C0"}
	if got := s.Books().Revenue[money]; got != before.Revenue[money]+1 {
		t.Errorf("a currency that had a place is at %g after a restart and one more order, want %g", got, before.Revenue[money]+1)
	}
}

func TestAStateFileWithAbsurdNumbersIsMovedAside(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][2]string{
		"revenue below nothing": {`"amount":1`, `"amount":-5`},
		"revenue beyond all":    {`"amount":1`, `"amount":1.7e308`},
		"more orders than ever": {`"count":1`, `"count":18446744073709551615`},
		"a gap behind the mark": {`"mark":1`, `"gaps":[[9223372036854775797,9223372036854775807,1]],"mark":1`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			sold(s, func(*exporter.Order) {})
			s.poll()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			stored, err := os.ReadFile(s.file())
			if err != nil || !strings.Contains(string(stored), change[0]) {
				t.Fatalf("%s isn't in the file (%v): %s", change[0], err, stored)
			}
			if err := os.WriteFile(s.file(), []byte(strings.Replace(string(stored), change[0], change[1], 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			s.begin()
			if log := s.logged(); !strings.Contains(log, "books are read anew") {
				t.Errorf("it was believed: %s", log)
			}
			s.after(15 * time.Second)
			s.poll()
			s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 1, rules.OrderPaid: 1, rules.OrderDelivered: 1})
		})
	}
}
