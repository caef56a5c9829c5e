package dispatch

import (
	"fmt"

	"shopwatch/notifier"
)

// Line is a channel with what its far side bears. Each lane has senders, a share
// and daily limits of its own, so that no flood of sign-ups and no notice to the
// public keeps one from people on call.
type Line struct {
	Channel Channel
	// Pace is that of the bot, server or provider, all lanes together; zero: no limit.
	Pace notifier.Pace
	// Senders say so many messages at once, at least 3: a quarter of them, and one
	// at least, for people on call alone, one for confirmations, the rest for the public.
	Senders int
	// Recipient gives what one address bears, every pace of it held; nil: no limit.
	// Telegram: {1, a second}, for groups {20, a minute} too.
	Recipient func(address string) []notifier.Pace
	// Domain gives what several addresses share, as a mail domain, and its pace;
	// "" where the address shares nothing; nil: no limit.
	Domain func(address string) (string, notifier.Pace)
	// Daily is how many messages a lane may send a day; absent or 0: no limit.
	// Confirmations take a tenth of the public's where they have no limit of their own.
	Daily map[notifier.Lane]int
	// RecipientDaily is how many messages a day one address gets on one lane; 0: no limit.
	RecipientDaily int
	// Tells says whether the channel tells an event at all; nil: it tells every one.
	Tells func(notifier.Event) bool
}

// leastSenders are one a lane.
const leastSenders = 3

func (l Line) check() error {
	if l.Channel == nil {
		return fmt.Errorf("dispatch: a line lacks its channel")
	}
	if l.Senders < leastSenders {
		return fmt.Errorf("dispatch: channel %s: got %d senders, want at least %d: one a lane", l.Channel.Name(), l.Senders, leastSenders)
	}
	if l.Pace.Messages < 0 || l.Pace.Burst < 0 || l.Pace.Per < 0 || l.RecipientDaily < 0 {
		return fmt.Errorf("dispatch: channel %s: a pace or limit is below zero", l.Channel.Name())
	}
	return nil
}
