package config_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	blackbox "github.com/prometheus/blackbox_exporter/config"
	"go.yaml.in/yaml/v3"

	"shopwatch/exporter"
	"shopwatch/exporter/config"
	"shopwatch/internal/configfile"
)

// theirs is the folder of blackbox_exporter's own module, whose files are the
// measure of ours.
func theirs(t *testing.T) string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/prometheus/blackbox_exporter").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(dir))
}

// withModules loads a file of modules for a shop of one service, whose words follow.
func withModules(t *testing.T, file, service string) (config.Config, error) {
	t.Helper()
	text := "exporter:\n  module_files: ['" + file + "']\n  shops: [{id: main, services: [{id: a, " + service + "}]}]\n"
	doc, err := configfile.Parse(filepath.Join(filepath.Dir(file), "shopwatch.yml"), []byte(text), environment)
	if err != nil {
		t.Fatal(err)
	}
	return config.Load(doc)
}

const someService = "target: '127.0.0.1:80'"

// written writes a file of modules.
func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "blackbox.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// decoded is the file as blackbox_exporter itself reads it.
func decoded(t *testing.T, file string) map[string]blackbox.Module {
	t.Helper()
	loader := blackbox.NewSafeConfig(discardRegistry{})
	if err := loader.ReloadConfig(file, nil); err != nil {
		t.Fatal(err)
	}
	return loader.C.Modules
}

func TestBlackboxExportersOwnFilesLoadUnchanged(t *testing.T) {
	t.Parallel()
	root := theirs(t)
	for _, name := range []string{"blackbox.yml", "example.yml", "config/testdata/blackbox-good.yml"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(root, name)
			loaded, err := withModules(t, file, someService)
			if err != nil {
				t.Fatal(err)
			}
			want := decoded(t, file)
			for module := range want {
				got := loaded.Modules[module]
				if got.Name != module || string(got.Kind) != want[module].Prober || got.Blackbox == nil {
					t.Fatalf("got %v as module %s", got, module)
				}
				if theirs := want[module]; !same(t, *got.Blackbox, theirs) || got.Timeout != theirs.Timeout {
					t.Errorf("module %s: got %+v, want %+v", module, *got.Blackbox, theirs)
				}
			}
		})
	}
}

// same compares modules as blackbox_exporter writes them, and what it doesn't write.
func same(t *testing.T, a, b blackbox.Module) bool {
	t.Helper()
	// Compiled CEL programs differ by address; their expression stands in the text.
	a.HTTP.NoFollowRedirects, b.HTTP.NoFollowRedirects = nil, nil
	texts := make([]string, 2)
	for i, module := range []blackbox.Module{a, b} {
		text, err := yaml.Marshal(module)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(text)
	}
	for _, module := range []*blackbox.Module{&a, &b} {
		module.HTTP.FailIfBodyJsonMatchesCEL, module.HTTP.FailIfBodyJsonNotMatchesCEL = nil, nil
	}
	return texts[0] == texts[1] && reflect.DeepEqual(a, b)
}

