package message

import (
	"html"
	"strings"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// maxKept is how many worded notices are kept: some dozen notices in every
// channel, language and audience. A worded e-mail is some 4 KiB.
const maxKept = 512

// The slots stand for the links of one subscriber in the words of many. Who
// writes one into an update makes each reader see their own link.
const (
	leaveSlot  = "https://leave.invalid/subscription"
	manageSlot = "https://manage.invalid/subscription"
)

// recipientLinks are the words that differ from one recipient to the next.
type recipientLinks struct{ leave, manage, confirm, code string }

// linksOf asks for the links that the words for a delivery can hold.
func (w *Writer) linksOf(d notifier.Delivery) (l recipientLinks) {
	switch d.Notice.Event {
	case notifier.EventConfirm, notifier.EventCode:
		url, code := w.cfg.Links.Confirm(d.Recipient)
		if d.Recipient.Channel == SMS || url == "" {
			return recipientLinks{code: code}
		}
		return recipientLinks{confirm: url}
	}
	if d.Recipient.Channel == Email && public(d) {
		l.leave, l.manage = w.cfg.Links.Leave(d.Recipient), w.cfg.Links.Manage(d.Recipient)
	}
	return l
}

// slots are links to word a notice with that many are to read.
func (l recipientLinks) slots() recipientLinks {
	if l.leave != "" {
		l.leave = leaveSlot
	}
	if l.manage != "" {
		l.manage = manageSlot
	}
	return l
}

// keptKey is all that the words of a notice depend on: its facts never change
// once it has its ID. At tells notices without a store apart from others.
type keptKey struct {
	notice            int64
	at                int64
	event             notifier.Event
	channel           string
	language          notifier.Language
	audience, readers rules.Audience
	first, late       bool
	leave, manage     bool
}

// keepable reports whether other recipients read the same words.
func keepable(d notifier.Delivery) bool {
	return d.Notice.ID != 0 && d.Notice.To == 0 && d.Notice.Event != notifier.EventConfirm &&
		d.Notice.Event != notifier.EventCode && d.Notice.Event != notifier.EventDigest
}

func keyOf(d notifier.Delivery, l recipientLinks) keptKey {
	return keptKey{
		notice: d.Notice.ID, at: unixNano(d.Notice.At), event: d.Notice.Event, channel: d.Recipient.Channel, language: d.Recipient.Language,
		audience: d.Notice.Audience, readers: d.Recipient.Audience, first: d.First, late: late(d), leave: l.leave != "", manage: l.manage != "",
	}
}

func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// kept is a worded notice with its slots.
type kept struct {
	message    notifier.Message
	text, html []piece
}

// piece is a text and the slot behind it; "" behind the last.
type piece struct{ text, slot string }

func keep(m notifier.Message) kept {
	return kept{message: m, text: pieces(m.Text), html: pieces(m.HTML)}
}

// pieces cuts a text at its slots.
func pieces(s string) (list []piece) {
	for {
		at, slot := -1, ""
		for _, candidate := range []string{leaveSlot, manageSlot} {
			if i := strings.Index(s, candidate); i >= 0 && (at < 0 || i < at) {
				at, slot = i, candidate
			}
		}
		if at < 0 {
			return append(list, piece{text: s})
		}
		list = append(list, piece{text: s[:at], slot: slot})
		s = s[at+len(slot):]
	}
}

// to is the notice for one recipient.
func (k kept) to(d notifier.Delivery, l recipientLinks) notifier.Message {
	m := k.message
	m.ID, m.Thread = d.Identity(), d.Notice.Incident
	if len(k.text) > 1 || len(k.html) > 1 {
		m.Text = fill(k.text, l.leave, l.manage)
		m.HTML = fill(k.html, html.EscapeString(l.leave), html.EscapeString(l.manage))
	}
	if m.Leave != "" {
		m.Leave = l.leave
	}
	return m
}

func fill(list []piece, leave, manage string) string {
	var b strings.Builder
	size := 0
	for _, p := range list {
		size += len(p.text) + max(len(leave), len(manage))
	}
	b.Grow(size)
	for _, p := range list {
		b.WriteString(p.text)
		switch p.slot {
		case leaveSlot:
			b.WriteString(leave)
		case manageSlot:
			b.WriteString(manage)
		}
	}
	return b.String()
}
