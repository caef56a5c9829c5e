package engine

import (
	"errors"
	"fmt"
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

// openStore opens the database below dir, replaying its write-ahead log. Parts
// that can't be read are moved aside; the database then repairs a log that
// breaks off, losing only what follows the break. A database that can't be
// opened even so is moved aside as a whole and begun anew.
func openStore(dir string, retention *config.TSDBRetentionConfig, quiet, logger *slog.Logger) (*store, error) {
	err := recoverParts(dir, logger)
	var opened *store
	if err == nil {
		opened, err = tryStore(dir, retention, quiet)
	}
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