func TestEveryFileThatBlackboxExporterRefusesIsRefusedOnTheLineOfTheMistake(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"blackbox-bad.yml":                                          "50: modules.dns_test.dns.invalid_extra_field: got an unknown field, want one of dns_over_tls,",
		"blackbox-bad2.yml":                                         "8: modules.http_post_2xx.http.bearer_token_file: got a contradiction, want at most one of bearer_token & bearer_token_file",
		"invalid-dns-class.yml":                                     "7: modules.dns_test.dns.query_class: got X, want a class such as IN or CH",
		"invalid-dns-module.yml":                                    "5: modules.dns_test.dns: got no query_name, want the name to ask for in query_name",
		"invalid-dns-type.yml":                                      "8: modules.dns_test.dns.query_type: got X, want a type such as A, AAAA or SOA",
		"invalid-http-body-config.yml":                              "7: modules.http_test.http.body_file: got both body and body_file, want one of the two",
		"invalid-http-body-match-regexp.yml":                        `7: modules.http_headers.http.fail_if_body_matches_regexp[0]: got ":[", want a regular expression (missing closing ])`,
		"invalid-http-body-not-match-regexp.yml":                    `7: modules.http_headers.http.fail_if_body_not_matches_regexp[0]: got ":[", want a regular expression (missing closing ])`,
		"invalid-http-compression-mismatch-special-case.yml":        "8: modules.http_headers.http.headers.accEpt-enCoding: got an Accept-Encoding without the compression",
		"invalid-http-compression-mismatch.yml":                     "8: modules.http_headers.http.headers.Accept-Encoding: got an Accept-Encoding without the compression",
		"invalid-http-header-match-regexp.yml":                      `9: modules.http_headers.http.fail_if_header_not_matches[0].regexp: got ":[", want a regular expression (missing closing ])`,
		"invalid-http-header-match.yml":                             "7: modules.http_headers.http.fail_if_header_not_matches[0]: got no regexp, want a regular expression in regexp",
		"invalid-http-http3-http2-enabled.yml":                      "7: modules.http_headers.http.enable_http2: got HTTP/3 and HTTP/2 both, want enable_http2: false",
		"invalid-http-http3-http2-version.yml":                      "8: modules.http_headers.http.valid_http_versions: got another version than HTTP/3.0, want HTTP/3.0 alone",
		"invalid-http-http3-http2.yml":                              "8: modules.http_headers.http.valid_http_versions: got another version than HTTP/3.0, want HTTP/3.0 alone",
		"invalid-http-request-compression-reject-all-encodings.yml": "10: modules.http_headers.http.headers.Accept-Encoding: got an Accept-Encoding without the compression",
		"invalid-icmp-ttl-overflow.yml":                             "5: modules.icmp_test.icmp.ttl: got 256, want 0–255",
		"invalid-icmp-ttl.yml":                                      "5: modules.icmp_test.icmp.ttl: got -1, want 0–255",
		"invalid-no-versions-http3-enabled.yml":                     "6: modules.http_headers.http.enable_http3: got HTTP/3 and HTTP/2 both, want enable_http2: false",
		"invalid-tcp-query-response-regexp.yml":                     `7: modules.tcp_test.tcp.query_response[0].expect: got ":[", want a regular expression (missing closing ])`,
		"invalid-unix-query-response-regexp.yml":                    `8: modules.unix_socket_bad_regex.unix.query_response[0].expect: got ":[", want a regular expression (missing closing ])`,
	}
	root := filepath.Join(theirs(t), "config", "testdata")
	files, err := filepath.Glob(filepath.Join(root, "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if name == "blackbox-good.yml" {
			continue
		}
		_, err := withModules(t, file, someService)
		var mistakes configfile.Mistakes
		switch expected, known := want[name]; {
		case !known:
			t.Errorf("%s: this test doesn't know the file; got %v", name, err)
		case err == nil:
			t.Errorf("%s: got no mistake", name)
		case !strings.HasPrefix(err.Error(), file+":"+expected):
			t.Errorf("%s:\ngot  %s\nwant %s", name, strings.TrimPrefix(err.Error(), file+":"), expected)
		default:
			mistakes = err.(configfile.Mistakes)
			if name != "blackbox-bad.yml" && len(mistakes) != 1 {
				t.Errorf("%s: got %v, want one mistake", name, mistakes)
			}
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("blackbox_exporter has no %v", slices.Sorted(maps.Keys(want)))
	}
}

