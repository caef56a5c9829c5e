package sandbox

import (
	"slices"
	"sync"
	"time"
)

// Fault is a way in which a server may fail a message.
type Fault struct {
	// To is the address that it meets, as in Message.To. Empty: every address.
	To string
	// Times is how many messages it meets: 0 is one, below 0 all until Heal.
	Times int

	// Silent never answers, Drop hangs up instead of answering. With Taken the
	// message is remembered first, so that only its answer is lost.
	Silent, Drop, Taken bool

	// Status is what is answered otherwise: an HTTP status (Telegram, SMS) or an
	// SMTP code. Default: 429 with RetryAfter, 400 with MigrateTo, 200 with Code
	// (SMS), else 500, and 451 in SMTP.
	Status int
	// Code is an SMS code, "isv.BUSINESS_LIMIT_CONTROL".
	Code string
	// Text says why.
	Text string
	// RetryAfter and MigrateTo are Telegram's parameters.
	RetryAfter time.Duration
	MigrateTo  int64
	// AtData makes the SMTP server answer to the message instead of to the recipient.
	AtData bool
}

// faults are the faults that wait for a message, by channel.
type faults struct {
	mu      sync.Mutex
	waiting map[string][]Fault
}

// Fail makes a channel's server fail its next messages. Faults add up: the
// oldest one that fits a message meets it.
func (s *Sandbox) Fail(channel string, f Fault) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	if s.faults.waiting == nil {
		s.faults.waiting = map[string][]Fault{}
	}
	if f.Times == 0 {
		f.Times = 1
	}
	s.faults.waiting[channel] = append(s.faults.waiting[channel], f)
}

// Heal takes back every fault of a channel.
func (s *Sandbox) Heal(channel string) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	delete(s.faults.waiting, channel)
}

// meet returns the fault that a message to the address meets.
func (f *faults) meet(channel, to string) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	waiting := f.waiting[channel]
	i := slices.IndexFunc(waiting, func(w Fault) bool { return w.To == "" || w.To == to })
	if i < 0 {
		return Fault{}, false
	}
	met := waiting[i]
	if waiting[i].Times--; waiting[i].Times == 0 {
		f.waiting[channel] = slices.Delete(waiting, i, i+1)
	}
	return met, true
}
