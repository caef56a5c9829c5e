package incident

import (
	"slices"
	"strings"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Publish makes an incident public at once, whether it waits for a person or for
// its time, and tells the subscribers. One that is public already stays so: that
// is no mistake. What the page may not show can't be published.
func (m *Machine) Publish(now time.Time, open notifier.Incident, by string) (Result, error) {
	by, err := notifier.PersonName(by)
	switch {
	case err != nil:
		return Result{Incident: open}, err
	case !open.Open():
		return Result{Incident: open}, conflict("事件 %s 已经恢复，不需要再公开", "incident %s is over; nobody needs to hear of it now", open.ID)
	case open.Public:
		return Result{Incident: open}, nil
	case !open.Service.Public:
		return Result{Incident: open}, conflict("服务 %s（事件 %s）不公开，状态页上没有它的位置：请先在配置里设置 `public: true`", "the service %s of incident %s is not public, so the page has no place for it: set its `public: true` first", open.Service.Key(), open.ID)
	}
	r := Result{Incident: clone(open), Changed: true}
	r.Incident.Publication = notifier.Publication{}
	r.Incident.Acts = append(r.Incident.Acts, notifier.Act{At: now, By: by, Deed: notifier.DeedPublish})
	m.publish(&r, now, now) // kept back on purpose, so it isn't late
	return r, nil
}

// Hold keeps an incident from becoming public by itself: it then waits for a
// person. What is public was told, and can't be taken back.
func (m *Machine) Hold(now time.Time, open notifier.Incident, by string) (Result, error) {
	by, err := notifier.PersonName(by)
	switch {
	case err != nil:
		return Result{Incident: open}, err
	case !open.Open():
		return Result{Incident: open}, conflict("事件 %s 已经恢复，不会再公开", "incident %s is over; it will not become public", open.ID)
	case open.Public:
		return Result{Incident: open}, conflict("事件 %s 已经公开并通知了订阅者，只能更新进展或宣布恢复", "incident %s is public: people were told of it, so it can only be updated or resolved", open.ID)
	case open.Publication.Held:
		return Result{Incident: open}, nil
	}
	r := Result{Incident: clone(open), Changed: true}
	r.Incident.Publication = notifier.Publication{Held: true}
	r.Incident.Acts = append(r.Incident.Acts, notifier.Act{At: now, By: by, Deed: notifier.DeedHold})
	return r, nil
}

// Ending is how a person calls an incident over.
type Ending struct {
	By    string
	Text  rules.Text // the timeline's last entry; empty: the usual sentence
	Force bool       // though its alerts fire, as far as we know
}

// Resolve calls an incident over whose end nobody else will tell: its
// Alertmanager is gone, or a stranger's alert never ends. Whoever was told of it
// hears so. While its alerts fire it must be forced; they then open an incident
// again when they fire anew, not when they are merely repeated.
func (m *Machine) Resolve(now time.Time, open notifier.Incident, e Ending) (Result, error) {
	by, err := notifier.PersonName(e.By)
	if err != nil {
		return Result{Incident: open}, err
	}
	for _, language := range []*string{&e.Text.ZH, &e.Text.EN} {
		if *language, err = notifier.Written(*language, "text", LongestText, false); err != nil {
			return Result{Incident: open}, err
		}
	}
	if !open.Open() {
		return Result{Incident: open}, conflict("事件 %s 早已恢复", "incident %s is over already", open.ID)
	}
	if names := firing(open); len(names) > 0 && !e.Force {
		return Result{Incident: open}, conflict("事件 %s 的告警还在触发：%s。如果确定告警不对，请勾选确认后再宣布恢复", "alerts of incident %s still fire, as far as we know: %s. Resolve it with force if they lie", open.ID, strings.Join(names, ", "))
	}
	r := Result{Incident: clone(open), Changed: true}
	i := &r.Incident
	for at := range i.Alerts {
		if a := &i.Alerts[at]; a.Ended.IsZero() {
			a.Ended, a.Over, a.Waiting = now, now, time.Time{}
		}
	}
	m.close(&r, now)
	last := &i.Updates[len(i.Updates)-1]
	last.By, last.Text = by, instead(last.Text, e.Text)
	i.Acts = append(i.Acts, notifier.Act{At: now, By: by, Deed: notifier.DeedResolve})
	return r, nil
}

// firing names the alerts of an incident that fire, as far as we know.
func firing(i notifier.Incident) []string {
	var names []string
	for _, a := range i.Alerts {
		if a.Ended.IsZero() && !slices.Contains(names, a.Name) {
			names = append(names, a.Name)
		}
	}
	return names
}

// calledOver reports whether an alert only repeats what it said when a person
// called its incident over: Alertmanager repeats it for as long as it fires.
func calledOver(closed notifier.Incident, alert notifier.Alert) bool {
	by := func(act notifier.Act) bool { return act.Deed == notifier.DeedResolve && act.At.Equal(closed.Closed) }
	return slices.ContainsFunc(closed.Acts, by) && slices.ContainsFunc(closed.Alerts, func(a notifier.ActiveAlert) bool {
		return a.Fingerprint == alert.Fingerprint && !alert.StartsAt.After(a.StartsAt)
	})
}
