package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/store/storetest"
)

// counts asks a gateway in another process what it took.
func counts(tb testing.TB, far string) (n, distinct int, seconds float64) {
	tb.Helper()
	answer, err := http.Get(far + "/counts")
	if err != nil {
		tb.Fatal(err)
	}
	defer answer.Body.Close()
	var got struct {
		N, Distinct int
		Seconds     float64
	}
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		tb.Fatal(err)
	}
	return got.N, got.Distinct, got.Seconds
}

// spent is the processor time of this process.
func spent(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// resident is the memory that Go has from the system and has not given back.
func resident() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys - m.HeapReleased
}

// quantile of sorted durations.
func quantile(list []time.Duration, q float64) time.Duration {
	slices.Sort(list)
	return list[int(q*float64(len(list)-1))]
}

// BenchmarkFanOutToHundredThousand tells 100,000 subscribers by a far side that
// takes all at once, in a process of its own that does the counting. Meanwhile
// incidents change, and their commits are timed.
func BenchmarkFanOutToHundredThousand(b *testing.B) {
	const subscribers, senders = 100_000, 128
	for b.Loop() {
		b.StopTimer()
		s := storetest.SQLite(b).Open(b)
		_, far := spawn(b, "far")
		subscribe(b, s, subscribers)
		d, err := telling(s, far, senders, time.Now)
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		var running sync.WaitGroup
		running.Go(func() { d.Run(ctx) })
		debug.FreeOSMemory()
		idle, cpu := resident(), spent(b)
		b.StartTimer()
		began := time.Now()
		decide(b, s, "i1", public(notifier.EventDown))
		d.Wake()
		var commits []time.Duration
		var most uint64
		for {
			asked := time.Now()
			decide(b, s, "i2")
			commits = append(commits, time.Since(asked))
			most = max(most, resident())
			if n, _, _ := counts(b, far); n >= subscribers {
				break
			}
			time.Sleep(50 * time.Millisecond) // between two changes: a great many still
		}
		took := time.Since(began)
		b.StopTimer()
		used := spent(b) - cpu
		cancel()
		running.Wait()
		n, distinct, _ := counts(b, far)
		if n != subscribers || distinct != subscribers {
			b.Errorf("%d messages, %d different ones, want %d of both", n, distinct, subscribers)
		}
		b.ReportMetric(float64(used.Microseconds())/subscribers, "cpu_µs/delivery")
		b.ReportMetric(subscribers/took.Seconds(), "deliveries/s")
		b.ReportMetric(float64(most-min(most, idle))/(1<<20), "MiB_above_idle")
		b.ReportMetric(float64(quantile(commits, 0.99).Microseconds())/1000, "commit_p99_ms")
		b.ReportMetric(0, "ns/op")
		b.StartTimer()
	}
}

// BenchmarkBare says the same messages without an outbox, for comparison.
func BenchmarkBare(b *testing.B) {
	const messages, senders = 50_000, 128
	for b.Loop() {
		_, far := spawn(b, "far")
		channel := newPost(far, senders)
		cpu := spent(b)
		work := make(chan int)
		var running sync.WaitGroup
		for range senders {
			running.Go(func() {
				for n := range work {
					if err := channel.Send(b.Context(), "100000000", notifier.Message{ID: fmt.Sprint("n", n), Text: text}); err != nil {
						b.Error(err)
					}
				}
			})
		}
		for n := range messages {
			work <- n
		}
		close(work)
		running.Wait()
		b.ReportMetric(float64((spent(b)-cpu).Microseconds())/messages, "cpu_µs/message")
		b.ReportMetric(0, "ns/op")
	}
}
