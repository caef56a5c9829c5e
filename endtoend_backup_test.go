package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// backedUp copies the demo's database while it runs, and tells where the key is.
func (d *demonstration) backedUp(t *testing.T) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "backup.db")
	if said := printed(t, shopwatch(t, "backup", file, "--data.dir="+d.dir)); !strings.Contains(said, "contact.key") {
		t.Errorf("backup says %q, and not which key it needs", said)
	}
	if info, err := os.Stat(file); err != nil || info.Size() == 0 {
		t.Errorf("the copy: %v, %v", info, err)
	}
	_, stderr, code := finished(t, shopwatch(t, "backup", file, "--data.dir="+d.dir))
	if code != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "is there already") {
		t.Errorf("onto a copy: exit code %d, want 1 and one line: %s", code, stderr)
	}
}
