package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxAnswer is the most that is read of the answer to a silence.
const maxAnswer = 64 << 10

// Silence is what Alertmanager is to keep still about.
type Silence struct {
	// Matchers are the labels that an alert must have, by name; at least one.
	Matchers    map[string]string
	From, Until time.Time
	By          string // who wants it; "" is told as shopwatch
	// Comment tells ours apart: one of the same matchers and comment that still
	// runs is prolonged, and none made beside it.
	Comment string
}

// Silencer posts silences to the Alertmanagers.
//
// Those that form a cluster tell one another, so each cluster is told once, by
// the first of its peers that takes it; an Alertmanager on its own is told
// itself. Which of them belong together they say in /api/v2/status.
type Silencer struct {
	servers []Alertmanager
}

// NewSilencer gives a Silencer.
func NewSilencer(servers []Alertmanager) (*Silencer, error) {
	if len(servers) == 0 {
		return nil, errors.New("intake: a silencer needs an Alertmanager")
	}
	return &Silencer{servers: servers}, nil
}

// Silence posts the silence, or prolongs the one of before: who presses twice, and
// who presses again because the first answer never came, has one. It never
// shortens one; until is when the first of them ends. Missed are Alertmanagers, by address, that could
// not be told, though another took it: they may be peers of that one, which
// tells them, or not. The error is of all: nobody took it.
func (s *Silencer) Silence(ctx context.Context, want Silence) (until time.Time, missed []string, err error) {
	if len(want.Matchers) == 0 || !want.Until.After(want.From) {
		return until, nil, errors.New("intake: a silence needs a matcher and a time")
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	groups, problems := s.clusters(ctx)
	for server := range problems {
		missed = append(missed, server)
	}
	slices.Sort(missed)
	taken := 0
	for _, group := range groups {
		var refused []error
		for _, server := range group {
			ends, err := keepStill(ctx, server, want)
			if err != nil {
				refused = append(refused, err)
				continue
			}
			if taken++; taken == 1 || ends.Before(until) {
				until = ends
			}
			break
		}
		if len(refused) == len(group) { // nobody of the cluster
			for i, server := range group {
				missed = append(missed, server.URL)
				problems[server.URL] = refused[i]
			}
		}
	}
	if taken > 0 {
		return until, missed, nil
	}
	all := make([]error, 0, len(problems))
	for _, server := range missed {
		all = append(all, problems[server])
	}
	return until, missed, errors.Join(all...)
}

// keepStill has one server keep a silence, and gives when it ends.
func keepStill(ctx context.Context, server Alertmanager, want Silence) (until time.Time, err error) {
	post := silenceOf(want)
	var list []posted
	// Where it doesn't say what it has, two silences are better than none.
	if get(ctx, server, silencesPath, &list) == nil {
		for _, known := range list {
			if known.Status.State == "expired" || known.Comment != post.Comment || !slices.Equal(known.sorted(), post.Matchers) {
				continue
			}
			post.ID, post.StartsAt = known.ID, known.StartsAt
			if known.EndsAt.After(post.EndsAt) {
				post.EndsAt = known.EndsAt
			}
			break
		}
	}
	body, err := json.Marshal(post)
	if err != nil {
		return until, fmt.Errorf("alertmanager: %w", err)
	}
	return post.EndsAt, send(ctx, server, silencesPath, body)
}

// clusters are the servers that answer, those together that tell one another,
// and why the others don't, by address.
func (s *Silencer) clusters(ctx context.Context) (groups [][]Alertmanager, problems map[string]error) {
	problems = map[string]error{}
	peersOf := [][]string{} // of each group
	for _, server := range s.servers {
		var status struct {
			Cluster struct {
				Status string `json:"status"` // "disabled" where it stands alone
				Peers  []struct {
					Name string `json:"name"`
				} `json:"peers"`
			} `json:"cluster"`
		}
		if err := get(ctx, server, "/api/v2/status", &status); err != nil {
			problems[server.URL] = err
			continue
		}
		var peers []string
		for _, peer := range status.Cluster.Peers {
			if peer.Name != "" && status.Cluster.Status != "disabled" {
				peers = append(peers, peer.Name)
			}
		}
		shares := func(others []string) bool {
			return slices.ContainsFunc(peers, func(name string) bool { return slices.Contains(others, name) })
		}
		if i := slices.IndexFunc(peersOf, shares); i >= 0 {
			groups[i] = append(groups[i], server)
			continue
		}
		groups, peersOf = append(groups, []Alertmanager{server}), append(peersOf, peers)
	}
	return groups, problems
}

// Labels gives the label sets of alerts that any Alertmanager lists, by
// fingerprint; those that none lists are left out.
func (s *Silencer) Labels(ctx context.Context, fingerprints []string) (map[string]map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	found := map[string]map[string]string{}
	var problems []error
	for _, server := range s.servers {
		var alerts []struct {
			Fingerprint string            `json:"fingerprint"`
			Labels      map[string]string `json:"labels"`
		}
		if err := get(ctx, server, listPath, &alerts); err != nil {
			problems = append(problems, err)
			continue
		}
		for _, alert := range alerts {
			if slices.Contains(fingerprints, alert.Fingerprint) {
				found[alert.Fingerprint] = alert.Labels
			}
		}
	}
	if len(problems) == len(s.servers) {
		return nil, errors.Join(problems...)
	}
	return found, nil
}

// matcher and posted are Alertmanager's API v2.
type matcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"`
	IsEqual bool   `json:"isEqual"`
}

const silencesPath = "/api/v2/silences"

type posted struct {
	ID        string    `json:"id,omitempty"` // of one to be changed
	Matchers  []matcher `json:"matchers"`
	StartsAt  time.Time `json:"startsAt"`
	EndsAt    time.Time `json:"endsAt"`
	CreatedBy string    `json:"createdBy"`
	Comment   string    `json:"comment"`
	Status    struct {
		State string `json:"state,omitempty"` // active, pending, expired
	} `json:"status,omitzero"` // in a listing
}

// sorted gives the matchers in the order of ours.
func (p posted) sorted() []matcher {
	return slices.SortedFunc(slices.Values(p.Matchers), byName)
}

func byName(a, b matcher) int { return strings.Compare(a.Name, b.Name) }

func silenceOf(want Silence) posted {
	p := posted{StartsAt: want.From.UTC(), EndsAt: want.Until.UTC(), CreatedBy: want.By, Comment: want.Comment}
	if p.CreatedBy == "" {
		p.CreatedBy = "shopwatch"
	}
	for name, value := range want.Matchers {
		p.Matchers = append(p.Matchers, matcher{Name: name, Value: value, IsEqual: true})
	}
	slices.SortFunc(p.Matchers, byName)
	return p
}

// send posts to an Alertmanager, whose answer must name what it made.
func send(ctx context.Context, server Alertmanager, path string, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(server.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("alertmanager: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := server.Client.Do(r)
	if err != nil {
		return fmt.Errorf("alertmanager: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("alertmanager: %s: %w", r.URL.Redacted(), err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("alertmanager: %s answered %s", r.URL.Redacted(), response.Status)
	}
	var made struct {
		ID string `json:"silenceID"`
	}
	if err := json.Unmarshal(answer, &made); err != nil || made.ID == "" {
		return fmt.Errorf("alertmanager: %s names no silence in its answer", r.URL.Redacted())
	}
	return nil
}
