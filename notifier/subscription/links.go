package subscription

import (
	"errors"
	"strings"
	"time"

	"shopwatch/notifier"
)

// Paths of the public pages.
const (
	Root        = "/subscribe"
	confirmPath = Root + "/confirm/"
	codePath    = Root + "/code"
	managePath  = Root + "/manage"
	leavePath   = Root + "/leave/"
)

// manageFor is how long a link in a message opens one's own subscription; the
// page gives a new one at any time.
const manageFor = 30 * 24 * time.Hour

// Links makes what a message carries for its one reader: addresses of the
// public page and codes. They hold the row's number and proofs, never an
// address. It is safe for concurrent use.
type Links struct {
	signer signer
	base   string
	now    func() time.Time
}

// NewLinks takes the key of 32 bytes that the pages have too, and the page's
// origin, "" where it has none that a reader could reach.
func NewLinks(key []byte, base string, now func() time.Time) (Links, error) {
	if now == nil {
		return Links{}, errors.New("subscription: a clock is required")
	}
	if base != "" {
		if err := CheckBase(base); err != nil {
			return Links{}, err
		}
	}
	s, err := newSigner(key)
	return Links{signer: s, base: strings.TrimRight(base, "/"), now: now}, err
}

// Leave is the address that ends a subscription by a single POST (RFC 8058), and
// shows a button to whoever opens it. It is good for ever; "" where the page
// can't be reached.
func (l Links) Leave(r notifier.Recipient) string {
	if l.base == "" {
		return ""
	}
	return l.base + leavePath + l.signer.mint(toLeave, r.ID, time.Time{}, "") + languageQuery(r.Language)
}

// Manage is the address of one's own subscription, good for 30 days; "" where
// the page can't be reached.
func (l Links) Manage(r notifier.Recipient) string {
	if l.base == "" {
		return ""
	}
	return l.base + l.managePath(r, manageFor)
}

func (l Links) managePath(r notifier.Recipient, good time.Duration) string {
	return managePath + "/" + l.signer.mint(toManage, r.ID, l.now().Add(good), "") + languageQuery(r.Language)
}

// Confirm is what proves that the recipient's address is theirs: an address to
// open, "" where the page can't be reached, and six digits to type. Both are
// good as long as r.Nonce is the row's.
func (l Links) Confirm(r notifier.Recipient) (url, code string) {
	if l.base != "" {
		url = l.base + confirmPath + l.signer.mint(toConfirm, r.ID, time.Time{}, r.Nonce) + languageQuery(r.Language)
	}
	return url, l.signer.code(r.ID, r.Nonce)
}

func languageQuery(l notifier.Language) string {
	if l == notifier.English {
		return "?lang=en"
	}
	return "?lang=zh"
}
