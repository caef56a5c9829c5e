package app

import (
	"cmp"
	"context"
	"path/filepath"
	"time"

	"shopwatch/notifier/config"
	"shopwatch/notifier/store"
)

// Files of the store in the data folder.
const (
	databaseFile   = "notifier.db"
	contactKeyFile = "contact.key"
)

func storeConfig(cfg config.StoreConfig, dataDir string) store.Config {
	return store.Config{
		Path: filepath.Join(dataDir, databaseFile), PostgresDSN: cfg.Postgres.Reveal(),
		KeyFile: cmp.Or(cfg.ContactKeyFile, filepath.Join(dataDir, contactKeyFile)), PreviousKeyFiles: cfg.PreviousContactKeyFiles,
	}
}

// Backup copies the database in a data folder, while a notifier runs on it or
// not, into a file that is new. The contact key, without which no address in
// the copy can be read, stays out of it.
func Backup(ctx context.Context, cfg config.StoreConfig, dataDir, file string) error {
	from := storeConfig(cfg, dataDir)
	return store.Backup(ctx, from, file)
}

// KeyFile is where the contact key is, which a backup needs beside it.
func KeyFile(cfg config.StoreConfig, dataDir string) string {
	return storeConfig(cfg, dataDir).KeyFile
}

// lead makes this replica the one that looks at the incidents again and again
// (tick), whenever no other does.
func (d *desk) lead(ctx context.Context) {
	for {
		held, release, err := d.store.Lead(ctx, "tick")
		switch {
		case ctx.Err() != nil:
			if err == nil {
				release()
			}
			return
		case err != nil:
			d.cfg.Logger.Error("no replica can be chosen to look at the incidents", "err", err)
		default:
			d.leads.Store(&held)
			select {
			case d.chosen <- struct{}{}:
			default:
			}
			d.awaitLoss(ctx, held)
			release()
		}
		pause(ctx, d.clocks.round)
	}
}

// awaitLoss returns when this replica leads no longer.
func (d *desk) awaitLoss(ctx context.Context, held func() bool) {
	for held() && pause(ctx, time.Second) {
	}
}

// leading reports whether this replica looks at the incidents.
func (d *desk) leading() bool {
	held := d.leads.Load()
	return held != nil && (*held)()
}

// How the store is tidied: in small transactions, with room for others between.
const (
	tidyEvery = time.Hour
	tidyChunk = 500
	tidyRest  = 50 * time.Millisecond
)

// tidy seals addresses anew after the contact key was replaced, and forgets what
// is old. Two replicas that do so at once are in nobody's way.
func (d *desk) tidy(ctx context.Context) {
	d.inChunks(ctx, "addresses not sealed anew", func() (bool, error) { return d.store.Reseal(ctx, tidyChunk) })
	spare, err := d.store.SpareKeyFiles(ctx)
	if err != nil && ctx.Err() == nil {
		d.cfg.Logger.Error("contact keys not looked at", "err", err)
	}
	for _, file := range spare {
		d.cfg.Logger.Info("a previous contact key is needed no longer: take it out of contact_key_previous_files, and keep it only as long as backups of before", "file", file)
	}
	for {
		d.inChunks(ctx, "old notices not forgotten", func() (bool, error) { return d.store.Prune(ctx, d.cfg.Now(), tidyChunk) })
		if !pause(ctx, tidyEvery) {
			return
		}
	}
}

func (d *desk) inChunks(ctx context.Context, failed string, do func() (more bool, err error)) {
	for {
		more, err := do()
		if err != nil && ctx.Err() == nil {
			d.cfg.Logger.Error(failed, "err", err)
		}
		if err != nil || !more || !pause(ctx, tidyRest) {
			return
		}
	}
}

// pause waits, and reports whether ctx still goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
