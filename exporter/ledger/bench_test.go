package ledger_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/ledgertest"
)

// follow makes a follower of a book in which n orders are open, half of them paid.
func follow(b *testing.B, n int) (*ledger.Follower, *ledgertest.Book, *time.Time) {
	b.Helper()
	book, now := ledgertest.NewBook(), start
	book.StoresMoments = true
	for i := range n {
		o := exporter.Order{State: exporter.Unpaid, Automatic: true, Payment: fmt.Sprint("gateway", i%7), Created: start.Add(-time.Minute),
			Items: []exporter.Item{{Product: "1", Quantity: 1}}, Amount: 10, Currency: "CNY"}
		if i%2 == 0 {
			o.State, o.Paid = exporter.PaidAutoWaiting, start.Add(-time.Second)
		}
		book.Put(o)
	}
	d, err := book.Open(book.Ledger())
	if err != nil {
		b.Fatal(err)
	}
	f, err := ledger.New(ledger.Config{Shop: "shop", Ledger: book.Ledger(), Driver: d, Dir: b.TempDir(), Now: func() time.Time { return now }})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return f, book, &now
}

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// BenchmarkOpenOrders prints what an open order costs: bytes of memory, those
// that a save takes on top, and the time of a save. The limit is 200 bytes.
func BenchmarkOpenOrders(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f, _, _ := follow(b, n)
			before := heap()
			if err := f.Poll(b.Context()); err != nil {
				b.Fatal(err)
			}
			held := heap() - before
			var saving [2]runtime.MemStats
			runtime.ReadMemStats(&saving[0])
			if err := f.Save(); err != nil {
				b.Fatal(err)
			}
			runtime.ReadMemStats(&saving[1])
			for b.Loop() {
				if err := f.Save(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(held/float64(n), "B/order")
			b.ReportMetric(float64(saving[1].TotalAlloc-saving[0].TotalAlloc)/float64(n), "B/order-of-a-save")
		})
	}
}

// BenchmarkPoll prints what a poll costs us in which nothing happens, the book
// itself being almost free.
func BenchmarkPoll(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f, _, now := follow(b, n)
			for range 3 { // what came just now is history
				if err := f.Poll(b.Context()); err != nil {
					b.Fatal(err)
				}
				*now = now.Add(5 * time.Minute)
			}
			for b.Loop() {
				*now = now.Add(time.Millisecond)
				if err := f.Poll(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRush is ten minutes at 500 new orders a second, of which 30 % are
// never paid, the rest within two minutes, and 1 % of the keys are rolled back.
// It prints the longest poll, and how many times the book was asked in it.
func BenchmarkRush(b *testing.B) {
	for b.Loop() {
		f, book, now := follow(b, 0)
		var unpaid []int64
		longest, most, calls := time.Duration(0), 0, 0
		for range 40 {
			*now = now.Add(15 * time.Second)
			for i, id := range unpaid {
				if id%10 >= 3 && i%3 == 0 {
					book.Deliver(b, id, now.Add(-time.Second))
				}
			}
			waiting := unpaid[:0]
			for i, id := range unpaid {
				if id%10 >= 3 && i%3 != 0 {
					waiting = append(waiting, id)
				}
			}
			unpaid = waiting
			for i := range 7500 {
				if i%100 == 0 {
					book.Skip(1)
				}
				unpaid = append(unpaid, book.Create(b, now.Add(time.Duration(i-7500)*2*time.Millisecond)))
			}
			began := time.Now()
			if err := f.Poll(b.Context()); err != nil {
				b.Fatal(err)
			}
			longest = max(longest, time.Since(began))
			calls = len(book.Calls())
			most = max(most, calls)
		}
		b.ReportMetric(longest.Seconds()*1000, "ms/longest-poll")
		b.ReportMetric(float64(most), "questions/longest-poll")
		b.ReportMetric(float64(f.Books().Open), "open")
		b.ReportMetric(float64(f.Books().Dropped), "dropped")
	}
}
