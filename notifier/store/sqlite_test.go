package store_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
)

func TestSecondProcessOnTheSameFolderIsRefused(t *testing.T) {
	t.Parallel()
	place := storetest.SQLite(t)
	first := place.Open(t)
	if _, err := store.Open(t.Context(), place.Config); err == nil || !strings.Contains(err.Error(), "another shopwatch uses this folder") {
		t.Errorf("got %v", err)
	}
	save(t, first, incident("i1")) // undisturbed
	first.Close()
	place.Open(t)
}

func TestDamagedDatabaseIsAClearErrorAndIsLeftAsItWas(t *testing.T) {
	t.Parallel()
	place := storetest.SQLite(t)
	rubbish := bytes.Repeat([]byte("not a database "), 1000)
	if err := os.WriteFile(place.Path, rubbish, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), place.Config); err == nil || !strings.Contains(err.Error(), place.Path) {
		t.Errorf("got %v, want an error that names the file", err)
	}
	if after, err := os.ReadFile(place.Path); err != nil || !bytes.Equal(after, rubbish) {
		t.Error("the damaged file was changed")
	}
	if _, err := os.Stat(place.KeyFile); err == nil {
		t.Error("a contact key was made beside it")
	}
}
