package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/fileutil"
	"github.com/prometheus/prometheus/tsdb/record"
	"github.com/prometheus/prometheus/tsdb/wlog"
)

// recoverParts moves aside what the database below dir can't read, be it damaged
// or of another version, and what it would delete to repair itself. Its error
// says that the database must be moved aside as a whole.
func recoverParts(dir string, logger *slog.Logger) (err error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// A Prometheus of its own may be at work here. One that ended well has left no
	// file: ours must not make the database warn that it didn't.
	path := filepath.Join(dir, "lock")
	_, left := os.Stat(path)
	lock, _, err := fileutil.Flock(path)
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	defer func() {
		err = errors.Join(err, lock.Release())
		if errors.Is(left, fs.ErrNotExist) {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	if err := checkCheckpoint(filepath.Join(dir, "wal")); err != nil {
		return err
	}
	aside := dir + asideName()
	return errors.Join(
		recoverBlocks(dir, aside, logger),
		recoverHeadChunks(dir, aside, logger),
		recoverLog(filepath.Join(dir, "wal"), filepath.Join(aside, "wal"), logger),
	)
}

// blockName matches the ULID of a block.
var blockName = regexp.MustCompile(`^[0-7][0-9A-HJKMNP-TV-Z]{25}$`)

// recoverBlocks moves each block aside that can't be opened. The database would
// leave out those whose meta.json it doesn't know, and not start on others.
func recoverBlocks(dir, aside string, logger *slog.Logger) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list blocks: %w", err)
	}
	for _, entry := range entries {
		if !entry.IsDir() || !blockName.MatchString(entry.Name()) {
			continue
		}
		block, err := tsdb.OpenBlock(nil, filepath.Join(dir, entry.Name()), nil, nil)
		if err == nil {
			err = block.Close()
		}
		if err == nil {
			continue
		}
		if environmental(err) {
			return err
		}
		if err := setAside(dir, aside, entry.Name()); err != nil {
			return err
		}
		logger.Error("a block of Prometheus's database is damaged or of another version: moved it aside; its hours are missing in graphs and reports",
			"err", err, "moved_to", filepath.Join(aside, entry.Name()))
	}
	return nil
}

// headChunksVersion is the format of chunks_head that the database writes.
const headChunksVersion = 1

// recoverHeadChunks moves aside all mapped chunks of the head where one of their
// files is of another format: the write-ahead log has their samples too.
func recoverHeadChunks(dir, aside string, logger *slog.Logger) error {
	const name = "chunks_head"
	entries, err := os.ReadDir(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list chunks of the head: %w", err)
	}
	for _, entry := range entries {
		if _, err := strconv.ParseUint(entry.Name(), 10, 64); err != nil {
			continue
		}
		err := checkHeadChunks(filepath.Join(dir, name, entry.Name()))
		if err == nil {
			continue
		}
		if environmental(err) {
			return err
		}
		if err := setAside(dir, aside, name); err != nil {
			return err
		}
		logger.Warn("the mapped chunks of Prometheus's database are damaged or of another version: moved them aside; their samples are read from its log",
			"file", entry.Name(), "err", err, "moved_to", filepath.Join(aside, name))
		return nil
	}
	return nil
}

// checkHeadChunks looks at a file's header. A file without one is the newest of
// a process that ended just then: the database drops it.
func checkHeadChunks(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var header [chunks.MagicChunksSize + chunks.ChunksFormatVersionSize]byte
	if _, err := io.ReadFull(file, header[:]); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	} else if err != nil {
		return err
	}
	magic, version := binary.BigEndian.Uint32(header[:chunks.MagicChunksSize]), header[chunks.MagicChunksSize]
	if magic == 0 && version == 0 { // made, but not yet written
		return nil
	}
	if magic != chunks.MagicHeadChunks || version != headChunksVersion {
		return fmt.Errorf("got magic number %x and version %d, want %x and %d", magic, version, chunks.MagicHeadChunks, headChunksVersion)
	}
	return nil
}

