package main_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"shopwatch/internal/servertest"
	"shopwatch/notifier/sandbox"
)

// disk is a small file system of a test's own.
type disk struct{ dir string }

// newDisk mounts one; the test has mounts of its own.
func newDisk(t *testing.T, mebibytes int) disk {
	t.Helper()
	dir, err := os.MkdirTemp("", "disk") // where PostgreSQL's own user reaches it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	d := disk{dir}
	if err := syscall.Mount("tmpfs", d.dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=1777", mebibytes)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // what was opened on it has ended
		if err := syscall.Unmount(d.dir, 0); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d disk) filler() string { return filepath.Join(d.dir, "filler") }

// fill takes every byte that is left.
func (d disk) fill(t *testing.T) {
	t.Helper()
	file, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for size := 1 << 20; size > 0; {
		if _, err := file.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func (d disk) makeRoom(t *testing.T) {
	t.Helper()
	if err := os.Remove(d.filler()); err != nil {
		t.Fatal(err)
	}
}

// cramped is a notifier whose database is on a small disk, and who sends it alerts.
type cramped struct {
	disk     disk
	box      *sandbox.Sandbox
	dir      string
	database string // URL of PostgreSQL; empty: SQLite on the disk
	notifier *process
	webhook  string
	raised   int
	refused  []int // alerts that were answered 503 and have to be sent again
}

func (c *cramped) open(t *testing.T) {
	t.Helper()
	where, command := "", filepath.Join(c.dir, "data")
	if c.database != "" {
		where = "store: {postgres: \"${DATABASE}\"}"
	} else {
		command = filepath.Join(c.disk.dir, "data")
	}
	put(t, filepath.Join(c.dir, "shopwatch.yml"), `notifier:
  prometheus: {url: "http://127.0.0.1:1"}
  webhook: {token: token-of-the-webhook}
  `+where+`
  webhooks: [{name: desk, url: "`+c.box.RobotURL(sandbox.Webhook)+`", secret: "`+c.box.GateCredentials().Secret+`"}]
  audiences: {ops: [{webhook: desk, language: en}]}
`)
	program := shopwatch(t, "notifier", "--config.file="+filepath.Join(c.dir, "shopwatch.yml"), "--data.dir="+command,
		"--private.listen-address=127.0.0.1:0", "--web.listen-address=127.0.0.1:0")
	program.Env = append(program.Env, "DATABASE="+c.database)
	c.notifier = start(t, "notifier", program)
	c.webhook = "http://" + c.notifier.says(t, saysWebhook)[2] + "/webhook?audience=ops"
}

func titleOf(n int) string { return fmt.Sprintf("Outage number %04d of the shop", n) }

// send posts an alert as Alertmanager does, and reports whether it was taken.
// Alertmanager tries again after 5xx alone.
func (c *cramped) send(t *testing.T, n int) bool {
	t.Helper()
	body := fmt.Sprintf(`{"version":"4","alerts":[{"status":"firing","fingerprint":"f%[1]d","startsAt":%[2]q,"labels":{"alertname":"Outage%[1]d","severity":"critical","tier":"ops","incident":"shop/outage%[1]d"},
		"annotations":{"summary":%[3]q,"summary_zh":%[3]q}}]}`, n, time.Now().Format(time.RFC3339), titleOf(n))
	r, err := http.NewRequest(http.MethodPost, c.webhook, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer token-of-the-webhook")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		t.Fatal(err)
	case response.StatusCode == http.StatusOK:
		return true
	case response.StatusCode != http.StatusServiceUnavailable:
		t.Errorf("an alert that can't be kept was answered %d, want 503: %s", response.StatusCode, answer)
	}
	return false
}

// raise sends so many new alerts that are taken, or refused.
func (c *cramped) raise(t *testing.T, taken, refused int) {
	t.Helper()
	for most := c.raised + 2000; taken > 0 || refused > 0; c.raised++ {
		if c.raised == most {
			t.Fatal("the disk is never full")
		}
		if c.send(t, c.raised) {
			taken--
		} else {
			refused--
			c.refused = append(c.refused, c.raised)
		}
	}
}

// again sends what was refused until it is taken.
func (c *cramped) again(t *testing.T) {
	t.Helper()
	eventually(t, "alerts are taken again", func() error {
		for len(c.refused) > 0 {
			if !c.send(t, c.refused[0]) {
				return fmt.Errorf("%d alerts are refused", len(c.refused))
			}
			c.refused = c.refused[1:]
		}
		return nil
	}, c.notifier)
}

// told waits until all are told of everything, and gives how often some were told
// more than once.
func (c *cramped) told(t *testing.T) (doubled int) {
	t.Helper()
	last := c.raised
	c.raise(t, 1, 0) // what is told after all else
	var all []sandbox.Message
	eventually(t, "all that was taken is told", func() error {
		all = c.box.Messages()
		doubled = 0
		for n := range c.raised {
			times := 0
			for _, m := range all {
				if strings.Contains(m.Text, titleOf(n)) {
					times++
				}
			}
			if times == 0 {
				return fmt.Errorf("of outage %d of %d nobody has heard", n, last+1)
			}
			doubled += times - 1
		}
		return nil
	}, c.notifier)
	return doubled
}

func TestFullDiskIsAnsweredWith503AndAllThatWasTakenIsToldOnceThereIsRoom(t *testing.T) {
	t.Parallel()
	if !inMountsOfItsOwn(t) {
		return
	}
	for engine, place := range map[string]func(t *testing.T, c *cramped){
		"sqlite":   func(t *testing.T, c *cramped) { c.disk = newDisk(t, 8) },
		"postgres": onTablespace,
	} {
		t.Run(engine, func(t *testing.T) {
			const senders = 8 // of a robot's line, at most
			c := &cramped{box: mailbox(t), dir: t.TempDir()}
			place(t, c)
			c.open(t)
			c.box.Fail(sandbox.Webhook, sandbox.Fault{Times: -1, Status: http.StatusBadGateway})
			c.raise(t, 5, 0) // they have to be tried again
			c.disk.fill(t)
			c.raise(t, 0, 5)
			c.box.Heal(sandbox.Webhook)
			if !strings.Contains(c.notifier.stderr.String(), "full") {
				t.Error("nothing was logged that says what is wrong")
			}
			c.disk.makeRoom(t)
			c.again(t)
			if doubled := c.told(t); doubled != 0 {
				t.Errorf("%d outages of %d were told twice", doubled, c.raised)
			}
			t.Logf("%d outages, of which the last were raised on a full disk", c.raised)

			c.disk.fill(t)
			c.raise(t, 0, 5)
			c.notifier.kill()
			c.disk.makeRoom(t)
			c.open(t)
			c.again(t)
			if doubled := c.told(t); doubled > senders {
				t.Errorf("after a kill %d outages of %d were told twice, want at most the %d under way", doubled, c.raised, senders)
			}
			c.notifier.keeps(t, "token-of-the-webhook", c.box.GateCredentials().Secret)
			c.notifier.stop(t)
		})
	}
}

// onTablespace gives a notifier a database of PostgreSQL in a tablespace on the disk.
func onTablespace(t *testing.T, c *cramped) {
	t.Helper()
	server := servertest.Postgres(t)
	c.disk = newDisk(t, 24)
	space := filepath.Join(c.disk.dir, "space")
	server.Exec(t, `COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; mkdir -m 700 "`+space+`"'`) // it has to be the server's own
	server.Exec(t, `CREATE TABLESPACE small LOCATION '`+space+`'`)
	server.Exec(t, `ALTER DATABASE template1 SET TABLESPACE small`)
	c.database = server.NewDatabase(t)
	t.Cleanup(server.Stop) // before its disk goes
}
