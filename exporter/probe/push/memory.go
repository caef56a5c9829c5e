package push

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"shopwatch/internal/statefile"
)

const memoryVersion = 1

// memory is the state file: what must outlive a restart, so that a job that
// runs once a day isn't late for it, and a failure that was reported stays told.
type memory struct {
	Version  int          `json:"version"`
	Services []remembered `json:"services"`
}

type remembered struct {
	Shop    string    `json:"shop"`
	Service string    `json:"service"`
	Token   string    `json:"token_sha256"`
	Since   time.Time `json:"since"`
	Last    time.Time `json:"last,omitzero"`
	Failed  time.Time `json:"failed,omitzero"`
	Message string    `json:"message,omitempty"`
	Overdue bool      `json:"overdue,omitempty"`
}

// Run keeps the state file up to date until the context ends, and once more
// then; at most once a second. Its error is that of the last writing: what came
// since the one before would be lost.
func (r *Receiver) Run(ctx context.Context) error {
	failing := false
	for {
		select {
		case <-ctx.Done():
			return r.flush()
		case <-r.changed:
		}
		err := r.flush()
		if err != nil && !failing {
			r.log.Warn("heartbeats can't be kept, a restart would forget them", "err", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return r.flush()
		case <-time.After(rate):
		}
	}
}

// flush writes the state file if it is behind.
func (r *Receiver) flush() error {
	r.mu.Lock()
	if !r.dirty || r.path == "" {
		r.mu.Unlock()
		return nil
	}
	r.dirty = false
	m := r.remember()
	r.mu.Unlock()

	err := m.save(r.path)
	if err != nil {
		r.mu.Lock()
		r.touch()
		r.mu.Unlock()
	}
	return err
}

// remember is the state file's content. The mutex is held.
func (r *Receiver) remember() memory {
	m := memory{Version: memoryVersion, Services: make([]remembered, 0, len(r.heartbeats))}
	for token, h := range r.heartbeats {
		m.Services = append(m.Services, remembered{
			Shop: h.shop, Service: h.service, Token: hex.EncodeToString(token[:]),
			Since: h.since, Last: h.last, Failed: h.failed, Message: h.message, Overdue: h.overdue,
		})
	}
	slices.SortFunc(m.Services, func(a, b remembered) int {
		return strings.Compare(a.Shop+"/"+a.Service+"/"+a.Token, b.Shop+"/"+b.Service+"/"+b.Token)
	})
	return m
}

// recall reads the state file. A missing file is an empty memory; one that
// can't be understood is moved aside. Any other error (permission, disk) is
// returned. A moment that is still to come, since the clock was put back, is
// taken for now.
func recall(path string, now time.Time, log *slog.Logger) (known map[digest]heartbeat, err error) {
	aside := path + ".unreadable"
	damaged, err := statefile.Load(path, aside, func(data []byte) (err error) {
		known, err = decode(data, now)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("heartbeats: %w", err)
	}
	if damaged != nil {
		log.Warn("state file of heartbeats is unreadable, they start anew", "file", path, "moved_to", aside, "err", damaged)
	}
	return known, nil
}

func decode(data []byte, now time.Time) (map[digest]heartbeat, error) {
	var m memory
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, err
	}
	if m.Version != memoryVersion {
		return nil, fmt.Errorf("version is %d, want %d", m.Version, memoryVersion)
	}
	past := func(moment time.Time) time.Time {
		if moment.After(now) {
			return now
		}
		return moment
	}
	known := make(map[digest]heartbeat, len(m.Services))
	for _, s := range m.Services {
		var token digest
		if n, err := hex.Decode(token[:], []byte(s.Token)[:min(len(s.Token), 2*len(token))]); err != nil || n != len(token) {
			return nil, fmt.Errorf("token_sha256 of %s/%s is not one", s.Shop, s.Service)
		}
		known[token] = heartbeat{
			shop: s.Shop, service: s.Service, since: past(s.Since), last: past(s.Last), failed: past(s.Failed),
			message: clean(s.Message), overdue: s.Overdue,
		}
	}
	return known, nil
}

// save replaces the state file.
func (m memory) save(path string) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("encode state of heartbeats: %w", err)
	}
	if err := statefile.Replace(path, append(data, '\n')); err != nil {
		return fmt.Errorf("heartbeats: %w", err)
	}
	return nil
}
