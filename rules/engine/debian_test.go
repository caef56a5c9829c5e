package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"shopwatch/internal/servertest"
)

// debian finds a program of a Debian package, or skips the test.
func debian(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	reason := program + " isn't installed (Debian's package of that name)"
	if os.Getenv("SHOPWATCH_TEST_NO_SKIP") == "1" {
		t.Fatal(reason)
	}
	t.Skip(reason)
	return ""
}

// serve starts a server of Debian's on a free port of loopback, waits until it is
// ready, and has it end with the test.
func serve(t *testing.T, program string, arguments ...string) (url string) {
	t.Helper()
	address := servertest.FreeAddress(t)
	command := exec.Command(program, append(arguments, "--web.listen-address="+address)...)
	log := &lines{}
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait() // says that it was asked to end
		if t.Failed() {
			t.Logf("%s said:\n%s", program, log)
		}
	})
	eventually(t, program+" is ready", func() bool {
		response, err := http.Get("http://" + address + "/-/ready")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return "http://" + address
}

// day is what happens to a shop, in seconds: a service that is down for both
// tiers and comes back, one that is down for the first, an order that is stuck,
// goods that are sold out, a second shop in which all is well, and at last an
// exporter that dies.
func day(since, now time.Time) string {
	at := now.Sub(since)
	during := func(from, to int) bool {
		return at >= time.Duration(from)*time.Second && at < time.Duration(to)*time.Second
	}
	if during(32, 1000) {
		return ""
	}
	begin := func(seconds int) time.Time { return since.Add(time.Duration(seconds) * time.Second) }
	var text strings.Builder
	for _, shop := range []string{"kiosk", "second"} {
		for id, down := range map[string][2]int{"storefront": {2, 22}, "alipay": {4, 15}, "steady": {0, 0}} {
			if is := shop == "kiosk" && during(down[0], down[1]); is {
				service(&text, shop, id, begin(down[0]), now, true)
			} else {
				service(&text, shop, id, now, now, false)
			}
		}
		fmt.Fprintf(&text, "shopwatch_ledger_up{shop=%q} 1\nshopwatch_ledger_last_success_timestamp_seconds{shop=%q} %.3f\n", shop, shop, unix(now))
	}
	if during(3, 23) {
		fmt.Fprintf(&text, "shopwatch_orders_oldest_waiting_timestamp_seconds{shop=\"kiosk\",kind=\"automatic\"} %.3f\n", unix(begin(3)))
	}
	fmt.Fprintf(&text, "shopwatch_stock_cards{shop=\"kiosk\",product=\"7\"} %d\n", map[bool]int{false: 50}[during(5, 25)])
	fmt.Fprintf(&text, "probe_ssl_earliest_cert_expiry{shop=\"kiosk\",service=\"storefront\",target=\"https://kiosk.example\"} %d\n", since.Add(5*24*time.Hour).Unix())
	fmt.Fprintf(&text, "shopwatch_time_seconds %.3f\n", unix(now))
	return text.String()
}

func TestDebiansPrometheusAndAlertmanagerTellTheSame(t *testing.T) {
	t.Parallel()
	prometheus, alertmanager := debian(t, "prometheus"), debian(t, "prometheus-alertmanager")
	var began atomic.Pointer[time.Time]
	s := newStage(t, func(now time.Time) string {
		since := began.Load()
		if since == nil {
			since = &now
		}
		return day(*since, now)
	})
	theirs := s.files(t, "debian", "http://127.0.0.1:9")
	router := serve(t, alertmanager, "--config.file="+filepath.Join(theirs, "alertmanager.yml"), "--storage.path="+t.TempDir(), "--cluster.listen-address=")
	// The same files but for the address of the Alertmanager.
	replace(t, filepath.Join(theirs, "prometheus.yml"), "127.0.0.1:9\"", strings.TrimPrefix(router, "http://")+"\"")
	judge := serve(t, prometheus, "--config.file="+filepath.Join(theirs, "prometheus.yml"), "--storage.tsdb.path="+t.TempDir(),
		"--rules.alert.resend-delay="+fast.Scale(time.Minute).String())
	s.run(t, s.files(t, "engine", "http://127.0.0.1:9"), t.TempDir())
	both := func(alert, status string) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, who := range []string{"debian", "engine"} {
			if !slices.ContainsFunc(s.pages[who], func(p page) bool { return p.Labels["alertname"] == alert && p.Status == status }) {
				return false
			}
		}
		return true
	}
	eventually(t, "both judge", func() bool { return both("Watchdog", "firing") })
	// Debian's first scrape comes 5 s after its start. At this pace that is a time
	// in which an exporter can be gone.
	for _, base := range []string{s.URL + "/prometheus", judge} {
		eventually(t, base+" has seen the exporter", func() bool {
			return strings.Contains(fetch(t, base+"/api/v1/query?query=up"), `"1"`) && strings.Count(fetch(t, base+"/api/v1/alerts"), `"alertname"`) == 1
		})
	}
	eventually(t, "what was told of the start is over, and told to be", func() bool {
		if strings.Count(fetch(t, router+"/api/v2/alerts"), `"alertname"`) != 1 {
			return false
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for alert, course := range told(s.pages["debian"]) { // Alertmanager lists no end that it has yet to tell
			if !strings.HasPrefix(alert, "Watchdog ") && !strings.HasPrefix(course[len(course)-1], "resolved ") {
				return false
			}
		}
		return true
	})
	s.mu.Lock()
	clear(s.pages)
	s.mu.Unlock()
	now := time.Now()
	began.Store(&now)
	for _, end := range []string{"ServiceDownProlonged", "OrdersStuck"} {
		within(t, 45*time.Second, end+" is resolved for both", func() bool { return both(end, "resolved") })
	}
	within(t, 45*time.Second, "the exporter's death is told by both", func() bool { return both("ExporterGone", "firing") })

	if ours, theirs := evaluated(t, s.URL+"/prometheus"), evaluated(t, judge); ours != theirs || ours < 50 {
		t.Errorf("the engine evaluates %d rules, Debian's Prometheus %d", ours, theirs)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	ours, their := told(s.pages["engine"]), told(s.pages["debian"])
	for _, alert := range slices.Sorted(maps.Keys(union(ours, their))) {
		if !slices.Equal(ours[alert], their[alert]) {
			t.Errorf("%s\nthe engine tells\n  %s\nand Debian's servers tell\n  %s", alert, strings.Join(ours[alert], "\n  "), strings.Join(their[alert], "\n  "))
		}
	}
	for _, want := range []string{
		"ServiceDown kiosk/storefront", "ServiceDownProlonged kiosk/storefront", "ServiceDown kiosk/alipay",
		"OrdersDelayed kiosk/delivery", "OrdersStuck kiosk/delivery", "ExporterGone", "Watchdog",
	} {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(ours)), func(alert string) bool { return strings.HasPrefix(alert, want) }) {
			t.Errorf("%s was not told: the history isn't what it is meant to be", want)
		}
	}
	for _, alert := range slices.Sorted(maps.Keys(ours)) {
		t.Logf("both tell %s", alert)
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// evaluated counts the rules of a Prometheus, each of which must have been
// evaluated without an error.
func evaluated(t *testing.T, base string) (n int) {
	t.Helper()
	var answer struct {
		Data struct {
			Groups []struct {
				Name     string
				Interval float64
				Rules    []struct{ Name, Health, LastError string }
			}
		}
	}
	if err := json.Unmarshal([]byte(fetch(t, base+"/api/v1/rules")), &answer); err != nil {
		t.Fatal(err)
	}
	for _, group := range answer.Data.Groups {
		for _, rule := range group.Rules {
			n++
			if rule.Health != "ok" && (rule.Health != "unknown" || group.Interval < 10) {
				t.Errorf("%s: rule %s is %s: %s", base, rule.Name, rule.Health, rule.LastError)
			}
		}
	}
	return n
}

// times matches what differs between two who look at the same thing at slightly
// different moments.
var times = regexp.MustCompile(`[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?`)

// told lists by alert and audience what was told of it: each change of its state
// with its labels and with its annotations but for their figures.
func told(pages []page) map[string][]string {
	by := make(map[string][]string)
	state := make(map[string]string)
	for _, p := range pages {
		key := fmt.Sprintf("%s %s/%s to %s %v", p.Labels["alertname"], p.Labels["shop"], p.Labels["service"], p.Audience, p.Labels)
		if state[key] == p.Status {
			continue
		}
		state[key] = p.Status
		text := ""
		for _, name := range slices.Sorted(maps.Keys(p.Annotations)) {
			text += name + ": " + times.ReplaceAllString(p.Annotations[name], "N") + "; "
		}
		by[key] = append(by[key], p.Status+" "+text)
	}
	return by
}

func union(a, b map[string][]string) map[string]bool {
	all := make(map[string]bool)
	for key := range a {
		all[key] = true
	}
	for key := range b {
		all[key] = true
	}
	return all
}

func replace(t *testing.T, path, from, to string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil || strings.Count(string(content), from) != 1 {
		t.Fatal(errors.Join(err, fmt.Errorf("%s has %d times %s, want once", path, strings.Count(string(content), from), from)))
	}
	put(t, path, strings.Replace(string(content), from, to, 1))
}

// within is eventually with a patience of its own.
func within(t *testing.T, patience time.Duration, what string, check func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !check(); {
		if time.Now().After(end) {
			t.Fatalf("after %s still not: %s", patience, what)
		}
		<-time.After(50 * time.Millisecond)
	}
}
