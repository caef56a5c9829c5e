package kamifaka_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/rules"
)

// lateHandout needs an engine on which two write at once.
func lateHandout(t *testing.T, s *shop) {
	d := driver(t, s)
	slow, quick := paid(t, s), paid(t, s)
	tx, err := s.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	s.hand(tx, slow, "true", ledgertest.Now)
	s.hand(s.db, quick, "true", ledgertest.Now)
	is(t, d, "before the commit", map[int64]exporter.OrderState{slow: exporter.PaidAutoWaiting, quick: exporter.Delivered})
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	is(t, d, "after the commit", map[int64]exporter.OrderState{slow: exporter.Delivered, quick: exporter.Delivered})
}

func filledByHand(t *testing.T, s *shop) {
	d := driver(t, s)
	id, at := paid(t, s), ledgertest.Now.Add(-time.Minute)
	s.RunShort(id, at)
	if o := one(t, d, id); o.State != exporter.FailedShortOfStock || !o.Updated.Equal(at) || !o.Delivered.IsZero() {
		t.Errorf("out of stock: %+v", o)
	}
	s.fill(500)
	is(t, d, "after many others", map[int64]exporter.OrderState{id: exporter.FailedShortOfStock})
	s.run(fmt.Sprintf(`UPDATE "order" SET status=true WHERE out_order_id=(SELECT out_order_id FROM temporder WHERE id=%d)`, id))
	if o := one(t, d, id); o.State != exporter.Delivered || !o.Delivered.IsZero() {
		t.Errorf("filled: %+v", o)
	}
}

func settledByDeletion(t *testing.T, s *shop) {
	d := driver(t, s)
	is(t, d, "at first", map[int64]exporter.OrderState{5: exporter.FailedShortOfStock, 6: exporter.FailedShortOfStock})
	s.run(`DELETE FROM "order" WHERE id=10`) // of attempt 5, the newest: SQLite gives its key again
	other := paid(t, s)
	s.Deliver(t, other, ledgertest.Now)
	is(t, d, "after the deletion", map[int64]exporter.OrderState{5: exporter.Removed, 6: exporter.FailedShortOfStock, other: exporter.Delivered})
}

func clearedHandouts(t *testing.T, s *shop) {
	d := driver(t, s)
	is(t, d, "at first", map[int64]exporter.OrderState{1: exporter.Delivered, 7: exporter.PaidAutoWaiting})
	s.fill(500)
	is(t, d, "after many others", map[int64]exporter.OrderState{1: exporter.Delivered, 7: exporter.PaidAutoWaiting})
	s.run(`DELETE FROM "order"`)
	is(t, d, "after the clearing", map[int64]exporter.OrderState{1: exporter.Delivered, 7: exporter.PaidAutoWaiting})
	s.Deliver(t, 7, ledgertest.Now)
	is(t, d, "after another", map[int64]exporter.OrderState{1: exporter.Delivered, 7: exporter.Delivered})
}

func restoredHandouts(t *testing.T, s *shop) {
	d := driver(t, s)
	want := map[int64]exporter.OrderState{1: exporter.Delivered, 6: exporter.FailedShortOfStock, 7: exporter.PaidAutoWaiting}
	is(t, d, "at first", want)
	s.run(`CREATE TABLE kept AS SELECT * FROM "order"; DELETE FROM "order"; INSERT INTO "order"
		SELECT id+100,out_order_id,name,payment,contact,contact_txt,price,num,total_price,card,status,updatetime FROM kept`)
	is(t, d, "after the restoring", want)
}

func nightlyPurge(t *testing.T, s *shop) {
	now := ledgertest.Now
	f, err := ledger.New(ledger.Config{Shop: "shop", Ledger: ledgertest.Ledger(s.Ledger()), Driver: driver(t, s), Dir: t.TempDir(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s.run("DELETE FROM temporder")
	for range 8 {
		done := s.Create(t, now.Add(-time.Minute))
		s.Pay(t, done, now)
		s.Deliver(t, done, now)
		s.Create(t, now.Add(-time.Minute)) // nobody pays it
		if err := f.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		now = now.Add(24 * time.Hour)
		s.purge(now)
	}
	events := map[rules.OrderEvent]uint64{}
	for key, n := range f.Books().Orders {
		events[key.Event] += n
	}
	if events[rules.OrderCreated] != 16 || events[rules.OrderDelivered] != 8 || events[rules.OrderRemoved] != 0 {
		t.Errorf("events = %v, want 16 created, 8 delivered and none removed", events)
	}
	var left int
	if err := s.db.QueryRow("SELECT COUNT(*) FROM temporder").Scan(&left); err != nil || left >= 16 {
		t.Errorf("%d attempts are left, %v: the purge did nothing", left, err)
	}
}

func idleIsCheap(t *testing.T, s *shop) {
	d := driver(t, s)
	is(t, d, "at first", map[int64]exporter.OrderState{1: exporter.Delivered, 2: exporter.Delivered})
	s.run(`ALTER TABLE "order" RENAME TO away`)
	is(t, d, "without the table", map[int64]exporter.OrderState{1: exporter.Delivered, 2: exporter.Delivered, 3: exporter.Unpaid})
	if _, err := d.ByID(t.Context(), []int64{7}); !errors.Is(err, ledger.ErrUnfit) {
		t.Errorf("an open attempt without the table: %v", err)
	}
}

func forgottenIsUnknown(t *testing.T, s *shop) {
	for _, when := range []string{"at the start", "later"} {
		d := driver(t, s)
		if when == "later" {
			is(t, d, "at first", map[int64]exporter.OrderState{1: exporter.Delivered})
		}
		d.Remember(4)
		for range 5 {
			s.Deliver(t, paid(t, s), ledgertest.Now.Add(-time.Second))
		}
		newest := paid(t, s)
		is(t, d, when, map[int64]exporter.OrderState{newest: exporter.PaidAutoWaiting})
		is(t, d, when, map[int64]exporter.OrderState{1: exporter.UnknownState, 7: exporter.UnknownState})
	}
}
