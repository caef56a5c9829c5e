package ledger_test

import (
	"fmt"
	"testing"
	"time"
	"unicode/utf8"

	"shopwatch/exporter/ledger/dujiaoka/dujiaokatest"
	"shopwatch/rules"
)

// What can be the matter with the rows of a book, and with the clock by which they are read.

func steppedKeys(t *testing.T, s *troubled) {
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
	execute("SET auto_increment_increment=3, auto_increment_offset=2")
	number := 0
	insert := func() {
		number++
		execute(fmt.Sprintf("INSERT INTO orders (order_sn,goods_id,title,email,pay_id,actual_price,buy_ip,created_at,updated_at) VALUES ('GAP%013d',1,'t','',1,10,'',%s,%[2]s)",
			number, dujiaokatest.Wall(s.clock)))
	}
	for round := range 20 {
		for range 5 {
			insert()
		}
		execute("START TRANSACTION")
		for range round {
			insert()
		}
		execute("ROLLBACK")
		s.poll()
	}
	s.counts(tally{created: 100})
}

func lateKey(t *testing.T, s *troubled) {
	s.poll()
	id, commit := s.CreateSlowly(t, s.clock)
	for range 6 { // of 15 s each
		s.busy()
		s.poll()
	}
	commit()
	s.poll()
	s.counts(tally{19, 12, 6, 6})
	s.Pay(t, id, s.clock)
	s.poll()
	s.counts(tally{19, 13, 6, 7})
	s.Close()
	s.begin(nil)
	s.poll()
	s.counts(tally{19, 13, 6, 7})
}

func oddRows(t *testing.T, s *troubled) {
	s.poll()
	s.run("SET SESSION sql_mode=''; ALTER TABLE pays MODIFY pay_check varbinary(50);" +
		"INSERT INTO pays (id,pay_name,pay_check) VALUES (90,'odd',x'ff61fe62'), (91,'long',REPEAT('é',25)), (92,'lines','a\\nb\\0c');" +
		"ALTER TABLE orders MODIFY created_at datetime NULL, MODIFY updated_at datetime NULL;" +
		"INSERT INTO orders (order_sn,goods_id,title,type,actual_price,email,pay_id,buy_ip,status,created_at,updated_at) VALUES" +
		" ('ODD1',1,'t',1,10,'',90,'',6,NULL,NULL), ('ODD2',1,'t',1,10,'',91,'',6,'0000-00-00','0000-00-00')," +
		" ('ODD3',1,'t',1,10,'',NULL,'',6,'2027-02-00',NULL), ('ODD4',0,'t',9,-10,'',4711,'',99,'9999-12-31 23:59:59','1000-01-01')," +
		" ('ODD5',1,'t',1,10,'',92,'',1,NULL,NULL)")
	s.poll()
	s.busy()
	s.poll()
	s.counts(tally{8, 5, 1, 4})
	b := s.Books()
	if b.UnknownStatuses != 1 {
		t.Errorf("%d unknown statuses, want 1", b.UnknownStatuses)
	}
	for key := range b.Orders {
		if !utf8.ValidString(key.Payment) || len(key.Payment) > 64 {
			t.Errorf("payment %q is no label", key.Payment)
		}
	}
	if oldest := b.Oldest[rules.Automatic]; oldest.Before(start) || oldest.After(s.clock) {
		t.Errorf("the oldest waits since %v, and all came since %v", oldest, start)
	}
	s.after(6 * time.Minute)
	s.poll()
	if b := s.Books(); b.Late != 4 {
		t.Errorf("%d are late, want 4", b.Late)
	}
}

func emptiedBook(_ *testing.T, s *troubled) {
	for range 3 {
		s.busy()
	}
	s.poll()
	s.counts(tally{9, 6, 3, 3})
	s.run("TRUNCATE orders")
	s.after(10 * time.Minute)
	s.poll()
	s.counts(tally{9, 6, 3, 0})
	s.after(10 * time.Minute)
	for range 5 {
		s.busy() // of keys that were given before
		s.poll()
	}
	if b := s.Books(); b.Waiting[rules.Automatic][rules.AgeUnder5m] != 5 {
		s.t.Errorf("in the new book %v wait, want 5", b.Waiting[rules.Automatic])
	}
	// Whether an order of the first poll was counted before nobody can tell: those
	// of the later polls weren't.
	if n := events(s.Books()); n[rules.OrderCreated] < 9+12 || n[rules.OrderCreated] > 9+15 || n[rules.OrderRemoved] != 6 {
		s.t.Errorf("counted %v", n)
	}
}

func jumpingClock(_ *testing.T, s *troubled) {
	s.busy()
	s.poll()
	s.after(-time.Hour)
	s.fails(rules.LedgerClock, "in the future")
	s.after(time.Hour)
	s.busy()
	s.poll()
	s.counts(tally{6, 4, 2, 2})
	s.after(3 * time.Hour)
	s.poll()
	if b := s.Books(); b.Waiting[rules.Automatic][rules.AgeOver30m] != 2 || b.Late != 2 {
		s.t.Errorf("by a clock that is ahead %v wait, %d late", b.Waiting[rules.Automatic], b.Late)
	}
	s.after(-3 * time.Hour)
	s.poll()
	s.counts(tally{6, 4, 2, 2})
	if b := s.Books(); b.Waiting[rules.Automatic][rules.AgeUnder5m] != 2 {
		s.t.Errorf("by the right clock again %v wait", b.Waiting[rules.Automatic])
	}
}

func goneMeanwhile(t *testing.T, s *troubled) {
	ids := []int64{s.Create(t, s.clock), s.Create(t, s.clock), s.Create(t, s.clock)}
	s.poll()
	s.run("RENAME TABLE orders TO away")
	s.fails(rules.LedgerSchema, "orders")
	s.run("RENAME TABLE away TO orders")
	s.Pay(t, ids[0], s.clock)
	s.Delete(t, ids[1])
	s.Pay(t, ids[2], s.clock)
	s.Remove(t, ids[2], s.clock)
	s.poll()
	s.counts(tally{3, 1, 0, 1})
	if n := events(s.Books()); n[rules.OrderRemoved] != 2 {
		t.Errorf("%d are removed, want 2", n[rules.OrderRemoved])
	}
}
