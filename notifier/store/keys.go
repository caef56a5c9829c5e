package store

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// markRoot is the secret behind Derive: "<key id> <sealed, base64>".
const markRoot = "derived_root"

// openSeal reads the key files and holds them against the database: it is an
// error that says what to bring back where something is sealed with a key that
// no file has. Nothing is written before that is known.
func (s *Store) openSeal(ctx context.Context, cfg Config) error {
	return s.Change(ctx, func(tx *Tx) error {
		if err := tx.lock("keys"); err != nil {
			return err
		}
		proofs, err := tx.proofs()
		if err != nil {
			return err
		}
		keys, err := readKeys(cfg, proofs)
		if err != nil {
			return err
		}
		seal := &seal{keys: keys}
		tx.seal = seal
		if err := tx.openRoot(seal); err != nil {
			return err
		}
		seal.paces = derive(seal.root, "paces")
		_, err = tx.exec(ctx, `INSERT INTO seal_keys (id, proof) VALUES (?, ?) ON CONFLICT (id) DO NOTHING`, keys[0].id, keys[0].proof)
		s.seal = seal
		return err
	})
}

// proofs are the check values of the keys that something is sealed with, by key id.
func (t *Tx) proofs() (map[string]string, error) {
	rows, err := t.query(t.ctx, `SELECT id, proof FROM seal_keys`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	proofs := map[string]string{}
	for rows.Next() {
		var id, proof string
		if err := rows.Scan(&id, &proof); err != nil {
			return nil, err
		}
		proofs[id] = proof
	}
	return proofs, rows.Err()
}

// readKeys reads the current key and those before it, and makes the current one
// where there is none, unless it may only be lost.
func readKeys(cfg Config, proofs map[string]string) ([]key, error) {
	var keys []key
	for _, file := range cfg.PreviousKeyFiles {
		k, err := readKey(file)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	current, err := readKey(cfg.KeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		if err := complete(keys, proofs, cfg.KeyFile); err != nil {
			return nil, err
		}
		current, err = makeKey(cfg.KeyFile)
	}
	if err != nil {
		return nil, err
	}
	keys = append([]key{current}, keys...)
	return keys, complete(keys, proofs, cfg.KeyFile)
}

// complete makes another key than the one that sealed this database a clear error.
func complete(keys []key, proofs map[string]string, file string) error {
	for id, proof := range proofs {
		found := false
		for _, k := range keys {
			found = found || k.id == id && hmac.Equal([]byte(k.proof), []byte(proof))
		}
		if !found {
			return fmt.Errorf("addresses are sealed with contact key %s, and %q is missing or another: bring back the old key file; where a new one replaces it, name the old one in notifier.store.contact_key_previous_files; for another replica copy the key file of the first", id, file)
		}
	}
	return nil
}

// readKey reads 32 bytes in base64 from a file that not everybody can read.
func readKey(path string) (key, error) {
	info, err := os.Stat(path)
	if err != nil {
		return key{}, fmt.Errorf("contact key: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0 {
		return key{}, fmt.Errorf("contact key %q: everybody on this machine can open it (mode %04o): chmod 600 it, or mount it with mode 0440", path, info.Mode().Perm())
	}
	if !info.Mode().IsRegular() || info.Size() > 1024 {
		return key{}, fmt.Errorf("contact key %q: want a file of 32 bytes in base64", path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return key{}, fmt.Errorf("contact key: %w", err)
	}
	master, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(content)))
	if err != nil || len(master) != 32 {
		return key{}, fmt.Errorf("contact key %q: want 32 bytes in base64, as of `openssl rand -base64 32`", path)
	}
	return newKey(path, master)
}

// makeKey makes a key file that is on the disk before anything is sealed with it.
func makeKey(path string) (key, error) {
	master := make([]byte, 32)
	rand.Read(master)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return key{}, fmt.Errorf("contact key: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return key{}, fmt.Errorf("contact key: %w", err)
	}
	_, err = file.WriteString(base64.StdEncoding.EncodeToString(master) + "\n")
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return key{}, errors.Join(fmt.Errorf("contact key: %w", err), os.Remove(path))
	}
	return newKey(path, master)
}

// openRoot opens the secret behind Derive, makes it at the first start, and seals
// it with the current key.
func (t *Tx) openRoot(s *seal) error {
	value, err := t.Mark(markRoot)
	if err != nil {
		return err
	}
	if value == "" {
		s.root = make([]byte, 32)
		rand.Read(s.root)
	} else {
		id, encoded, _ := strings.Cut(value, " ")
		sealed, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return fmt.Errorf("mark %s: %w", markRoot, err)
		}
		for _, k := range s.keys {
			if k.id != id {
				continue
			}
			root, err := k.unlock(markRoot, sealed)
			if err != nil {
				return fmt.Errorf("mark %s: %w", markRoot, err)
			}
			s.root = []byte(root)
		}
		if s.root == nil {
			return fmt.Errorf("mark %s is sealed with contact key %s, which no file has", markRoot, id)
		}
		if id == s.keys[0].id {
			return nil
		}
	}
	current := s.keys[0]
	return t.SetMark(markRoot, current.id+" "+base64.StdEncoding.EncodeToString(current.lock(markRoot, string(s.root))))
}
