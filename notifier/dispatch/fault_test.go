package dispatch_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/internal/servertest"
	"shopwatch/notifier"
	"shopwatch/notifier/dispatch"
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
	last := replica(t, place.Config, server.URL, senders, 0)
	far.await(t, subscribers*notices)
	kill(t, last) // two processes never share the file
	s = place.Open(t)
	if err := s.ReleaseLeases(t.Context()); err != nil {
		t.Fatal(err)
	}
	dispatching(t, s, server.URL, senders)
	far.settle(t, s, subscribers*notices)
	again, _ := far.doubled()
	t.Logf("%d of %d messages came again after %d kills of %d senders", again, subscribers*notices, kills, senders)
	if again > (kills+1)*senders {
		t.Errorf("%d messages came again, want at most %d", again, (kills+1)*senders)
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
	far.settle(t, s, subscribers*notices)
	if again, _ := far.doubled(); again > senders {
		t.Errorf("%d messages came again, want at most the %d in flight", again, senders)
	}
}

// dispatching runs a dispatcher in this process until the test ends.
func dispatching(t *testing.T, s dispatch.Outbox, far string, senders int) {
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
	far.lose = func(n int) bool { return n%20 == 0 && n <= subscribers } // 5 % of the answers, after the message was taken
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
	far.settle(t, s, subscribers)
	far.mu.Lock()
	defer far.mu.Unlock()
	if len(far.lost) < subscribers/25 {
		t.Errorf("the answers to %d messages were lost, which proves little", len(far.lost))
	}
	for identity, n := range far.took {
		if n > 1+far.lost[identity] {
			t.Errorf("%s came %d times, and %d answers to it were lost", identity, n, far.lost[identity])
		}
	}
}

// watched is a store whose refusals are counted.
type watched struct {
	*store.Store

	refused atomic.Int64
}

func (w *watched) Claim(ctx context.Context, c notifier.Claim) (notifier.Claimed, error) {
	claimed, err := w.Store.Claim(ctx, c)
	w.count(err)
	return claimed, err
}

func (w *watched) Finish(ctx context.Context, outcomes []notifier.Outcome) ([]notifier.Ended, error) {
	ended, err := w.Store.Finish(ctx, outcomes)
	w.count(err)
	return ended, err
}

func (w *watched) count(err error) {
	if err != nil && strings.Contains(err.Error(), "another program holds the database") {
		w.refused.Add(1)
	}
}

func TestDatabaseThatAnotherProgramHoldsDelaysAndLosesNothing(t *testing.T) {
	t.Parallel()
	const subscribers = 200
	place := storetest.SQLite(t)
	s := place.Open(t)
	subscribe(t, s, subscribers)
	far := newGateway()
	held := make(chan struct{})
	hold := sync.OnceFunc(func() { close(held) }) // until then the far side takes the first messages alone
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) > 20 {
			<-held
		}
		far.ServeHTTP(w, r)
	}))
	defer server.Close()
	defer hold()
	patient := &watched{Store: s}
	dispatching(t, patient, server.URL, 8)
	decide(t, s, "i1", public(notifier.EventDown))
	far.await(t, 20)
	other, err := sql.Open("sqlite", "file:"+place.Path+"?_txlock=immediate&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	hold()
	for deadline := time.After(2 * time.Minute); patient.refused.Load() == 0; { // longer than SQLite waits by itself
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatal("the outbox is never refused")
		}
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	far.settle(t, s, subscribers)
	if again, _ := far.doubled(); again != 0 {
		t.Errorf("%d messages came again", again)
	}
}

func TestFarSideThatIsKilledAgainAndAgainGetsEveryMessageAndFewTwice(t *testing.T) {
	t.Parallel()
	const subscribers, senders, kills = 1000, 8, 5
	s := storetest.SQLite(t).Open(t)
	subscribe(t, s, subscribers)
	book := filepath.Join(t.TempDir(), "book") // what it took, whatever became of it
	took := func() (identities map[string]int, n int) {
		content, err := os.ReadFile(book)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		identities = map[string]int{}
		for _, identity := range strings.Fields(string(content)) {
			identities[identity]++
			n++
		}
		return identities, n
	}
	more := func(n int) { // or all there is
		t.Helper()
		for deadline := time.After(2 * time.Minute); ; {
			if identities, have := took(); have >= n || len(identities) == subscribers {
				return
			}
			select {
			case <-time.After(5 * time.Millisecond):
			case <-deadline:
				identities, _ := took()
				t.Fatalf("%d of %d messages came, and no more", len(identities), subscribers)
			}
		}
	}
	address := "http://" + servertest.FreeAddress(t)
	far, _ := spawn(t, "far", envBook+"="+book, envFar+"="+address)
	dispatching(t, s, address, senders)
	decide(t, s, "i1", public(notifier.EventDown))
	for range kills {
		_, n := took()
		more(n + subscribers/kills/2)
		kill(t, far)
		far, _ = spawn(t, "far", envBook+"="+book, envFar+"="+address)
	}
	if identities, _ := took(); len(identities) == subscribers {
		t.Error("all was told before the last kill, so that it proved nothing")
	}
	more(math.MaxInt)
	for deadline := time.After(2 * time.Minute); ; {
		if o, err := s.Outbox(t.Context()); err == nil && o.Queued == 0 {
			break
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatal("the outbox is never empty")
		}
	}
	identities, n := took()
	t.Logf("%d of %d messages came again after %d kills of the far side", n-len(identities), subscribers, kills)
	if again := n - len(identities); again > kills*senders || len(identities) != subscribers {
		t.Errorf("%d different messages came, want %d; %d came again, want at most %d", len(identities), subscribers, again, kills*senders)
	}
}
