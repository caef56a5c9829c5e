package acgfaka_test

import (
	"fmt"
	"strings"
	"testing"

	"shopwatch/exporter/ledger/ledgertest"
)

func readWhenNamed(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	d := checked(t, s.Ledger())
	look := func() string {
		o := one(t, d, 4)
		return fmt.Sprint(o.State, " ", o.Payment)
	}
	steps := []struct {
		name, change string
		stock        bool
		want         string
	}{
		{"as the fixture has it", "", false, "manual_waiting Epay-alipay"},
		{"the product's way and the plugin change", "UPDATE acg_commodity SET delivery_way=0; UPDATE acg_pay SET handle='New'", false, "manual_waiting Epay-alipay"},
		{"the stock is counted", "", true, "paid_auto_waiting New-alipay"},
		{"the order names others", "UPDATE acg_order SET commodity_id=9, pay_id=9 WHERE id=4", false, "manual_waiting unknown"},
		{"those appear", "INSERT INTO acg_commodity (id,category_id,name,code,create_time) VALUES (9,1,'n','c9','2026-11-01 00:00:00');" +
			" INSERT INTO acg_pay (id,name,code,handle) VALUES (9,'n','wxpay','Wx')", false, "manual_waiting unknown"},
		{"the stock is counted again", "", true, "paid_auto_waiting Wx-wxpay"},
		{"the order names one that is new to the driver", "INSERT INTO acg_pay (id,name,code,handle) VALUES (10,'n','2','Usdt'); UPDATE acg_order SET pay_id=10 WHERE id=4",
			false, "paid_auto_waiting Usdt-2"},
		{"both are deleted", "DELETE FROM acg_pay; DELETE FROM acg_commodity", true, "manual_waiting unknown"},
	}
	for _, step := range steps {
		if step.change != "" {
			s.run(t, step.change)
		}
		if step.stock {
			if _, _, err := d.Stock(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := look(); got != step.want {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
	}
}

func paymentsAreNamed(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	s.run(t, "ALTER TABLE acg_pay MODIFY handle VARBINARY(255) NULL, MODIFY code VARBINARY(255) NULL")
	for i, c := range []struct{ handle, code, want string }{
		{"'Epay'", "'wxpay'", "Epay-wxpay"},
		{"'Usdt'", "''", "Usdt"},
		{"''", "'alipay'", "alipay"},
		{"'alipay'", "'alipay'", "alipay"},
		{"NULL", "NULL", "unknown"},
		{"'Epay'", "'支付 宝'", "Epay-____"},
		{"'Epay'", "0xFFFE", "Epay-__"},
		{"REPEAT('x',255)", "'wxpay'", strings.Repeat("x", 64)},
	} {
		id := 100 + i
		s.run(t, fmt.Sprintf("INSERT INTO acg_pay (id,name,handle,code) VALUES (%d,'n',%s,%s)", id, c.handle, c.code),
			fmt.Sprintf("UPDATE acg_order SET pay_id=%d WHERE id=1", id))
		if got := one(t, driver(t, s.Ledger()), 1).Payment; got != c.want {
			t.Errorf("payment of %s, %s = %q, want %q", c.handle, c.code, got, c.want)
		}
	}
}

func balanceIsNoPayment(t *testing.T, server *ledgertest.Server) {
	s := newShop(t, server, ledgertest.Now)
	d := driver(t, s.Ledger())
	for _, c := range []struct {
		name, set, want string
	}{
		{"a channel", "amount=10, pay_id=2", "Epay-alipay"},
		{"the balance", "amount=10, pay_id=1", ""},
		{"a gift", "amount=0, pay_id=1", ""},
		{"a free order", "amount=0, pay_id=2", ""},
		{"a channel that is gone", "amount=10, pay_id=77", "unknown"},
	} {
		s.run(t, "UPDATE acg_order SET "+c.set+" WHERE id=1")
		if got := one(t, d, 1).Payment; got != c.want {
			t.Errorf("%s: payment %q, want %q", c.name, got, c.want)
		}
	}
}
