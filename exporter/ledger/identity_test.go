package ledger_test

import (
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

func TestABookKeepsItsIdentityWhereverItIsReachedAndHasNoOther(t *testing.T) {
	t.Parallel()
	shanghai, berlin := time.FixedZone("Asia/Shanghai", 8*3600), time.FixedZone("Europe/Berlin", 3600)
	same := func(dsns ...string) (ledgers []exporter.Ledger) {
		for _, dsn := range dsns {
			ledgers = append(ledgers, exporter.Ledger{Software: "dujiaoka", DSN: dsn, Zone: shanghai})
		}
		return ledgers
	}
	prefixed, moved, other := same("u:p@tcp(h:1)/shop")[0], same("u:p@tcp(h:1)/shop")[0], same("u:p@tcp(h:1)/shop")[0]
	prefixed.Prefix, moved.Zone, other.Software = "x_", berlin, "acgfaka"
	seen := map[string]int{}
	for i, book := range [][]exporter.Ledger{
		same("u:p@tcp(h:1)/shop", "u:p@tcp(h:1)/shop?tls=true", "v:a/b)@tcp(elsewhere:3306)/shop", "u:p@unix(/run/sock)/shop"),
		same("u:p@tcp(h:1)/shop2"),
		same("postgres://u:p@h/cards?sslmode=disable", "postgresql://v:q%2F@other:5433/cards"),
		same("postgres://u:p@h/other"),
		same("/data/dujiao.db", "/mnt/elsewhere/dujiao.db", `C:\shop\dujiao.db`),
		same("/data/dujiao2.db"),
		{prefixed}, {moved}, {other},
	} {
		for _, l := range book {
			if was, known := seen[ledger.Identity(l)]; known && was != i {
				t.Errorf("%q has the identity of another book", l.DSN)
			}
			seen[ledger.Identity(l)] = i
		}
	}
	if len(seen) != 9 {
		t.Errorf("%d identities, want 9", len(seen))
	}
}

func TestALedgerThatNamesAnotherBookStartsAnew(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(c *ledger.Config) { c.Ledger.DSN = "u:p@tcp(h:1)/shop" })
	s.createDelivered(20, 1)
	s.poll()
	s.config.Ledger.DSN = "u:better@tcp(other:1)/shop"
	s.restart()
	s.poll()
	s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 20, rules.OrderPaid: 20, rules.OrderDelivered: 20})
	if strings.Contains(s.logged(), "anew") {
		t.Errorf("another host is another book:\n%s", s.logged())
	}

	s.config.Ledger.DSN = "u:better@tcp(other:1)/second"
	s.Clear()
	s.createDelivered(3, 1)
	s.restart()
	s.poll()
	s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 3, rules.OrderPaid: 3, rules.OrderDelivered: 3})
	if log := s.logged(); !strings.Contains(log, "books are read anew") || !strings.Contains(log, "of another database") {
		t.Errorf("logged %q", log)
	}
}
