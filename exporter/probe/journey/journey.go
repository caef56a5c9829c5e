// Package journey is the kind of look that goes the way of a buyer: several
// HTTP steps with one cookie jar (home, list, product, order page, pay page),
// each of which may take values out of its answer for the steps after it.
//
// The room does what the owner's steps say and nothing more. A journey places
// an order only if the owner writes a step that does: each look would place
// one more, so a journey should end where the pay page is reachable, before
// anything is submitted.
//
// What a step extracts is data from outside. It never comes into a detail, a
// label or a log, is at most 1 KiB long, and is escaped wherever it is put:
//
//   - in a URL every byte but A–Z a–z 0–9 - . _ ~ is percent-encoded, so that a
//     value is one path segment or one query value and never changes the URL
//     around it; it can't stand in the scheme or the host;
//   - a step whose whole URL is one ${name} takes the value as it is, relative
//     to the former page or absolute, if it is http or https;
//   - in a header it must be what a header may hold: a value with a line break
//     fails the step;
//   - in a body it is escaped for the body's Content-Type (form or JSON string)
//     and stands as it is in any other.
//
// The host of a whole URL may be named in a detail, since that is what the
// owner must look at when the payment page can't be reached; the rest may not.
package journey

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"time"

	"golang.org/x/net/publicsuffix"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

const (
	// maxSteps bounds a journey: each step is two series.
	maxSteps = 50
	// maxBody bounds what is read of a step's answer. Compression is not asked
	// for, so nothing swells.
	maxBody = 4 << 20
	// maxValue bounds an extracted value.
	maxValue = 1 << 10
	// maxRedirects is where a step's chain of redirects ends; as in http looks.
	maxRedirects = 10
	// maxQuote is how much of a wanted text a detail repeats.
	maxQuote = 60
)

// Look is a [probe.Kind]: it takes the steps of the module's journey in turn
// until one fails. The failing step is named in the detail. A step or a journey
// that exceeds its budget is not cut short, so that the detail and the metric
// tell how long it took; only the look's timeout cuts.
//
// Every step that was reached gives its duration and success, and a phase; the
// look also gives the status of the last response and the certificates of its
// first TLS connection.
func Look(ctx context.Context, l *probe.Look) error {
	plan := l.Module().Journey
	t, err := start(l, plan)
	if err != nil {
		return err
	}
	begin := l.Now()
	// spent is the journey's time so far, without that for which this machine
	// made it wait for a turn.
	spent := func() time.Duration { return l.Now().Sub(begin) - l.Waited() }
	var met, failure error
	for i := range plan.Steps {
		step := &plan.Steps[i]
		before, end := spent(), l.Phase(step.Name)
		met = t.take(ctx, step)
		end()
		total := spent()
		took := total - before

		failure = met
		if failure == nil {
			failure = overBudget("", took, step.Budget)
		}
		if failure == nil {
			failure = overBudget("the journey ", total, plan.Budget)
		}
		l.Sample(&rules.StepDuration, took.Seconds(), step.Name)
		if failure != nil {
			l.Sample(&rules.StepSuccess, 0, step.Name)
			reason, detail := probe.Explain(failure)
			failure = probe.Problem(reason, fmt.Sprintf("step %s: %s", step.Name, detail))
			break
		}
		l.Sample(&rules.StepSuccess, 1, step.Name)
	}
	l.Sample(&rules.ProbeHTTPStatus, float64(t.road.status))
	l.SampleCertificates(met)
	return failure
}

// overBudget is the problem of something that took longer than it might; a
// budget of 0 is none.
func overBudget(what string, took, budget time.Duration) error {
	if budget <= 0 || took <= budget {
		return nil
	}
	unit := 100 * time.Millisecond
	if took < time.Second || took-budget < unit {
		unit = time.Millisecond
	}
	return probe.Problem(rules.ReasonTimeout, fmt.Sprintf("%stook %s, budget %s", what, took.Round(unit), budget))
}

// trip is a journey under way.
type trip struct {
	look   *probe.Look
	road   *road
	jar    http.CookieJar
	page   *url.URL // where the former step ended; at first the target
	values map[string]string
}

// start checks what the journey's samples rest on and packs the bag.
func start(l *probe.Look, plan *exporter.Journey) (*trip, error) {
	if plan == nil || len(plan.Steps) == 0 {
		return nil, probe.Problem(rules.ReasonOther, "the journey has no steps")
	}
	if len(plan.Steps) > maxSteps {
		return nil, probe.Problem(rules.ReasonOther, fmt.Sprintf("the journey has more than %d steps", maxSteps))
	}
	names := make(map[string]bool, len(plan.Steps))
	for i := range plan.Steps {
		name := plan.Steps[i].Name
		if name == "" || names[name] { // two series of one name would spoil the whole page of metrics
			return nil, probe.Problem(rules.ReasonOther, fmt.Sprintf("step %d of the journey has no name of its own", i+1))
		}
		names[name] = true
	}
	target, err := url.Parse(l.Target())
	if err != nil || !walkable(target) {
		return nil, probe.Problem(rules.ReasonOther, "target is not an http or https URL")
	}
	// The list of public suffixes keeps two shops under one of them apart.
	jar, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
	if err != nil {
		return nil, probe.Problem(rules.ReasonOther, "no cookie jar")
	}
	return &trip{
		look: l, road: &road{next: l.Client(plan.TLS).Transport}, jar: jar,
		page: target, values: map[string]string{},
	}, nil
}

// walkable reports whether a URL can be a step.
func walkable(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

// road is the look's transport, and what came of it last.
type road struct {
	next     http.RoundTripper
	status   int  // of the last response of the journey, 0 before the first
	answered bool // whether the last request was answered
}

// RoundTrip makes one request.
func (r *road) RoundTrip(request *http.Request) (*http.Response, error) {
	r.answered = false
	response, err := r.next.RoundTrip(request)
	if err == nil {
		r.status, r.answered = response.StatusCode, true
	}
	return response, err
}
