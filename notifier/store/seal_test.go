package store_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
	"shopwatch/rules"
)

func TestAddressesAreUnreadableInTheFile(t *testing.T) {
	t.Parallel()
	place := storetest.SQLite(t)
	s := place.Open(t)
	if err := s.SyncPeople(t.Context(), people("-100555444333"), nil); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(place.Path + "*")
	if err != nil || len(files) < 2 {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, path := range files {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte("100555444333")) {
			t.Errorf("%s holds an address in the clear", path)
		}
	}
}

func TestDatabaseOfAnotherKeySaysWhichKeyToBringBack(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		if err := s.SyncPeople(t.Context(), people("1"), nil); err != nil {
			t.Fatal(err)
		}
		s.Close()
		was, err := os.ReadFile(place.KeyFile)
		if err != nil {
			t.Fatal(err)
		}
		refused := func(what string) {
			t.Helper()
			_, err := store.Open(t.Context(), place.Config)
			if err == nil || !strings.Contains(err.Error(), "bring back the old key file") {
				t.Errorf("%s: %v", what, err)
			}
			if err != nil && strings.Contains(err.Error(), strings.TrimSpace(string(was))) {
				t.Errorf("%s: the error holds the key", what)
			}
		}
		if err := os.Remove(place.KeyFile); err != nil {
			t.Fatal(err)
		}
		refused("no key")
		if _, err := os.Stat(place.KeyFile); err == nil {
			t.Error("a new key was made where the old one is missing")
		}
		writeKey(t, place.KeyFile, 1)
		refused("another key")
		if err := os.WriteFile(place.KeyFile, was, 0o600); err != nil {
			t.Fatal(err)
		}
		place.Open(t)
	})
}

// writeKey writes a key file; equal numbers make equal keys.
func writeKey(t *testing.T, path string, number byte) {
	t.Helper()
	key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{number}, 32))
	if err := os.WriteFile(path, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestKeyFileThatIsNoKeyOrThatEverybodyCanReadIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
	}{
		"others can read it": {base64.StdEncoding.EncodeToString(make([]byte, 32)), 0o644, "chmod 600"},
		"too short":          {base64.StdEncoding.EncodeToString(make([]byte, 31)), 0o600, "want 32 bytes in base64"},
		"no base64":          {"hunter2!", 0o600, "want 32 bytes in base64"},
		"empty":              {"", 0o600, "want 32 bytes in base64"},
		"too long":           {strings.Repeat("A", 2000), 0o600, "want a file of 32 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place := storetest.SQLite(t)
			if err := os.WriteFile(place.KeyFile, []byte(c.content), c.mode); err != nil {
				t.Fatal(err)
			}
			_, err := store.Open(t.Context(), place.Config)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), place.KeyFile) || c.content != "" && strings.Contains(err.Error(), c.content) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// rotated is the place with a new current key, and the old one among the previous.
func rotated(t *testing.T, place storetest.Place, number byte) storetest.Place {
	t.Helper()
	place.PreviousKeyFiles = []string{place.KeyFile}
	place.KeyFile = filepath.Join(t.TempDir(), "new.key")
	writeKey(t, place.KeyFile, number)
	return place
}

func reseal(t *testing.T, s *store.Store, limit int) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = s.Reseal(t.Context(), limit); err != nil {
			t.Fatal(err)
		}
	}
}

func addresses(t *testing.T, s *store.Store) string {
	t.Helper()
	list, err := s.Subscribers(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, r := range list {
		all = append(all, r.Address)
	}
	return strings.Join(all, " ")
}

func TestKeyIsReplacedInChunksWhateverCutsThemShort(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		signUp := func(number int) {
			t.Helper()
			if err := s.Subscribe(t.Context(), notifier.Recipient{Channel: "email", Address: fmt.Sprintf("b%d@x.example", number), Language: notifier.Chinese}); err != nil {
				t.Fatal(err)
			}
		}
		var want []string
		for i := range 7 {
			signUp(i)
			want = append(want, fmt.Sprintf("b%d@x.example", i))
		}
		links := s.Derive("links")
		for start := range 4 { // each is cut short after one chunk
			s.Close()
			next := place
			if start == 0 {
				next = rotated(t, place, 7)
			}
			place = next
			s = place.Open(t)
			if got := addresses(t, s); got != strings.Join(want, " ") {
				t.Fatalf("start %d: %s", start, got)
			}
			signUp(6) // known, whichever key hashed it
			if spare, err := s.SpareKeyFiles(t.Context()); err != nil || len(spare) != 0 && start < 3 {
				t.Fatalf("start %d: the old key is said to be needed no longer: %v, %v", start, spare, err)
			}
			if _, err := s.Reseal(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
		}
		reseal(t, s, 2)
		if spare, err := s.SpareKeyFiles(t.Context()); err != nil || len(spare) != 1 || spare[0] != place.PreviousKeyFiles[0] {
			t.Errorf("spare: %v, %v", spare, err)
		}
		s.Close()
		place.PreviousKeyFiles = nil
		s = place.Open(t)
		signUp(3)
		if got := addresses(t, s); got != strings.Join(want, " ") {
			t.Errorf("without the old key: %s", got)
		}
		if !bytes.Equal(links, s.Derive("links")) || bytes.Equal(links, s.Derive("codes")) {
			t.Error("what is derived for a purpose must be its own and outlive the key")
		}
	})
}

func TestSpellingsOfOneAddressAreOneSubscriber(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		for channel, spellings := range map[string][]string{
			"email":    {"Buyer@例子.example", " buyer@xn--fsqu00a.EXAMPLE"},
			"sms":      {"+8613912345678", "+86 139-1234-5678", "008613912345678"},
			"telegram": {"-100123", " -100123 "},
		} {
			for _, address := range spellings {
				if err := s.Subscribe(t.Context(), notifier.Recipient{Channel: channel, Address: address, Language: notifier.Chinese}); err != nil {
					t.Fatal(err)
				}
			}
		}
		counts, err := s.Recipients(t.Context())
		want := fmt.Sprint([]store.RecipientCount{
			{string(rules.Subscribers), "email", notifier.Active, 1}, {string(rules.Subscribers), "sms", notifier.Active, 1},
			{string(rules.Subscribers), "telegram", notifier.Active, 1},
		})
		if err != nil || fmt.Sprint(counts) != want {
			t.Errorf("got %v (%v), want %s", counts, err, want)
		}
	})
}
