package main_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"shopwatch/internal/servertest"
	"shopwatch/notifier/sandbox"
)

const certifiedWebhook = "token-of-the-webhook"

var (
	saysSecureWebhook = regexp.MustCompile(`webhook at https://(\S+)/webhook,`)
	webhookLogin      = regexp.MustCompile(`(?m)^( +)authorization:`)
)

// certified is a notifier whose private address asks for client certificates of
// one authority.
type certified struct {
	dir, address string
	authority    *servertest.Authority
	box          *sandbox.Sandbox
	notifier     *process
}

func openCertified(t *testing.T) *certified {
	t.Helper()
	c := &certified{dir: t.TempDir(), authority: servertest.NewAuthority(t), box: mailbox(t)}
	certificate, key, _ := c.authority.Issue(t, time.Now().Add(24*time.Hour))
	put(t, filepath.Join(c.dir, "server.crt"), string(certificate))
	put(t, filepath.Join(c.dir, "server.key"), string(key))
	put(t, filepath.Join(c.dir, "web.yml"), `tls_server_config: {cert_file: server.crt, key_file: server.key, client_auth_type: RequireAndVerifyClientCert, client_ca_file: "`+c.authority.File+`"}`+"\n")
	put(t, filepath.Join(c.dir, "shopwatch.yml"), `notifier:
  prometheus: {url: "http://127.0.0.1:1"}
  webhook: {token: `+certifiedWebhook+`}
  telegram: {token: "`+c.box.Credentials().TelegramToken+`", api_url: "`+c.box.TelegramURL()+`"}
  audiences: {ops: [{telegram: "-1001", language: en}]}
`)
	c.notifier = start(t, "notifier", shopwatch(t, "notifier", "--config.file="+filepath.Join(c.dir, "shopwatch.yml"), "--data.dir="+filepath.Join(c.dir, "data"),
		"--web.config.file="+filepath.Join(c.dir, "web.yml"), "--web.listen-address=127.0.0.1:0", "--private.listen-address=127.0.0.1:0"))
	c.address = c.notifier.says(t, saysSecureWebhook)[1]
	return c
}

// issue puts a client's certificate beside the rest, and gives the tls_config of
// Prometheus's HTTP clients that shows it.
func (c *certified) issue(t *testing.T, by *servertest.Authority, name string) string {
	t.Helper()
	certificate, key, _ := by.IssueClient(t, name)
	put(t, filepath.Join(c.dir, name+".crt"), string(certificate))
	put(t, filepath.Join(c.dir, name+".key"), string(key))
	return fmt.Sprintf("tls_config: {ca_file: %q, cert_file: %q, key_file: %q}", c.authority.File, filepath.Join(c.dir, name+".crt"), filepath.Join(c.dir, name+".key"))
}

// posts sends the webhook one alert with its token over a connection that shows
// certificates, and gives what is wrong with that.
func (c *certified) posts(shown ...tls.Certificate) error {
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: c.authority.Pool, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if len(shown) == 0 { // whatever authorities the server names: it is the server that has to refuse
			return new(tls.Certificate), nil
		}
		return &shown[0], nil
	}}}}
	defer client.CloseIdleConnections()
	body := []byte(`{"version":"4","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"Sneaked","severity":"critical"},"startsAt":"2026-01-01T00:00:00Z","fingerprint":"f"}]}`)
	r, err := http.NewRequest(http.MethodPost, "https://"+c.address+"/webhook?audience=ops", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+certifiedWebhook)
	response, err := client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if answer, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %d: %s (%w)", response.StatusCode, answer, err)
	}
	return nil
}

// alertmanager starts one of Debian's on our own configuration, whose receivers
// show what tlsConfig says, and raises an alert in it.
func (c *certified) alertmanager(t *testing.T, name, tlsConfig string) (url string, p *process) {
	t.Helper()
	dir := filepath.Join(c.dir, name)
	posts := printed(t, shopwatch(t, "alertmanager", "--webhook.url=https://"+c.address))
	posts = webhookLogin.ReplaceAllString(posts, "${1}"+tlsConfig+"\n${1}authorization:")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "alertmanager.yml"), posts)
	put(t, filepath.Join(dir, "webhook.token"), certifiedWebhook)
	address := servertest.FreeAddress(t)
	p = start(t, name, exec.Command(debian(t, "prometheus-alertmanager", "prometheus-alertmanager"), "--config.file="+filepath.Join(dir, "alertmanager.yml"),
		"--storage.path="+dir, "--web.listen-address="+address, "--cluster.listen-address="))
	url = "http://" + address
	raised := fmt.Sprintf(`[{"labels":{"alertname":%q,"severity":"critical","tier":"ops","incident":%q},"annotations":{"summary":%q}}]`, name, name, "Raised by "+name)
	eventually(t, name+" takes an alert", func() error {
		response, err := http.Post(url+"/api/v2/alerts", "application/json", strings.NewReader(raised))
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return errors.New(response.Status)
		}
		return nil
	}, p)
	return url, p
}

