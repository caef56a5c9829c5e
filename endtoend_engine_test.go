package main_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// sent counts the batches that came by remote write, with the right token.
type sent struct {
	*httptest.Server
	batches atomic.Int64
}

func openSent(t *testing.T) *sent {
	t.Helper()
	s := &sent{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			fmt.Fprintln(w, "own_metric 42")
		}
		if r.URL.Path == "/api/v1/push" && r.Header.Get("Authorization") == "Bearer "+farToken {
			s.batches.Add(1)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

const farToken = "token-of-the-receiver-far-away"

// asks queries the Prometheus within for a text in its answer.
func asks(private, path, want string) error {
	response, err := http.Get(private + "/prometheus/api/v1/" + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if !strings.Contains(string(body), want) {
		return fmt.Errorf("GET %s has no %q", path, want)
	}
	return nil
}

func instant(expr string) string { return "query?query=" + url.QueryEscape(expr) }

func TestTheOwnersOwnFilesAndNewTiersTakeEffectWithoutARestart(t *testing.T) {
	compressed(t)
	far := openSent(t)
	r := &reloading{measuring: &measuring{dir: settle(t, "testdata/engine.yml")}}
	r.config = filepath.Join(r.dir, "shopwatch.yml")
	own, job := filepath.Join(r.dir, "own.rules.yml"), filepath.Join(r.dir, "jobs", "node.yml")
	put(t, own, "groups: [{name: own, rules: [{record: own:metric:twice, expr: own_metric * 2}]}]")
	if err := os.Mkdir(filepath.Dir(job), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(r.dir, "far.token"), farToken+"\n")
	program := shopwatch(t, "up", "--config.file="+r.config, "--data.dir="+filepath.Join(r.dir, "data"),
		"--web.listen-address=127.0.0.1:0", "--private.listen-address=127.0.0.1:0")
	program.Env = append(program.Env, "SHOP_URL="+far.URL)
	r.process = start(t, "up", program)
	r.private = r.says(t, saysConsole)[1]
	eventually(t, "what is scraped is sent on", func() error {
		if far.batches.Load() == 0 {
			return errors.New("no batch yet")
		}
		return nil
	}, r.process)
	if err := errors.Join(
		asks(r.private, "rules", "own:metric:twice"), asks(r.private, "rules", "time() - 300 "),
		asks(r.private, "status/flags", `"storage.tsdb.retention.size":"1GiB"`),
	); err != nil {
		t.Error(err)
	}

	put(t, job, "scrape_configs: [{job_name: node, scrape_interval: 1s, static_configs: [{targets: ['"+strings.TrimPrefix(far.URL, "http://")+"']}]}]")
	edit(t, r.config, "ops: 5m", "ops: 7m")
	r.hangUp(t)
	eventually(t, "the new tier and the new job are in force", func() error {
		return errors.Join(asks(r.private, "rules", "time() - 420 "), asks(r.private, instant("own_metric"), `"42"`))
	}, r.process)
	r.refusesAsAWhole(t, own, job)
	r.keeps(t, farToken, "token-of-the-bot")
	r.stop(t)
}

// refusesAsAWhole breaks one file after the other; each time the tiers change too.
func (r *reloading) refusesAsAWhole(t *testing.T, own, job string) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(r.dir, "data", "operator.token"))
	if err != nil {
		t.Fatal(err)
	}
	reload := func(want int) string {
		return answers(t, want, http.MethodPost, r.private+"/-/reload", "", "X-Shopwatch-Token", strings.TrimSpace(string(token)))
	}
	rendered := filepath.Join(r.dir, "data", "engine", "rules.yml")
	former, err := os.ReadFile(rendered)
	if err != nil {
		t.Fatal(err)
	}
	edit(t, r.config, "ops: 7m", "ops: 9m")
	for path, c := range map[string]struct{ from, to, want string }{
		own:      {"own_metric * 2", "sum(", r.config + ":6: engine.rule_files[0]: got "},
		job:      {"job_name: node", "job_name: shopwatch", "shopwatch"}, // ours is called so
		r.config: {"size: 1GB", "size: none", r.config + ":5: engine.retention.size: got none"},
	} {
		edit(t, path, c.from, c.to)
		if refused := reload(http.StatusInternalServerError); !strings.Contains(refused, c.want) {
			t.Errorf("of %s the operator is told %q, want %q in it", path, refused, c.want)
		}
		if now, err := os.ReadFile(rendered); err != nil || string(now) != string(former) {
			t.Errorf("a refused reload has changed %s (%v)", rendered, err)
		}
		if err := asks(r.private, "rules", "time() - 420 "); err != nil {
			t.Errorf("after a refused reload: %v", err)
		}
		edit(t, path, c.to, c.from)
	}
	reload(http.StatusOK)
	if err := asks(r.private, "rules", "time() - 540 "); err != nil {
		t.Error(err)
	}
}

func TestCheckTellsTheMistakesOfTheEnginesSection(t *testing.T) {
	t.Parallel()
	config := filepath.Join("testdata", "checking", "engine.yml")
	stdout, stderr, code := finished(t, shopwatch(t, "check", "--config.file="+config))
	if code != 1 || stdout != "" || strings.Contains(stderr, "not-to-be-told") {
		t.Errorf("exit code %d, on standard output %q, on standard error\n%s", code, stdout, stderr)
	}
	for _, want := range []string{
		config + ":2: engine.retention.size: got 4KB", config + ":3: engine.scrape_config_files[0]: got ",
		config + ":6: engine.remote_write: got field passwort not found",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("check doesn't say %q:\n%s", want, stderr)
		}
	}

	dir := settle(t, config)
	config = filepath.Join(dir, "shopwatch.yml")
	put(t, filepath.Join(dir, "taken.scrape.yml"), "scrape_configs: [{job_name: shopwatch}]")
	edit(t, config, "size: 4KB", "size: 4GB")
	edit(t, config, ", passwort: not-to-be-told", ", password: not-to-be-told")
	if _, stderr, code := finished(t, shopwatch(t, "check", "--config.file="+config)); code != 1 || !strings.Contains(stderr, `job name "shopwatch"`) {
		t.Errorf("a job of the name of ours: exit code %d, on standard error\n%s", code, stderr)
	}
	put(t, filepath.Join(dir, "taken.scrape.yml"), "scrape_configs: [{job_name: node}]")
	printed(t, shopwatch(t, "check", "--config.file="+config))
}
