// Package uptimerobot is the kind of look that asks somebody else: it reads the
// monitors of an UptimeRobot account, which sees the shop from other places of
// the world than ours.
//
// The room judges what the account says and changes nothing in it. It never
// takes "we couldn't ask" for "it is down": an API that is away, answers
// nonsense or limits our rate tells nothing about the shop, so the look is
// inconclusive (reason vantage). Only a refused key (auth) and a monitor that
// the account doesn't have (query) are failures of their own, since nothing but
// the owner's hand ends them.
//
// The key goes to the configured URL and nowhere else: not into an error, a
// detail or a log, and not to the address that a page of answers calls the next.
package uptimerobot

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/config"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

const (
	// fresh is how long an answer serves all looks at its account: the free plan
	// allows 10 requests a minute (https://uptimerobot.com/api/v3, "Rate limits").
	fresh = 30 * time.Second
	// longestRest bounds how long a rate-limited account is left alone.
	longestRest = 5 * time.Minute
	// maxAccounts bounds the memory of answers.
	maxAccounts = 64
	// maxMonitors bounds what is read of an account.
	maxMonitors = 2000
	// maxSamples bounds the series of one look.
	maxSamples = 50
)

// Config is what a Reader works with. The zero value is ready for use.
type Config struct {
	Now func() time.Time // default time.Now; ages of answers are measured by it
}

// Reader reads accounts and keeps each answer for half a minute, so that
// several services on one account cost one request. It may be used by many
// goroutines at once.
type Reader struct {
	now func() time.Time

	mu       sync.Mutex
	accounts map[accountID]*account
}

// accountID stands for a protocol, a URL and a key without holding the key.
type accountID [sha256.Size]byte

// account is what is known of one account. Its fields are the Reader's mutex's.
type account struct {
	answer  answer
	until   time.Time     // when the answer is stale; zero: there is none
	pending chan struct{} // closed when the question under way has ended; nil: none is
}

// New makes a Reader.
func New(config Config) *Reader {
	r := &Reader{now: config.Now, accounts: map[accountID]*account{}}
	if r.now == nil {
		r.now = time.Now
	}
	return r
}

// state is what UptimeRobot says of a monitor.
type state int

const (
	silent state = iota // paused, not checked yet, or a word that we don't know
	up
	down // or seems down, which is a failure that other locations have yet to confirm
)

// monitor is one line of an account.
type monitor struct {
	id    string
	state state
	word  string // why it is silent
}

// answer is what an account said, or why it said nothing.
type answer struct {
	monitors []monitor
	reason   rules.Reason // empty when monitors are what it said
	detail   string
	rest     time.Duration // how long it wants to be left alone, 0: it didn't say
}

// Look is a [probe.Kind]. It succeeds if UptimeRobot sees every monitor up that
// the module names, and every one of the account if it names none. A monitor
// that is down or seems down fails the look with reason status. A named monitor
// that says nothing, being paused or not checked yet, makes the look
// inconclusive unless another is down; among all of an account, those that say
// nothing are left out, as their owner wishes, and one at least must speak.
//
// Each monitor that speaks gives a sample, 50 at most.
func (r *Reader) Look(ctx context.Context, l *probe.Look) error {
	module := l.Module().UptimeRobot
	if module == nil {
		return probe.Problem(rules.ReasonOther, "the module says nothing of UptimeRobot")
	}
	ask, problem := question(module)
	if problem != nil {
		return problem
	}
	end := l.Phase("query")
	given, err := r.answerOf(ctx, l, module, ask)
	end()
	if err != nil {
		return err
	}
	if given.reason != "" {
		return probe.Problem(given.reason, given.detail)
	}
	return judge(l, module.Monitors, given.monitors)
}

// answerOf is an answer that is at most half a minute old. Of several looks
// that need one, one asks and the others wait, each no longer than its own
// timeout; if the one runs out of time, the next asks.
func (r *Reader) answerOf(ctx context.Context, l *probe.Look, module *exporter.UptimeRobot, ask asker) (answer, error) {
	id := accountID(sha256.Sum256([]byte(strings.Join([]string{module.API, module.URL, module.Key}, "\x00"))))
	for {
		r.mu.Lock()
		a := r.account(id)
		if r.now().Before(a.until) {
			defer r.mu.Unlock()
			return a.answer, nil
		}
		pending := a.pending
		if pending == nil {
			a.pending = make(chan struct{})
			r.mu.Unlock()
			return r.ask(ctx, l, a, ask), nil
		}
		r.mu.Unlock()
		select {
		case <-pending:
		case <-ctx.Done():
			return answer{}, probe.Problem(rules.ReasonVantage, "UptimeRobot didn't answer in time")
		}
	}
}

// ask asks for an account on behalf of all looks that wait. The answer is kept
// whatever it is, so that an API in trouble isn't asked the more for it; only
// that this look was over too early is no answer.
func (r *Reader) ask(ctx context.Context, l *probe.Look, a *account, ask asker) (given answer) {
	done := false
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if done && !over(ctx) {
			a.answer, a.until = given, r.now().Add(max(fresh, min(given.rest, longestRest)))
		}
		close(a.pending)
		a.pending = nil
	}()
	given = ask(ctx, l, l.Client(config.TLSConfig{}))
	done = true
	return given
}

// over reports whether the look has run out of time. Its connection may notice
// a moment before its context does.
func over(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// account is the record of an account, made if there is none. The mutex is held.
func (r *Reader) account(id accountID) *account {
	if a, ok := r.accounts[id]; ok {
		return a
	}
	if len(r.accounts) >= maxAccounts { // a reload has left some behind
		var oldest accountID
		var found *account
		for id, a := range r.accounts {
			if a.pending == nil && (found == nil || a.until.Before(found.until)) {
				oldest, found = id, a
			}
		}
		delete(r.accounts, oldest)
	}
	a := &account{}
	r.accounts[id] = a
	return a
}

// judge gives the samples of an answer and says what it means.
func judge(l *probe.Look, wanted []string, monitors []monitor) error {
	subject := monitors
	var missing []string
	if len(wanted) > 0 {
		subject = nil
		for _, id := range slices.Compact(slices.Sorted(slices.Values(wanted))) {
			i := slices.IndexFunc(monitors, func(m monitor) bool { return m.id == id })
			if i < 0 {
				missing = append(missing, id)
				continue
			}
			subject = append(subject, monitors[i])
		}
	}
	var speaking int
	var downs, quiet []string
	for _, m := range subject {
		switch m.state {
		case silent:
			quiet = append(quiet, m.id+" "+m.word)
			continue
		case down:
			downs = append(downs, m.id)
		case up:
		}
		if speaking++; speaking <= maxSamples {
			l.Sample(&rules.UptimeRobotMonitor, truth(m.state == up), m.id)
		}
	}
	switch {
	case len(downs) > 0:
		return probe.Problem(rules.ReasonStatus, fmt.Sprintf("%d of %d monitors are down: %s", len(downs), len(subject), list(downs)))
	case len(missing) > 0:
		return probe.Problem(rules.ReasonQuery, "the account has no monitor "+list(missing))
	case len(wanted) > 0 && len(quiet) > 0:
		return probe.Problem(rules.ReasonVantage, "a monitor says nothing: "+list(quiet))
	case speaking == 0:
		return probe.Problem(rules.ReasonVantage, "the account has no monitor that says anything")
	}
	return nil
}

// list is the first few of several things.
func list(things []string) string {
	const most = 5
	if len(things) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(things[:most], ", "), len(things)-most)
	}
	return strings.Join(things, ", ")
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
