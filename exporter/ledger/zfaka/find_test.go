package zfaka_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/exporter/ledger/zfaka"
)

// finds holds a driver to the key that it finds by a number; 0: none.
func finds(t *testing.T, d *zfaka.Driver, name, number string, want int64) {
	t.Helper()
	o, err := d.Find(t.Context(), number)
	if err != nil || o.ID != want {
		t.Errorf("%s: Find = order %d, %v, want %d", name, o.ID, err, want)
	}
}

// empty is a shop without orders.
func empty(t *testing.T, server *ledgertest.Server) (*shop, *zfaka.Driver) {
	t.Helper()
	s := newShop(t, server, ledgertest.Now)
	s.run(t, "DELETE FROM t_order")
	return s, checked(t, s.Ledger())
}

func (s *shop) renumber(t testing.TB, id int64, number string) {
	t.Helper()
	s.run(t, fmt.Sprintf("UPDATE t_order SET orderid='%s' WHERE id=%d", number, id))
}

// findsInCrowd looks for numbers in a second before and behind which there are
// more orders than are ever searched.
func findsInCrowd(t *testing.T, server *ledgertest.Server) {
	s, d := empty(t, server)
	now := ledgertest.Now
	finds(t, d, "in a book without orders", numbered(now.In(shanghai), 1), 0)
	s.fill(t, 1, now.Add(-20*time.Second), 40, 1000) // order 1+1000*n is the first of second n
	at := func(second int) int64 { return int64(1 + 1000*second) }
	for i, c := range []struct {
		name string
		key  int64
		find bool
	}{
		{"the same second", at(20) + 7, true},
		{"two seconds before, the first", at(18), true},
		{"three seconds later, the last", at(24) - 1, true},
		{"ten seconds before", at(10), false},
		{"ten seconds later", at(30), false},
		{"the first order of all", at(0), false},
		{"the last order of all", at(40) - 1, false},
	} {
		number := numbered(now.In(shanghai), int64(i))
		s.renumber(t, c.key, number)
		want := c.key
		if !c.find {
			want = 0
		}
		finds(t, d, c.name, number, want)
	}
	for i, second := range []int{0, 39} {
		number := numbered(now.Add(time.Duration(second-20)*time.Second).In(shanghai), int64(50+i))
		s.renumber(t, at(second)+500, number)
		finds(t, d, fmt.Sprintf("an order of second %d", second), number, at(second)+500)
	}
	finds(t, d, "nobody's number of that second", numbered(now.In(shanghai), 99), 0)
	for _, year := range []string{"00000101000000", "19700101080000", "99991231235959"} {
		finds(t, d, year, "zlkb"+year+"12345", 0)
	}
	for _, odd := range []string{"zlkb2027023007300012345", "zlkb2027131507300012345", "zlkb2027031524000012345", "", "zlkb", strings.Repeat("9", 18)} {
		finds(t, d, "no date "+odd, odd, 0)
	}
}

func findsAcrossGaps(t *testing.T, server *ledgertest.Server) {
	s, d := empty(t, server)
	now := ledgertest.Now
	s.fill(t, 10, now.Add(-time.Hour), 3000, 1)
	s.fill(t, 1_000_000_000, now, 600, 1)
	s.fill(t, 2_000_000_000, now.Add(time.Hour), 3000, 1)
	s.run(t, "DELETE FROM t_order WHERE id%100=50", "UPDATE t_order SET addtime=0 WHERE id%7=0")
	for i, c := range []struct {
		id int64
		at time.Time
	}{
		{10 + 101, now.Add(-time.Hour + 101*time.Second)},
		{1_000_000_000 + 5, now.Add(5 * time.Second)},
		{1_000_000_000 + 599, now.Add(599 * time.Second)},
		{2_000_000_000, now.Add(time.Hour)},
		{2_000_000_000 + 2998, now.Add(time.Hour + 2998*time.Second)},
	} {
		number := numbered(c.at.In(shanghai), int64(i))
		s.renumber(t, c.id, number)
		finds(t, d, fmt.Sprint("order ", c.id), number, c.id)
	}
}

func findsOneOrNone(t *testing.T, server *ledgertest.Server) {
	s, d := empty(t, server)
	now := ledgertest.Now
	number := numbered(now.In(shanghai), 1)
	first := s.book(t, number, now)
	finds(t, d, "one order", number, first)
	finds(t, d, "one digit off", numbered(now.In(shanghai), 2), 0)
	finds(t, d, "another prefix", "x"+number, 0)
	finds(t, d, "no prefix", strings.TrimPrefix(number, "zlkb"), 0)
	second := s.book(t, number, now.Add(time.Second))
	finds(t, d, "two orders", number, 0)
	s.run(t, fmt.Sprintf("UPDATE t_order SET isdelete=1 WHERE id=%d", first))
	finds(t, d, "two, of which one is deleted", number, second)
	s.run(t, fmt.Sprintf("UPDATE t_order SET isdelete=1 WHERE id=%d", second))
	finds(t, d, "two deleted ones", number, 0)
}

func refusesCrowds(t *testing.T, server *ledgertest.Server) {
	s, d := empty(t, server)
	s.fill(t, 1, ledgertest.Now, 1, 20_000)
	number := numbered(ledgertest.Now.In(shanghai), 1)
	s.renumber(t, 5000, number)
	if o, err := d.Find(t.Context(), number); err == nil || !strings.Contains(err.Error(), "too many") || strings.Contains(err.Error(), number) {
		t.Errorf("Find = %+v, %v, want it refused, without the number", o, err)
	}
	finds(t, d, "another time", numbered(ledgertest.Now.Add(time.Minute).In(shanghai), 1), 0)
}

func findsInTheDoubledHour(t *testing.T, server *ledgertest.Server) {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := empty(t, server)
	l := s.Ledger()
	l.Zone = newYork
	d := checked(t, l)
	summer := time.Date(2026, 11, 1, 5, 30, 0, 0, time.UTC) // 01:30, and an hour later again
	winter := summer.Add(time.Hour)
	number := func(chance int64) string { return numbered(summer.In(newYork), chance) }
	if other := numbered(winter.In(newYork), 1); number(1) != other {
		t.Fatalf("%s and %s: that hour doesn't come twice", number(1), other)
	}
	early, late := s.book(t, number(1), summer), s.book(t, number(2), winter)
	finds(t, d, "in summer time, few orders", number(1), early)
	finds(t, d, "in winter time, few orders", number(2), late)
	s.fill(t, 1000, summer.Add(-time.Hour), 3*3600, 1)
	s.run(t, "UPDATE t_order SET orderid='x' WHERE id<1000")
	s.renumber(t, 1000+3600, number(3))
	s.renumber(t, 1000+7200, number(4))
	finds(t, d, "in summer time, many orders", number(3), 1000+3600)
	finds(t, d, "in winter time, many orders", number(4), 1000+7200)
	s.renumber(t, 1000+7201, number(3))
	finds(t, d, "in both", number(3), 0)

	// The hour that summer time leaves out is shown by no clock.
	finds(t, d, "at no time", "zlkb2026030802300012345", 0)
	plain := time.Date(2026, 7, 1, 12, 0, 0, 0, newYork)
	s.run(t, "DELETE FROM t_order")
	finds(t, d, "on a plain day", numbered(plain, 1), s.book(t, numbered(plain, 1), plain))
}