func TestTheModulesOfBlackboxExporterAreThereWhereNoneIsNamed(t *testing.T) {
	t.Parallel()
	doc, err := configfile.Parse("test.yml", []byte("exporter: {shops: [{id: main, services: [{id: a, target: shop.example.com, module: http_2xx}]}]}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(doc)
	if err != nil {
		t.Fatal(err)
	}
	want := decoded(t, filepath.Join(theirs(t), "blackbox.yml"))
	for name, module := range want {
		if got := loaded.Modules[name]; got.Blackbox == nil || !same(t, *got.Blackbox, module) {
			t.Errorf("module %s: got %+v, want %+v", name, got.Blackbox, module)
		}
	}
	if len(loaded.Modules) != len(want) {
		t.Errorf("got %d modules, want %d", len(loaded.Modules), len(want))
	}
	if got := loaded.Shops[0].Services[0]; got.Module.Name != "http_2xx" || got.Module.Kind != exporter.KindHTTP || !got.Outward {
		t.Errorf("got %v", got)
	}
}

func TestWhatOnlyALookWouldFindIsSaidAtStart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ module, want string }{
		"no prober":                    {"{timeout: 5s}", "prober: got nothing, want one of http, tcp, icmp, dns, grpc, unix"},
		"an unknown prober":            {"{prober: htpp}", "prober: got htpp, want one of http, tcp, icmp, dns, grpc, unix"},
		"one of our kinds":             {"{prober: mysql}", "prober: got mysql, want one of http, tcp, icmp, dns, grpc, unix"},
		"a source that is no address":  {"{prober: icmp, icmp: {source_ip_address: eth0}}", "icmp.source_ip_address: got eth0, want an IP address of this machine"},
		"a pattern for records":        {"{prober: dns, dns: {query_name: a, validate_answer_rrs: {fail_if_matches_regexp: [a, '(']}}}", "dns.validate_answer_rrs.fail_if_matches_regexp[1]: got \"(\", want a regular expression (missing closing ))"},
		"a pattern that all match":     {"{prober: dns, dns: {query_name: a, validate_authority_rrs: {fail_if_all_match_regexp: ['(']}}}", "dns.validate_authority_rrs.fail_if_all_match_regexp[0]: got \"(\""},
		"a pattern that none matches":  {"{prober: dns, dns: {query_name: a, validate_additional_rrs: {fail_if_none_matches_regexp: ['(']}}}", "dns.validate_additional_rrs.fail_if_none_matches_regexp[0]: got \"(\""},
		"an unknown transport":         {"{prober: dns, dns: {query_name: a, transport_protocol: tls}}", "dns.transport_protocol: got tls, want udp or tcp"},
		"DNS over TLS over UDP":        {"{prober: dns, dns: {query_name: a, dns_over_tls: true}}", "dns.dns_over_tls: got true, want transport_protocol: tcp with it"},
		"an unknown code":              {"{prober: dns, dns: {query_name: a, valid_rcodes: [NOERROR, NXDOMIAN]}}", "dns.valid_rcodes[1]: got NXDOMIAN, want a code such as NOERROR or NXDOMAIN"},
		"a proxy of another scheme":    {"{prober: http, http: {proxy_url: 'ftp://user:hunter2@proxy/'}}", "http.proxy_url: got a URL of scheme ftp, want one of http, https, socks5, socks5h with a host"},
		"a method of two words":        {"{prober: http, http: {method: 'GET /'}}", "http.method: got \"GET /\", want a method such as GET"},
		"an unknown compression":       {"{prober: http, http: {compression: zip}}", "http.compression: got zip, want one of br, deflate, gzip, identity"},
		"TLS wanted and refused":       {"{prober: http, http: {fail_if_ssl: true, fail_if_not_ssl: true}}", "http.fail_if_not_ssl: got fail_if_ssl and fail_if_not_ssl both, want one of the two"},
		"TLS versions upside down":     {"{prober: tcp, tcp: {tls_config: {min_version: TLS13, max_version: TLS12}}}", "tcp.tls_config.max_version: got less than min_version, want at least min_version"},
		"a payload below nothing":      {"{prober: icmp, icmp: {payload_size: -1}}", "icmp.payload_size: got -1, want 0–65507"},
		"a header that can't be sent":  {"{prober: http, http: {headers: {'X Y': hunter2}}}", "http.headers.\"X Y\": got a name that no header has"},
		"a duration of days":           {"{prober: http, timeout: 1d}", "timeout: got 1d, want a duration such as 5s"},
		"a number for a duration":      {"{prober: http, timeout: 5}", "timeout: got 5, want a duration such as 5s"},
		"a text for a number":          {"{prober: http, http: {valid_status_codes: [200, ok]}}", "http.valid_status_codes[1]: got ok, want a whole number"},
		"one text for a list":          {"{prober: http, http: {valid_status_codes: 200}}", "http.valid_status_codes: got 200, want a list"},
		"a list for options":           {"{prober: http, http: [method]}", "http: got a list, want a mapping"},
		"an expression":                {"{prober: http, http: {fail_if_body_json_matches_cel: 'body.'}}", "http.fail_if_body_json_matches_cel: got body., want a CEL expression of body"},
		"a size":                       {"{prober: http, http: {body_size_limit: big}}", "http.body_size_limit: got big, want a size such as 1MB"},
		"a TLS version":                {"{prober: http, http: {tls_config: {min_version: SSL3}}}", "http.tls_config.min_version: got SSL3, want one of TLS10, TLS11, TLS12, TLS13"},
		"a slip of the fingers":        {"{prober: http, http: {methd: GET}}", "http.methd: got an unknown field, want one of authorization,"},
		"a certificate without a key":  {"{prober: tcp, tcp: {tls_config: {cert: x}}}", "tcp.tls_config.cert: got a certificate without its key, want key or key_file"},
		"a secret that is a mapping":   {"{prober: http, http: {basic_auth: {password: {hunter2: x}}}}", "http.basic_auth.password: got a mapping, want a text"},
		"a password in a URL":          {"{prober: http, http: {proxy_url: 'http://user:hunter2%zz@proxy/'}}", "http.proxy_url: got a text that is no URL, want a URL"},
		"expect twice":                 {"{prober: tcp, tcp: {query_response: [{expect: a, expect_bytes: b}]}}", "tcp.query_response[0].expect_bytes: got both expect and expect_bytes, want one of the two"},
		"a header matcher without one": {"{prober: http, http: {fail_if_header_matches: [{regexp: a}]}}", "http.fail_if_header_matches[0]: got no header, want the name of a header in header"},
		"a header of our own":          {"{prober: http, http: {http_headers: {Host: {values: [a]}}}}", "http.http_headers.Host: got a contradiction, want setting header \"Host\" is not allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := written(t, "modules:\n  good: {prober: tcp}\n  bad: "+test.module+"\n")
			_, err := withModules(t, file, someService)
			if err == nil || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), file+":3: modules.bad."+test.want) {
				t.Errorf("got  %v\nwant %s:3: modules.bad.%s", err, file, test.want)
			}
			if err != nil && strings.Contains(err.Error(), password) {
				t.Errorf("%v shows the password", err)
			}
		})
	}
}

