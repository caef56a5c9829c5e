package statefile_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shopwatch/internal/statefile"
)

var errNonsense = errors.New("nonsense")

func TestAFileIsLoadedAsItWasReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	for _, content := range []string{"first", "second"} {
		if err := statefile.Replace(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		var got string
		damaged, err := statefile.Load(path, path+".aside", func(data []byte) error { got = string(data); return nil })
		if damaged != nil || err != nil || got != content {
			t.Errorf("got %q (%v, %v), want %q", got, damaged, err, content)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v (%v), want 0600", info.Mode(), err)
	}
	if left, _ := filepath.Glob(path + "?*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAFileWhoseWritingFailsLeavesTheFormerOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	if err := statefile.Replace(path, []byte("former")); err != nil {
		t.Fatal(err)
	}
	err := statefile.Stream(path, func(w io.Writer) error {
		_, err := io.WriteString(w, strings.Repeat("half", 100_000))
		return errors.Join(err, errNonsense)
	})
	if !errors.Is(err, errNonsense) {
		t.Errorf("Stream = %v, want what the writer said", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "former" {
		t.Errorf("the file holds %d bytes (%v), want the former ones", len(got), err)
	}
	if left, _ := filepath.Glob(path + "?*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAMissingFileIsNothingToUnderstand(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	damaged, err := statefile.Load(path, path+".aside", func([]byte) error { t.Error("asked"); return errNonsense })
	if damaged != nil || err != nil {
		t.Errorf("got %v, %v", damaged, err)
	}
}

func TestAFileThatIsNotUnderstoodIsMovedAsideWhole(t *testing.T) {
	t.Parallel()
	for name, content := range map[string][]byte{"nonsense": []byte("{"), "too large": bytes.Repeat([]byte("x"), 64<<20+1)} {
		path := filepath.Join(t.TempDir(), "state")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		damaged, err := statefile.Load(path, path+".aside", func([]byte) error { return errNonsense })
		if damaged == nil || err != nil {
			t.Errorf("%s: got %v, %v", name, damaged, err)
		}
		kept, err := os.ReadFile(path + ".aside")
		if err != nil || !bytes.Equal(kept, content) {
			t.Errorf("%s: %d bytes were kept (%v), want %d", name, len(kept), err, len(content))
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the file is still there (%v)", name, err)
		}
	}
}

func TestWhatCannotBeReadOrWrittenIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := statefile.Load(dir, dir+".aside", func([]byte) error { return nil }); err == nil {
		t.Error("a directory was loaded")
	}
	path := filepath.Join(dir, "state")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := statefile.Load(path, filepath.Join(dir, "gone", "aside"), func([]byte) error { return errNonsense }); err == nil {
		t.Error("a file was moved into a folder that isn't there")
	}
	if err := statefile.Replace(filepath.Join(dir, "gone", "state"), nil); err == nil {
		t.Error("a file was written into a folder that isn't there")
	}
	if err := statefile.Replace(dir, nil); err == nil {
		t.Error("a folder was replaced by a file")
	}
	if left, _ := filepath.Glob(filepath.Dir(dir) + "/*.new-*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
