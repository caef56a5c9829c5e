package main_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// notToBeTold is the secret in the configuration with the mistakes.
const notToBeTold = "not-to-be-told"

func TestEachStartUpErrorIsALineThatSaysWhatToDo(t *testing.T) {
	t.Parallel()
	occupied, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { occupied.Close() }) // the subtests run when this function has returned
	taken := occupied.Addr().String()
	const mistakes = "testdata/three-mistakes.yml"
	anywhere := []string{"--web.listen-address=127.0.0.1:0", "--private.listen-address=127.0.0.1:0"}

	for _, c := range []struct {
		name string
		// prepare makes what stands in the way below an empty folder.
		prepare func(t *testing.T, dir string)
		args    []string
		want    []string // a part of each line on standard error
	}{
		{"the private port is taken", nil, []string{"up", "--web.listen-address=127.0.0.1:0", "--private.listen-address=" + taken},
			[]string{"--private.listen-address: listen tcp " + taken + ": bind: address already in use; choose another address"}},
		{"the public port is taken", nil, []string{"up", "--web.listen-address=" + taken, "--private.listen-address=127.0.0.1:0"},
			[]string{"--web.listen-address: listen tcp " + taken + ": bind: address already in use; choose another address"}},
		{"an address is none", nil, []string{"up", "--web.listen-address=127.0.0.1:0", "--private.listen-address=localhost"},
			[]string{"--private.listen-address: listen tcp: address localhost: missing port in address; choose another address"}},
		// A folder below a file can't be made, not even by root.
		{"the data folder can't be made", file("data"), append([]string{"up", "--data.dir=DIR/data/below"}, anywhere...),
			[]string{"--data.dir: mkdir DIR/data: not a directory"}},
		{"the operator's token can't be read", folder("operator.token"), append([]string{"up"}, anywhere...),
			[]string{"token file: read DIR/operator.token: is a directory"}},
		{"the operator's token is empty", file("operator.token"), append([]string{"up"}, anywhere...),
			[]string{`token file "DIR/operator.token" is empty: remove it to have a new one made`}},
		{"the webhook's token can't be read", folder("webhook.token"), append([]string{"up"}, anywhere...),
			[]string{"token file: read DIR/webhook.token: is a directory"}},
		{"a configuration with three mistakes is checked", nil, []string{"check", "--config.file=" + mistakes}, threeMistakes},
		{"a configuration with three mistakes is run", nil, append([]string{"up", "--config.file=" + mistakes}, anywhere...), threeMistakes},
		{"the exporter reads its half of the mistakes", nil, []string{"exporter", "--config.file=" + mistakes}, threeMistakes[:2]},
		{"the configuration isn't there", nil, append([]string{"up", "--config.file=DIR/shop.yml"}, anywhere...), []string{"DIR/shop.yml"}},
		{"the exporter has no configuration", nil, []string{"exporter"}, []string{"--config.file is required"}},
		{"nobody runs whose demo could break", nil, []string{"demo", "break", "alipay"}, []string{`no shopwatch has run with --data.dir "DIR"`}},
		{"a command is unknown", nil, []string{"frobnicate"}, []string{"shopwatch: unexpected frobnicate; try --help"}},
		{"a flag is unknown", nil, []string{"--frobnicate"}, []string{"shopwatch: unknown long flag '--frobnicate'; try --help"}},
		{"tiers make no sense", nil, []string{"rules", "--tier.ops=1s"}, []string{"escalation: ops 1s: want at least 1m15s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if c.prepare != nil {
				c.prepare(t, dir)
			}
			args := append([]string{"--data.dir=DIR"}, c.args...)
			if strings.Contains(strings.Join(c.args, " "), "--data.dir") {
				args = c.args
			}
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "DIR", dir)
			}
			stdout, stderr, code := finished(t, shopwatch(t, args...))
			if code != 1 || stdout != "" {
				t.Errorf("exit code %d, want 1; on standard output %q, want nothing", code, stdout)
			}
			lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
			if len(lines) != len(c.want) {
				t.Fatalf("on standard error %d lines, want %d:\n%s", len(lines), len(c.want), stderr)
			}
			for i, want := range c.want {
				if want = strings.ReplaceAll(want, "DIR", dir); !strings.Contains(lines[i], want) {
					t.Errorf("line %d says\n%s\nwant\n%s", i+1, lines[i], want)
				}
			}
			if strings.Contains(stderr, notToBeTold) {
				t.Errorf("a secret is told:\n%s", stderr)
			}
		})
	}
}

var threeMistakes = []string{
	"testdata/three-mistakes.yml:6: exporter.shops[0].services[0].target: got shop.example.com, want http://… or https://… with a host, or host:port; for anything else a module or the block of a kind",
	"testdata/three-mistakes.yml:7: exporter.shops[0].services[0].interval: got 15, want a duration such as 15s, 5m or 1d",
	"testdata/three-mistakes.yml:12: notifier.email.port: got 99999, want 1–65535",
}

// file puts an empty file where something else is looked for.
func file(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// folder puts a folder where a file is looked for.
func folder(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}
