package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"

	"shopwatch/notifier"
)

// seal keeps addresses (mail, phone, chat id) unreadable without the key file:
// AES-256-GCM with the recipient's row as additional data, so that a sealed
// address can't be moved to another row, and an HMAC for looking one up.
type seal struct {
	keys []key  // the current one first, then those that it replaces
	root []byte // the secret behind Derive
	// paces is the key of scope.
	paces []byte
}

// key is one key file's. All that is used comes from its 32 bytes by HKDF-SHA256,
// one key per purpose.
type key struct {
	id    string // tells keys apart, and tells nothing about the key
	file  string
	proof string // the check value
	aead  cipher.AEAD
	hash  []byte
}

func newKey(file string, master []byte) (key, error) {
	block, err := aes.NewCipher(derive(master, "address"))
	if err != nil {
		return key{}, err
	}
	aead, err := cipher.NewGCM(block)
	return key{
		id: hex.EncodeToString(derive(master, "key id")[:6]), file: file, proof: hex.EncodeToString(derive(master, "key check")),
		aead: aead, hash: derive(master, "address lookup"),
	}, err
}

func derive(secret []byte, purpose string) []byte {
	derived, err := hkdf.Key(sha256.New, secret, nil, "shopwatch "+purpose, 32)
	if err != nil { // only of too many bytes asked for
		panic(err)
	}
	return derived
}

// Derive gives the 32 bytes of a purpose, such as the signing of links. They come
// by HKDF from a secret that is kept sealed with the contact key, so that they
// stay when that key is replaced, and are the same in every replica.
func (s *Store) Derive(purpose string) []byte { return derive(s.seal.root, "derived "+purpose) }

// digest finds an address again, as the current key hashes it.
func (s *seal) digest(channel, address string) []byte { return s.keys[0].digest(channel, address) }

// digests are those of every key: a row may not have been sealed anew yet.
func (s *seal) digests(channel, address string) []any {
	list := make([]any, len(s.keys))
	for i, k := range s.keys {
		list[i] = k.digest(channel, address)
	}
	return list
}

func (k key) digest(channel, address string) []byte {
	mac := hmac.New(sha256.New, k.hash)
	mac.Write([]byte(channel + "\x00" + normal(channel, address)))
	return mac.Sum(nil)
}

// scope is the keyed hash of what is private in the name of a pace. It stays when
// the contact key is replaced: a far side's block must not end with it.
func (s *seal) scope(name, private string) []byte {
	mac := hmac.New(sha256.New, s.paces)
	mac.Write([]byte(name + "\x00" + private))
	return mac.Sum(nil)
}

// moved is the keyed hash of an address that the configuration names. It stays,
// as scope's does.
func (s *seal) moved(r notifier.Recipient) []byte {
	return s.scope("moved from", r.Channel+"\x00"+normal(r.Channel, r.Address))
}

// normal makes two spellings of one address equal: mail addresses ignore case
// and write their domain in two ways, phone numbers are grouped at will.
func normal(channel, address string) string {
	address = strings.TrimSpace(address)
	switch channel {
	case "email":
		at := strings.LastIndex(address, "@")
		domain := address[at+1:]
		if ascii, err := idna.Lookup.ToASCII(domain); err == nil {
			domain = ascii
		}
		return cases.Fold().String(address[:at+1] + domain)
	case "sms":
		number := strings.Map(func(r rune) rune {
			if strings.ContainsRune(" \t-.()", r) {
				return -1
			}
			return r
		}, address)
		if international, ok := strings.CutPrefix(number, "00"); ok {
			return "+" + international
		}
		return number
	}
	return address
}

// seal gives an address as it is kept in a recipient's row, and the key's id.
func (s *seal) seal(row int64, address string) (keyID string, sealed []byte) {
	return s.keys[0].id, s.keys[0].lock(rowData(row), address)
}

// open gives the address of a recipient's row.
func (s *seal) open(row int64, keyID string, sealed []byte) (string, error) {
	for _, k := range s.keys {
		if k.id == keyID {
			address, err := k.unlock(rowData(row), sealed)
			if err != nil {
				return "", fmt.Errorf("recipient %d: %w", row, err)
			}
			return address, nil
		}
	}
	return "", fmt.Errorf("recipient %d: the address is sealed with key %s, and no file of it is configured", row, keyID)
}

func (k key) lock(where, text string) []byte {
	nonce := make([]byte, k.aead.NonceSize())
	rand.Read(nonce)
	return k.aead.Seal(nonce, nonce, []byte(text), []byte(where))
}

func (k key) unlock(where string, sealed []byte) (string, error) {
	if len(sealed) < k.aead.NonceSize() {
		return "", fmt.Errorf("what is sealed is cut short")
	}
	nonce, text := sealed[:k.aead.NonceSize()], sealed[k.aead.NonceSize():]
	opened, err := k.aead.Open(nil, nonce, text, []byte(where))
	if err != nil {
		return "", fmt.Errorf("what is sealed can't be opened with key %s: it was changed, or moved here from elsewhere", k.id)
	}
	return string(opened), nil
}

func rowData(row int64) string { return "recipient " + strconv.FormatInt(row, 10) }

// readdress gives a recipient another address.
func (t *Tx) readdress(r notifier.Recipient) error {
	keyID, sealed := t.seal.seal(r.ID, r.Address)
	_, err := t.exec(t.ctx, `UPDATE recipients SET address = ?, address_key = ?, address_hash = ? WHERE id = ?`,
		sealed, keyID, t.seal.digest(r.Channel, r.Address), r.ID)
	return err
}
