package engine_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/tsdb/fileutil"

	"shopwatch/rules/engine"
)

func TestARestartForgetsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	w.up.Store(0)
	stop := w.run(t, dir)
	if p := next(t, w.ops); p.Status != "firing" {
		t.Fatalf("got %+v, want ShopDown firing", p)
	}
	id := w.silence(t)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()
	drain(w.deadman)

	stop = w.run(t, dir)
	if body := w.get(t, "/alertmanager/api/v2/silences"); !strings.Contains(body, id) {
		t.Errorf("silences after the restart: got %s, want %s", body, id)
	}
	body := w.get(t, queryAt("shop_up", stopped))
	if !strings.Contains(body, `"shop":"demo"`) {
		t.Errorf("history of before the restart: got %s, want shop_up", body)
	}

	w.expire(t, id) // so that only the notification log can keep it quiet
	eventually(t, "ShopDown is active again", func() bool {
		return strings.Contains(w.get(t, "/alertmanager/api/v2/alerts/groups?silenced=false"), "ShopDown")
	})
	for range 3 { // both groups flush every 300 ms; three of these are many of those
		next(t, w.deadman)
	}
	select {
	case p := <-w.ops:
		t.Errorf("after the restart: notified again of %+v, want quiet within repeat_interval", p)
	default:
	}
	w.up.Store(1)
	if p := next(t, w.ops); p.Status != "resolved" {
		t.Errorf("after the restart: got %+v, want the resolution and nothing before it", p)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestAPageThatIsTakenAsTheEngineStopsIsNotToldAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	taken, answer := make(chan struct{}, 10), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		taken <- struct{}{}
		<-answer
	}))
	t.Cleanup(slow.Close)
	w.write(t, "alertmanager.yml", strings.Replace(fmt.Sprintf(alertmanagerFile, w.URL), w.URL+"/hook/ops", slow.URL, 1))
	w.up.Store(0)
	dir := t.TempDir()
	stop := w.run(t, dir)
	<-taken
	stopped := make(chan error)
	go func() { stopped <- stop() }()
	eventually(t, "the engine stops", func() bool {
		status, _, _ := w.request(t, http.MethodGet, "/alertmanager/-/ready", "")
		return status == http.StatusServiceUnavailable
	})
	close(answer)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	drain(w.deadman)

	w.run(t, dir)
	eventually(t, "ShopDown is active again", func() bool {
		return strings.Contains(w.get(t, "/alertmanager/api/v2/alerts/groups"), "ShopDown")
	})
	for range 2 { // both groups flush every 300 ms; two of these are many of those
		next(t, w.deadman)
	}
	if len(taken) > 0 {
		t.Error("the page was told again after the restart")
	}
}

func queryAt(metric string, at time.Time) string {
	return fmt.Sprintf("/prometheus/api/v1/query?query=%s&time=%d.%03d", metric, at.Unix(), at.Nanosecond()/1e6)
}

// expire ends a silence.
func (w *world) expire(t *testing.T, id string) {
	t.Helper()
	if status, _, body := w.request(t, http.MethodDelete, "/alertmanager/api/v2/silence/"+id, ""); status != http.StatusOK {
		t.Fatalf("expire silence: got %d %s", status, body)
	}
}

func drain(from <-chan payload) {
	for {
		select {
		case <-from:
		default:
			return
		}
	}
}

