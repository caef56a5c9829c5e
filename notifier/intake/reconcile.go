package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"shopwatch/rules"
)

// Limits of an answer of Alertmanager's API.
const (
	maxListing  = 16 << 20
	askTimeout  = 10 * time.Second
	missedPolls = 3
)

// listPath lists every alert, whatever keeps it still.
const listPath = "/api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=true"

// Alertmanager is one server to reconcile with.
type Alertmanager struct {
	URL    string // without a slash at its end
	Client *http.Client
}

// Reconciler finds alerts whose resolved was lost: told to a notifier that was
// off, or never told because Alertmanager itself began anew. It believes that
// an alert is gone only if every configured Alertmanager answers, has been up
// for long enough to have been told everything again, lists the Watchdog, and
// misses an alert that it once listed in three polls in a row. A silenced or inhibited alert is
// listed, so it is not gone.
//
// It is not safe for concurrent use.
type Reconciler struct {
	servers []Alertmanager
	upFor   time.Duration
	now     func() time.Time
	missed  map[string]int // by fingerprint
}

// NewReconciler gives a Reconciler. upFor is how long an Alertmanager must have
// been up: 5 min at pace 1, longer than Prometheus takes to send all again.
func NewReconciler(servers []Alertmanager, upFor time.Duration, now func() time.Time) (*Reconciler, error) {
	if len(servers) == 0 || upFor <= 0 || now == nil {
		return nil, errors.New("intake: a reconciler needs an Alertmanager, an uptime and a clock")
	}
	return &Reconciler{servers: servers, upFor: upFor, now: now, missed: map[string]int{}}, nil
}

// Poll asks once. active holds the fingerprints that fire as far as we know, and
// whether a poll ever listed each: an alert that came past these Alertmanagers,
// as Grafana's do, is never missed by them. It gives those that are listed for
// the first time, and those that can be believed to be gone. An error says which
// Alertmanager could not be asked; then the count of polls begins anew.
func (r *Reconciler) Poll(ctx context.Context, active map[string]bool) (listed, gone []string, err error) {
	there, believable, err := r.poll(ctx)
	if err != nil {
		clear(r.missed)
		return nil, nil, err
	}
	missed := make(map[string]int, len(active))
	for fingerprint, known := range active {
		switch {
		case there[fingerprint] && !known:
			listed = append(listed, fingerprint)
		case !there[fingerprint] && known && believable:
			missed[fingerprint] = r.missed[fingerprint] + 1
			if missed[fingerprint] >= missedPolls {
				gone = append(gone, fingerprint)
			}
		}
	}
	r.missed = missed
	return listed, gone, nil
}

// poll gives what any Alertmanager lists, and whether all can be believed.
func (r *Reconciler) poll(ctx context.Context) (map[string]bool, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	listed, believable := map[string]bool{}, true
	for _, server := range r.servers {
		var status struct {
			Uptime time.Time `json:"uptime"` // when it started
		}
		if err := get(ctx, server, "/api/v2/status", &status); err != nil {
			return nil, false, err
		}
		var alerts []struct {
			Fingerprint string            `json:"fingerprint"`
			Labels      map[string]string `json:"labels"`
		}
		if err := get(ctx, server, listPath, &alerts); err != nil {
			return nil, false, err
		}
		watched := false
		for _, alert := range alerts {
			listed[alert.Fingerprint] = true
			watched = watched || alert.Labels[rules.LabelAlert] == rules.AlertWatchdog
		}
		believable = believable && watched && !status.Uptime.IsZero() && r.now().Sub(status.Uptime) >= r.upFor
	}
	return listed, believable, nil
}

func get(ctx context.Context, server Alertmanager, path string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(server.URL, "/")+path, nil)
	if err != nil {
		return fmt.Errorf("alertmanager: %w", err)
	}
	response, err := server.Client.Do(r)
	if err != nil {
		return fmt.Errorf("alertmanager: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("alertmanager: %s answered %s", r.URL.Redacted(), response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxListing)).Decode(into); err != nil {
		return fmt.Errorf("alertmanager: %s: %w", r.URL.Redacted(), err)
	}
	return nil
}
