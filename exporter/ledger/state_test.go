package ledger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/rules"
)

func (s *shop) file() string { return filepath.Join(s.config.Dir, "ledger-shop.json") }

func TestAStuckOrderIsNeverForgotten(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	id := s.Create(t, start)
	s.Pay(t, id, start)
	s.poll()
	for range 1000 {
		s.set(s.Create(t, s.now()), exporter.Delivered)
	}
	s.after(30 * 24 * time.Hour) // far beyond the lookback
	s.restart()
	s.poll()
	s.restart()
	s.poll()
	if got := s.waiting(rules.Automatic); got != [3]int{0, 0, 1} || !s.Books().Oldest[rules.Automatic].Equal(start) {
		t.Errorf("waiting %v since %v", got, s.Books().Oldest)
	}
	s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 1001, rules.OrderPaid: 1001, rules.OrderDelivered: 1000})
}

func TestASecondFollowerOfAShopIsRefusedWhileTheFirstLives(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	_, err := ledger.New(s.config)
	if err == nil || !strings.Contains(err.Error(), "is another exporter following this shop?") {
		t.Fatalf("a second New = %v", err)
	}
	elsewhere := s.config
	elsewhere.Shop = "other"
	f, err := ledger.New(elsewhere)
	if err != nil {
		t.Fatalf("New of another shop = %v", err)
	}
	f.Close()
	s.restart() // given back
}

// stored is a state file of this version with some members of its own.
func stored(members string) string {
	return `{"shop":"shop","software":"memory","book":"` + ledger.Identity(ledgertest.NewBook().Ledger()) + `",` + members +
		`,"columns":["id","state","automatic","payment","marks","first","created","since","looked"],"states":["unpaid"]}`
}

func TestADamagedStateFileIsMovedAsideAndTheBookReadAnew(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"cut short":     `{"shop":"shop","software":"memory","open":{"1":`,
		"empty":         "",
		"another shop":  `{"shop":"else","software":"memory"}`,
		"other driver":  `{"shop":"shop","software":"dujiaoka"}`,
		"a null order":  `{"shop":"shop","software":"memory","open":{"1":null}}`,
		"another form":  `{"shop":"shop","software":"memory","columns":["id","state"]}`,
		"other book":    strings.Replace(stored(`"mark":9`), `"book":"`, `"book":"0`, 1),
		"upside down":   stored(`"tail":9,"mark":1`),
		"no such state": stored(`"open":[[1,99,0,0,0,0,0,0,0]]`),
		"swept too far": stored(`"mark":9,"older":5,"swept":6`),
		"a gap twice":   stored(`"mark":9,"gaps":[[1,2,0],[2,3,0]]`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "ledger-shop.json"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			s := newShop(t, func(c *ledger.Config) { c.Dir = dir })
			id := s.Create(t, start)
			s.Pay(t, id, start)
			s.poll()
			if got := s.waiting(rules.Automatic); got != [3]int{1, 0, 0} {
				t.Errorf("waiting = %v", got)
			}
			aside, err := os.ReadFile(fmt.Sprintf("%s.damaged-%d", s.file(), start.Unix()))
			if err != nil || string(aside) != content {
				t.Errorf("moved aside: %q, %v", aside, err)
			}
			if log := s.logged(); !strings.Contains(log, "books are read anew") || !strings.Contains(log, "damaged-") {
				t.Errorf("logged %q", log)
			}
		})
	}
}

