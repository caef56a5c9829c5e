package dispatch

import (
	"fmt"
	"strings"
	"sync"
	"time"

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
	// Recipient gives what an address leads to, and what that bears: at most 4
	// paces, each held; nil: no limit. Telegram: the chat, whatever its topic, with
	// {1, a second}, for groups {20, a minute} too.
	Recipient func(address string) (far string, paces []notifier.Pace)
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

const (
	leastSenders = 3 // one a lane
	mostPaces    = 4 // of one address
)

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

// slack is how much of a pace is left unused, so that what the network holds up
// for a moment never arrives too close to what follows it.
const slack = 0.97

func slowed(p notifier.Pace) notifier.Pace {
	p.Per = time.Duration(float64(p.Per) / slack)
	return p
}

// confirmationShare is that of confirmations in what a far side bears: 1 in 10.
const confirmationShare = 10

// Lanes look ahead so far. The one that looks further comes first: what it
// claims has its moment before those of others see room. Confirmations look
// further than the public, who would else leave them none; but they take only
// their share.
var horizons = map[notifier.Lane]time.Duration{
	notifier.LaneOnCall:       time.Second,
	notifier.LanePublic:       250 * time.Millisecond,
	notifier.LaneConfirmation: 500 * time.Millisecond,
}

// line is a Line at work.
type line struct {
	Line

	name  string
	whole notifier.Scope
	gate  *gate
	lanes []*lane
	names scopeNames

	mu      sync.Mutex
	blocked time.Time            // the far side stopped all of it until then
	waiting map[string]time.Time // what addresses lead to, for which it takes nothing until then
	spent   map[string]string    // days on which a scope's limit was logged
}

// scopeNames are made once.
type scopeNames struct {
	recipient []string // by number of the pace
	domain    string
	daily     [3]string // by lane: of one address
}

func newLine(d *Dispatcher, cfg Line) *line {
	name := cfg.Channel.Name()
	l := &line{
		Line: cfg, name: name, gate: newGate(cfg.Pace), waiting: map[string]time.Time{}, spent: map[string]string{},
		whole: notifier.Scope{Name: name, Pace: slowed(cfg.Pace)},
		names: scopeNames{domain: name + "/domain"},
	}
	for i := range mostPaces {
		l.names.recipient = append(l.names.recipient, fmt.Sprint(name, "/recipient/", i))
	}
	onCall := max(1, cfg.Senders/4)
	senders := map[notifier.Lane]int{notifier.LaneOnCall: onCall, notifier.LaneConfirmation: 1, notifier.LanePublic: cfg.Senders - onCall - 1}
	for _, which := range notifier.Lanes {
		l.names.daily[which] = name + "/" + which.String() + "/recipient"
		l.lanes = append(l.lanes, &lane{
			dispatcher: d, line: l, lane: which, senders: senders[which], horizon: horizons[which],
			shared: l.share(which), wake: make(chan struct{}, 1), held: map[int64]time.Time{},
		})
	}
	return l
}

// share is what a lane may spend of the line.
func (l *line) share(which notifier.Lane) []notifier.Scope {
	scope := notifier.Scope{Name: l.name + "/" + which.String(), Daily: l.Daily[which]}
	if which == notifier.LaneConfirmation {
		if l.Pace.Limited() {
			scope.Pace = notifier.Pace{Messages: l.Pace.Messages, Per: confirmationShare * l.Pace.Per}
		}
		if public := l.Daily[notifier.LanePublic]; scope.Daily == 0 && public > 0 {
			scope.Daily = max(1, public/confirmationShare)
		}
	}
	if scope.Daily == 0 && !scope.Pace.Limited() {
		return nil
	}
	return []notifier.Scope{scope}
}

// own gives the scopes of one address, on one lane.
func (l *line) own(which notifier.Lane, address string) []notifier.Scope {
	var scopes []notifier.Scope
	if l.Recipient != nil {
		far, paces := l.Recipient(address)
		for i, pace := range paces {
			if i < mostPaces {
				scopes = append(scopes, notifier.Scope{Name: l.names.recipient[i], Private: far, Pace: slowed(pace)})
			}
		}
	}
	if l.RecipientDaily > 0 {
		scopes = append(scopes, notifier.Scope{Name: l.names.daily[which], Private: address, Daily: l.RecipientDaily})
	}
	if l.Domain != nil {
		if domain, pace := l.Domain(address); domain != "" && pace.Limited() {
			scopes = append(scopes, notifier.Scope{Name: l.names.domain, Private: strings.ToLower(domain), Pace: slowed(pace)})
		}
	}
	return scopes
}

// far is the scope of what an address leads to; without a name, where that bears
// what anybody sends.
func (l *line) far(address string) notifier.Scope {
	if l.Recipient == nil {
		return notifier.Scope{}
	}
	far, paces := l.Recipient(address)
	if len(paces) == 0 {
		return notifier.Scope{}
	}
	return notifier.Scope{Name: l.names.recipient[0], Private: far}
}

// daily gives the scopes of a try that have a day's limit.
func (l *lane) daily(address string) []notifier.Scope {
	var list []notifier.Scope
	for _, scope := range append(l.line.own(l.lane, address), l.shared...) {
		if scope.Daily > 0 {
			list = append(list, scope)
		}
	}
	return list
}

// leads is what an address leads to.
func (l *line) leads(address string) string {
	if far := l.far(address); far.Name != "" {
		return far.Private
	}
	return address
}

// stop has nothing sent until a moment: to anybody, or to what one address leads to.
func (l *line) stop(until time.Time, whole bool, address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !whole {
		l.waiting[l.leads(address)] = until
	} else if until.After(l.blocked) {
		l.blocked = until
	}
}

// stopped reports whether nothing may be sent to an address now.
func (l *line) stopped(now time.Time, address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) > 0 {
		far := l.leads(address)
		if now.Before(l.waiting[far]) {
			return true
		}
		delete(l.waiting, far)
	}
	return now.Before(l.blocked)
}

// gate holds a far side's limit to the letter for what this process sends: no
// stretch of the pace's time has more messages than it bears, however late some
// of them were on their way.
type gate struct {
	mu    sync.Mutex
	pace  notifier.Pace
	went  []time.Time // the last ones, a ring
	place int
}

func newGate(p notifier.Pace) *gate {
	const most = 10_000 // a limit beyond is no limit that a second's unevenness meets
	if !p.Limited() || p.Messages > most {
		return &gate{}
	}
	return &gate{pace: p, went: make([]time.Time, p.Messages)}
}

// spread is added to the pace's time: what the way to the far side may vary.
const spread = 10 * time.Millisecond

// pass takes the next place, or tells how long there is none.
func (g *gate) pass(now time.Time) time.Duration {
	if len(g.went) == 0 {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if oldest := g.went[g.place]; !oldest.IsZero() {
		if wait := oldest.Add(g.pace.Per + spread).Sub(now); wait > 0 {
			return wait
		}
	}
	g.went[g.place] = now
	g.place = (g.place + 1) % len(g.went)
	return 0
}
