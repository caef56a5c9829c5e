package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/console"
	"shopwatch/notifier/intake"
	"shopwatch/notifier/maintenance"
	"shopwatch/notifier/store"
	"shopwatch/rules"
)

// remindBefore is how long before it begins people are told again of planned work.
const remindBefore = time.Hour

// newPlanner gives the machine of planned work.
func (d *desk) newPlanner() *maintenance.Machine {
	url := d.cfg.Notifier.Page.URL
	if url != "" {
		url = strings.TrimSuffix(url, "/") + "/"
	}
	return maintenance.New(maintenance.Config{
		NewID: newID, Services: d.knownServices, Remind: d.cfg.Notifier.Escalation.Scale(remindBefore), StatusURL: url, Quiet: d.silencer != nil,
	})
}

// knownServices are the services last seen, in the page's order.
func (d *desk) knownServices() []notifier.Service {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]notifier.Service, 0, len(d.order))
	for _, key := range d.order {
		list = append(list, d.services[key])
	}
	return list
}

// workAhead looks at planned work that has not ended: what the clock asks for, and
// that Alertmanager keeps still about what is worked on, no longer and no shorter.
func (d *desk) workAhead(ctx context.Context) error {
	now := d.cfg.Now()
	list, err := d.store.Maintenances(ctx, now.Add(-endedLately), mostMaintenances)
	if err != nil {
		return err
	}
	for _, m := range list {
		if r := d.planner.Tick(now, m, d.works(now, m)); r.Changed {
			if m, err = d.changeWork(ctx, m.ID, "", func(m notifier.Maintenance) (maintenance.Result, error) {
				return d.planner.Tick(now, m, d.works(now, m)), nil
			}); err != nil {
				return err
			}
		}
		if err := d.quieten(ctx, now, m); err != nil {
			return err
		}
	}
	return nil
}

// What the page and the console show of planned work.
const (
	mostMaintenances = 100
	endedLately      = 30 * 24 * time.Hour
)

// works reports whether everything that is worked on is measured to work now.
// What nobody has measured lately is not known to.
func (d *desk) works(now time.Time, m notifier.Maintenance) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Sub(d.seen) > d.clocks.lag {
		return false
	}
	covered := false
	for _, s := range d.services {
		if !m.Covers(s) {
			continue
		}
		if covered = true; s.Status != rules.Operational && s.Status != rules.Degraded {
			return false
		}
	}
	return covered // what is watched no longer is ended by a person
}

// quieten has Alertmanager keep still about what is worked on, until the window
// ends; work that takes longer pages again. One silence a service, known by its
// comment, so that a crash between its making and our note of it leaves none behind.
func (d *desk) quieten(ctx context.Context, now time.Time, m notifier.Maintenance) error {
	want := time.Time{}
	if m.Working() && now.Before(m.Window.Until) {
		want = m.Window.Until
	}
	if d.silencer == nil || want.Equal(m.Silenced) || want.IsZero() && !m.Silenced.After(now) {
		return nil
	}
	comment := "shopwatch maintenance " + m.ID
	err := d.silencer.End(ctx, comment)
	if !want.IsZero() { // an old one that could not be ended ends by itself
		err = d.silenceWork(ctx, m, now, comment)
	}
	if err != nil { // tried again at the next round
		if ctx.Err() == nil {
			d.cfg.Logger.Warn("alertmanager does not keep still about planned work as it should", "maintenance", m.ID, "err", err)
		}
		return nil
	}
	return d.store.Change(ctx, func(tx *store.Tx) error {
		latest, err := tx.Maintenance(m.ID)
		if err != nil || latest == nil {
			return err
		}
		latest.Silenced = want
		return tx.SaveMaintenance(*latest, nil)
	})
}

func (d *desk) silenceWork(ctx context.Context, m notifier.Maintenance, now time.Time, comment string) error {
	for _, key := range m.Services {
		shop, service, _ := strings.Cut(key, "/")
		matchers := map[string]string{rules.LabelShop: shop}
		if service != "" {
			matchers[rules.LabelService] = service
		}
		_, missed, err := d.silencer.Silence(ctx, intake.Silence{Matchers: matchers, From: now, Until: m.Window.Until, Comment: comment})
		if err != nil {
			return err
		}
		if len(missed) > 0 {
			d.cfg.Logger.Warn("alertmanagers not told of planned work; unless they are peers of one that was, they go on telling", "maintenance", m.ID, "alertmanagers", missed)
		}
	}
	return nil
}

