package message

import "shopwatch/notifier"

// Links are the addresses that differ from one subscriber to the next. Each is
// an https (in the demo: http) URL, or "" where the page has no public address.
type Links interface {
	// Leave ends the subscription: a POST at once (RFC 8058), a GET after asking.
	Leave(r notifier.Recipient) string
	// Manage shows the subscription to its owner.
	Manage(r notifier.Recipient) string
	// Confirm proves that the address is the subscriber's: url is for what can
	// carry a link, code (6 digits) for a text message.
	Confirm(r notifier.Recipient) (url, code string)
}

// unlinked are the Links of a house without subscriptions.
type unlinked struct{}

func (unlinked) Leave(notifier.Recipient) string             { return "" }
func (unlinked) Manage(notifier.Recipient) string            { return "" }
func (unlinked) Confirm(notifier.Recipient) (string, string) { return "", "" }