func TestWhatCannotBeReadIsMovedAsideAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	const block = "01BX5ZZKBKACTAV9WEVGEMMVRZ"
	meta := func(version int) string {
		return fmt.Sprintf(`{"ulid":%q,"minTime":1,"maxTime":2,"version":%d}`, block, version)
	}
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		level  string
		aside  []string // below the folder that is set aside
		whole  bool     // the history before is gone
	}{
		{"checkpoint of the log", func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, "wal", "checkpoint.00000000", "00000000"), strings.Repeat("garbage ", 1<<13))
		}, "ERROR", []string{"wal/00000000", "wal/checkpoint.00000000/00000000"}, true},
		{"a block with an empty index", func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, block, "meta.json"), meta(1))
			put(t, filepath.Join(dir, block, "index"), "")
			put(t, filepath.Join(dir, block, "chunks", "000001"), "")
		}, "ERROR", []string{block + "/index"}, false},
		{"a block of another version", func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, block, "meta.json"), meta(7))
		}, "ERROR", []string{block + "/meta.json"}, false},
		{"a block whose index is of another version", func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, block, "meta.json"), meta(1))
			put(t, filepath.Join(dir, block, "index"), "\xba\xaa\xd7\x00\x09"+strings.Repeat("\x00", 200))
			put(t, filepath.Join(dir, block, "chunks", "000001"), "\x85\xbd\x40\xdd\x01\x00\x00\x00")
		}, "ERROR", []string{block + "/index"}, false},
		{"mapped chunks of another version", func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, "chunks_head", "000001"), "\x01\x30\xbc\x91\x09\x00\x00\x00"+strings.Repeat("x", 100))
		}, "WARN", []string{"chunks_head/000001"}, false},
		{"a segment in the middle of the log", func(t *testing.T, dir string) {
			spoil(t, filepath.Join(dir, "wal", "00000000"), 5000)
			put(t, filepath.Join(dir, "wal", "00000001"), "")
			put(t, filepath.Join(dir, "wal", "00000002"), strings.Repeat("what follows", 1000))
		}, "ERROR", []string{"wal/00000000", "wal/00000001", "wal/00000002"}, false},
		{"a log with a gap", func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, "wal", "00000007"), "")
		}, "ERROR", []string{"wal/00000000", "wal/00000007"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			dir := t.TempDir()
			stop := w.run(t, dir)
			eventually(t, "there is history", func() bool {
				return strings.Contains(w.get(t, "/prometheus/api/v1/query?query=count_over_time(shop_up[1m])"), `"5"`)
			})
			middle := time.Now().Add(-300 * time.Millisecond)
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			c.damage(t, filepath.Join(dir, "prometheus"))

			stop = w.run(t, dir)
			aside := glob(t, dir, "prometheus.corrupt-*")
			if len(aside) != 1 {
				t.Fatalf("moved aside: got %v, want one directory; log:\n%s", aside, w.log)
			}
			if log := w.log.String(); !strings.Contains(log, "level="+c.level) || !strings.Contains(log, aside[0]) {
				t.Errorf("log: got %q, want level %s and %s", log, c.level, aside[0])
			}
			for _, kept := range c.aside {
				if !exists(filepath.Join(aside[0], filepath.FromSlash(kept))) {
					t.Errorf("%s is gone, want it kept in %s", kept, aside[0])
				}
			}
			if was := strings.Contains(w.get(t, queryAt("shop_up", middle)), "demo"); was == c.whole && !strings.Contains(c.name, "segment") {
				t.Errorf("history of before: is there %t, want %t", was, !c.whole)
			}
			eventually(t, "the database is written", func() bool {
				return strings.Contains(w.get(t, "/prometheus/api/v1/query?query=shop_up"), "demo")
			})
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// spoil overwrites a few bytes of a file.
func spoil(t *testing.T, path string, at int64) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := file.Stat(); err != nil || info.Size() < at {
		at = info.Size() / 2
	}
	if _, err := file.WriteAt([]byte("power cut in the middle"), at); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestALogThatBreaksOffIsRepairedInPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	stop := w.run(t, dir)
	eventually(t, "there is history", func() bool {
		return strings.Contains(w.get(t, "/prometheus/api/v1/query?query=shop_up"), "demo")
	})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()
	segments := glob(t, dir, "prometheus/wal/0*")
	file, err := os.OpenFile(segments[0], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("power cut"); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}

	w.run(t, dir)
	if aside := glob(t, dir, "*.corrupt-*"); len(aside) != 0 {
		t.Errorf("moved aside: got %v, want nothing", aside)
	}
	body := w.get(t, queryAt("shop_up", stopped))
	if !strings.Contains(body, "demo") {
		t.Errorf("history of before the break: got %s, want shop_up", body)
	}
}

func TestDamagedStateOfAlertmanagerIsMovedAside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	put(t, filepath.Join(dir, "alertmanager", "silences"), "garbage")
	put(t, filepath.Join(dir, "alertmanager", "nflog"), "garbage")
	w.run(t, dir)
	for _, name := range []string{"silences", "nflog"} {
		aside := glob(t, dir, "alertmanager/"+name+".corrupt-*")
		if len(aside) != 1 || !strings.Contains(w.log.String(), aside[0]) {
			t.Errorf("%s: moved aside to %v, want one file, named in the log %q", name, aside, w.log)
		}
	}
}

func TestADatabaseThatIsOnlyLockedStaysWhereItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	other, _, err := fileutil.Flock(filepath.Join(dir, "prometheus", "lock")) // as a Prometheus of its own does
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.New(w.config(dir)); err == nil || !strings.Contains(err.Error(), "lock") {
		t.Errorf("engine on a locked database: got %v, want an error about the lock", err)
	}
	if aside := glob(t, dir, "*.corrupt-*"); len(aside) != 0 {
		t.Errorf("moved aside: got %v, want nothing", aside)
	}
	if err := other.Release(); err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(w.config(dir)) // the failed attempt has released all it held
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func TestAStartAfterACleanStopWarnsOfNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	for range 2 {
		e, err := engine.New(w.config(dir))
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if log := w.log.String(); strings.Contains(log, "level=WARN") || strings.Contains(log, "level=ERROR") {
		t.Errorf("logged %q, want no warning", log)
	}
}

func put(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
