package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTemplatesAreHandedOutChangedAndChecked(t *testing.T) {
	t.Parallel()
	if said := printed(t, shopwatch(t, "templates")); !strings.Contains(said, "==> words.zh.txt\n") || !strings.Contains(said, "==> email.html\n") {
		t.Fatalf("templates prints\n%s", said)
	}
	dir := t.TempDir()
	own := filepath.Join(dir, "words")
	config := filepath.Join(dir, "shopwatch.yml")
	put(t, config, "notifier: {prometheus: {url: \"http://127.0.0.1:9\"}, webhook: {token: 0123456789abcdef0123456789abcdef}, templates: {dir: words}, "+
		"webhooks: [{name: room, kind: wecom, url: \"http://127.0.0.1:9/\"}], audiences: {ops: [{webhook: room}], management: [{webhook: room}]}}\n")
	if said := printed(t, shopwatch(t, "templates", "--out="+own)); !strings.Contains(said, filepath.Join(own, "words.en.txt")+"\n") {
		t.Fatalf("templates prints\n%s", said)
	}
	if said := printed(t, shopwatch(t, "check", "--config.file="+config)); said != config+": no mistakes\n" {
		t.Errorf("of our own templates check says\n%s", said)
	}
	put(t, filepath.Join(own, "words.en.txt"), "{{define \"down\"}}\nOh no: {{.Titel}}\n{{end}}\n")
	said := printed(t, shopwatch(t, "templates", "--out="+own))
	if content, err := os.ReadFile(filepath.Join(own, "words.en.txt")); err != nil || !strings.Contains(string(content), "Oh no") || !strings.Contains(said, "words.en.txt is there already\n") {
		t.Errorf("what was changed is lost: %s, %v\n%s", content, err, said)
	}
	for _, command := range []string{"check", "notifier"} {
		stdout, stderr, code := finished(t, shopwatch(t, command, "--config.file="+config, "--data.dir="+filepath.Join(dir, command),
			"--web.listen-address=127.0.0.1:0", "--private.listen-address=127.0.0.1:0"))
		if code != 1 || stdout != "" || !strings.Contains(stderr, filepath.Join(own, "words.en.txt")+`:2: block "down": got .Titel, want one of .Event, `) {
			t.Errorf("%s: exit code %d, on standard output %q, on standard error\n%s", command, code, stdout, stderr)
		}
	}
}
