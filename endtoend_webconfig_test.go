package main_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"shopwatch/rules"
)

const (
	ownerName     = "owner"
	ownerPassword = "s3cret-of-the-owner"
)

var saysSecureConsole = regexp.MustCompile(`Console +(https://\S+)/console/login\?code=\S+\n`)

// owner is who has the login of testdata/web-config.yml and trusts its certificate.
type owner struct{ client *http.Client }

// certify puts a certificate of 127.0.0.1 beside a web configuration.
func certify(t *testing.T, dir string) owner {
	t.Helper()
	sample := httptest.NewTLSServer(nil)
	defer sample.Close()
	key, err := x509.MarshalPKCS8PrivateKey(sample.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "private.crt"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: sample.Certificate().Raw})))
	put(t, filepath.Join(dir, "private.key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	return owner{sample.Client()}
}

// ask sends a request with the login, and with a token where one is given.
func (o owner) ask(method, address, body, token string) (status int, answer string, err error) {
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.SetBasicAuth(ownerName, ownerPassword)
	if token != "" {
		r.Header.Set("X-Shopwatch-Token", token)
	}
	response, err := o.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

// scrapes objects unless the embedded Prometheus scrapes the exporter.
func (o owner) scrapes(private string) func() error {
	return func() error {
		status, answer, err := o.ask(http.MethodGet, private+"/prometheus/api/v1/query?query="+url.QueryEscape(`up{job="shopwatch"} == 1`), "", "")
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("answered %d: %.300s (%w)", status, answer, err)
		}
		var found struct {
			Data struct{ Result []struct{ Value [2]any } }
		}
		if err := json.Unmarshal([]byte(answer), &found); err != nil || len(found.Data.Result) != 1 {
			return fmt.Errorf("not scraped: %s (%w)", answer, err)
		}
		return nil
	}
}

func TestEverythingWorksBehindTLSAndALogin(t *testing.T) {
	compressed(t)
	shop, box := openStage(t), mailbox(t)
	dir := settle(t, "testdata/everything.yml", "testdata/web-config.yml")
	edit(t, filepath.Join(dir, "shopwatch.yml"), "exporter:\n", "exporter:\n  anchors: []\n")
	o := certify(t, dir)
	up := start(t, "shopwatch", everythingOf(t, dir, shop.URL, box, "--web.config.file="+filepath.Join(dir, "web-config.yml")))
	private := up.says(t, saysSecureConsole)[1]
	eventually(t, "the embedded Prometheus scrapes", o.scrapes(private), up)
	works := func() error {
		status, answer, err := o.ask(http.MethodGet, private+"/metrics", "", "")
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("/metrics was answered %d (%w)", status, err)
		}
		now, err := samplesOf(answer)
		return errors.Join(err, now.is("storefront", rules.Operational))
	}
	eventually(t, "the storefront works", works, up)

	for _, path := range []string{"/metrics", "/looks", "/probe?target=" + shop.URL, "/push/" + everythingWorker, "/prometheus/api/v1/query?query=up", "/-/healthy", "/console/"} {
		response, err := o.client.Get(private + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a login was answered %d", path, response.StatusCode)
		}
	}
	answers(t, http.StatusBadRequest, http.MethodGet, strings.Replace(private, "https://", "http://", 1)+"/metrics", "") // without TLS

	token := func(name string) string {
		content, err := os.ReadFile(filepath.Join(dir, "data", name+".token"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(content))
	}
	operator, webhook := token("operator"), token("webhook")
	for _, c := range []struct {
		method, path, body, token string
		want                      int
	}{
		{http.MethodPost, "/push/" + everythingWorker, "", "", http.StatusOK},
		{http.MethodPost, "/-/reload", "", "", http.StatusUnauthorized},
		{http.MethodPost, "/-/reload", "", webhook, http.StatusUnauthorized},
		{http.MethodPost, "/-/reload", "", operator, http.StatusOK},
		{http.MethodPost, "/webhook?audience=ops", `{"version":"4","alerts":[]}`, "", http.StatusUnauthorized},
		{http.MethodPost, "/webhook?audience=ops", `{"version":"4","alerts":[]}`, operator, http.StatusUnauthorized},
		{http.MethodPost, "/webhook?audience=ops", `{"version":"4","alerts":[]}`, webhook, http.StatusOK},
		{http.MethodGet, "/probe?target=" + shop.URL, "", "", http.StatusForbidden},
		{http.MethodGet, "/probe?target=" + shop.URL, "", everythingProbe, http.StatusOK},
	} {
		if status, answer, err := o.ask(c.method, private+c.path, c.body, c.token); err != nil || status != c.want {
			t.Errorf("%s %s with the login and the token %q was answered %d (%v), want %d: %s", c.method, c.path, c.token, status, err, c.want, answer)
		}
	}

	authority := `tls_config: {ca_file: "` + filepath.Join(dir, "private.crt") + `"}` + "\n"
	put(t, filepath.Join(dir, "stranger.yml"), authority)
	put(t, filepath.Join(dir, "owner.yml"), authority+"basic_auth: {username: "+ownerName+", password: "+ownerPassword+"}\n")
	for file, want := range map[string]int{"owner.yml": 0, "stranger.yml": 1} {
		_, stderr, code := finished(t, shopwatch(t, "incident", "list", "--data.dir="+filepath.Join(dir, "data"),
			"--private.listen-address="+strings.TrimPrefix(private, "https://"), "--http.config.file="+filepath.Join(dir, file)))
		if code != want || (code == 1) != strings.Contains(stderr, "basic_auth: {username: …") {
			t.Errorf("incident list with %s: exit code %d, want %d: %s", file, code, want, stderr)
		}
	}

	shop.play("/", 500)
	eventually(t, "the outage is told", counted(taken(box), 1, 0, everythingOps), up)
	shop.play("/", 200)
	eventually(t, "its end is told", counted(taken(box), 1, 1, everythingOps), up)
	up.keeps(t, ownerPassword, operator, webhook, everythingProbe, everythingWorker, box.Credentials().TelegramToken)
	up.stop(t)
}

func TestBrokenWebConfigIsToldAtStart(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"up", "exporter", "notifier"} {
		for what, content := range map[string]string{
			"login": "basic_auth_users: {owner: " + ownerPassword + "}\n", // no hash
			"key":   "tls_server_config: {cert_file: nowhere.crt, key_file: nowhere.key}\n",
			"field": "basic_auth: {owner: x}\n",
			"":      "", // the file isn't there
		} {
			t.Run(command+" "+what, func(t *testing.T) {
				t.Parallel()
				dir := settle(t, "testdata/reloading.yml", "testdata/reloading.modules.yml")
				if command == "notifier" {
					edit(t, filepath.Join(dir, "shopwatch.yml"), "notifier:\n",
						"notifier:\n  prometheus: {url: \"http://127.0.0.1:1\"}\n  webhook: {token: token-of-the-webhook}\n")
				}
				file := filepath.Join(dir, "web.yml")
				if content != "" {
					put(t, file, content)
				}
				program := shopwatch(t, command, "--config.file="+filepath.Join(dir, "shopwatch.yml"), "--data.dir="+filepath.Join(dir, "data"),
					"--web.config.file="+file, "--web.listen-address=127.0.0.1:0", "--private.listen-address=127.0.0.1:0")
				program.Env = append(program.Env, "SHOP_URL=http://127.0.0.1:1")
				stdout, stderr, code := finished(t, program)
				if code != 1 || stdout != "" || !strings.HasPrefix(stderr, "--web.config.file: ") || strings.Contains(stderr, ownerPassword) {
					t.Errorf("exit code %d, on standard output %q, on standard error %q", code, stdout, stderr)
				}
			})
		}
	}
}
