package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"shopwatch/exporter/config"
	"shopwatch/internal/configfile"
)

// FuzzLoad feeds arbitrary files, a shopwatch.yml and a file of modules that it
// may name as blackbox.yml. Whatever they hold: nothing panics, there is either
// a Config or a mistake for each thing that is wrong, on a printable line of its
// own, and what the environment holds is in none of them.
func FuzzLoad(f *testing.F) {
	modules, err := os.ReadFile("testdata/blackbox.yml")
	if err != nil {
		f.Fatal(err)
	}
	seeds, err := filepath.Glob("testdata/*.yml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range seeds {
		text, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), string(modules))
	}
	const names = "exporter: {module_files: [blackbox.yml], shops: [{id: a, services: [{id: a, target: 'http://a/', module: m}]}]}\n"
	for _, text := range []string{
		"", "modules:", "modules: {m: {prober: http, http: {valid_status_codes: [x], headers: {a: [b]}}}}", "modules: {? [a] : b}",
		"a: &a [*a]\nmodules: *a\n", "modules: &m {m: {prober: dns, <<: *m}}\n", "modules: {m: {prober: tcp, tcp: {query_response: [{expect: '('}]}}}",
		"modules: {m: {prober: http, http: {fail_if_body_json_matches_cel: 'a.b(', proxy_url: '%', oauth2: {claims: {a: [1]}}}}}",
		"%YAML 1.1\n---\nmodules: !!map {m: !x {prober: !!binary aHR0cA==}}\n---\n", "modules: {m: {prober: icmp, icmp: {ttl: 1e3, payload_size: -1}}}",
	} {
		f.Add(names, text)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text, modules string) {
		t.Chdir(dir)
		if err := os.WriteFile("blackbox.yml", []byte(modules), 0o600); err != nil {
			t.Fatal(err)
		}
		doc, err := configfile.Parse("shopwatch.yml", []byte(text), environment)
		if err == nil {
			_, err = config.Load(doc)
		}
		if err == nil {
			return
		}
		var mistakes configfile.Mistakes
		if !errors.As(err, &mistakes) || len(mistakes) == 0 {
			t.Fatalf("got %T, want Mistakes", err)
		}
		for _, mistake := range mistakes {
			shown := mistake.Error()
			if strings.ContainsFunc(shown, unicode.IsControl) || !strings.Contains(shown, "got ") || !strings.Contains(shown, ", want ") {
				t.Errorf("got %q", shown)
			}
			if mistake.Line < 0 || mistake.Line == 0 && mistake.File != "shopwatch.yml" {
				t.Errorf("line %d: %s", mistake.Line, shown)
			}
			if strings.Contains(shown, token) && !strings.Contains(text+modules, token) {
				t.Errorf("%q shows the environment", shown)
			}
		}
	})
}
