package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shopwatch/rules"
)

func TestScrapeReturnsEverythingAndWaitsForNoLook(t *testing.T) {
	t.Parallel()
	shop, asked, hungUp := openStage(t), make(chan struct{}), make(chan struct{})
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	go func() { // takes the question and never answers
		defer close(hungUp)
		conn, err := silent.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		buffer := make([]byte, 4096)
		if _, err := conn.Read(buffer); err == nil {
			close(asked)
		}
		for err == nil {
			_, err = conn.Read(buffer)
		}
	}()
	m := measure(t, settle(t, "testdata/measuring.yml"), "SHOP_URL="+shop.URL, "SILENT_URL=http://"+silent.Addr().String())
	m.eventually(t, "the storefront is looked at", func(s series) error { return s.is("storefront", rules.Operational) })
	eventually(t, "the silent service is looked at", func() error {
		select {
		case <-asked:
			return nil
		default:
			return errors.New("nobody asks")
		}
	}, m.process)

	now, err := scrape(m.private)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-hungUp:
		t.Error("the silent service was given up before the scrape was answered")
	default: // its look goes on, for most of a minute
	}
	storefront := `{service="storefront",shop="kiosk",target="` + shop.URL + `/"`
	if err := errors.Join(now.is("storefront", rules.Operational), now.is("silent", rules.Unknown), now.has(
		`shopwatch_service_info{`, `shopwatch_service_status{`, `shopwatch_service_affected{`, `shopwatch_service_last_look_timestamp_seconds{`,
		`shopwatch_service_last_success_timestamp_seconds{`, `shopwatch_service_failures_total{`, `shopwatch_build_info{`,
		"shopwatch_config_last_reload_successful", "shopwatch_look_lateness_seconds_count", "go_goroutines", "process_cpu_seconds_total",
		"probe_success"+storefront, "probe_duration_seconds"+storefront, "probe_http_status_code"+storefront, "probe_ip_protocol"+storefront,
		"node_load1", "node_memory_MemTotal_bytes", "node_cpu_seconds_total{", "node_filesystem_", "node_disk_", "node_network_",
	)); err != nil {
		t.Error(err)
	}
	if skew := time.Since(time.UnixMilli(int64(now[rules.Time.Name] * 1000))); skew < 0 || skew > time.Minute {
		t.Errorf("the exporter's clock is %s behind that of this machine", skew)
	}
	if now["node_memory_MemTotal_bytes"] <= 0 {
		t.Error("the machine has no memory")
	}
	m.stop(t)
	<-hungUp
}

func TestTargetsThresholdsCausesAndSlownessAreOnMetrics(t *testing.T) {
	t.Parallel()
	shop := openStage(t)
	// One failure is forgiven, two are not; one success is no recovery, two are.
	shop.play("/database", 200, 500, 500, 200, 500, 200, 200)
	m := measure(t, settle(t, "testdata/judging.yml"), "SHOP_URL="+shop.URL)
	// What holds of every scrape, whenever it comes.
	holding := func(s series) error {
		_, known := s.of(rules.ServiceLastLook.Name, "database", "")
		switch status, failed := s.status("database"), s.failures("database", rules.ReasonStatus); {
		case known && failed < 2 && status != rules.Operational, failed == 2 && status != rules.Outage:
			t.Fatalf("after %v failed looks the database is %s", failed, status)
		}
		if affected, _ := s.of(rules.ServiceAffected.Name, "storefront", ""); s.status("database") == rules.Outage && affected != 1 {
			t.Fatalf("the storefront's cause is an outage and shopwatch_service_affected is %v", affected)
		}
		if status := s.status("storefront"); status != rules.Operational && status != rules.Unknown {
			t.Fatalf("the storefront answers and is %s", status)
		}
		return s.has("shopwatch_")
	}
	wait := func(what string, check func(series) error) {
		t.Helper()
		m.eventually(t, what, func(s series) error { return errors.Join(holding(s), check(s)) })
	}
	mirror := func(s series, name string, want float64) error {
		if got, ok := s.of("probe_success", "mirrors", `…,target="`+shop.URL+"/mirror/"+name+`"`); !ok || got != want {
			return fmt.Errorf("probe_success of mirror %s is %v, want %v", name, got, want)
		}
		return nil
	}
	wait("the database is an outage", func(s series) error { return s.is("database", rules.Outage) })
	wait("a slow page is degraded", func(s series) error { return s.is("crawling", rules.Degraded) })

	shop.play("/mirror/b", 500)
	wait("two of three mirrors answer", func(s series) error {
		return errors.Join(mirror(s, "a", 1), mirror(s, "b", 0), mirror(s, "c", 1), s.is("mirrors", rules.Operational))
	})
	shop.play("/mirror/c", 500)
	wait("one of three mirrors is too few", func(s series) error {
		return errors.Join(mirror(s, "a", 1), mirror(s, "b", 0), mirror(s, "c", 0), s.is("mirrors", rules.Outage))
	})
	shop.play("/mirror/b", 200)
	wait("two mirrors answer again", func(s series) error { return s.is("mirrors", rules.Operational) })
	wait("the database has recovered", func(s series) error {
		affected, _ := s.of(rules.ServiceAffected.Name, "storefront", "")
		if failed := s.failures("database", rules.ReasonStatus); failed != 3 || affected != 0 {
			return fmt.Errorf("%v failed looks, want 3; the storefront's affected is %v, want 0", failed, affected)
		}
		return s.is("database", rules.Operational)
	})
	now, err := scrape(m.private)
	if err != nil || now.has("node_") == nil {
		t.Errorf("the machine is measured though no collector is named (%v)", err)
	}
	m.stop(t)
}

