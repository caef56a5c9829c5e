package schedule_test

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/schedule"
	"shopwatch/rules"
)

// rich is a look that answers at once with what an HTTPS look gives.
func rich(_ context.Context, s exporter.Service, target string) exporter.Reading {
	r := exporter.Reading{Shop: s.Shop, Service: s.ID, Target: target, Start: time.Now(), Success: true}
	for i, metric := range rules.ProbeMetrics()[:20] {
		var labels []string
		if len(metric.Labels) > 3 {
			labels = make([]string, len(metric.Labels)-3)
		}
		r.Samples = append(r.Samples, exporter.Sample{Metric: metric, Labels: labels, Value: float64(i)})
	}
	for i, name := range []string{"resolve", "connect", "tls", "processing", "transfer"} {
		r.Phases = append(r.Phases, exporter.Phase{Name: name, Took: time.Duration(i) * time.Millisecond})
	}
	r.End = time.Now()
	return r
}

// BenchmarkLateness runs a schedule for two intervals of 15 s and tells how late
// looks began and what one cost, with looks that answer at once. Run it with
// -benchtime 1x.
func BenchmarkLateness(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				var late lateness
				s, err := schedule.New(schedule.Config{Services: many(n, 15*time.Second), Look: rich, Observe: late.observe})
				if err != nil {
					b.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
				before := processorTime()
				err = s.Run(ctx)
				cancel()
				if err != nil {
					b.Fatal(err)
				}
				spent := processorTime() - before
				times := late.sorted()
				b.ReportMetric(float64(len(times)), "looks")
				b.ReportMetric(float64(spent.Microseconds())/float64(len(times)), "cpu-µs/look")
				b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "late-p50-ms")
				b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "late-p99-ms")
				b.ReportMetric(float64(times[len(times)-1].Microseconds())/1000, "late-max-ms")
			}
		})
	}
}

func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkMemory tells what a target holds after its whole history: the last
// reading and 50 looks.
func BenchmarkMemory(b *testing.B) {
	const n = 10000
	for b.Loop() {
		services := many(n, time.Second)
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := schedule.New(schedule.Config{Services: services, Look: rich})
		if err != nil {
			b.Fatal(err)
		}
		s.LookAtAll(60)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/target")
		runtime.KeepAlive(s)
		runtime.KeepAlive(services)
	}
}

// BenchmarkStates is what a scrape costs here.
func BenchmarkStates(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, err := schedule.New(schedule.Config{Services: many(n, time.Second), Look: rich})
			if err != nil {
				b.Fatal(err)
			}
			s.LookAtAll(3)
			b.ReportAllocs()
			for b.Loop() {
				if len(s.States()) != n {
					b.Fatal("states are missing")
				}
			}
		})
	}
}
