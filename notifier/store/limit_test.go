package store_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
)

// buckets is what limits must let through: each refills by one an interval.
type buckets struct {
	left map[string]time.Duration // by name: how long until it is whole, at the moment below
	at   time.Time
	gone map[string][]time.Time // by name: when one was let through
}

func (b *buckets) pass(d time.Duration) {
	b.at = b.at.Add(d)
	for name := range b.left {
		b.left[name] = max(0, b.left[name]-d)
	}
}

func (b *buckets) take(limits []notifier.Limit) bool {
	for _, l := range limits {
		if b.left[l.Private]+l.Interval() > time.Duration(l.N)*l.Interval() {
			return false
		}
	}
	for _, l := range limits {
		b.left[l.Private] += l.Interval()
		b.gone[l.Private] = append(b.gone[l.Private], b.at)
	}
	return true
}

func TestNoOrderOfReplicasAndRestartsLetsMoreThanTheLimitThrough(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		replicas := []*store.Store{place.Open(t)}
		if place.PostgresDSN != "" { // SQLite's file has one process
			replicas = append(replicas, place.Open(t), place.Open(t))
		}
		run := 0
		rapid.Check(t, func(rt *rapid.T) {
			run++
			want := buckets{left: map[string]time.Duration{}, at: now, gone: map[string][]time.Time{}}
			kinds := make([]notifier.Limit, 3)
			for i := range kinds {
				kinds[i] = notifier.Limit{
					Name: "of a test", Private: fmt.Sprint("run ", run, " kind ", i),
					N: rapid.IntRange(1, 4).Draw(rt, "n"), Every: time.Duration(rapid.IntRange(1, 100).Draw(rt, "seconds")) * time.Second,
				}
			}
			for range rapid.IntRange(1, 14).Draw(rt, "acts") {
				one := rapid.IntRange(0, len(replicas)-1).Draw(rt, "replica")
				switch rapid.IntRange(0, 30).Draw(rt, "act") {
				case 0:
					if err := replicas[one].Close(); err != nil {
						rt.Fatal(err)
					}
					replicas[one] = place.Open(t)
				case 1:
					if _, err := replicas[one].Prune(t.Context(), want.at, 500); err != nil {
						rt.Fatal(err)
					}
				case 2, 3, 4, 5, 6, 7, 8, 9:
					want.pass(time.Duration(rapid.IntRange(0, 20_000_000).Draw(rt, "us")) * time.Microsecond)
				default:
					first := rapid.IntRange(0, 2).Draw(rt, "first")
					limits := kinds[first:rapid.IntRange(first+1, 3).Draw(rt, "last")]
					got, err := replicas[one].Take(t.Context(), want.at, limits...)
					if may := want.take(limits); err != nil || got != may {
						rt.Fatalf("at %s: got %v (%v), want %v", want.at, got, err, may)
					}
				}
			}
			for _, l := range kinds {
				gone := want.gone[l.Private]
				for i := range gone {
					for j := i; j < len(gone); j++ {
						if n, most := j-i+1, l.N+int(gone[j].Sub(gone[i])/l.Interval()); n > most {
							rt.Fatalf("%d of %d an interval in %s: %d went through", most, l.N, gone[j].Sub(gone[i]), n)
						}
					}
				}
			}
		})
	})
}

func TestReplicasThatCountAtOnceLetExactlyTheLimitThrough(t *testing.T) {
	t.Parallel()
	place := storetest.Postgres(t)
	replicas := []*store.Store{place.Open(t), place.Open(t)}
	all := notifier.Limit{Name: "all", N: 10, Every: time.Hour}
	one := notifier.Limit{Name: "one", Private: "203.0.113.0/24", N: 7, Every: time.Hour}
	other := notifier.Limit{Name: "one", Private: "198.51.100.0/24", N: 7, Every: time.Hour}
	var through [2]atomic.Int64
	var askers sync.WaitGroup
	for n := range 32 {
		askers.Go(func() {
			limits := []notifier.Limit{all, one}
			if n%4 < 2 {
				limits = []notifier.Limit{other, all}
			}
			for range 3 {
				ok, err := replicas[n%2].Take(t.Context(), now, limits...)
				if err != nil {
					t.Error(err)
				}
				if ok {
					through[n/2%2].Add(1)
				}
			}
		})
	}
	askers.Wait()
	if a, b := through[0].Load(), through[1].Load(); a+b != 10 || a > 7 || b > 7 {
		t.Errorf("%d and %d went through, want 10 together and at most 7 of each", a, b)
	}
}

func TestWhatIsCountedIsBoundedForgottenAndNamesNobody(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		all := notifier.Limit{Name: "all", N: 5, Every: time.Hour}
		through := 0
		for n := range 100 {
			ok, err := s.Take(t.Context(), now, all, notifier.Limit{Name: "network", Private: fmt.Sprintf("198.51.%d.0/24", n), N: 2, Every: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				through++
			}
		}
		if rows := store.Count(t, s, "limits"); through != 5 || rows != 6 {
			t.Errorf("%d went through and left %d rows, want 5 and 6", through, rows)
		}
		if names := store.LimitNames(t, s); strings.Contains(names, "198.51") {
			t.Errorf("the rows name networks: %s", names)
		}
		prune(t, s, now.Add(12*time.Minute)) // one of five a fifth of an hour
		if rows := store.Count(t, s, "limits"); rows != 6 {
			t.Errorf("after 12 min %d rows are left, want 6: each still says something", rows)
		}
		prune(t, s, now.Add(30*time.Minute))
		if rows := store.Count(t, s, "limits"); rows != 1 {
			t.Errorf("after 30 min %d rows are left, want that of all", rows)
		}
		prune(t, s, now.Add(time.Hour))
		if rows := store.Count(t, s, "limits"); rows != 0 {
			t.Errorf("after an hour %d rows are left", rows)
		}
	})
}

func TestWhoIsOverALimitWritesNothing(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t).Open(t)
	limit := notifier.Limit{Name: "all", N: 1, Every: time.Hour}
	if ok, err := s.Take(t.Context(), now, limit); !ok || err != nil {
		t.Fatal(ok, err)
	}
	// Nobody else can write while this transaction runs; who is refused does not wait for it.
	change(t, s, func(*store.Tx) error {
		if ok, err := s.Take(t.Context(), now, limit); ok || err != nil {
			t.Errorf("got %v, %v, want a refusal", ok, err)
		}
		return nil
	})
}
