package app_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shopwatch/notifier/app"
	"shopwatch/notifier/config"
	"shopwatch/notifier/store"
	"shopwatch/rules"
)

func TestContactKeyIsReplacedWhileTheNotifierRunsAndACopyNeedsTheNewOneAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.stop()
	old := app.KeyFile(config.StoreConfig{}, b.dir)
	b.store = config.StoreConfig{ContactKeyFile: filepath.Join(t.TempDir(), "new.key"), PreviousContactKeyFiles: []string{old}}
	key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	if err := os.WriteFile(b.store.ContactKeyFile, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()
	copies := t.TempDir()
	deadline := time.After(20 * time.Second)
	for n := 0; ; n++ {
		file := filepath.Join(copies, fmt.Sprint(n, ".db"))
		if err := app.Backup(t.Context(), b.store, b.dir, file); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(t.Context(), store.Config{Path: file, KeyFile: app.KeyFile(b.store, b.dir)})
		if err == nil { // all is sealed with the new key
			s.Close()
			break
		}
		select {
		case <-deadline:
			t.Fatalf("the old key is still needed: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	b.tell(rules.Ops, "firing", time.Now())
	b.arrives("100", "Alipay payments are failing")
	b.stop()
	if err := os.Remove(old); err != nil {
		t.Fatal(err)
	}
	b.store.PreviousContactKeyFiles = nil
	b.start()
	b.tell(rules.Ops, "resolved", time.Now())
	b.arrives("100", "Resolved")
}
