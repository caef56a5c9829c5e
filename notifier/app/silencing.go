package app

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"shopwatch/internal/guard"
	"shopwatch/notifier"
	"shopwatch/notifier/config"
	"shopwatch/notifier/intake"
	"shopwatch/notifier/store"
	"shopwatch/rules"
)

// Limits of a silence: a longer one is for whoever can see the whole of Alertmanager.
const (
	shortestSilence = time.Minute
	longestSilence  = 24 * time.Hour
)

// alertmanagers are those that the configuration names, else the one in this
// process, which takes changes from the operator alone.
func alertmanagers(cfg Config) ([]intake.Alertmanager, error) {
	if len(cfg.Notifier.Alertmanagers) == 0 && cfg.AlertmanagerURL != "" {
		asking, err := client(config.ServerConfig{}, cfg.Dial)
		if err != nil {
			return nil, err
		}
		asking.Transport = signed{cfg.Operator, asking.Transport}
		return []intake.Alertmanager{{URL: cfg.AlertmanagerURL, Client: asking}}, nil
	}
	var list []intake.Alertmanager
	for _, server := range cfg.Notifier.Alertmanagers {
		asking, err := client(server, cfg.Dial)
		if err != nil {
			return nil, fmt.Errorf("notifier.alertmanagers: %w", err)
		}
		list = append(list, intake.Alertmanager{URL: server.URL, Client: asking})
	}
	return list, nil
}

// signed makes every request the operator's.
type signed struct {
	operator *guard.Operator
	next     http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t signed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	t.operator.Sign(r)
	return t.next.RoundTrip(r)
}

// newSilencer gives nil where no Alertmanager is known.
func newSilencer(cfg Config) (*intake.Silencer, error) {
	list, err := alertmanagers(cfg)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return intake.NewSilencer(list)
}

// Silence keeps an incident's alerts silent in Alertmanager for a while, for
// everybody whom it tells, and notes who wanted it. One that runs already is
// prolonged and never shortened, so until may be later than was asked for. What is silent is not over:
// Alertmanager says nothing more of it, and when it ends the reconciler sees it.
//
// Mistakes are [notifier.Error]s: of an unknown id NotFound, of a duration below
// a minute or above a day Invalid, of an incident that is over, or that no
// Alertmanager knows of, Conflict.
func (d *desk) Silence(ctx context.Context, incidentID, by, way string, lasts time.Duration) (until time.Time, err error) {
	if lasts < shortestSilence || lasts > longestSilence {
		return until, &notifier.Error{Code: notifier.Invalid, Message: "a silence lasts from 1 minute to 24 hours", Chinese: "静默时间为 1 分钟到 24 小时"}
	}
	if d.silencer == nil {
		return until, &notifier.Error{Code: notifier.Conflict, Message: "there is no Alertmanager to silence: name one in notifier.alertmanagers", Chinese: "没有可以静默的 Alertmanager：请在配置 notifier.alertmanagers 里写上"}
	}
	i, err := d.store.Incident(ctx, incidentID)
	switch {
	case err != nil:
		return until, err
	case i == nil:
		return until, unknownIncident(incidentID)
	case !i.Open():
		return until, &notifier.Error{Code: notifier.Conflict, Message: fmt.Sprintf("incident %s is over; there is nothing to silence", i.ID), Chinese: fmt.Sprintf("事件 %s 已经恢复，不需要静默", i.ID)}
	}
	wanted, err := d.matchersOf(ctx, *i)
	if err != nil {
		return until, err
	}
	now := d.cfg.Now()
	for n, matchers := range wanted {
		ends, missed, err := d.silencer.Silence(ctx, intake.Silence{
			Matchers: matchers, From: now, Until: now.Add(lasts), By: by, Comment: "shopwatch incident " + i.ID,
		})
		if err != nil {
			return until, fmt.Errorf("incident %s not silenced: %w", i.ID, err)
		}
		if n == 0 || ends.Before(until) {
			until = ends
		}
		if len(missed) > 0 {
			d.cfg.Logger.Warn("alertmanagers not told of a silence; unless they are peers of one that was, they go on telling", "incident", i.ID, "alertmanagers", missed)
		}
	}
	return until, d.noteSilence(ctx, i.ID, by, way, now, until)
}

// noteSilence keeps who silenced an incident, in it and in the record.
func (d *desk) noteSilence(ctx context.Context, id, by, way string, now, until time.Time) error {
	detail := "until " + until.In(d.cfg.Notifier.Page.Zone).Format("2006-01-02 15:04")
	err := d.store.Change(ctx, func(tx *store.Tx) error {
		i, err := tx.Incident(id)
		if err != nil || i == nil {
			return err
		}
		i.Acts = append(i.Acts, notifier.Act{At: now, By: by, Deed: notifier.DeedSilence, Detail: detail})
		if err := tx.Save(*i, nil); err != nil {
			return err
		}
		return tx.Audit(notifier.AuditEntry{At: now, By: by, Way: way, Deed: string(notifier.DeedSilence), Subject: subjectOf(id), Detail: detail})
	})
	if err != nil {
		return fmt.Errorf("incident %s is silent, and that was not kept: %w", id, err)
	}
	d.cfg.Logger.Info("incident silenced", "incident", id, "until", until, "way", way)
	d.told()
	return nil
}

// matchersOf are the silences that keep all alerts of an incident still. Ours
// carry its key in a label; a stranger's alert is known by all labels it has,
// which Alertmanager tells.
func (d *desk) matchersOf(ctx context.Context, i notifier.Incident) ([]map[string]string, error) {
	unknown := &notifier.Error{Code: notifier.Conflict, Message: fmt.Sprintf("no Alertmanager lists an alert of incident %s: there is nothing to silence", i.ID), Chinese: fmt.Sprintf("没有 Alertmanager 列出事件 %s 的告警，不需要静默", i.ID)}
	strangers := []string{}
	for _, alert := range i.Alerts {
		if alert.Fingerprint == silenceFingerprint { // our own: no Alertmanager ever told it
			return nil, unknown
		}
		if alert.Fingerprint == i.Key {
			strangers = append(strangers, alert.Fingerprint)
		}
	}
	if len(strangers) == 0 {
		return []map[string]string{{rules.LabelIncident: i.Key}}, nil
	}
	found, err := d.silencer.Labels(ctx, strangers)
	if err != nil {
		return nil, fmt.Errorf("incident %s not silenced: %w", i.ID, err)
	}
	var wanted []map[string]string
	for _, labels := range found {
		wanted = append(wanted, labels)
	}
	if len(wanted) == 0 {
		return nil, unknown
	}
	return wanted, nil
}
