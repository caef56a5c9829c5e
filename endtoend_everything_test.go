package main_test

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"shopwatch/notifier/sandbox"
)

const (
	everythingProbe  = "token-of-whoever-probes"
	everythingWorker = "token-of-the-worker"
)

// everythingOps are who is told of the page of testdata/everything.yml.
var everythingOps = readers("商店首页暂时打不开", [2]string{sandbox.Telegram, "-1001"})

// everythingOf is `shopwatch up` on a folder, telling through a sandbox.
func everythingOf(t testing.TB, dir, shop string, box *sandbox.Sandbox, args ...string) *exec.Cmd {
	t.Helper()
	command := shopwatch(t, append([]string{
		"up", "--config.file=" + filepath.Join(dir, "shopwatch.yml"), "--data.dir=" + filepath.Join(dir, "data"),
		"--web.listen-address=127.0.0.1:0", "--private.listen-address=127.0.0.1:0",
	}, args...)...)
	command.Env = append(command.Env, "SHOP_URL="+shop, "PROBE_TOKEN="+everythingProbe, "WORKER_TOKEN="+everythingWorker,
		"TELEGRAM_TOKEN="+box.Credentials().TelegramToken, "TELEGRAM_API_URL="+box.TelegramURL())
	return command
}

func TestDemoEndsWithTheWindowThatItWasStartedIn(t *testing.T) {
	t.Parallel()
	// Whoever runs the tests under nohup hands that on to what they start; a signal
	// that is heard here is as usual there.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangups) })
	d := demonstrate(t, t.TempDir(), "127.0.0.1:0", "127.0.0.1:0")
	if err := d.command.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	select {
	case <-d.ended:
	case <-time.After(stopsIn):
		t.Fatalf("the demo does not stop within %s", stopsIn)
	}
	if d.err != nil {
		t.Errorf("the demo stopped with %v, want exit code 0", d.err)
	}
}
