package subscription

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// purpose is what a token is good for. One for one purpose is void for another.
type purpose string

const (
	toLeave   purpose = "leave"
	toManage  purpose = "manage"
	toConfirm purpose = "confirm"
	toCode    purpose = "code"
	toSubmit  purpose = "submit" // a form that we gave
)

// A token is the row (8 bytes), the end of its life (4 bytes, Unix minutes, 0:
// none) and 16 bytes of HMAC-SHA256 over purpose, both and a nonce, in base64.
const (
	tokenMAC   = 16
	tokenBytes = 8 + 4 + tokenMAC
	tokenChars = (tokenBytes*8 + 5) / 6
)

// signer makes and checks tokens.
type signer struct {
	key  []byte
	seal cipher.AEAD
}

func newSigner(key []byte) (signer, error) {
	if len(key) != 32 {
		return signer{}, fmt.Errorf("subscription: the key has %d bytes, want 32", len(key))
	}
	s := signer{key: key}
	block, err := aes.NewCipher(s.sum("sealed address", nil, ""))
	if err != nil {
		return signer{}, err
	}
	s.seal, err = cipher.NewGCMWithRandomNonce(block)
	return s, err
}

// sum is bound to a purpose: it ends where no other part can be taken for it.
func (s signer) sum(p purpose, head []byte, nonce string) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(p))
	mac.Write([]byte{0, byte(len(head))})
	mac.Write(head)
	mac.Write([]byte(nonce))
	return mac.Sum(nil)
}

// mint makes a token; until is rounded up to the minute, zero: for ever.
func (s signer) mint(p purpose, id int64, until time.Time, nonce string) string {
	var token [tokenBytes]byte
	binary.BigEndian.PutUint64(token[:8], uint64(id))
	if !until.IsZero() {
		binary.BigEndian.PutUint32(token[8:12], uint32((until.Unix()+59)/60))
	}
	copy(token[12:], s.sum(p, token[:12], nonce))
	return base64.RawURLEncoding.EncodeToString(token[:])
}

// claim is a token before its check.
type claim struct {
	id    int64
	until time.Time // zero: for ever
	raw   [tokenBytes]byte
}

// parse takes a token apart. Only the one spelling that mint gives is taken.
func parse(token string) (c claim, ok bool) {
	if len(token) != tokenChars {
		return c, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != tokenBytes {
		return c, false
	}
	copy(c.raw[:], raw)
	c.id = int64(binary.BigEndian.Uint64(raw[:8]))
	if minutes := binary.BigEndian.Uint32(raw[8:12]); minutes != 0 {
		c.until = time.Unix(int64(minutes)*60, 0)
	}
	return c, c.id > 0
}

// good checks a token in constant time.
func (s signer) good(c claim, p purpose, nonce string, now time.Time) bool {
	want := s.sum(p, c.raw[:12], nonce)[:tokenMAC]
	return hmac.Equal(c.raw[12:], want) && (c.until.IsZero() || now.Before(c.until))
}

// code is the six digits that a text message carries.
func (s signer) code(id int64, nonce string) string {
	var head [8]byte
	binary.BigEndian.PutUint64(head[:], uint64(id))
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(s.sum(toCode, head[:], nonce))%1_000_000)
}

// stamp is a form's proof that we gave it, and when.
func (s signer) stamp(now time.Time) string {
	var stamp [8 + tokenMAC]byte
	binary.BigEndian.PutUint64(stamp[:8], uint64(now.UnixMilli()))
	copy(stamp[8:], s.sum(toSubmit, stamp[:8], ""))
	return base64.RawURLEncoding.EncodeToString(stamp[:])
}

// stamped gives when we gave the form.
func (s signer) stamped(stamp string) (time.Time, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(stamp)
	if err != nil || len(raw) != 8+tokenMAC || !hmac.Equal(raw[8:], s.sum(toSubmit, raw[:8], "")[:tokenMAC]) {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(raw[:8]))), true
}

// envelope carries an address through a browser without showing it: the page
// that asks for a code must know whose, and we keep no session.
func (s signer) envelope(channel, address string, until time.Time) string {
	var text [8]byte
	binary.BigEndian.PutUint64(text[:], uint64(until.Unix()))
	return base64.RawURLEncoding.EncodeToString(s.seal.Seal(nil, nil, append(text[:], channel+"\x00"+address...), nil))
}

// maxEnvelope bounds what is opened: an address has at most 254 bytes.
const maxEnvelope = 512

// opened gives what is in an envelope.
func (s signer) opened(envelope string, now time.Time) (channel, address string, ok bool) {
	if len(envelope) > maxEnvelope {
		return "", "", false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(envelope)
	if err != nil {
		return "", "", false
	}
	text, err := s.seal.Open(nil, nil, sealed, nil)
	if err != nil || len(text) < 8 || !now.Before(time.Unix(int64(binary.BigEndian.Uint64(text[:8])), 0)) {
		return "", "", false
	}
	return strings.Cut(string(text[8:]), "\x00")
}