// remembered is the state file of services.
type remembered struct {
	Services []struct {
		Service     string
		LastSuccess time.Time `json:"last_success"`
		Outage      bool
	}
}

func TestOutageKeepsItsAgeThoughTheExporterIsKilled(t *testing.T) {
	t.Parallel()
	shop := openStage(t)
	dir := settle(t, "testdata/killed.yml")
	m := measure(t, dir, "SHOP_URL="+shop.URL)
	m.eventually(t, "the storefront works", func(s series) error { return s.is("storefront", rules.Operational) })
	shop.play("/", 503)
	var success float64
	m.eventually(t, "the storefront is an outage", func(s series) error {
		success, _ = s.of(rules.ServiceLastSuccess.Name, "storefront", "")
		return s.is("storefront", rules.Outage)
	})
	// A power cut costs at most what came since the last save.
	eventually(t, "the outage is kept", func() error {
		var kept remembered
		content, err := os.ReadFile(filepath.Join(dir, "data", "services.json"))
		if err == nil {
			err = json.Unmarshal(content, &kept)
		}
		if err == nil && (len(kept.Services) != 1 || !kept.Services[0].Outage || kept.Services[0].LastSuccess.UnixMilli() != int64(success*1000+0.5)) {
			err = fmt.Errorf("kept: %s, want an outage since %f", content, success)
		}
		return err
	}, m.process)
	m.kill()

	m = measure(t, dir, "SHOP_URL="+shop.URL)
	m.eventually(t, "the storefront is looked at again", func(s series) error {
		look, known := s.of(rules.ServiceLastLook.Name, "storefront", "")
		if !known {
			return errors.New("no look yet")
		}
		if again, _ := s.of(rules.ServiceLastSuccess.Name, "storefront", ""); again != success || look <= again {
			t.Fatalf("the last success is %f after the restart, was %f; the last look is %f", again, success, look)
		}
		// The first failed look shows the outage again, for all its threshold of three.
		if status, failed := s.status("storefront"), s.failures("storefront", rules.ReasonStatus); status != rules.Outage && failed > 0 {
			t.Fatalf("after %v failed looks the outage from before the restart is %s", failed, status)
		}
		return s.is("storefront", rules.Outage)
	})
	shop.play("/", 200)
	m.eventually(t, "the storefront works again", func(s series) error {
		if again, _ := s.of(rules.ServiceLastSuccess.Name, "storefront", ""); again <= success {
			return fmt.Errorf("the last success is %f", again)
		}
		return s.is("storefront", rules.Operational)
	})
	m.stop(t)
}
