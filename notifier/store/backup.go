package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
)

// Backup copies the SQLite database of a Config into a file that is new, mode
// 0600, while a store is open on it or not. What was committed before it began is
// in the copy. The copy is checked before it gets its name; cut short, it leaves
// at most a file named ".backup-…" beside it. The contact key is never in it.
func Backup(ctx context.Context, cfg Config, file string) error {
	if cfg.PostgresDSN != "" {
		return errors.New("backup: the notifier keeps its data in PostgreSQL: copy it with pg_dump, and the contact key beside it")
	}
	if _, err := os.Stat(cfg.Path); err != nil { // or SQLite would make one
		return fmt.Errorf("backup: no notifier has run here: %w", err)
	}
	if err := isNew(file); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(file), ".backup-*") // mode 0600
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer os.Remove(temp.Name()) // no-op once renamed
	if err := errors.Join(copySQLite(ctx, cfg.Path, temp.Name()), temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("backup of %q: %w", cfg.Path, explainSQLite(err))
	}
	if err := checkCopy(ctx, temp.Name()); err != nil {
		return fmt.Errorf("backup of %q: the copy is no good: %w", cfg.Path, err)
	}
	if err := isNew(file); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), file); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

func isNew(file string) error {
	_, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return fmt.Errorf("backup: %q is there already: name a file that is new", file)
}

// copySQLite writes all of a database into an empty file. The writer is not in
// its way, nor is it in the writer's.
func copySQLite(ctx context.Context, from, to string) error {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: from}).EscapedPath()+"?mode=rw&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, to)
	return errors.Join(err, db.Close())
}

func checkCopy(ctx context.Context, file string) error {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?mode=ro&immutable=1")
	if err != nil {
		return err
	}
	err = quickCheck(ctx, db)
	if err == nil {
		var incidents int
		err = db.QueryRowContext(ctx, `SELECT count(*) FROM incidents`).Scan(&incidents)
	}
	return errors.Join(err, db.Close())
}
