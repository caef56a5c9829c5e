package ledger_test

import (
	"slices"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

func TestManyLateOrdersAreLookedAtInTurnsAndNoneIsForgotten(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.StoresMoments = false
	const many = 1000
	for i := range many {
		id := s.Create(t, start.Add(time.Duration(i)*time.Millisecond))
		s.set(id, exporter.PaidAutoWaiting)
	}
	s.poll()
	s.after(10 * time.Minute)
	s.poll()
	s.pollEvery(time.Minute)
	s.Calls()
	s.pollEvery(time.Minute)
	batches := len(slices.DeleteFunc(s.Calls(), func(call string) bool { return call != "ByID" }))
	if batches < 4 || batches > 6 {
		t.Errorf("a thousand late orders cost %d batches in four polls, want each order once", batches)
	}
	fresh := s.Create(t, s.now())
	s.set(fresh, exporter.PaidAutoWaiting)
	s.after(15 * time.Second)
	s.poll()
	s.set(fresh, exporter.Delivered)
	s.after(15 * time.Second)
	s.poll()
	if got := events(s.Books())[rules.OrderDelivered]; got != 1 {
		t.Errorf("of one that isn't late the delivery is seen after a turn: %d delivered", got)
	}
	for id := range int64(many) {
		s.set(id+1, exporter.Delivered)
	}
	s.mu.Lock()
	s.heard = nil
	s.mu.Unlock()
	s.pollEvery(time.Minute + 15*time.Second)
	if got := events(s.Books())[rules.OrderDelivered]; got != many+1 {
		t.Errorf("%d are delivered after a turn, want all %d", got, many+1)
	}
	if len(s.heard) != many {
		t.Errorf("%d durations were told, want that of each", len(s.heard))
	}
}
