package store_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
	"shopwatch/rules"
)

func TestBackupOfARunningStoreOpensWithItsKeyAndOnlyWithIt(t *testing.T) {
	t.Parallel()
	place := storetest.SQLite(t)
	s := place.Open(t)
	if err := s.SyncPeople(t.Context(), people("1", "2"), nil); err != nil {
		t.Fatal(err)
	}
	i := incident("i1")
	save(t, s, i, notice(i, rules.Ops, notifier.EventDown))
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan int)
	go func() { // goes on meanwhile
		n := 0
		for ; ctx.Err() == nil; n++ {
			save(t, s, incident(fmt.Sprint("later", n)))
		}
		ended <- n
	}()
	file := filepath.Join(t.TempDir(), "backup.db")
	if err := store.Backup(t.Context(), place.Config, file); err != nil {
		t.Fatal(err)
	}
	stop()
	if n := <-ended; n == 0 {
		t.Error("nothing was written meanwhile")
	}
	info, err := os.Stat(file)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if files, err := os.ReadDir(filepath.Dir(file)); err != nil || len(files) != 1 {
		t.Errorf("left beside it: %v, %v", files, err)
	}
	key, err := os.ReadFile(place.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(key)))
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil || bytes.Contains(content, raw) || bytes.Contains(content, bytes.TrimSpace(key)) {
		t.Errorf("the backup holds the key (%v)", err)
	}

	restored := storetest.SQLite(t)
	if err := os.WriteFile(restored.Path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), restored.Config); err == nil || !strings.Contains(err.Error(), "bring back the old key file") {
		t.Errorf("without the key: %v", err)
	}
	if err := os.WriteFile(restored.KeyFile, key, 0o600); err != nil {
		t.Fatal(err)
	}
	s = restored.Open(t)
	expand(t, s)
	if list := claim(t, s, "telegram", now); len(list) != 2 || list[0].Recipient.Address != "1" {
		t.Errorf("restored: %+v", list)
	}
}

func TestBackupNeverWritesOverAnythingNorMakesADatabase(t *testing.T) {
	t.Parallel()
	place := storetest.SQLite(t)
	file := filepath.Join(t.TempDir(), "backup.db")
	if err := store.Backup(t.Context(), place.Config, file); err == nil || !strings.Contains(err.Error(), "no notifier has run here") {
		t.Errorf("of nothing: %v", err)
	}
	if _, err := os.Stat(place.Path); err == nil {
		t.Error("a database was made")
	}
	place.Open(t)
	if err := os.WriteFile(file, []byte("dear"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.Backup(t.Context(), place.Config, file); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("onto a file: %v", err)
	}
	if content, err := os.ReadFile(file); err != nil || string(content) != "dear" {
		t.Errorf("the file is now %q, %v", content, err)
	}
	if err := store.Backup(t.Context(), store.Config{PostgresDSN: "postgres://db/shopwatch"}, file+"2"); err == nil || !strings.Contains(err.Error(), "pg_dump") {
		t.Errorf("of PostgreSQL: %v", err)
	}
}

func TestBackupOfADamagedDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	place := storetest.SQLite(t)
	s := place.Open(t)
	for i := range 200 {
		save(t, s, incident(fmt.Sprint("i", i)))
	}
	s.Close()
	content, err := os.ReadFile(place.Path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 8192; at+4096 < len(content); at += 4096 { // all pages but the first two
		copy(content[at:], bytes.Repeat([]byte{0xff}, 512))
	}
	if err := os.WriteFile(place.Path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "backup.db")
	if err := store.Backup(t.Context(), place.Config, file); err == nil {
		t.Error("a damaged database was copied")
	}
	if files, err := os.ReadDir(filepath.Dir(file)); err != nil || len(files) != 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	if _, err := store.Open(t.Context(), place.Config); err == nil || !strings.Contains(err.Error(), "damaged") && !strings.Contains(err.Error(), "malformed") {
		t.Errorf("opened: %v", err)
	}
}
