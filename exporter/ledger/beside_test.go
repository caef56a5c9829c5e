package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
)

func TestTheStockIsCountedBesideThePolls(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.SetStock(exporter.Stock{Product: "1", Cards: 5})
	s.poll()
	if b := s.Books(); len(b.Stock) > 0 || !b.StockCounted.IsZero() || slices.Contains(s.Calls(), "Stock") {
		t.Errorf("a poll counted the stock: %+v", b)
	}
	if err := s.Count(t.Context()); err != nil {
		t.Fatal(err)
	}
	counted := s.now()
	s.SetStock(exporter.Stock{Product: "1", Cards: 4})
	s.Fail(failing("Stock", 1))
	for range 3 {
		s.pollEvery(5 * time.Minute)
		if err := s.Count(t.Context()); err == nil || !strings.Contains(err.Error(), "connection lost") {
			t.Errorf("Count = %v", err)
		}
	}
	if b := s.Books(); !b.Up || b.Stock[0].Cards != 5 || !b.StockCounted.Equal(counted) {
		t.Errorf("after counts that fail: up %v, stock %v of %v", b.Up, b.Stock, b.StockCounted)
	}
	if n := strings.Count(s.logged(), "stock not counted"); n != 1 {
		t.Errorf("one trouble was logged %d times", n)
	}
	s.Fail(nil)
	if err := s.Count(t.Context()); err != nil || s.Books().Stock[0].Cards != 4 {
		t.Errorf("Count = %v, stock %v", err, s.Books().Stock)
	}
	many := make([]exporter.Stock, exporter.MaxProducts+7)
	for i := range many {
		many[i].Product = fmt.Sprint(i)
	}
	s.SetStock(many...)
	s.Count(t.Context())
	if b := s.Books(); len(b.Stock) != exporter.MaxProducts || b.StockHidden != 7 {
		t.Errorf("%d products, %d hidden", len(b.Stock), b.StockHidden)
	}
}

func TestASlowCountOfTheStockIsSeldom(t *testing.T) {
	t.Parallel()
	for took, want := range map[time.Duration]time.Duration{
		0: 5 * time.Minute, 600 * time.Millisecond: 5 * time.Minute, 900 * time.Millisecond: 450 * time.Second, 30 * time.Second: 15000 * time.Second,
	} {
		if got := ledger.StockPause(5*time.Minute, took); got != want {
			t.Errorf("after a count of %v the next one is due in %v, want %v", took, got, want)
		}
	}
}

func TestJobsThatCannotBeCountedAreNotTold(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	mail := exporter.Queue{Name: "mail", Ready: 3, Delayed: 2, Reserved: 1}
	s.SetJobs(7, mail)
	s.poll()
	if b := s.Books(); b.Queues != nil || b.FailedJobs != -1 {
		t.Errorf("before the first count: %v, %d", b.Queues, b.FailedJobs)
	}
	s.CountJobs(t.Context())
	if b := s.Books(); !slices.Equal(b.Queues, []exporter.Queue{mail}) || b.FailedJobs != 7 {
		t.Errorf("counted: %v, %d", b.Queues, b.FailedJobs)
	}
	s.Fail(failing("Jobs", 1))
	for range 2 {
		if err := s.CountJobs(t.Context()); err == nil {
			t.Error("CountJobs succeeds")
		}
	}
	s.poll()
	if b := s.Books(); b.Queues != nil || b.FailedJobs != -1 || !b.Up {
		t.Errorf("not counted: %v, %d, up %v", b.Queues, b.FailedJobs, b.Up)
	}
	if n := strings.Count(s.logged(), "jobs not counted"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

func TestRunCountsStockAndJobsOnceTheBookIsRead(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(c *ledger.Config) { c.Ledger.Interval, c.StockInterval = time.Millisecond, time.Millisecond })
	s.SetJobs(3)
	s.SetStock(exporter.Stock{Product: "1", Cards: 5})
	polls, counted := 0, make(chan string, 1000)
	s.Fail(func(call string) error { // under the book's lock
		switch call {
		case "Check":
			if polls++; polls <= 3 {
				return errors.New("away")
			}
		case "Stock", "Jobs":
			if polls <= 3 {
				t.Errorf("%s is asked for though the book can't be read", call)
			}
			select {
			case counted <- call:
			default:
			}
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for seen := map[string]int{}; seen["Stock"] < 2 || seen["Jobs"] < 2; {
		seen[<-counted]++
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if b := s.Books(); b.FailedJobs != 3 || len(b.Stock) != 1 {
		t.Errorf("jobs %d, stock %v", b.FailedJobs, b.Stock)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if s.Count(t.Context()) == nil || s.CountJobs(t.Context()) == nil {
		t.Error("a closed follower counts")
	}
}
