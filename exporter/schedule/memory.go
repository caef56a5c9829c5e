package schedule

import (
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
func recall(path string, log *slog.Logger) (map[Name]remembered, error) {
	data, err := readBounded(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil && !errors.Is(err, errTooLarge) {
		return nil, fmt.Errorf("read state file of services: %w", err)
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
			return nil, fmt.Errorf("move unreadable state file of services aside: %w", moved)
		}
		log.Warn("state file of services is unreadable, last successes start anew", "file", path, "moved_to", aside, "err", err)
		return nil, nil
	}
	known := make(map[Name]remembered, len(m.Services))
	for _, r := range m.Services {
		known[Name{r.Shop, r.Service}] = r
	}
	return known, nil
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
