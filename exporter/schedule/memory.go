package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

const (
	memoryVersion = 1
	// maxMemory bounds the state file, at about 100 bytes a service.
	maxMemory = 16 << 20
)

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
// can't be understood is moved aside, so that it can be looked at and a restart
// still works. Any other error (permission, disk) is returned.
func recall(path string, log *slog.Logger) (memory, error) {
	data, err := readBounded(path)
	if errors.Is(err, os.ErrNotExist) {
		return memory{}, nil
	}
	if err != nil && !errors.Is(err, errTooLarge) {
		return memory{}, fmt.Errorf("read state file of services: %w", err)
	}
	var m memory
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err == nil && m.Version != memoryVersion {
		err = fmt.Errorf("version is %d, want %d", m.Version, memoryVersion)
	}
	if err != nil {
		aside := path + ".unreadable"
		if moved := os.Rename(path, aside); moved != nil {
			return memory{}, fmt.Errorf("move unreadable state file of services aside: %w", moved)
		}
		log.Warn("state file of services is unreadable, last successes start anew", "file", path, "moved_to", aside, "err", err)
		return memory{}, nil
	}
	return m, nil
}

var errTooLarge = errors.New("file is too large")

func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxMemory+1))
	if err == nil && len(data) > maxMemory {
		err = errTooLarge
	}
	return data, err
}

// save replaces the state file: whoever reads it finds the old one or the new
// one, whole, also after a power cut.
func (m memory) save(path string) error {
	m.Version = memoryVersion
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("encode state of services: %w", err)
	}
	temporary := path + ".tmp"
	if err := writeSynced(temporary, append(data, '\n')); err != nil {
		_ = os.Remove(temporary)
		return fmt.Errorf("write state file of services: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		_ = os.Remove(temporary)
		return fmt.Errorf("replace state file of services: %w", err)
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync() // some file systems can't; the rename stands either way
		_ = dir.Close()
	}
	return nil
}

func writeSynced(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
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
