package ledgertest

import (
	"context"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

// stumbling is a driver of which a certain call goes wrong, and that remembers
// which orders it has shown.
type stumbling struct {
	ledger.Driver
	t       *testing.T
	wrong   func(ask func() error) error
	call    int  // that goes wrong, from 1
	forGood bool // and all after it
	calls   int
	shown   map[int64]bool
}

// attend begins a poll whose call goes wrong; a call that never comes doesn't.
func (s *stumbling) attend(wrong func(ask func() error) error, call int) {
	s.wrong = nil
	s.waitForClaim()
	s.wrong, s.call, s.forGood, s.calls, s.shown = wrong, call, false, 0, map[int64]bool{}
}

// waitForClaim waits until the server has noticed that a connection is gone that
// had the claim: of the process before, or one that ended with its question.
func (s *stumbling) waitForClaim() {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		err := s.Claim(s.t.Context())
		if err == nil {
			return
		}
		if ledger.Reason(err) != rules.LedgerClaimed || time.Now().After(deadline) {
			s.t.Fatal(err)
		}
	}
}

func (s *stumbling) ask(question func() error) error {
	s.calls++
	if s.wrong != nil && (s.calls == s.call || s.forGood && s.calls > s.call) {
		return s.wrong(question)
	}
	return question()
}

func answer[A any](s *stumbling, question func() (A, error)) (A, error) {
	var got A
	err := s.ask(func() (err error) {
		got, err = question()
		return err
	})
	if err != nil {
		var none A
		return none, err
	}
	return got, nil
}

func (s *stumbling) Check(ctx context.Context) ([]string, error) {
	return answer(s, func() ([]string, error) { return s.Driver.Check(ctx) })
}

func (s *stumbling) After(ctx context.Context, id int64, limit int) ([]exporter.Order, error) {
	orders, err := answer(s, func() ([]exporter.Order, error) { return s.Driver.After(ctx, id, limit) })
	for _, o := range orders {
		s.shown[o.ID] = true
	}
	return orders, err
}

func (s *stumbling) ByID(ctx context.Context, ids []int64) ([]exporter.Order, error) {
	orders, err := answer(s, func() ([]exporter.Order, error) { return s.Driver.ByID(ctx, ids) })
	if err == nil {
		for _, id := range ids { // also that it isn't there
			s.shown[id] = true
		}
	}
	return orders, err
}

func (s *stumbling) At(ctx context.Context, id int64) (ledger.Place, error) {
	return answer(s, func() (ledger.Place, error) { return s.Driver.At(ctx, id) })
}

func (s *stumbling) Last(ctx context.Context) (ledger.Place, error) {
	return answer(s, func() (ledger.Place, error) { return s.Driver.Last(ctx) })
}

func (s *stumbling) Stock(ctx context.Context) (stock []exporter.Stock, hidden int, err error) {
	err = s.ask(func() error {
		stock, hidden, err = s.Driver.Stock(ctx)
		return err
	})
	return stock, hidden, err
}

// Lag, Claim and Jobs are the driver's, or what a driver without them says.

func (s *stumbling) Lag(ctx context.Context) (lag time.Duration, known bool, err error) {
	replica, is := s.Driver.(ledger.Replica)
	if !is {
		return 0, false, nil
	}
	err = s.ask(func() error {
		lag, known, err = replica.Lag(ctx)
		return err
	})
	return lag, known, err
}

func (s *stumbling) Claim(ctx context.Context) error {
	claimer, is := s.Driver.(ledger.Claimer)
	if !is {
		return nil
	}
	return s.ask(func() error { return claimer.Claim(ctx) })
}

func (s *stumbling) Jobs(ctx context.Context) (queues []exporter.Queue, failed int, err error) {
	worker, is := s.Driver.(ledger.Worker)
	if !is {
		return nil, -1, nil
	}
	err = s.ask(func() error {
		queues, failed, err = worker.Jobs(ctx)
		return err
	})
	return queues, failed, err
}
