package app

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/rules"
)

// alertSilence is the notifier's own alert: nobody judges, and no alert of
// Prometheus can say so. Its fingerprint is one that no Alertmanager knows.
const (
	alertSilence       = "WatchdogSilent"
	silenceFingerprint = "watchdogsilence"
)

// listen sets since when we have listened without a Watchdog: the start of the
// first process since the last one that came, so that a notifier that starts
// again and again still finds Prometheus silent.
func (d *desk) listen(ctx context.Context) error {
	listening, err := d.timeMark(ctx, markListening)
	if err != nil {
		return err
	}
	if !listening.IsZero() && !d.watchdog.Evaluated.After(listening) {
		d.listening = listening
		return nil
	}
	d.listening = d.started
	return d.store.Change(ctx, func(tx *store.Tx) error {
		return tx.SetMark(markListening, strconv.FormatInt(unixMilli(d.listening), 10))
	})
}

// silent reports whether the Watchdog has been silent for too long, and whether
// we can be certain: a process that has just started leaves Prometheus, which
// may have started with it, time to speak. A machine that was off has heard
// nothing, but has not listened either.
func (d *desk) silent(now time.Time) (silent, certain bool) {
	heard := d.lastWatchdog().Evaluated
	if heard.Before(d.listening) {
		heard = d.listening
	}
	silent = now.Sub(heard) > d.clocks.silence
	return silent, !silent || now.Sub(d.started) >= d.clocks.settle
}

// silence is the notifier's own alert about a Watchdog that doesn't come. Its
// trouble begins with the last evaluation that we know of: from then on nobody
// judged, whoever was to blame.
func (d *desk) silence(now time.Time) (alert notifier.Alert, certain bool) {
	silent, certain := d.silent(now)
	watchdog := d.lastWatchdog()
	since, summary, description := watchdog.Evaluated, sayStopped, sayStoppedHow
	if since.IsZero() {
		since, summary, description = d.listening, sayNever, sayNeverHow
	}
	alert = notifier.Alert{
		Audience: rules.Ops, Fingerprint: silenceFingerprint, Firing: silent,
		Labels: map[string]string{
			rules.LabelAlert: alertSilence, rules.LabelShop: rules.ShopSelf, rules.LabelService: "watchdog",
			rules.LabelIncident: rules.ShopSelf + "/watchdog",
			rules.LabelTier:     string(rules.Ops), rules.LabelSeverity: string(rules.SeverityCritical),
		},
		Annotations: map[string]string{
			rules.AnnotationSummary: summary.EN, rules.AnnotationSummaryZH: summary.ZH,
			rules.AnnotationDescription: description.EN, rules.AnnotationDescriptionZH: description.ZH,
			rules.AnnotationRunbook: d.cfg.RunbookURL + "/" + alertSilence,
			rules.AnnotationSince:   unixSeconds(since),
		},
	}
	if silent {
		alert.StartsAt = d.listening.Add(d.clocks.silence)
		if heard := watchdog.Evaluated.Add(d.clocks.silence); heard.After(alert.StartsAt) {
			alert.StartsAt = heard
		}
		return alert, certain
	}
	// It is over since Prometheus evaluated again.
	alert.StartsAt, alert.EndsAt = now, watchdog.Since
	alert.Annotations[rules.AnnotationSince] = unixSeconds(watchdog.Since)
	return alert, certain
}

func unixSeconds(t time.Time) string { return fmt.Sprintf("%.3f", float64(unixMilli(t))/1000) }

// What the alert says.
var (
	sayStopped = rules.Text{
		ZH: "告警链路中断：收不到 Prometheus 的心跳",
		EN: "Nobody is judging: Prometheus's Watchdog no longer arrives",
	}
	sayStoppedHow = rules.Text{
		ZH: "恢复之前，新的故障不会上报，已有的故障也不会被宣布恢复。请检查 Prometheus 和 Alertmanager 是否在运行。",
		EN: "Until it is back, no outage will be reported and none will be called over. See whether Prometheus and Alertmanager run.",
	}
	sayNever = rules.Text{
		ZH: "告警链路还没接通：从来没有收到过 Prometheus 的心跳",
		EN: "Nobody is judging yet: no Watchdog of Prometheus has ever arrived",
	}
	sayNeverHow = rules.Text{
		ZH: "现在出了故障不会有人收到通知。请检查：Prometheus 是否加载了 shopwatch 的规则，是否连上了 Alertmanager，Alertmanager 里 webhook 的地址和令牌是否填对。",
		EN: "No outage will be reported. See whether Prometheus loads shopwatch's rules and knows its Alertmanager, and whether that has the webhook's address and token.",
	}
)
