package engine

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote"
)

// How remote_write ends.
const (
	// remoteFlush is how long a stop waits for each receiver that is away or slow;
	// Prometheus: 1 min, which somebody who presses Ctrl-C doesn't wait for.
	remoteFlush = 2 * time.Second
	// remoteLast is how long the last samples take from the write-ahead log to
	// the queues: a watcher that is busy misses the notice of a write, and would
	// look again after 15 s only.
	remoteLast = 100 * time.Millisecond
)

// wireRemote makes the queues of remote_write, none of which runs before a
// configuration is applied. They follow the write-ahead log: while a receiver is
// away, the log keeps what it hasn't taken, and nothing is kept in memory for it.
func (p *prometheusServer) wireRemote(dir string) {
	p.remote = remote.NewStorage(p.logger.With("component", "remote"), p.registry, p.store.StartTime, filepath.Clean(dir),
		remoteFlush, scrapesOf{p}, false)
	p.written = storage.NewFanout(p.logger, p.store, p.remote)
	p.store.SetWriteNotified(p.remote)
}

// notifyRemote has the queues read what was written last, before they are stopped.
func (p *prometheusServer) notifyRemote() {
	if len(p.applied.Load().RemoteWriteConfigs) == 0 {
		return
	}
	for range 10 {
		p.remote.Notify()
		time.Sleep(remoteLast / 10)
	}
}

// scrapesOf gives remote_write the metadata of what is scraped.
type scrapesOf struct{ *prometheusServer }

// Get implements remote.ReadyScrapeManager.
func (s scrapesOf) Get() (*scrape.Manager, error) {
	if s.scrapes == nil {
		return nil, errors.New("scraping hasn't begun")
	}
	return s.scrapes, nil
}
