package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// seal keeps addresses (mail, phone, chat id) unreadable without the key file:
// AES-256-GCM with the recipient's row as additional data, so that a sealed
// address can't be moved to another row, and an HMAC for looking one up. Both
// keys come from the file's 32 bytes by HKDF-SHA256, one per purpose.
type seal struct {
	aead cipher.AEAD
	hash []byte
}

func openSeal(path string) (*seal, error) {
	master, err := readKey(path)
	if err != nil {
		return nil, err
	}
	sealing, err := hkdf.Key(sha256.New, master, nil, "shopwatch address", 32)
	if err != nil {
		return nil, err
	}
	hash, err := hkdf.Key(sha256.New, master, nil, "shopwatch address lookup", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &seal{aead: aead, hash: hash}, err
}

// readKey reads 32 bytes in base64, and makes them where there is no file.
func readKey(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key := make([]byte, 32)
		rand.Read(key)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("contact key: %w", err)
		}
		return key, os.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("contact key: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(content)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("contact key %q: want 32 bytes in base64", path)
	}
	return key, nil
}

// check makes another key than the one that sealed this database a clear error.
func (s *seal) check(tx *Tx) error {
	const name = "contact_key_check"
	want := base64.StdEncoding.EncodeToString(s.digest("check", "shopwatch"))
	have, err := tx.Mark(name)
	switch {
	case err != nil:
		return err
	case have == "":
		return tx.SetMark(name, want)
	case !hmac.Equal([]byte(have), []byte(want)):
		return errors.New("the contact key is not the one that this database was sealed with: bring back the old key file")
	}
	return nil
}

func (s *seal) digest(channel, address string) []byte {
	mac := hmac.New(sha256.New, s.hash)
	mac.Write([]byte(channel + "\x00" + normal(channel, address)))
	return mac.Sum(nil)
}

// normal makes two spellings of one address equal: mail addresses ignore case.
func normal(channel, address string) string {
	address = strings.TrimSpace(address)
	if channel == "email" {
		return strings.ToLower(address)
	}
	return address
}

func (s *seal) seal(row int64, address string) []byte {
	nonce := make([]byte, s.aead.NonceSize())
	rand.Read(nonce)
	return s.aead.Seal(nonce, nonce, []byte(address), rowData(row))
}

func (s *seal) open(row int64, sealed []byte) (string, error) {
	if len(sealed) < s.aead.NonceSize() {
		return "", fmt.Errorf("recipient %d: the sealed address is cut short", row)
	}
	nonce, text := sealed[:s.aead.NonceSize()], sealed[s.aead.NonceSize():]
	address, err := s.aead.Open(nil, nonce, text, rowData(row))
	if err != nil {
		return "", fmt.Errorf("recipient %d: the address can't be opened with this key", row)
	}
	return string(address), nil
}

func rowData(row int64) []byte { return []byte("recipient " + strconv.FormatInt(row, 10)) }