func TestPrivateAddressTakesWhoShowsACertificateOfItsAuthorityAndNobodyElse(t *testing.T) {
	t.Parallel()
	c := openCertified(t)
	stranger := servertest.NewAuthority(t)
	_, _, foreign := stranger.IssueClient(t, "stranger")
	_, _, servers := c.authority.Issue(t, time.Now().Add(time.Hour))
	for who, shown := range map[string][]tls.Certificate{"no certificate": nil, "another authority's certificate": {foreign}, "a server's certificate": {servers}} {
		if err := c.posts(shown...); err == nil {
			t.Errorf("the webhook was taken with %s", who)
		}
	}
	without, refused := c.alertmanager(t, "without", fmt.Sprintf("tls_config: {ca_file: %q}", c.authority.File))
	wrong, refusedToo := c.alertmanager(t, "wrong", c.issue(t, stranger, "wrong"))
	with, taken := c.alertmanager(t, "Alertmanager", c.issue(t, c.authority, "alertmanager"))
	eventually(t, "the alert of the one with a certificate is told", c.tells("Raised by Alertmanager"), c.notifier, taken)
	eventually(t, "the one without has tried in vain", failed(without), c.notifier, refused)
	eventually(t, "the one of another authority has tried in vain", failed(wrong), c.notifier, refusedToo)
	if err := failed(with)(); err == nil {
		t.Error("the one with a certificate was refused, too")
	}
	for _, m := range c.box.Messages() {
		if strings.Contains(m.Text, "Sneaked") || strings.Contains(m.Text, "without") || strings.Contains(m.Text, "wrong") {
			t.Errorf("somebody without a certificate was heard: %s", m.Text)
		}
	}
	c.commands(t, c.issue(t, c.authority, "operator"), c.issue(t, stranger, "thief"))
	c.notifier.keeps(t, certifiedWebhook, c.box.Credentials().TelegramToken)
	c.notifier.stop(t)
}

// tells objects until operations were told of something.
func (c *certified) tells(words string) func() error {
	return func() error {
		for _, m := range c.box.Messages() {
			if strings.Contains(m.Text, words) {
				return nil
			}
		}
		return fmt.Errorf("not among %d messages", len(c.box.Messages()))
	}
}

// failed objects until an Alertmanager counts posts to webhooks that failed.
func failed(alertmanager string) func() error {
	counted := regexp.MustCompile(`alertmanager_notification_requests_failed_total\{integration="webhook"\} [1-9]`)
	return func() error {
		response, err := http.Get(alertmanager + "/metrics")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		content, err := io.ReadAll(response.Body)
		if err == nil && !counted.Match(content) {
			err = errors.New("no post has failed")
		}
		return err
	}
}

// commands holds that the command line works with a certificate, and says what
// it lacks without.
func (c *certified) commands(t *testing.T, mine, foreign string) {
	t.Helper()
	ask := func(httpConfig string, more ...string) *exec.Cmd {
		arguments := append([]string{"incident", "list", "--format=json", "--data.dir=" + filepath.Join(c.dir, "data"), "--private.listen-address=" + c.address}, more...)
		if httpConfig != "" {
			file := filepath.Join(t.TempDir(), "http.yml")
			put(t, file, httpConfig+"\n")
			arguments = append(arguments, "--http.config.file="+file)
		}
		return shopwatch(t, arguments...)
	}
	var list struct{ Incidents []struct{ ID, Key string } }
	said := printed(t, ask(mine))
	if err := json.Unmarshal([]byte(said), &list); err != nil || len(list.Incidents) != 1 || list.Incidents[0].Key != "Alertmanager" {
		t.Errorf("with a certificate incident list says %s (%v)", said, err)
	}
	web := "--web.config.file=" + filepath.Join(c.dir, "web.yml")
	for about, refusal := range map[string]struct {
		command *exec.Cmd
		want    []string
	}{
		"without TLS":                  {ask(""), []string{"speaks TLS", "--http.config.file"}},
		"without the authority":        {ask("", web), []string{"doesn't trust", "ca_file"}},
		"without a certificate":        {ask(fmt.Sprintf("tls_config: {ca_file: %q}", c.authority.File)), []string{"client certificate", "--http.config.file"}},
		"with another's certificate":   {ask(foreign), []string{"client certificate", "--http.config.file"}},
		"with a file that isn't there": {ask("tls_config: {ca_file: nowhere.pem}"), []string{"--http.config.file", "nowhere.pem"}},
	} {
		stdout, stderr, code := finished(t, refusal.command)
		if code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d and %q, want 1 and one line: %s", about, code, stdout, stderr)
		}
		for _, want := range refusal.want {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s incident list doesn't say %q: %s", about, want, stderr)
			}
		}
	}
}
