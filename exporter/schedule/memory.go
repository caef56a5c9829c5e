package schedule

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"shopwatch/internal/statefile"
)

const memoryVersion = 1

// memory is the state file: what must outlive a restart, so that an outage
// keeps its age and isn't told anew as two.
type memory struct {
	Version  int          `json:"version"`
	Services []remembered `json:"services"`
	// Anchors are those of which one has answered: they aren't walled off.
	Anchors []string `json:"anchors,omitempty"`
}

type remembered struct {
	Shop        string    `json:"shop"`
	Service     string    `json:"service"`
	LastSuccess time.Time `json:"last_success"`
	Outage      bool      `json:"outage,omitempty"`
}

// recall reads the state file. A missing file is an empty memory; one that
// can't be understood is moved aside. Any other error (permission, disk) is
// returned.
func recall(path string, log *slog.Logger) (m memory, err error) {
	aside := path + ".unreadable"
	damaged, err := statefile.Load(path, aside, func(data []byte) error {
		if err := json.Unmarshal(data, &m); err != nil {
			return err
		}
		if m.Version != memoryVersion {
			return fmt.Errorf("version is %d, want %d", m.Version, memoryVersion)
		}
		return nil
	})
	if err != nil {
		return memory{}, fmt.Errorf("services: %w", err)
	}
	if damaged != nil {
		log.Warn("state file of services is unreadable, last successes start anew", "file", path, "moved_to", aside, "err", damaged)
		return memory{}, nil
	}
	return m, nil
}

// save replaces the state file.
func (m memory) save(path string) error {
	m.Version = memoryVersion
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("encode state of services: %w", err)
	}
	if err := statefile.Replace(path, append(data, '\n')); err != nil {
		return fmt.Errorf("services: %w", err)
	}
	return nil
}

// saveEvery is the least time between two writes of the state file. It is longer
// for thousands of services, whose file takes its time: what is at stake is that
// after a crash an outage seems older by as much.
func (s *Schedule) saveEvery() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return min(30*time.Second, 5*time.Second*time.Duration(1+len(s.watched)/1000))
}

// saveUntil saves the state file now and then, whenever there is something new.
func (s *Schedule) saveUntil(ctx context.Context) {
	failing := false
	for sleep(ctx, s.saveEvery()) {
		err := s.save()
		if err != nil && !failing {
			s.log.Error("state of services can't be saved; last successes would be lost in a restart", "err", err)
		}
		failing = err != nil
	}
}

// save writes the state file, if there is one and anything in it has changed.
func (s *Schedule) save() error {
	s.mu.Lock()
	if s.path == "" || !s.dirty {
		s.mu.Unlock()
		return nil
	}
	var m memory
	for _, w := range s.watched {
		if !w.lastSuccess.IsZero() {
			m.Services = append(m.Services, remembered{w.service.Shop, w.service.ID, w.lastSuccess.UTC(), w.verdict.Down})
		}
	}
	s.dirty = false
	s.mu.Unlock()
	if s.guard.credible() {
		m.Anchors = s.guard.anchors
	}

	err := m.save(s.path)
	if err != nil {
		s.mu.Lock()
		s.dirty = true
		s.mu.Unlock()
	}
	return err
}

// remember notes that there is something new to save.
func (s *Schedule) remember() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirty = true
}
