package main_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestCheckReadsTheExamplesOfBlackboxExporterUnchanged(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/prometheus/blackbox_exporter").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	theirs := strings.TrimSpace(string(out))
	for file, want := range map[string]struct {
		module   string
		warnings []string // of files that only their author has
	}{
		"blackbox.yml": {"http_2xx", nil},
		"example.yml": {"http_gzip", []string{
			":59: modules.http_post_body_file.http.body_file: got /files/body.txt (no such file)",
			":97: modules.http_custom_ca_example.http.tls_config.ca_file: got /certs/my_cert.crt (no such file)",
			":166: modules.rabbitmq.tcp.tls_config.ca_file: got /etc/blackbox_exporter/CA_cert.crt (no such file)",
			":180: modules.rabbitmq_insecure.tcp.tls_config.ca_file: got /etc/blackbox_exporter/CA_cert.crt (no such file)",
			":241: modules.http_with_header_from_files.http.http_headers.X-API-Key.files[0]: got /path/to/api-key.txt (no such file)",
		}},
	} {
		config := filepath.Join(t.TempDir(), "shopwatch.yml")
		put(t, config, `exporter: {module_files: ["`+filepath.Join(theirs, file)+`"], shops: [{id: kiosk, services: [`+
			`{id: storefront, target: "http://127.0.0.1/", module: `+want.module+`}]}]}`)
		said := strings.Split(strings.TrimSpace(printed(t, shopwatch(t, "check", "--config.file="+config))), "\n")
		if len(said) != len(want.warnings)+1 || said[len(said)-1] != config+": no mistakes" {
			t.Fatalf("of %s check says\n%s", file, strings.Join(said, "\n"))
		}
		for i, warning := range want.warnings {
			if !strings.HasPrefix(said[i], "warning: "+filepath.Join(theirs, file)+warning) {
				t.Errorf("of %s check says\n%s\nwant a warning like\n%s", file, said[i], warning)
			}
		}
	}
}

func TestCheckTellsEachMistakeInAModuleWithItsLine(t *testing.T) {
	t.Parallel()
	for file, want := range map[string][]string{
		"mistakes": {
			`mistakes\.blackbox\.yml:4: modules\.shop_page\.timeout: got 5, want a duration such as 5s`,
			`mistakes\.blackbox\.yml:6: modules\.shop_page\.http\.fail_if_body_matches_regexp\[0\]: got "\(Whoops", want a regular expression`,
			`mistakes\.blackbox\.yml:7: modules\.shop_page\.http\.valid_http_version: got an unknown field, .*did you mean valid_http_versions\?`,
			`mistakes\.blackbox\.yml:11: modules\.back_office\.http\.body_file: got both body and body_file, want one of the two`,
			`mistakes\.yml:4: exporter\.modules\.database\.mysql\.passwort: got an unknown field, .*password`,
		},
		// A file that isn't there is a mistake once a service needs it.
		"absent": {`absent\.blackbox\.yml:6: modules\.shop_page\.http\.body_file: got /nowhere/at/all \(no such file\), want a readable file`},
	} {
		stdout, stderr, code := finished(t, shopwatch(t, "check", "--config.file="+filepath.Join("testdata", "checking", file+".yml")))
		lines := strings.Split(strings.TrimSpace(stderr), "\n")
		if code != 1 || stdout != "" || len(lines) != len(want) {
			t.Fatalf("of %s: exit code %d, on standard output %q, on standard error\n%s", file, code, stdout, stderr)
		}
		for i, line := range want {
			if !regexp.MustCompile(`^testdata/checking/` + line).MatchString(lines[i]) {
				t.Errorf("of %s line %d says\n%s\nwant\n%s", file, i+1, lines[i], line)
			}
		}
		if strings.Contains(stderr, notToBeTold) {
			t.Errorf("a secret is told:\n%s", stderr)
		}
	}
}

func TestCheckTellsWhatNoDriverCanDoWithTheBooks(t *testing.T) {
	t.Parallel()
	stdout, stderr, code := finished(t, shopwatch(t, "check", "--config.file="+filepath.Join("testdata", "checking", "books.yml")))
	if code != 1 || stdout != "" || strings.Contains(stderr, notToBeTold) {
		t.Errorf("exit code %d, on standard output %q, on standard error\n%s", code, stdout, stderr)
	}
	for _, want := range []string{`books.yml: shop "kiosk": sql: queries.orders: holds ";"`, "queries.key: is more than a column"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("check doesn't say %q:\n%s", want, stderr)
		}
	}
}

func TestCheckWarnsOfWhatWorksAndIsHardlyMeant(t *testing.T) {
	t.Parallel()
	file := filepath.Join(settle(t, "testdata/checking/telling.yml"), "shopwatch.yml")
	want := "warning: " + file + ":11: notifier.audiences.management: got nobody, want at least one person, who is told of what has lasted 30m\n" +
		"warning: " + file + `:16: notifier.publish.services."main/alipya": got no service of this file, want one of main/storefront, main/alipay (did you mean main/alipay?), ` +
		"or a payment method as orders name it\n" + file + ": no mistakes\n"
	if said := printed(t, shopwatch(t, "check", "--config.file="+file)); said != want {
		t.Errorf("check says\n%swant\n%s", said, want)
	}
}
