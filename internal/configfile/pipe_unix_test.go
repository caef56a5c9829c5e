//go:build unix

package configfile_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAPipeIsNoSecretFileBecauseItsReaderWaitsForEver(t *testing.T) {
	t.Parallel()
	doc, dir := folder(t, "s:\n  password_file: secrets/pipe\n", nil)
	if err := syscall.Mkfifo(filepath.Join(dir, "secrets", "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	problems := doc.Problems()
	var got kitchen
	doc.Decode("s", &got, problems)
	const want = "2: s.password_file: got secrets/pipe (no regular file), want a readable file that holds the secret"
	if err := problems.Err(); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