func TestAllMistakesOfAllModulesAreToldAtOnce(t *testing.T) {
	t.Parallel()
	file := written(t, `modules:
  a:
    prober: htpp
  b:
    prober: dns
    timeout: soon
    dns: {query_name: x, query_type: X, valid_rcodes: [x], colour: red}
  c:
    prober: http
    http:
      method: GET
      method: POST
      fail_if_body_matches_regexp: ['(', '[']
  d: http
colour: red
`)
	_, err := withModules(t, file, someService)
	want := []string{
		"6: modules.b.timeout: got soon", "7: modules.b.dns.colour: got an unknown field",
		"12: modules.c.http.method: got the key a second time, want it once (it is on line 11)",
		`13: modules.c.http.fail_if_body_matches_regexp[0]: got "("`, `13: modules.c.http.fail_if_body_matches_regexp[1]: got "["`,
		"14: modules.d: got a text, want a mapping", "15: colour: got an unknown field",
	}
	for _, line := range want {
		if err == nil || !strings.Contains(err.Error(), file+":"+line) {
			t.Errorf("got\n%v\nwithout %s", err, line)
		}
	}
}

func TestWhatWorksButHardlyAsItWasMeantIsAWarning(t *testing.T) {
	t.Parallel()
	file := written(t, `modules:
  http_2xx: {prober: http, timeout: -5s, http: {preferred_ip_protocol: ipv4, body_file: nowhere.txt}}
  old: {prober: grpc_probe}
`)
	loaded, err := withModules(t, file, someService)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		file + ":2: modules.http_2xx.timeout: got -5s, want a duration of more than 0, or none; this one counts as none",
		file + ":2: modules.http_2xx.http.preferred_ip_protocol: got ipv4, want ip4 or ip6; anything else counts as ip4",
		file + ":2: modules.http_2xx.http.body_file: got nowhere.txt (no such file), want a readable file",
		file + ":3: modules.old.prober: got grpc_probe, want grpc; nothing can be looked at with grpc_probe",
	}
	if got := strings.Split(loaded.Warnings.Error(), "\n"); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := loaded.Modules["http_2xx"].Timeout; got != 0 {
		t.Errorf("got a timeout of %v", got)
	}
	_, err = withModules(t, file, "target: shop.example.com, module: http_2xx")
	if err == nil || err.Error() != want[2] {
		t.Errorf("a service needs the file: got %v, want %s", err, want[2])
	}
	_, err = withModules(t, file, "target: shop.example.com, module: old")
	if err == nil || !strings.HasSuffix(err.Error(), "services[0].module: got old, whose prober is grpc_probe, want a module whose prober is there") {
		t.Errorf("a service can't look: got %v", err)
	}
}

