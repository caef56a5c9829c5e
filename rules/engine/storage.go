package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/fileutil"
	"github.com/prometheus/prometheus/tsdb/record"
	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"
)

// Sizes of the database, for a shop's few thousand series on a small machine
// instead of Prometheus's millions.
const (
	stripeSize     = 1 << 10                   // entries of the series hash map; Prometheus: 16 Ki
	walSegmentSize = 16 << 20                  // bytes; Prometheus: 128 MiB
	writeBuffer    = chunks.MinWriteBufferSize // bytes, 64 KiB; Prometheus: 4 MiB
)

// lock takes the data directory for this engine alone. The lock is released
// when the process ends, however it ends; the empty file stays.
func lock(dir string) (release func() error, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("create data directory: %w", err)
	}
	path := filepath.Join(dir, "engine.lock")
	locked, _, err := fileutil.Flock(path)
	if errors.Is(err, syscall.EAGAIN) {
		return nil, fmt.Errorf("data directory %q is in use by another process: stop it or give this one a directory of its own: %w", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("lock data directory %q: %w", dir, err)
	}
	return locked.Release, nil
}

// store is the opened database with what its metrics were registered in.
type store struct {
	*tsdb.DB
	stats    *tsdb.DBStats
	registry *prometheus.Registry
}

// openStore opens the database below dir, replaying its write-ahead log. The
// database repairs a log that breaks off, losing only what follows the break;
// one that is damaged beyond that is moved aside and begun anew.
func openStore(dir string, retention *config.TSDBRetentionConfig, quiet, logger *slog.Logger) (*store, error) {
	opened, err := tryStore(dir, retention, quiet)
	if err == nil {
		return opened, nil
	}
	if environmental(err) {
		return nil, fmt.Errorf("open database %q: %w", dir, err)
	}
	aside, moveErr := moveAside(dir)
	if moveErr != nil {
		return nil, fmt.Errorf("open database %q: %w", dir, errors.Join(err, moveErr))
	}
	logger.Error("the database of Prometheus is damaged: moved it aside and begin with an empty one; the history of the metrics is in the old one only",
		"err", err, "moved_to", aside)
	opened, err = tryStore(dir, retention, quiet)
	if err != nil {
		return nil, fmt.Errorf("create database %q: %w", dir, err)
	}
	return opened, nil
}

func tryStore(dir string, retention *config.TSDBRetentionConfig, logger *slog.Logger) (*store, error) {
	if err := checkCheckpoint(filepath.Join(dir, "wal")); err != nil {
		return nil, err
	}
	age := time.Duration(retention.Time)
	options := tsdb.DefaultOptions()
	options.RetentionDuration = age.Milliseconds()
	options.MaxBytes = int64(retention.Size)
	options.MaxPercentage = retention.Percentage
	options.MaxBlockDuration = (31 * 24 * time.Hour).Milliseconds()
	if age > 0 { // Prometheus's rule: a block spans a tenth of the retention at most
		options.MaxBlockDuration = min(options.MaxBlockDuration, age.Milliseconds()/10)
	}
	options.WALCompression = compression.Snappy
	options.WALSegmentSize = walSegmentSize
	options.StripeSize = stripeSize
	options.HeadChunksWriteQueueSize = 0
	options.HeadChunksWriteBufferSize = writeBuffer

	opened := &store{stats: tsdb.NewDBStats(), registry: prometheus.NewRegistry()}
	var err error
	opened.DB, err = tsdb.Open(dir, logger.With("component", "tsdb"), opened.registry, options, opened.stats)
	return opened, err
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
	segments, err := wlog.NewSegmentsReader(dir)
	if err != nil {
		return fmt.Errorf("open checkpoint: %w", err)
	}
	defer segments.Close()
	records := wlog.NewReader(segments)
	for records.Next() {
	}
	if err := records.Err(); err != nil {
		return fmt.Errorf("read checkpoint: %w", err)
	}
	return nil
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
	aside := path + ".corrupt-" + time.Now().UTC().Format("20060102T150405.000Z")
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("move damaged data aside: %w", err)
	}
	return aside, nil
}