// changeWork changes planned work as it is inside the transaction that keeps it,
// its notices and who did it, by a way; the clock has none.
func (d *desk) changeWork(ctx context.Context, id, way string, change func(notifier.Maintenance) (maintenance.Result, error)) (notifier.Maintenance, error) {
	var r maintenance.Result
	err := d.store.Change(ctx, func(tx *store.Tx) error {
		found, err := tx.Maintenance(id)
		if err != nil {
			return err
		}
		if found == nil {
			return unknownMaintenance(id)
		}
		if r, err = change(*found); err != nil || !r.Changed {
			return err
		}
		return keepWork(tx, r, len(found.Acts), way)
	})
	if err == nil && r.Changed {
		d.cfg.Logger.Info("planned work", "maintenance", id, "status", r.Maintenance.Status, "way", way)
		d.told()
	}
	return r.Maintenance, err
}

// keepWork saves planned work, and in the record what people did to it since it had so many acts.
func keepWork(tx *store.Tx, r maintenance.Result, acts int, way string) error {
	if err := tx.SaveMaintenance(r.Maintenance, r.Notices); err != nil {
		return err
	}
	for _, act := range r.Maintenance.Acts[acts:] {
		entry := notifier.AuditEntry{At: act.At, By: act.By, Way: way, Deed: string(act.Deed), Subject: "maintenance " + r.Maintenance.ID, Detail: act.Detail}
		if err := tx.Audit(entry); err != nil {
			return err
		}
	}
	return nil
}

// Maintenances tells the console planned work: what is ahead, and what ended lately.
func (d *desk) Maintenances(ctx context.Context) ([]notifier.Maintenance, error) {
	return d.store.Maintenances(ctx, d.cfg.Now().Add(-endedLately), mostMaintenances)
}

// Maintenance tells the console one.
func (d *desk) Maintenance(ctx context.Context, id string) (notifier.Maintenance, error) {
	found, err := d.store.Maintenance(ctx, id)
	if err != nil {
		return notifier.Maintenance{}, err
	}
	if found == nil {
		return notifier.Maintenance{}, unknownMaintenance(id)
	}
	return *found, nil
}

// Schedule plans work as a person wants it.
func (d *desk) Schedule(ctx context.Context, w console.Work) (notifier.Maintenance, error) {
	r, err := d.planner.Schedule(d.cfg.Now(), maintenance.Plan{
		By: w.By, Title: w.Title, Text: w.Text, Services: slices.Clone(w.Services), Window: notifier.Window{From: w.From, Until: w.Until}, Silent: w.Silent,
	})
	if err != nil {
		return r.Maintenance, err
	}
	if err := d.store.Change(ctx, func(tx *store.Tx) error { return keepWork(tx, r, 0, w.Way) }); err != nil {
		return r.Maintenance, err
	}
	d.cfg.Logger.Info("planned work", "maintenance", r.Maintenance.ID, "status", r.Maintenance.Status, "way", w.Way)
	d.told()
	d.lookNow()
	return r.Maintenance, nil
}

// Work does what a person wants to planned work.
func (d *desk) Work(ctx context.Context, id string, deed notifier.Deed, w console.Work) (notifier.Maintenance, error) {
	now := d.cfg.Now()
	m, err := d.changeWork(ctx, id, w.Way, func(m notifier.Maintenance) (maintenance.Result, error) {
		switch deed {
		case notifier.DeedBegin:
			return d.planner.Begin(now, m, w.By)
		case notifier.DeedUpdate:
			return d.planner.Update(now, m, maintenance.Draft{
				By: w.By, Status: w.Status, Text: w.Text, Window: notifier.Window{From: w.From, Until: w.Until}, Silent: w.Silent,
			})
		case notifier.DeedComplete:
			return d.planner.Complete(now, m, w.By, w.Text)
		case notifier.DeedCancel:
			return d.planner.Cancel(now, m, w.By, w.Text)
		}
		return maintenance.Result{}, &notifier.Error{Code: notifier.Invalid, Message: fmt.Sprintf("nobody can %.20q a maintenance", deed)}
	})
	if err == nil {
		d.lookNow()
	}
	return m, err
}

// lookNow has what runs and what is planned looked at before the next round, so
// that Alertmanager hears at once.
func (d *desk) lookNow() {
	select {
	case d.due <- struct{}{}:
	default:
	}
}

func unknownMaintenance(id string) error {
	return &notifier.Error{Code: notifier.NotFound, Message: fmt.Sprintf("there is no maintenance %.40q: `shopwatch maintenance list` shows those that there are", id), Chinese: fmt.Sprintf("没有维护 %.40q", id)}
}