func TestAFileThatGrowsWithoutEndIsRefused(t *testing.T) {
	t.Parallel()
	bomb := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for _, name := range []string{"b", "c", "d", "e", "f", "g", "h"} {
		former := string(name[0] - 1)
		bomb += name + ": &" + name + " [" + strings.TrimSuffix(strings.Repeat("*"+former+", ", 9), ", ") + "]\n"
	}
	merges := "a: &a {x: {prober: http}}\n"
	for _, name := range []string{"b", "c", "d", "e", "f", "g", "h"} {
		former := string(name[0] - 1)
		merges += name + ": &" + name + " {<<: [" + strings.TrimSuffix(strings.Repeat("*"+former+", ", 9), ", ") + "]}\n"
	}
	for name, test := range map[string]struct{ text, want string }{
		"by aliases":           {bomb + "modules: {x: {prober: http, http: {valid_status_codes: *h}}}\n", ":1: "},
		"by a merge of itself": {"m: &m {<<: [*m, *m]}\nmodules: *m\n", ":1: m: got an unknown field, want one of modules"},
		"by merges":            {merges + "modules: *h\n", ":1: a: got an unknown field, want one of modules"},
		"in bytes":             {"modules: {}\n" + strings.Repeat("#", 4<<20), "(larger than 4 MiB), want a readable configuration file"},
		"by keys":              {"modules:\n" + strings.Repeat("  a:\n", 6_000), ":2: got a mapping of more than 5000 keys, want fewer"},
		"by values":            {"modules: {m: {prober: http, http: {valid_status_codes: [" + strings.Repeat("x,", 210_000) + "]}}}", ":1: got more than 200000 values, want fewer"},
		"by wrong values":      {"modules: {m: {prober: http, http: {valid_status_codes: [" + strings.Repeat("x,", 20_000) + "]}}}", ":1: modules.m.http.valid_status_codes[99]: got x, want a whole number"},
		"by nesting":           {"modules: " + strings.Repeat("[", 20_000), ": got a slip of YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := withModules(t, written(t, test.text), someService)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %.500v, want %s", err, test.want)
			}
		})
	}
}
