package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/internal/servertest"
	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
)

// eventually polls until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-t.Context().Done():
			t.FailNow()
		}
	}
}

func TestReplicasThatChangeOneIncidentAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	place := storetest.Postgres(t)
	replicas := []*store.Store{place.Open(t), place.Open(t)}
	const each = 20
	var all sync.WaitGroup
	for _, s := range replicas {
		for range 4 {
			all.Go(func() {
				for range each / 4 {
					err := s.Change(t.Context(), func(tx *store.Tx) error {
						latest, err := tx.Latest("demo/alipay")
						if err != nil {
							return err
						}
						if latest == nil { // only the first finds none
							i := incident("i1")
							latest = &i
						}
						latest.Acts = append(latest.Acts, notifier.Act{At: now})
						return tx.Save(*latest, nil)
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
	open, err := replicas[0].OpenIncidents(t.Context())
	if err != nil || len(open) != 1 || len(open[0].Acts) != 2*each {
		t.Errorf("got %d incidents (%v), the first with %d acts, want one with %d", len(open), err, len(open[0].Acts), 2*each)
	}
}

func TestReplicasInEachOthersWayGoOnByThemselves(t *testing.T) {
	t.Parallel()
	place := storetest.Postgres(t)
	replicas := []*store.Store{place.Open(t), place.Open(t)}
	change(t, replicas[0], func(tx *store.Tx) error { return errors.Join(tx.SetMark("a", "0"), tx.SetMark("b", "0")) })
	var met, all sync.WaitGroup
	met.Add(2)
	for i, order := range [][]string{{"a", "b"}, {"b", "a"}} {
		all.Go(func() {
			runs := 0
			err := replicas[i].Change(t.Context(), func(tx *store.Tx) error {
				if _, err := tx.Mark(order[0]); err != nil {
					return err
				}
				if runs++; runs == 1 { // each holds what the other wants next
					met.Done()
					met.Wait()
				}
				value, err := tx.Mark(order[1])
				return errors.Join(err, tx.SetMark(order[1], value+fmt.Sprint(i)))
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	a, errA := replicas[0].Mark(t.Context(), "a")
	b, errB := replicas[0].Mark(t.Context(), "b")
	if a != "01" || b != "00" || errA != nil || errB != nil {
		t.Errorf("a %q (%v), b %q (%v), want each changed once", a, errA, b, errB)
	}
}

func TestTransactionWhoseConnectionBreaksIsDoneOnceAllTheSame(t *testing.T) {
	t.Parallel()
	place := storetest.Postgres(t)
	s, other := place.Open(t), place.Open(t)
	runs := 0
	change(t, s, func(tx *store.Tx) error {
		runs++
		i := incident("i1")
		i.Acts = []notifier.Act{{At: now}}
		if err := tx.Save(i, []notifier.Notice{{Audience: "ops", Event: notifier.EventDown, At: now}}); err != nil {
			return err
		}
		if runs == 1 {
			if err := store.Exec(t, other, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'`); err != nil {
				return err
			}
		}
		return tx.SetMark("done", "1")
	})
	if runs != 2 {
		t.Errorf("ran %d times, want 2", runs)
	}
	if n := store.Count(t, s, "notices"); n != 1 {
		t.Errorf("%d notices, want 1", n)
	}
}

func TestStoreOutlivesARestartOfTheServerAndWhoLedKnowsThatItNoLongerDoes(t *testing.T) {
	t.Parallel()
	server := servertest.Postgres(t) // of its own, since it is stopped
	place := storetest.Place{Config: store.Config{PostgresDSN: server.NewDatabase(t), KeyFile: filepath.Join(t.TempDir(), "contact.key")}}
	s := place.Open(t)
	held, release, err := s.Lead(t.Context(), "poll")
	if err != nil || !held() {
		t.Fatalf("doesn't lead: %v", err)
	}
	defer release()
	save(t, s, incident("i1"))
	server.Restart(t)
	save(t, s, incident("i2"))
	if open, err := s.OpenIncidents(t.Context()); err != nil || len(open) != 2 {
		t.Errorf("open: %d, %v", len(open), err)
	}
	eventually(t, "the leader notices that its connection broke", func() bool { return !held() })
	again, releaseAgain, err := s.Lead(t.Context(), "poll")
	if err != nil || !again() || held() {
		t.Errorf("leads anew: %v, the old lead %v", err, held())
	}
	releaseAgain()
	server.Stop()
	err = s.Change(t.Context(), func(tx *store.Tx) error { return tx.SetMark("a", "1") })
	if err == nil || !strings.Contains(err.Error(), "can't be reached") || strings.Contains(err.Error(), server.Password) {
		t.Errorf("with the server away: %v", err)
	}
	if _, err := store.Open(t.Context(), place.Config); err == nil || !strings.Contains(err.Error(), server.Addr) || strings.Contains(err.Error(), server.Password) {
		t.Errorf("opened with the server away: %v", err)
	}
}

func TestOneReplicaLeadsUntilItReleasesOrDies(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		first := place.Open(t)
		ctx, end := context.WithCancel(t.Context())
		held, release, err := first.Lead(ctx, "poll")
		end() // it may still have something to finish
		if err != nil || !held() {
			t.Fatalf("the first doesn't lead: %v", err)
		}
		if place.PostgresDSN == "" { // there is no second
			release()
			return
		}
		second := place.Open(t)
		other, releaseOther, err := second.Lead(t.Context(), "another thing")
		if err != nil || !other() {
			t.Fatalf("another thing: %v", err)
		}
		releaseOther()
		soon, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		if _, _, err := second.Lead(soon, "poll"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the second leads too: %v", err)
		}
		release()
		release()
		if held() {
			t.Error("leads after the release")
		}
		held, release, err = second.Lead(t.Context(), "poll")
		if err != nil || !held() {
			t.Fatalf("the second doesn't lead: %v", err)
		}
		defer release()
		if err := store.Exec(t, first, `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`); err != nil {
			t.Fatal(err)
		}
		third, releaseThird, err := first.Lead(t.Context(), "poll")
		if err != nil || !third() {
			t.Errorf("nobody leads after the second died: %v", err)
		}
		releaseThird()
		eventually(t, "the second knows that it no longer leads", func() bool { return !held() })
	})
}

func TestReplicasThatStartTogetherOnAnEmptyDatabaseShareIt(t *testing.T) {
	t.Parallel()
	place := storetest.Postgres(t)
	writeKey(t, place.KeyFile, 9)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s, err := store.Open(t.Context(), place.Config)
			if err != nil {
				t.Error(err)
				return
			}
			s.Close()
		})
	}
	all.Wait()
	place.KeyFile = filepath.Join(t.TempDir(), "contact.key") // a replica with a data folder of its own
	if _, err := store.Open(t.Context(), place.Config); err == nil || !strings.Contains(err.Error(), "copy the key file of the first") {
		t.Errorf("a replica without the key: %v", err)
	}
}

func TestDatabaseThatCannotServeIsRefusedWithWhatToDo(t *testing.T) {
	t.Parallel()
	server := servertest.SharedPostgres(t)
	place := storetest.Postgres(t)
	refused := func(what, dsn, want string) {
		t.Helper()
		cfg := place.Config
		cfg.PostgresDSN = dsn
		_, err := store.Open(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), server.Password) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	server.Exec(t, `CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0`)
	refused("another encoding", fmt.Sprintf("postgres://%s:%s@%s/ascii?sslmode=disable", server.User, server.Password, server.Addr), "ENCODING 'UTF8'")
	refused("read-only", place.PostgresDSN+"&default_transaction_read_only=on", "name the primary")
	refused("another password", fmt.Sprintf("postgres://%s:hunter2@%s/postgres?sslmode=disable", server.User, server.Addr), "password authentication failed")
	refused("no such database", fmt.Sprintf("postgres://%s:%s@%s/nosuch?sslmode=disable", server.User, server.Password, server.Addr), "nosuch")
	refused("no connection string", "postgres://a:"+server.Password+"@b:port/c", "no connection string of PostgreSQL")
}

func TestWhatIsNoTextStopsNoAlert(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		i := incident("i1")
		i.Key = "a\x00b\xff"
		save(t, s, i)
		change(t, s, func(tx *store.Tx) error {
			if latest, err := tx.Latest(i.Key); err != nil || latest == nil || latest.ID != "i1" {
				t.Errorf("got %+v, %v", latest, err)
			}
			return nil
		})
	})
}
