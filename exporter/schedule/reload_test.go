package schedule_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/schedule"
	"shopwatch/rules"
)

func ids(s *schedule.Schedule) string {
	var all []string
	for _, state := range s.States() {
		all = append(all, state.Service.ID)
	}
	return strings.Join(all, " ")
}

func TestAReloadKeepsWhatIsLookedAtAsBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		db, web := service("db", 1, 10*time.Second), service("web", 2, 10*time.Second, "db")
		db.Module = exporter.Module{Kind: exporter.KindTCP, Fingerprint: "one"}
		s, _ := run(t, schedule.Config{Services: []exporter.Service{db, web}, Look: w.look})
		pass(time.Second)
		w.breaks("db", rules.ReasonConnect)
		pass(32 * time.Second)
		before := state(t, s, "db")
		past, _ := s.History("card", "db")
		if before.Status != rules.Outage || len(past) < 3 {
			t.Fatalf("before the reload the state is %+v, and %d looks are kept", before, len(past))
		}

		db.Name, db.Position, db.Slow = rules.Text{ZH: "数据库", EN: "database"}, 9, time.Hour
		db.Module = exporter.Module{Kind: exporter.KindTCP, Fingerprint: "one", Redis: &exporter.Redis{}} // the same, read again
		if err := s.Reload([]exporter.Service{service("new", 3, 10*time.Second), web, db}); err != nil {
			t.Fatal(err)
		}
		after := state(t, s, "db")
		if after.Status != rules.Outage || !after.LastLook.Equal(before.LastLook) || !after.LastSuccess.Equal(before.LastSuccess) ||
			after.Failures[rules.ReasonConnect] != before.Failures[rules.ReasonConnect] || len(after.Readings) != 1 {
			t.Errorf("the reload made\n%+v of\n%+v", after, before)
		}
		if after.Service.Name.EN != "database" || ids(s) != "web new db" {
			t.Errorf("the new names and order aren't there: %s, %v", ids(s), after.Service.Name)
		}
		if kept, _ := s.History("card", "db"); len(kept) != len(past) {
			t.Errorf("%d of %d looks are still kept", len(kept), len(past))
		}
		if !state(t, s, "web").Affected {
			t.Error("web doesn't know any more that its cause is down")
		}
		pass(30 * time.Second)
		starts := w.starts("db")
		for i := 2; i < len(starts); i++ {
			if gap := starts[i].Sub(starts[i-1]); gap != 10*time.Second {
				t.Errorf("look %d came %v after the one before", i, gap)
			}
		}
		if looks := len(w.starts("new")); looks < 3 {
			t.Errorf("the new service was looked at %d times in three intervals", looks)
		}
	})
}

func TestANewServiceIsLookedAtSoonAfterTheReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		services := []exporter.Service{service("web", 1, time.Minute)}
		s, _ := run(t, schedule.Config{Services: services, Look: w.look})
		pass(20*time.Second + 300*time.Millisecond)
		if err := s.Reload(append(services, service("new", 2, time.Hour))); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if len(w.starts("new")) != 1 {
			t.Error("a second after the reload nobody has looked at it")
		}
	})
}

func TestAServiceThatIsLookedAtInAnotherWayIsUnknownButKeepsItsLastSuccess(t *testing.T) {
	for name, change := range map[string]func(*exporter.Service){
		"another target": func(s *exporter.Service) { s.Targets = []string{"https://other.example.com/"} },
		"another module": func(s *exporter.Service) { s.Module.Fingerprint = "two" },
		"another kind":   func(s *exporter.Service) { s.Module.Kind = exporter.KindICMP },
		"more targets":   func(s *exporter.Service) { s.Targets = append(s.Targets, "https://more.example.com/") },
		"another module without fingerprint": func(s *exporter.Service) {
			s.Module = exporter.Module{Kind: exporter.KindTCP, Redis: &exporter.Redis{}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				web := service("web", 1, 10*time.Second)
				web.Module = exporter.Module{Kind: exporter.KindTCP, Fingerprint: "one"}
				s, _ := run(t, schedule.Config{Services: []exporter.Service{web}, Look: w.look})
				pass(time.Second)
				w.breaks("web", rules.ReasonConnect)
				pass(31 * time.Second)
				before := state(t, s, "web")
				changed := web
				changed.Targets = append([]string(nil), web.Targets...)
				change(&changed)
				if err := s.Reload([]exporter.Service{changed}); err != nil {
					t.Fatal(err)
				}
				after := state(t, s, "web")
				if after.Status != rules.Unknown || len(after.Readings) != 0 || !after.LastSuccess.Equal(before.LastSuccess) ||
					!after.LastLook.Equal(before.LastLook) || after.Failures[rules.ReasonConnect] != before.Failures[rules.ReasonConnect] {
					t.Errorf("the reload made\n%+v of\n%+v", after, before)
				}
				if past, ok := s.History("card", "web"); !ok || len(past) != 0 {
					t.Errorf("the looks at what was there before are kept: %v, %v", past, ok)
				}
				pass(10 * time.Second)
				if got := state(t, s, "web"); got.Status != rules.Outage || len(got.Readings) != len(changed.Targets) {
					t.Errorf("the outage is forgotten: %+v", got)
				}
			})
		})
	}
}

func TestARemovedServiceVanishesWithItsLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.lasts["old"] = 8 * time.Second
		path := filepath.Join(t.TempDir(), "services.json")
		keep, old := service("keep", 1, 10*time.Second), service("old", 2, 10*time.Second)
		var log strings.Builder
		s, stop := run(t, schedule.Config{
			Services: []exporter.Service{keep, old}, Look: w.look, Path: path, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		pass(2 * time.Second) // the look at old runs
		if err := s.Reload([]exporter.Service{keep}); err != nil {
			t.Fatal(err)
		}
		if got := ids(s); got != "keep" {
			t.Errorf("after the reload there are %s", got)
		}
		if _, ok := s.History("card", "old"); ok {
			t.Error("it still has a history")
		}
		// back at once: world reports it if it is looked at beside the look that still runs
		if err := s.Reload([]exporter.Service{keep, old}); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second)
		if looks := len(w.starts("old")); looks != 1 {
			t.Errorf("%d looks began while the first ran", looks-1)
		}
		pass(2 * time.Second)
		if got := state(t, s, "old"); !got.LastLook.IsZero() || got.Status != rules.Unknown {
			t.Errorf("the look of before the reload counted: %+v", got)
		}
		pass(25 * time.Second)
		if got := state(t, s, "old"); got.Status != rules.Degraded {
			t.Errorf("it isn't looked at any more: %+v", got)
		}
		if err := s.Reload([]exporter.Service{keep}); err != nil {
			t.Fatal(err)
		}
		pass(30 * time.Second)
		if file := content(t, path); strings.Contains(file, `"old"`) || !strings.Contains(file, `"keep"`) {
			t.Errorf("the state file holds %s", file)
		}
		_ = stop()
		if told := strings.Count(log.String(), "service=old"); told != 1 {
			t.Errorf("the log speaks %d times of the service, want once, when it was back:\n%s", told, log.String())
		}
	})
}

func TestAServiceThatChangesAmidALookIsNeverLookedAtTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.lasts["web"] = 8 * time.Second
		web := service("web", 1, 10*time.Second)
		s, _ := run(t, schedule.Config{Services: []exporter.Service{web}, Look: w.look})
		for i := range 20 {
			pass(1100 * time.Millisecond)
			web.Targets = []string{string(rune('a' + i))}
			web.Interval = time.Duration(i%3+1) * time.Second
			if err := s.Reload([]exporter.Service{web}); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Minute)
		if got := state(t, s, "web"); got.Status != rules.Degraded || got.Readings[0].Target != "t" {
			t.Errorf("after all reloads the state is %+v", got)
		}
	})
}

func TestAnInvalidReloadChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		web := service("web", 1, 10*time.Second)
		s, _ := run(t, schedule.Config{Services: []exporter.Service{web}, Look: w.look})
		pass(5 * time.Second)
		bad, twin := service("bad", 1, 0), service("twin", 2, time.Second, "gone")
		err := s.Reload([]exporter.Service{bad, twin, twin})
		for _, part := range []string{`service "card/bad": interval is 0s`, `service "card/twin" is there twice`, `depends on "gone"`} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("error is %v, want %q in it", err, part)
			}
		}
		if ids(s) != "web" {
			t.Errorf("there are now %s", ids(s))
		}
		pass(20 * time.Second)
		if looks := len(w.starts("web")); looks != 3 {
			t.Errorf("%d looks, want 3", looks)
		}
	})
}

func TestServicesThatReloadsAddOneByOneSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const interval = 15 * time.Second
		services := many(60, interval)
		s, _ := run(t, schedule.Config{Services: services[:1], Look: w.look})
		for i := range services {
			pass(100 * time.Millisecond)
			if err := s.Reload(services[:i+1]); err != nil {
				t.Fatal(err)
			}
		}
		pass(3 * interval)
		groups := map[time.Duration]int{}
		for _, s := range services {
			starts := w.starts(s.ID)
			groups[time.Duration(starts[len(starts)-1].UnixNano())%interval]++
		}
		for group, n := range groups {
			if n > 6 {
				t.Errorf("%d of 60 services share the group at %v", n, group)
			}
		}
	})
}

func TestAReloadBeforeTheStartCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, err := schedule.New(schedule.Config{Services: []exporter.Service{service("old", 1, time.Second)}, Look: w.look})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Reload([]exporter.Service{service("new", 1, time.Second)}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := s.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if len(w.starts("old")) != 0 || len(w.starts("new")) < 4 {
			t.Errorf("old was looked at %d times, new %d", len(w.starts("old")), len(w.starts("new")))
		}
	})
}
