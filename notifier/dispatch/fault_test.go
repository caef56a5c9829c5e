package dispatch_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os/exec"
	"sync"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
)

// decideMany decides notices to all subscribers, each of an incident of its own.
func decideMany(tb testing.TB, s *store.Store, notices int) {
	tb.Helper()
	for i := range notices {
		decide(tb, s, fmt.Sprint("i", i), public(notifier.EventDown))
	}
}

// replica starts a process that empties a store's outbox.
func replica(tb testing.TB, cfg store.Config, far string, senders int, later time.Duration) *exec.Cmd {
	tb.Helper()
	where, err := json.Marshal(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	process, _ := spawn(tb, "tell", envFar+"="+far, envStore+"="+string(where), envSenders+"="+fmt.Sprint(senders), envLater+"="+later.String())
	return process
}

func kill(tb testing.TB, process *exec.Cmd) {
	tb.Helper()
	if err := process.Process.Kill(); err != nil {
		tb.Fatal(err)
	}
	process.Wait() // says that it was killed
}

func TestProcessThatIsKilledAHundredTimesLosesNothingAndDoublesAtMostOneASender(t *testing.T) {
	t.Parallel()
	const subscribers, notices, kills, senders = 1000, 10, 100, 8
	place := storetest.SQLite(t)
	s := place.Open(t)
	subscribe(t, s, subscribers)
	decideMany(t, s, notices)
	s.Close()
	far := newGateway()
	far.slow = 3 * time.Millisecond
	server := httptest.NewServer(far)
	defer server.Close()
	for range kills {
		process := replica(t, place.Config, server.URL, senders, 0)
		time.Sleep(time.Duration(rand.N(50)) * time.Millisecond) // any moment of its life will do
		kill(t, process)
	}
	if _, different := far.doubled(); different == subscribers*notices {
		t.Error("all was told before the last kill, so that it proved nothing")
	}
	replica(t, place.Config, server.URL, senders, 0)
	far.await(t, subscribers*notices)
	again, _ := far.doubled()
	t.Logf("%d of %d messages came again after %d kills of %d senders", again, subscribers*notices, kills, senders)
	if again > kills*senders {
		t.Errorf("%d messages came again, want at most %d", again, kills*senders)
	}
}

func TestKilledReplicaIsTakenOverAndOnlyWhatWasInFlightComesAgain(t *testing.T) {
	t.Parallel()
	const subscribers, notices, senders = 500, 4, 8
	place := storetest.Postgres(t)
	s := place.Open(t)
	subscribe(t, s, subscribers)
	far := newGateway()
	far.slow = 2 * time.Millisecond
	server := httptest.NewServer(far)
	defer server.Close()
	victim := replica(t, place.Config, server.URL, senders, 0)
	replica(t, place.Config, server.URL, senders, 0)
	decideMany(t, s, notices)
	far.await(t, subscribers*notices/4)
	kill(t, victim)
	// What waits in the end is what the dead one holds.
	for left, still := -1, 0; still < 10; time.Sleep(50 * time.Millisecond) {
		o, err := s.Outbox(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if still++; o.Queued != left || o.Queued > 8*senders {
			left, still = o.Queued, 0
		}
	}
	replica(t, place.Config, server.URL, senders, 5*time.Minute) // when that one's lease has ended
	far.await(t, subscribers*notices)
	if again, _ := far.doubled(); again > senders {
		t.Errorf("%d messages came again, want at most the %d in flight", again, senders)
	}
}

// dispatching runs a dispatcher in this process until the test ends.
func dispatching(t *testing.T, s *store.Store, far string, senders int) {
	t.Helper()
	d, err := telling(s, far, senders, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { d.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
}

func TestFarSideThatHangsUpLosesAnswersAndErrsStillGetsEveryMessage(t *testing.T) {
	t.Parallel()
	const subscribers, senders = 1000, 32
	s := storetest.SQLite(t).Open(t)
	subscribe(t, s, subscribers)
	far := newGateway()
	lost := 0
	far.lose = func(n int) bool { // 5 % of the answers, after the message was taken
		if n%20 != 0 || n > subscribers {
			return false
		}
		far.mu.Lock()
		defer far.mu.Unlock()
		lost++
		return true
	}
	far.refuse = func(n int) int {
		if n > subscribers {
			return 0
		}
		return map[int]int{1: -1, 2: 500, 3: 429, 4: 451}[n%25]
	}
	server := httptest.NewServer(far)
	defer server.Close()
	dispatching(t, s, server.URL, senders)
	decide(t, s, "i1", public(notifier.EventDown))
	far.await(t, subscribers)
	again, _ := far.doubled()
	far.mu.Lock()
	defer far.mu.Unlock()
	if again > lost {
		t.Errorf("%d messages came again, want at most the %d whose answer was lost", again, lost)
	}
}

func TestDatabaseThatAnotherProgramHoldsDelaysAndLosesNothing(t *testing.T) {
	t.Parallel()
	const subscribers = 200
	place := storetest.SQLite(t)
	s := place.Open(t)
	subscribe(t, s, subscribers)
	far := newGateway()
	far.slow = time.Millisecond
	server := httptest.NewServer(far)
	defer server.Close()
	dispatching(t, s, server.URL, 8)
	decide(t, s, "i1", public(notifier.EventDown))
	far.await(t, 20)
	other, err := sql.Open("sqlite", "file:"+place.Path+"?_txlock=immediate&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for range 5 {
		tx, err := other.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // as long as it likes
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
	far.await(t, subscribers)
	if again, _ := far.doubled(); again != 0 {
		t.Errorf("%d messages came again", again)
	}
}
