package main_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hangUp sends SIGHUP after SIGHUP until done, or the process has ended.
func hangUp(p *process, done func() bool) {
	for !done() {
		select {
		case <-p.ended:
			return
		default:
			p.command.Process.Signal(syscall.SIGHUP) // an error says that it has ended
		}
	}
}

func TestSIGHUPEndsNoExporterThatStartsOrStops(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	dir := t.TempDir()
	config, data := filepath.Join(dir, "shopwatch.yml"), filepath.Join(dir, "data")
	write(t, config, "exporter:\n  anchors: []\n  probe: {targets: [127.0.0.1]}\n"+
		"  shops: [{id: main, services: [{id: storefront, target: \"http://"+freeAddress(t)+"/\"}]}]\n")
	p := start(t, "the exporter", shopwatch(t, "exporter", "--config.file="+config, "--data.dir="+data, "--private.listen-address=127.0.0.1:0"))
	for began := time.Now(); ; {
		if _, err := os.Stat(data); err == nil {
			break
		} else if !errors.Is(err, fs.ErrNotExist) || time.Since(began) > patience {
			t.Fatal(err)
		}
	}
	hangUp(p, func() bool { return strings.Contains(p.stderr.String(), "was reloaded") })
	select {
	case <-p.ended:
		t.Fatalf("the exporter ended with %v when it was to reload while it started", p.err)
	default:
	}

	// A request under way makes the stop last.
	at := p.says(t, saysMetrics)[1]
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		ask("GET", "http://"+at+"/probe?target=http://"+silent.Addr().String(), "") // is broken off
	}()
	if conn, err := silent.Accept(); err != nil {
		t.Fatal(err)
	} else {
		defer conn.Close()
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		hangUp(p, func() bool { return false })
	}()
	p.stop(t)
	<-stopped
	<-asked
}

func TestConfigurationWithAMistakeLeavesTheFormerOneInForce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "shopwatch.yml")
	services := func(more string) string {
		return "exporter:\n  anchors: []\n  shops: [{id: main, services: [{id: storefront, target: \"http://127.0.0.1:1/\"}" + more + "]}]\n"
	}
	write(t, config, services(""))
	p := start(t, "the exporter", shopwatch(t, "exporter", "--config.file="+config, "--data.dir="+filepath.Join(dir, "data"), "--private.listen-address=127.0.0.1:0"))
	at := "http://" + p.says(t, saysMetrics)[1]
	token, err := os.ReadFile(filepath.Join(dir, "data", "operator.token"))
	if err != nil {
		t.Fatal(err)
	}
	bearer := "Bearer " + strings.TrimSpace(string(token))
	shows := func(service string, want bool) {
		t.Helper()
		metrics := answers(t, 200, "GET", at+"/metrics", "")
		if strings.Contains(metrics, `service="`+service+`"`) != want {
			t.Errorf("service %s is shown: %t, want %t", service, !want, want)
		}
	}

	write(t, config, services(`, {id: checkout, target: "ftp://127.0.0.1:1/"}`))
	answers(t, 401, "POST", at+"/-/reload", "")
	answers(t, 500, "POST", at+"/-/reload", "", "Authorization", bearer)
	shows("storefront", true)
	shows("checkout", false)
	if metrics := answers(t, 200, "GET", at+"/metrics", ""); !strings.Contains(metrics, "shopwatch_config_last_reload_successful 0\n") {
		t.Error("no metric says that the configuration was not reloaded")
	}
	write(t, config, services(`, {id: checkout, target: "http://127.0.0.1:1/"}`))
	answers(t, 200, "POST", at+"/-/reload", "", "Authorization", bearer)
	shows("checkout", true)
	p.stop(t)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
