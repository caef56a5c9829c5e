package main_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"shopwatch/rules"
)

// looks is a service as /looks tells it in JSON.
type looks struct {
	Service, Status string
	LastSuccess     time.Time `json:"last_success"`
	Looks           []struct {
		Start   time.Time
		Success bool
		Reason  string
	}
}

func looksAt(t testing.TB, private, service string) looks {
	t.Helper()
	var l looks
	if err := decode(private+"/looks/kiosk/"+service+"?format=json", &l); err != nil {
		t.Fatal(err)
	}
	return l
}

// edit changes a file in one place.
func edit(t testing.TB, path, from, to string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil || strings.Count(string(content), from) != 1 {
		t.Fatalf("%s has %d times %q, want 1 (%v)", path, strings.Count(string(content), from), from, err)
	}
	put(t, path, strings.Replace(string(content), from, to, 1))
}

func TestReloadKeepsWhatIsUnchangedAndRefusesMistakes(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"exporter", "up"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			shop := openStage(t)
			shop.play("/steady", 200, 500, 200) // one failure to remember
			r := &reloading{measuring: &measuring{dir: settle(t, "testdata/reloading.yml", "testdata/reloading.modules.yml")}}
			r.config, r.modules = filepath.Join(r.dir, "shopwatch.yml"), filepath.Join(r.dir, "reloading.modules.yml")
			program := shopwatch(t, command, "--config.file="+r.config, "--data.dir="+filepath.Join(r.dir, "data"),
				"--web.listen-address=127.0.0.1:0", "--private.listen-address=127.0.0.1:0")
			program.Env = append(program.Env, "SHOP_URL="+shop.URL)
			r.process = start(t, command, program)
			if command == "up" {
				r.private = r.says(t, saysConsole)[1]
			} else {
				r.private = "http://" + r.says(t, saysMetrics)[1]
			}
			if leads, want := answers(t, http.StatusFound, http.MethodGet, r.private+"/", ""), map[string]string{"exporter": "/looks", "up": "/console/"}[command]; !strings.Contains(leads, `"`+want+`"`) {
				t.Errorf("the bare private address leads to %s, want %s", leads, want)
			}
			r.keepsWhatIsUnchanged(t)
			r.refusesMistakes(t)
			r.stop(t)
		})
	}
}

// reloading is a program whose files are edited while it runs.
type reloading struct {
	*measuring
	config, modules string
}

func (r *reloading) hangUp(t *testing.T) {
	t.Helper()
	if err := r.command.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// keepsWhatIsUnchanged reloads, by SIGHUP, a file with one service changed, one
// that left and one that is new.
func (r *reloading) keepsWhatIsUnchanged(t *testing.T) {
	t.Helper()
	r.eventually(t, "all services are looked at", func(s series) error {
		if failed := s.failures("steady", rules.ReasonStatus); failed != 1 {
			return fmt.Errorf("steady failed %v times, want 1", failed)
		}
		return errors.Join(s.is("steady", rules.Operational), s.is("changing", rules.Operational), s.is("leaving", rules.Operational))
	})
	before, err := scrape(r.private)
	if err != nil {
		t.Fatal(err)
	}
	steady, edited := looksAt(t, r.private, "steady"), time.Now()

	edit(t, r.config, "id: leaving", "id: arriving")
	edit(t, r.modules, "method: GET", "method: HEAD")
	r.hangUp(t)
	const loaded = "shopwatch_config_last_reload_success_timestamp_seconds"
	r.eventually(t, "the new file is in force", func(s series) error {
		if failed := s.failures("steady", rules.ReasonStatus); failed != 1 || s.status("steady") != rules.Operational {
			t.Fatalf("after the reload steady is %s and failed %v times, want as before", s.status("steady"), failed)
		}
		was, _ := before.of(rules.ServiceLastSuccess.Name, "steady", "")
		if is, _ := s.of(rules.ServiceLastSuccess.Name, "steady", ""); is < was {
			t.Fatalf("the last success of steady went back from %f to %f", was, is)
		}
		if s[loaded] <= before[loaded] {
			return errors.New("not yet reloaded")
		}
		return errors.Join(s.is("steady", rules.Operational), s.is("changing", rules.Operational), s.is("arriving", rules.Operational), s.is("leaving", ""))
	})
	kept := looksAt(t, r.private, "steady")
	if at := slices.Index(kept.Looks, steady.Looks[0]); at < 0 || !slices.Equal(kept.Looks[at:], steady.Looks) {
		t.Errorf("the looks at what is unchanged are\n%v\nwere\n%v", kept.Looks, steady.Looks)
	}
	for _, look := range looksAt(t, r.private, "changing").Looks {
		if look.Start.Before(edited) {
			t.Errorf("a look at what is changed is of %s, before the change at %s", look.Start, edited)
		}
	}
	answers(t, http.StatusNotFound, http.MethodGet, r.private+"/looks/kiosk/leaving", "")
}

// refusesMistakes breaks the files, one after the other, and mends them.
func (r *reloading) refusesMistakes(t *testing.T) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(r.dir, "data", "operator.token"))
	if err != nil {
		t.Fatal(err)
	}
	bearer, reload := "Bearer "+strings.TrimSpace(string(token)), r.private+"/-/reload"
	const outcome = "shopwatch_config_last_reload_successful"
	former := func(s series) error {
		if s[outcome] != 0 {
			return fmt.Errorf("%s is %v", outcome, s[outcome])
		}
		return errors.Join(s.is("steady", rules.Operational), s.is("changing", rules.Operational), s.is("arriving", rules.Operational))
	}

	edit(t, r.modules, "method: HEAD", "methode: HEAD")
	r.hangUp(t)
	r.eventually(t, "a mistake in a module is refused", former)
	if said, want := r.stderr.String(), r.modules+":8: modules.changing.http.methode"; !strings.Contains(said, want) {
		t.Errorf("the log does not say %s", want)
	}
	answers(t, http.StatusUnauthorized, http.MethodPost, reload, "")
	answers(t, http.StatusUnauthorized, http.MethodPost, reload, "", "Authorization", bearer+"x")
	answers(t, http.StatusForbidden, http.MethodPost, reload, "", "Authorization", bearer, "Origin", "https://evil.example")
	edit(t, r.modules, "methode: HEAD", "method: HEAD")
	if now, err := scrape(r.private); err != nil || former(now) != nil {
		t.Errorf("somebody else reloaded: %v", errors.Join(err, former(now)))
	}

	edit(t, r.config, "id: arriving,", "id: arriving, slow: never,")
	refused := answers(t, http.StatusInternalServerError, http.MethodPost, reload, "", "Authorization", bearer)
	if !strings.Contains(refused, r.config+":11: exporter.shops[0].services[2].slow: got never") || !strings.Contains(refused, "the former configuration stays in force") {
		t.Errorf("the operator is told %q", refused)
	}
	r.eventually(t, "a mistake in the configuration is refused", former)

	edit(t, r.config, ", slow: never,", ",")
	answers(t, http.StatusOK, http.MethodPost, reload, "", "X-Shopwatch-Token", strings.TrimSpace(string(token)))
	r.eventually(t, "the mended file is in force", func(s series) error {
		if s[outcome] != 1 {
			return fmt.Errorf("%s is %v", outcome, s[outcome])
		}
		return s.is("arriving", rules.Operational)
	})
	r.keeps(t, strings.TrimSpace(string(token)), "token-of-the-bot")
}
