// Package statefile keeps what must outlive a restart in one small file that a
// reader, or a crash, always finds whole: the one before or the new one.
//
// The room knows nothing of what stands in a file, and decides nothing but that
// nothing is ever lost: a file that can't be understood is moved aside, so that
// it can be looked at and the process still starts.
package statefile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxSize bounds what is read of a file, in bytes: those of shopwatch hold some
// hundred bytes a service or an open order.
const maxSize = 64 << 20

// errTooLarge says that a file has more bytes than one of ours ever has.
var errTooLarge = fmt.Errorf("it has more than %d MiB", maxSize>>20)

// Load gives a file's content to understand; a missing file is not given. A file
// that is not understood is moved to aside and damaged says why; the process may
// go on as if there were none. Any other trouble (permission, disk) is err.
func Load(path, aside string, understand func([]byte) error) (damaged, err error) {
	data, err := read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err == nil:
		damaged = understand(data)
	case errors.Is(err, errTooLarge):
		damaged = err
	default:
		return nil, fmt.Errorf("read state file: %w", err)
	}
	if damaged == nil {
		return nil, nil
	}
	if err := os.Rename(path, aside); err != nil {
		return damaged, fmt.Errorf("move unreadable state file aside: %w", err)
	}
	return damaged, nil
}

func read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err == nil && len(data) > maxSize {
		err = errTooLarge
	}
	return data, err
}

// Replace writes a file, readable by this user alone, in place of the one of
// that name: also after a power cut one of the two is there, whole. Where it
// fails the former one stays.
func Replace(path string, data []byte) error {
	return Stream(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Stream is Replace for what is too large to be held in memory a second time:
// write is given the new file. Where write fails the former file stays.
func Stream(path string, write func(io.Writer) error) error {
	fresh, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return fmt.Errorf("write state file: %w", err)
	}
	defer os.Remove(fresh.Name()) //nolint:errcheck // fails after the rename, as it should
	buffered := bufio.NewWriterSize(fresh, 64<<10)
	err = write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = fresh.Sync()
	}
	if err := errors.Join(err, fresh.Close()); err != nil {
		return fmt.Errorf("write state file: %w", err)
	}
	if err := os.Rename(fresh.Name(), path); err != nil {
		return fmt.Errorf("replace state file: %w", err)
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync() // not every file system can; the rename is in place either way
		_ = dir.Close()
	}
	return nil
}
