package incident

import (
	"fmt"
	"slices"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Acknowledge notes that somebody has the incident in hand. The first one who
// says so stays: a second time changes nothing and is no mistake. What is over
// can't be taken in hand: that is a [notifier.Conflict].
func (m *Machine) Acknowledge(now time.Time, open notifier.Incident, by string) (Result, error) {
	by, err := notifier.PersonName(by)
	if err != nil {
		return Result{Incident: open}, err
	}
	if !open.Open() {
		return Result{Incident: open}, conflict("事件 %s 已经恢复，不需要接手", "incident %s is over; there is nothing to take in hand", open.ID)
	}
	if open.Acknowledged.Given() {
		return Result{Incident: open}, nil
	}
	r := Result{Incident: clone(open), Changed: true}
	r.Incident.Acknowledged = notifier.Acknowledgement{By: by, At: now}
	r.Incident.Acts = append(r.Incident.Acts, notifier.Act{At: now, By: by, Deed: notifier.DeedAcknowledge})
	return r, nil
}

// Withdraw takes an acknowledgement back. Management then hears what was held
// back for it, if that still runs.
func (m *Machine) Withdraw(now time.Time, open notifier.Incident, by string) (Result, error) {
	by, err := notifier.PersonName(by)
	if err != nil {
		return Result{Incident: open}, err
	}
	switch {
	case !open.Open():
		return Result{Incident: open}, conflict("事件 %s 已经恢复，不需要撤回接手", "incident %s is over; there is nothing to give back", open.ID)
	case !open.Acknowledged.Given():
		return Result{Incident: open}, conflict("事件 %s 还没有人接手", "nobody has acknowledged incident %s", open.ID)
	}
	r := Result{Incident: clone(open), Changed: true}
	i := &r.Incident
	i.Acknowledged = notifier.Acknowledgement{}
	i.Acts = append(i.Acts, notifier.Act{At: now, By: by, Deed: notifier.DeedWithdraw})
	// Where all has ended and the incident is open, Prometheus is away: that it is over is doubtful.
	running := over(i.Alerts) || slices.ContainsFunc(i.Alerts, func(a notifier.ActiveAlert) bool { return a.Tier == rules.Management && a.Ended.IsZero() })
	if held := i.Held; held != nil && running {
		facts := m.facts(*i, notifier.Alert{StartsAt: now}) // held back on purpose, so it isn't late
		facts.Description, facts.RunbookURL = held.Description, held.RunbookURL
		m.tell(&r, now, rules.Management, facts)
	}
	i.Held = nil
	return r, nil
}

// holds reports whether management is to be left alone: somebody has taken in
// hand what the alert tells. Trouble that began after that is news.
func (m *Machine) holds(i notifier.Incident, alert notifier.Alert) bool {
	return m.cfg.Hold && i.Acknowledged.Given() && !alert.Since().After(i.Acknowledged.At)
}

// conflict is a deed that doesn't fit how the incident stands, in both languages
// with the same values.
func conflict(zh, en string, args ...any) error {
	return &notifier.Error{Code: notifier.Conflict, Message: fmt.Sprintf(en, args...), Chinese: fmt.Sprintf(zh, args...)}
}