// tornWrite is what a power cut may leave of a last write, in bytes: a page of the log.
const tornWrite = 32 << 10

// recoverLog keeps what the database is about to delete of a write-ahead log that
// breaks off: the rest of the segment with the break, and all after it. A torn
// last write is not kept: nobody could read it.
func recoverLog(wal, aside string, logger *slog.Logger) error {
	var broken *wlog.CorruptionErr
	if _, err := os.Stat(wal); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := readLog(wal); !errors.As(err, &broken) {
		return err // nil mostly
	}
	first, last, err := wlog.Segments(wal)
	if err != nil {
		return fmt.Errorf("list segments of the log: %w", err)
	}
	from := max(first, broken.Segment)
	info, err := os.Stat(wlog.SegmentName(wal, from))
	if err != nil {
		return err
	}
	if from == last && info.Size()-broken.Offset <= tornWrite {
		return nil
	}
	if err := os.MkdirAll(aside, 0o750); err != nil {
		return fmt.Errorf("make room for damaged data: %w", err)
	}
	if err := copyFile(wlog.SegmentName(wal, from), wlog.SegmentName(aside, from)); err != nil {
		return err
	}
	for i := from + 1; i <= last; i++ {
		if err := os.Rename(wlog.SegmentName(wal, i), wlog.SegmentName(aside, i)); err != nil {
			return fmt.Errorf("move damaged data aside: %w", err)
		}
	}
	logger.Error("the log of Prometheus's database breaks off: moved aside what follows; up to two hours of measurements are missing in graphs",
		"err", broken, "moved_to", aside)
	return nil
}

func copyFile(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

// setAside moves what stands below dir to the same place below aside.
func setAside(dir, aside, name string) error {
	if err := os.MkdirAll(aside, 0o750); err != nil {
		return fmt.Errorf("make room for damaged data: %w", err)
	}
	if err := os.Rename(filepath.Join(dir, name), filepath.Join(aside, name)); err != nil {
		return fmt.Errorf("move damaged data aside: %w", err)
	}
	return nil
}

// checkCheckpoint reads the newest checkpoint of a write-ahead log. The
// database does so too, but mistakes damage there for damage in the log's
// segments and deletes the sound ones before it gives up.
func checkCheckpoint(wal string) error {
	dir, _, err := wlog.LastCheckpoint(wal)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, record.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find checkpoint: %w", err)
	}
	if err := readLog(dir); err != nil {
		return fmt.Errorf("read checkpoint: %w", err)
	}
	return nil
}

// readLog reads all records of a log, or of a checkpoint, without a look into them.
func readLog(dir string) error {
	segments, err := wlog.NewSegmentsReader(dir)
	if err != nil {
		return err
	}
	defer segments.Close()
	records := wlog.NewReader(segments)
	for records.Next() {
	}
	return records.Err()
}

// environmental reports whether an error tells of the machine (no rights, no
// space, a lock, a failing disk) rather than of what was read, so that moving
// the data aside would only hide it.
func environmental(err error) bool {
	if errors.Is(err, fs.ErrPermission) {
		return true
	}
	var number syscall.Errno
	if !errors.As(err, &number) {
		return false
	}
	switch number {
	case syscall.EAGAIN, syscall.EBUSY, syscall.EDQUOT, syscall.EINTR, syscall.EIO, syscall.EMFILE,
		syscall.ENFILE, syscall.ENOMEM, syscall.ENOSPC, syscall.EROFS, syscall.ESTALE:
		return true
	}
	return false
}

// moveAside renames a damaged file or directory to <path>.corrupt-<time>.
func moveAside(path string) (string, error) {
	aside := path + asideName()
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("move damaged data aside: %w", err)
	}
	return aside, nil
}

// asideName ends the name of what is moved aside.
func asideName() string { return ".corrupt-" + time.Now().UTC().Format("20060102T150405.000Z") }
