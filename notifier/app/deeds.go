package app

import (
	"context"
	"fmt"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/console"
	"shopwatch/notifier/incident"
	"shopwatch/notifier/store"
	"shopwatch/rules"
)

// Do does what a person wants to an incident, as it is inside the transaction
// that keeps it, its notices and who did it. A silence is Alertmanager's, so it
// is kept once that has it.
func (d *desk) Do(ctx context.Context, id string, deed notifier.Deed, w console.Wish) (notifier.Incident, error) {
	if deed == notifier.DeedSilence {
		return d.silenceFor(ctx, id, w)
	}
	now := d.cfg.Now()
	var result incident.Result
	err := d.store.Change(ctx, func(tx *store.Tx) error {
		found, err := tx.Incident(id)
		if err != nil {
			return err
		}
		if found == nil {
			return unknownIncident(id)
		}
		if result, err = d.wanted(now, *found, deed, w); err != nil || !result.Changed {
			return err
		}
		if err := save(tx, result); err != nil {
			return err
		}
		for _, act := range result.Incident.Acts[len(found.Acts):] {
			entry := notifier.AuditEntry{At: now, By: act.By, Way: w.Way, Deed: string(act.Deed), Subject: subjectOf(id), Detail: act.Detail}
			if err := tx.Audit(entry); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && result.Changed {
		d.cfg.Logger.Info("incident changed by a person", "incident", id, "deed", deed, "way", w.Way)
		d.told()
	}
	return result.Incident, err
}

// wanted is what a deed makes of an incident.
func (d *desk) wanted(now time.Time, i notifier.Incident, deed notifier.Deed, w console.Wish) (incident.Result, error) {
	draft := incident.Draft{By: w.By, Status: w.Status, Text: w.Text, Scope: w.Scope, ETA: w.ETA, Workaround: w.Workaround, Silent: w.Silent}
	switch deed {
	case notifier.DeedAcknowledge:
		return d.machine.Acknowledge(now, i, w.By)
	case notifier.DeedWithdraw:
		return d.machine.Withdraw(now, i, w.By)
	case notifier.DeedUpdate:
		return d.machine.Update(now, i, draft)
	case notifier.DeedPublish:
		if w.Tells() {
			return d.publishWith(now, i, draft)
		}
		return d.machine.Publish(now, i, w.By)
	case notifier.DeedHold:
		return d.machine.Hold(now, i, w.By)
	case notifier.DeedResolve:
		return d.machine.Resolve(now, i, incident.Ending{By: w.By, Text: w.Text, Force: w.Force})
	}
	return incident.Result{}, &notifier.Error{Code: notifier.Invalid, Message: fmt.Sprintf("nobody can %.20q an incident", deed)}
}

func (d *desk) silenceFor(ctx context.Context, id string, w console.Wish) (notifier.Incident, error) {
	by, err := notifier.PersonName(w.By)
	if err != nil {
		return notifier.Incident{}, err
	}
	if _, err := d.Silence(ctx, id, by, w.Way, time.Duration(w.For)); err != nil {
		return notifier.Incident{}, err
	}
	i, err := d.store.Incident(ctx, id)
	if err == nil && i == nil {
		err = unknownIncident(id)
	}
	if err != nil {
		return notifier.Incident{}, err
	}
	return *i, nil
}

// publishWith publishes an incident with what there is to tell: first those who
// know hear it, then the subscribers hear all of it at once.
func (d *desk) publishWith(now time.Time, i notifier.Incident, draft incident.Draft) (incident.Result, error) {
	told, err := d.machine.Update(now, i, draft)
	if err != nil {
		return told, err
	}
	published, err := d.machine.Publish(now, told.Incident, draft.By)
	published.Notices = append(told.Notices, published.Notices...)
	published.Changed = true
	return published, err
}

// Incident tells the console one incident, open or over, and who was told of it.
func (d *desk) Incident(ctx context.Context, id string) (console.Incident, error) {
	var shown console.Incident
	found, err := d.store.Incident(ctx, id)
	if err != nil {
		return shown, err
	}
	if found == nil {
		return shown, unknownIncident(id)
	}
	shown.Incident = *found
	shown.Told, err = d.toldOf(ctx, id)
	return shown, err
}

// toldOf counts an incident's deliveries by audience and channel, people on call first.
func (d *desk) toldOf(ctx context.Context, id string) ([]console.Told, error) {
	counts, err := d.store.Told(ctx, id)
	if err != nil {
		return nil, err
	}
	var list []console.Told
	for _, audience := range rules.Audiences {
		for _, c := range counts {
			if c.Audience != audience {
				continue
			}
			if n := len(list); n == 0 || list[n-1].Audience != audience || list[n-1].Channel != c.Channel {
				list = append(list, console.Told{Audience: audience, Channel: c.Channel})
			}
			list[len(list)-1].Add(c.State, c.N)
		}
	}
	return list, nil
}

// Outbox tells the console what waits and what was given up.
func (d *desk) Outbox(ctx context.Context) (console.Outbox, error) {
	outbox, err := d.store.Outbox(ctx)
	if err != nil {
		return console.Outbox{}, err
	}
	o := console.Outbox{Queued: outbox.Queued, Dead: outbox.Dead, Oldest: outbox.Oldest}
	counts, err := d.store.Unsent(ctx)
	for _, c := range counts {
		if n := len(o.Channels); n == 0 || o.Channels[n-1].Audience != c.Audience || o.Channels[n-1].Channel != c.Channel {
			o.Channels = append(o.Channels, console.Waiting{Audience: c.Audience, Channel: c.Channel})
		}
		if last := &o.Channels[len(o.Channels)-1]; c.State == notifier.Dead {
			last.Dead += c.N
		} else {
			last.Queued += c.N
		}
	}
	return o, err
}

// DeadLetters tells the console what was given up.
func (d *desk) DeadLetters(ctx context.Context, before int64, limit int) ([]console.DeadLetter, error) {
	letters, err := d.store.DeadLetters(ctx, before, limit)
	var list []console.DeadLetter
	for _, l := range letters {
		list = append(list, console.DeadLetter{
			Delivery: l.Delivery, At: l.At, Incident: l.Incident, Event: l.Event, Audience: l.Audience,
			Channel: l.Channel, Recipient: l.Recipient, Attempts: l.Attempts, Problem: l.Problem,
		})
	}
	return list, err
}

// resendAtOnce is how many dead letters one transaction sends again, so that
// many never hold the database.
const resendAtOnce = 1000

// Resend sends dead letters again: those that are named, or all.
func (d *desk) Resend(ctx context.Context, which console.Resending) (int, error) {
	var err error
	if which.By, err = notifier.PersonName(which.By); err != nil {
		return 0, err
	}
	if !which.All {
		return d.resend(ctx, which, which.Deliveries)
	}
	all := 0
	for before := int64(0); ; {
		letters, err := d.store.DeadLetters(ctx, before, resendAtOnce)
		if err != nil || len(letters) == 0 {
			return all, err
		}
		var ids []int64
		for _, l := range letters {
			ids = append(ids, l.Delivery)
		}
		n, err := d.resend(ctx, which, ids)
		all += n
		if err != nil {
			return all, err
		}
		before = ids[len(ids)-1]
	}
}

func (d *desk) resend(ctx context.Context, which console.Resending, ids []int64) (n int, err error) {
	now := d.cfg.Now()
	err = d.store.Change(ctx, func(tx *store.Tx) error {
		if n, err = tx.Resend(now, ids); err != nil || n == 0 {
			return err
		}
		return tx.Audit(notifier.AuditEntry{At: now, By: which.By, Way: which.Way, Deed: "resend", Subject: "outbox", Detail: fmt.Sprintf("%d deliveries", n)})
	})
	if err == nil && n > 0 {
		d.told()
	}
	return n, err
}

// Audit tells the console what people did.
func (d *desk) Audit(ctx context.Context, subject string, before int64, limit int) ([]notifier.AuditEntry, error) {
	return d.store.AuditLog(ctx, subject, before, limit)
}

// subjectOf names an incident in the record.
func subjectOf(id string) string { return "incident " + id }

func unknownIncident(id string) error {
	return &notifier.Error{Code: notifier.NotFound, Message: fmt.Sprintf("there is no incident %.40q: `shopwatch incident list` shows those that run", id), Chinese: fmt.Sprintf("没有事件 %.40q", id)}
}
