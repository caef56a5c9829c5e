package incident

import (
	"slices"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// The most that a person may write of an incident, in characters: a text fits a
// Telegram message beside its frame, a scope and a workaround a line of the page.
const (
	LongestText       = 1000
	LongestScope      = 120
	LongestWorkaround = 500
)

const (
	farthestETA = 30 * 24 * time.Hour
	mostUpdates = 200 // of one incident, which is read as a whole
)

// Draft is what a person wants to tell of an incident. What it leaves out stands
// as before; of a text one language may be left out.
type Draft struct {
	By         string // as they call themselves; may be empty
	Status     notifier.IncidentStatus
	Text       rules.Text // plain, of several lines
	Scope      rules.Text // who is affected, in one line
	ETA        time.Time  // when it is expected to be over
	Workaround rules.Text // what to do meanwhile, plain, of several lines
	Silent     bool       // for the page alone: nobody is sent it
}

// Update tells how an incident stands: to all who know of it, the subscribers
// among them where it is public. While it runs, its status is one of
// investigating, identified and monitoring, in either direction: a remedy may
// fail. Once it is over, all that can be told is a postmortem, which stands on
// the page and is sent to nobody. A draft that won't do is [notifier.Invalid].
func (m *Machine) Update(now time.Time, incident notifier.Incident, d Draft) (Result, error) {
	d, err := checked(now, incident, d)
	if err != nil {
		return Result{Incident: incident}, err
	}
	r := Result{Incident: clone(incident), Changed: true}
	i := &r.Incident
	revised := !d.ETA.IsZero() && !d.ETA.Equal(i.ETA.At)
	if revised {
		if !i.ETA.At.IsZero() {
			i.ETA.Earlier = append(slices.Clone(i.ETA.Earlier), i.ETA.At)
		}
		i.ETA.At = d.ETA
	}
	i.Status = d.Status
	i.Scope, i.Workaround = instead(i.Scope, d.Scope), instead(i.Workaround, d.Workaround)
	update := notifier.Update{At: now, Status: d.Status, Text: d.Text, By: d.By, Scope: d.Scope, Workaround: d.Workaround}
	if revised {
		update.ETA = d.ETA
	}
	i.Updates = append(i.Updates, update)
	i.Acts = append(i.Acts, notifier.Act{At: now, By: d.By, Deed: notifier.DeedUpdate, Detail: detail(d)})
	if d.Silent || !i.Open() {
		return r, nil
	}
	for _, audience := range owed(*i) {
		facts := m.facts(*i, notifier.Alert{StartsAt: now})
		facts.Status, facts.Update, facts.By = d.Status, notifier.InBoth(d.Text), d.By
		if audience == rules.Subscribers { // who works on it stays in the house
			facts.By, facts.Acknowledged = "", notifier.Acknowledgement{}
		}
		r.Notices = append(r.Notices, notifier.Notice{
			Incident: i.ID, Audience: audience, Event: notifier.EventUpdated, At: now, Facts: facts,
		})
	}
	return r, nil
}

// checked gives the draft with its texts trimmed and its status filled in, or
// the first thing that won't do.
func checked(now time.Time, i notifier.Incident, d Draft) (Draft, error) {
	var err error
	if d.By, err = notifier.PersonName(d.By); err != nil {
		return d, err
	}
	for _, field := range []struct {
		text    *rules.Text
		name    string
		most    int
		oneLine bool
	}{{&d.Text, "text", LongestText, false}, {&d.Scope, "scope", LongestScope, true}, {&d.Workaround, "workaround", LongestWorkaround, false}} {
		for _, language := range []*string{&field.text.ZH, &field.text.EN} {
			if *language, err = notifier.Written(*language, field.name, field.most, field.oneLine); err != nil {
				return d, err
			}
		}
	}
	if len(i.Updates) >= mostUpdates {
		return d, conflict("事件 %s 已有 %d 条进展，不能再多", "incident %s has %d updates, the most that one may have", i.ID, mostUpdates)
	}
	if d.Status == "" {
		d.Status = i.Status
	}
	if err := standing(i, d); err != nil {
		return d, err
	}
	if d.ETA, err = etaOf(now, d.ETA); err != nil {
		return d, err
	}
	if d.Status == i.Status && d.Text == (rules.Text{}) && d.Scope == (rules.Text{}) && d.Workaround == (rules.Text{}) && d.ETA.IsZero() {
		return d, invalid("进展至少要写一项：说明、状态、影响范围、预计恢复时间或临时办法", "an update tells something: a text, another status, a scope, an ETA or a workaround")
	}
	return d, nil
}

// standing checks the status that a draft gives the incident.
func standing(i notifier.Incident, d Draft) error {
	switch d.Status {
	case notifier.Investigating, notifier.Identified, notifier.Monitoring:
		if !i.Open() {
			return conflict("事件 %s 已经恢复，只能再发布复盘", "incident %s is over; all that can be told of it is a postmortem", i.ID)
		}
	case notifier.Postmortem:
		switch {
		case i.Open():
			return conflict("事件 %s 还没有恢复，恢复后才能发布复盘", "incident %s still runs; its postmortem comes once it is over", i.ID)
		case d.Text == (rules.Text{}):
			return invalid("复盘需要写说明", "a postmortem needs a text")
		case !d.ETA.IsZero():
			return invalid("事件已经恢复，复盘不需要预计恢复时间", "a postmortem has no ETA: the incident is over")
		}
	case notifier.Resolved:
		if i.Open() {
			return invalid("恢复要用“宣布恢复”，不能用更新进展", "an incident is called over by resolving it, not by an update")
		}
		return conflict("事件 %s 已经恢复，只能再发布复盘", "incident %s is over; all that can be told of it is a postmortem", i.ID)
	default:
		return invalid("状态只能是排查中、已找到原因或观察中", "status is one of investigating, identified and monitoring")
	}
	return nil
}

// etaOf checks an ETA and moves it up to the next full minute, as it is read.
func etaOf(now, eta time.Time) (time.Time, error) {
	switch {
	case eta.IsZero():
		return eta, nil
	case !eta.After(now):
		return eta, invalid("预计恢复时间已经过了，请填以后的时间", "the ETA is past; give a moment to come")
	case eta.Sub(now) > farthestETA:
		return eta, invalid("预计恢复时间不能超过 30 天", "the ETA is more than 30 days off")
	}
	if full := eta.Truncate(time.Minute); !full.Equal(eta) {
		eta = full.Add(time.Minute)
	}
	return eta, nil
}

// instead is what stands once a draft says something or nothing.
func instead(before, draft rules.Text) rules.Text {
	if draft == (rules.Text{}) {
		return before
	}
	return draft
}

// detail is what the record says of an update beside its words.
func detail(d Draft) string {
	said := string(d.Status)
	if d.Silent {
		said += ", page only"
	}
	return said
}

func invalid(zh, en string) error {
	return &notifier.Error{Code: notifier.Invalid, Message: en, Chinese: zh}
}
