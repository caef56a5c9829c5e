package main_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"shopwatch/notifier/sandbox"
)

// tellingFile has a page, a door and somebody to tell; %s are the page's title, the
// door's token, who is told, and the far side's URL and secret.
const tellingFile = `notifier:
  page: {title: {zh: %[1]s, en: %[1]s}}
  prometheus: {url: "http://127.0.0.1:1"}
  webhook: {token: %[2]s}
  webhooks: [{name: %[3]s, url: "%[4]s", secret: "%[5]s"}]
  audiences: {ops: [{webhook: %[3]s, language: en}], management: [{webhook: %[3]s, language: en}]}
`

// watchedFile is what `up` needs besides.
const watchedFile = `exporter:
  anchors: []
  host: {collectors: []}
  shops: [{id: kiosk, services: [{id: web, target: "http://127.0.0.1:1/", interval: 1s}]}]
`

func TestReloadChangesWhoIsToldAndWhatIsShownAndRefusesMistakes(t *testing.T) {
	t.Parallel()
	for command, also := range map[string]string{"notifier": "", "up": watchedFile} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			box := mailbox(t)
			dir := t.TempDir()
			file := filepath.Join(dir, "shopwatch.yml")
			write := func(title, token, desk string) {
				put(t, file, fmt.Sprintf(tellingFile, title, token, desk, box.RobotURL(sandbox.Webhook), box.GateCredentials().Secret)+also)
			}
			write("Before", "token-before-the-reload", "first")
			p := start(t, command, shopwatch(t, command, "--config.file="+file, "--data.dir="+filepath.Join(dir, "data"),
				"--private.listen-address=127.0.0.1:0", "--web.listen-address=127.0.0.1:0"))
			var page, private string
			if command == "up" {
				page, private = p.says(t, saysPage)[1], p.says(t, saysConsole)[1]
			} else {
				where := p.says(t, saysWebhook)
				page, private = where[1], "http://"+where[2]
			}
			titled := func(title string) func() error {
				return func() error {
					if _, text, err := ask(http.MethodGet, page, ""); err != nil || !strings.Contains(text, title) {
						return errors.Join(fmt.Errorf("the page isn't titled %q", title), err)
					}
					return nil
				}
			}
			eventually(t, "the page is there", titled("Before"), p)
			operator, err := os.ReadFile(filepath.Join(dir, "data", "operator.token"))
			if err != nil {
				t.Fatal(err)
			}
			bearer := "Bearer " + strings.TrimSpace(string(operator))

			write("After", "token-after-the-reload", "second")
			if err := p.command.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the page has its new title", titled("After"), p)
			alert := fmt.Sprintf(`{"alerts":[{"status":"firing","fingerprint":"f1","startsAt":%q,"labels":{"alertname":"Outage","severity":"critical","tier":"ops","incident":"kiosk/outage"},
				"annotations":{"summary":"The till is gone","summary_zh":"收银台没了"}}]}`, time.Now().Format(time.RFC3339))
			door := private + "/webhook?audience=ops"
			answers(t, http.StatusUnauthorized, http.MethodPost, door, alert, "Authorization", "Bearer token-before-the-reload")
			answers(t, http.StatusOK, http.MethodPost, door, alert, "Authorization", "Bearer token-after-the-reload")
			eventually(t, "who is on call now is told", func() error {
				for _, m := range box.Messages() {
					if strings.Contains(m.Text, "The till is gone") {
						return nil
					}
				}
				return fmt.Errorf("%d messages", len(box.Messages()))
			}, p)

			write("Broken", "token-after-the-reload", "third, kind: pigeon")
			refused := answers(t, http.StatusInternalServerError, http.MethodPost, private+"/-/reload", "", "Authorization", bearer)
			if !strings.Contains(refused, file+":5: ") || !strings.Contains(refused, "the former configuration stays in force") {
				t.Errorf("the operator is told %q", refused)
			}
			answers(t, http.StatusUnauthorized, http.MethodPost, private+"/-/reload", "")
			if err := titled("After")(); err != nil {
				t.Errorf("after a mistake: %v", err)
			}
			p.stop(t)
			p.keeps(t, "token-before-the-reload", "token-after-the-reload", box.GateCredentials().Secret)
		})
	}
}
