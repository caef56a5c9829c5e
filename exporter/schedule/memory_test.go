package schedule_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/schedule"
	"shopwatch/rules"
)

func TestARestartRemembersTheLastSuccessAndTheOutage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "services.json")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		config := schedule.Config{Look: w.look, Path: path, Services: []exporter.Service{
			service("db", 1, 10*time.Second), service("web", 2, 10*time.Second, "db"),
		}}
		first, stop := run(t, config)
		pass(time.Second)
		w.breaks("db", rules.ReasonConnect)
		w.breaks("web", rules.ReasonStatus)
		pass(time.Minute)
		down := state(t, first, "web")
		if err := stop(); err != nil {
			t.Fatal(err)
		}

		pass(time.Minute)
		second, stop := run(t, config)
		synctest.Wait()
		restarted, err := schedule.New(config)
		if err != nil {
			t.Fatal(err)
		}
		fresh := state(t, restarted, "web")
		if fresh.Status != rules.Unknown || !fresh.LastLook.IsZero() || !fresh.LastSuccess.Equal(down.LastSuccess) {
			t.Fatalf("after the restart the state is %+v, want last success %v and no look", fresh, down.LastSuccess)
		}
		if !fresh.Affected {
			t.Error("web would be told of beside its cause, whose outage was forgotten")
		}
		pass(3 * time.Second)
		after := state(t, second, "web")
		if after.Status != rules.Outage || !after.LastSuccess.Equal(down.LastSuccess) || !after.LastLook.After(after.LastSuccess) {
			t.Fatalf("after the first look the state is %+v", after)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTheFirstLookEverSeedsTheLastSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.breaks("web", rules.ReasonVantage)
		s, _ := run(t, schedule.Config{Look: w.look, Services: []exporter.Service{service("web", 1, 10*time.Second)}})
		pass(5 * time.Second)
		if got := state(t, s, "web"); !got.LastSuccess.IsZero() || !got.LastLook.IsZero() {
			t.Fatalf("an inconclusive look seeded %+v", got)
		}
		w.breaks("web", rules.ReasonDNS)
		pass(10 * time.Second)
		seeded := state(t, s, "web")
		if seeded.LastLook.IsZero() || !seeded.LastSuccess.Equal(seeded.LastLook) {
			t.Fatalf("the first look gave %+v", seeded)
		}
		pass(10 * time.Second)
		if got := state(t, s, "web"); !got.LastSuccess.Equal(seeded.LastSuccess) || !got.LastLook.After(got.LastSuccess) {
			t.Fatalf("the second look gave %+v", got)
		}
	})
}

func TestTheStateFileIsWrittenWhileRunningAndNotTooOften(t *testing.T) {
	path := filepath.Join(t.TempDir(), "services.json")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		run(t, schedule.Config{Look: w.look, Path: path, Services: []exporter.Service{service("web", 1, 100*time.Millisecond)}})
		pass(4900 * time.Millisecond)
		if _, err := os.Stat(path); err == nil {
			t.Error("the state file was written within the first seconds")
		}
		pass(200 * time.Millisecond)
		first := content(t, path)
		pass(4 * time.Second)
		if content(t, path) != first {
			t.Error("the state file was written twice in five seconds")
		}
		pass(2 * time.Second)
		if content(t, path) == first {
			t.Error("the state file wasn't written again")
		}
		if !json.Valid([]byte(first)) || !strings.Contains(first, `"service": "web"`) {
			t.Errorf("state file holds %s", first)
		}
	})
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAnUnreadableStateFileIsMovedAside(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"half a file":      `{"version":1,"services":[{"shop":"ca`,
		"another version":  `{"version":7,"services":[]}`,
		"nothing":          ``,
		"something else":   `[1,2,3]`,
		"a file too large": strings.Repeat(" ", 17<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "services.json")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := schedule.New(schedule.Config{Look: newWorld(t).look, Path: path, Services: []exporter.Service{service("web", 1, time.Second)}})
			if err != nil {
				t.Fatal(err)
			}
			if got := state(t, s, "web"); !got.LastSuccess.IsZero() {
				t.Errorf("last success is %v", got.LastSuccess)
			}
			if content(t, path+".unreadable") != text {
				t.Error("the old file was not kept")
			}
			if _, err := os.Stat(path); !os.IsNotExist(err) {
				t.Errorf("the old file is still in place: %v", err)
			}
		})
	}
}

func TestAFileThatCantBeSavedIsToldAtTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gone", "services.json")
	synctest.Test(t, func(t *testing.T) {
		s, stop := run(t, schedule.Config{Look: newWorld(t).look, Path: path, Services: []exporter.Service{service("web", 1, time.Second)}})
		pass(time.Minute)
		if got := state(t, s, "web"); got.Status != rules.Operational {
			t.Errorf("status is %s: looks must go on", got.Status)
		}
		if err := stop(); err == nil || !strings.Contains(err.Error(), "services.json") {
			t.Errorf("Run ended with %v, want the file's trouble", err)
		}
	})
}
