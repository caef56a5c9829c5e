package ledger_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

func TestABookFullOfUnknownStatusesIsRefusedBeforeAnythingIsCounted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		known, unknown int
		refused, told  bool
	}{
		{"too few to say", 0, 19, false, false},
		{"more than half", 9, 11, true, false},
		{"half", 10, 10, false, true},
		{"more than one of twenty", 18, 2, false, true},
		{"one of twenty", 19, 1, false, false},
		{"long ago", 700, 0, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			if c.known == 700 {
				for range 5000 {
					s.Put(exporter.Order{State: exporter.UnknownState, Created: start.Add(-time.Hour)})
				}
			}
			s.createDelivered(c.known, 1)
			for range c.unknown {
				s.Put(exporter.Order{State: exporter.UnknownState, Created: start})
			}
			err := s.Poll(t.Context())
			if refused := errors.Is(err, ledger.ErrUnfit) && ledger.Reason(err) == rules.LedgerSchema; refused != c.refused || !refused && err != nil {
				t.Fatalf("Poll = %v", err)
			}
			if told := strings.Contains(s.logged(), "doubt="); told != c.told {
				t.Errorf("a doubt is told: %v, want %v:\n%s", told, c.told, s.logged())
			}
			if !c.refused {
				return
			}
			if p := s.Books().Problem; !strings.Contains(p, "of the last 20 orders 11 (55 %) have a status that the driver for memory doesn't know") {
				t.Errorf("problem %q", p)
			}
			s.counted(nil)
			s.createDelivered(10, 1) // the shop is put right
			s.poll()
			s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 30, rules.OrderPaid: 19, rules.OrderDelivered: 19})
		})
	}
}

func TestAReplicaIsJudgedByTheMomentThatItHasComeTo(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	id := s.Create(t, start)
	s.Pay(t, id, start)
	if got := s.Books().Lag; got != nil {
		t.Errorf("before the first poll the lag is %v", *got)
	}
	s.poll()
	if got := s.Books().Lag; got != nil {
		t.Errorf("of a book that is no replica the lag is %v", *got)
	}

	// Delivered 4 minutes after it was paid, which the replica tells 4 minutes later.
	lag := 4 * time.Minute
	s.SetLag(&lag)
	s.pollEvery(7*time.Minute + 45*time.Second)
	b := s.Books()
	if b.Lag == nil || *b.Lag != lag || b.Late != 0 || s.waiting(rules.Automatic) != [3]int{1, 0, 0} {
		t.Errorf("lag %v, late %d, waiting %v", b.Lag, b.Late, b.Waiting)
	}
	if want := s.now().Add(-lag); !b.LastSuccess.Equal(want) {
		t.Errorf("last success %v, want the moment of which the replica tells, %v", b.LastSuccess, want)
	}
	s.Deliver(t, id, start.Add(4*time.Minute))
	s.pollEvery(s.config.Ledger.Interval)
	if b := s.Books(); b.Late != 0 || s.waiting(rules.Automatic) != [3]int{} || b.NegativeAges != 0 {
		t.Errorf("delivered in time: late %d, waiting %v, negative ages %d", b.Late, b.Waiting, b.NegativeAges)
	}

	lag = 5*time.Minute + time.Second
	err := s.Poll(t.Context())
	if b := s.Books(); ledger.Reason(err) != rules.LedgerReplica || b.Up || *b.Lag != lag || !strings.Contains(b.Problem, "is 5m1s behind") {
		t.Errorf("Poll = %v, up %v, lag %v", err, b.Up, b.Lag)
	}
	s.SetLag(nil)
	s.poll()
	if got := s.Books().Lag; got != nil {
		t.Errorf("the lag is still %v", *got)
	}
}

func TestABookThatAnotherExporterFollowsIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.SetRival(true)
	s.Create(t, start)
	if err := s.Poll(t.Context()); ledger.Reason(err) != rules.LedgerClaimed {
		t.Errorf("Poll = %v", err)
	}
	if calls := s.Calls(); len(calls) > 0 {
		t.Errorf("it is read all the same: %v", calls)
	}
	s.SetRival(false)
	s.poll()
	s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 1})
	s.SetRival(true) // it was lost with the connection
	s.Create(t, start)
	s.Poll(t.Context())
	if b := s.Books(); b.Up || b.Failures[rules.LedgerClaimed] != 2 {
		t.Errorf("up %v, failures %v", b.Up, b.Failures)
	}
	s.SetRival(false)
	s.poll()
	s.counted(map[rules.OrderEvent]uint64{rules.OrderCreated: 2})
}