func TestCountersAreShownOnlyOnceTheyAreStored(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.Create(t, start)
	s.poll()
	created := map[rules.OrderEvent]uint64{rules.OrderCreated: 1}

	// A directory in the file's place can't be replaced.
	if err := os.Remove(s.file()); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(s.file(), "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.Create(t, start)
	s.after(15 * time.Second)
	if err := s.Poll(t.Context()); err == nil || !strings.Contains(err.Error(), "save the state") {
		t.Fatalf("Poll = %v", err)
	}
	if b := s.Books(); b.Up || !strings.Contains(b.Problem, "save the state") || !b.LastSuccess.Equal(start) {
		t.Errorf("up %v, problem %q, last success %v", b.Up, b.Problem, b.LastSuccess)
	}
	s.counted(created)
	if err := os.RemoveAll(s.file()); err != nil {
		t.Fatal(err)
	}
	s.poll()
	created[rules.OrderCreated] = 2
	s.counted(created)
	left, err := filepath.Glob(s.file() + ".new-*")
	if err != nil || len(left) != 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

func TestABookWhoseKeysWentBackIsFollowedAnewWithoutCounting(t *testing.T) {
	t.Parallel()
	for _, many := range []int{20, 1000} { // within the overlap, and beyond it
		t.Run(fmt.Sprint(many), func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			stuck := s.Create(t, start)
			s.Pay(t, stuck, start)
			for range many {
				s.set(s.Create(t, start), exporter.Delivered)
			}
			s.poll()
			s.after(10 * time.Minute)
			s.poll()
			before := events(s.Books())

			s.Clear() // the shop is installed anew
			s.after(time.Hour)
			again := s.Create(t, s.now())
			s.Pay(t, again, s.now())
			s.poll()
			if got := s.waiting(rules.Automatic); got != [3]int{1, 0, 0} {
				t.Errorf("waiting = %v, want the new book's order", got)
			}
			if got := events(s.Books())[rules.OrderCreated]; got != before[rules.OrderCreated] {
				t.Errorf("created grew from %d to %d by orders that may have been counted", before[rules.OrderCreated], got)
			}
			s.Create(t, s.now())
			s.set(again, exporter.Delivered)
			s.after(15 * time.Second)
			s.poll()
			after := events(s.Books())
			if after[rules.OrderCreated] != before[rules.OrderCreated]+1 || after[rules.OrderDelivered] != before[rules.OrderDelivered]+1 {
				t.Errorf("what happened since isn't counted: %v, before %v", after, before)
			}
		})
	}
}

func TestOrdersDeletedInBulkAreNotAReasonToCountOthersAgain(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for range 300 {
		s.set(s.Create(t, start), exporter.Delivered)
	}
	var unpaid []int64
	for range 300 {
		unpaid = append(unpaid, s.Create(t, start))
	}
	s.poll()
	s.after(10 * time.Minute)
	s.poll()
	for _, id := range unpaid {
		s.Delete(t, id)
	}
	s.after(15 * time.Second)
	s.poll()
	s.Create(t, s.now()) // its key is above all that were deleted
	s.poll()
	s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 601, rules.OrderPaid: 300, rules.OrderDelivered: 300, rules.OrderRemoved: 300})
}

func TestAQuietBookStillRemembersWhenItWasRead(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.Create(t, start)
	s.poll()
	s.pollEvery(10 * time.Minute)
	s.Fail(failing("After", 1))
	s.restart()
	if err := s.Poll(t.Context()); err == nil {
		t.Fatal("Poll succeeds")
	}
	if ago := s.now().Sub(s.Books().LastSuccess); ago > time.Minute {
		t.Errorf("a new process believes that the book was read %v ago", ago)
	}
}

func TestRestartsDontKeepOldOrdersFromBeingLookedAt(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	ready := s.Create(t, start)
	s.set(ready, exporter.Ready)
	s.createDelivered(1, 1)
	s.poll()
	s.set(ready, exporter.Delivered)
	for range 3 {
		s.Create(t, s.now())
		s.pollEvery(4 * time.Minute)
		s.restart()
	}
	if got := events(s.Books())[rules.OrderDelivered]; got != 2 {
		t.Errorf("%d are delivered, want 2", got)
	}
}

func TestAShortRestartHidesNoDuration(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.StoresMoments = false
	id := s.Create(t, start)
	s.Pay(t, id, start)
	s.poll()
	s.restart()
	s.after(30 * time.Second)
	s.set(id, exporter.Delivered)
	s.poll()
	s.hears("delivered 30s")
}
