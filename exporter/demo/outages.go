package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// outages is the set of broken services, kept in a file so that an outage
// outlives the process as it would in life.
type outages struct {
	path  string
	known []string

	mu   sync.RWMutex
	down map[string]bool
}

// outageFile is the JSON of broken.json.
type outageFile struct {
	Broken []string `json:"broken"`
}

func openOutages(path string, known []string) (*outages, error) {
	o := &outages{path: path, known: known, down: map[string]bool{}}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the demo's broken services: %w", err)
	}
	var file outageFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("read %s: %w: delete the file to heal every service", path, err)
	}
	for _, service := range file.Broken {
		// A service that this version no longer has can't be broken.
		if slices.Contains(known, service) {
			o.down[service] = true
		}
	}
	return o, nil
}

func (o *outages) broken(service string) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.down[service]
}

func (o *outages) list() []string {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.listed()
}

func (o *outages) listed() []string {
	broken := []string{}
	for _, service := range o.known {
		if o.down[service] {
			broken = append(broken, service)
		}
	}
	return broken
}

// set breaks or mends a service and reports whether that changed anything.
// When the file can't be written, the set stays as it was.
func (o *outages) set(service string, broken bool) (bool, error) {
	if !slices.Contains(o.known, service) {
		return false, fmt.Errorf("demo has no service %q: choose one of %s", service, strings.Join(o.known, ", "))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.down[service]
	if before == broken {
		return false, nil
	}
	o.down[service] = broken
	if err := o.write(); err != nil {
		o.down[service] = before
		return false, err
	}
	return true, nil
}

// write replaces the file atomically.
func (o *outages) write() error {
	text, err := json.Marshal(outageFile{Broken: o.listed()})
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(o.path), ".broken-*")
	if err != nil {
		return fmt.Errorf("write the demo's broken services: %w", err)
	}
	defer os.Remove(file.Name()) // gone already once renamed
	_, err = file.Write(append(text, '\n'))
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), o.path)
	}
	if err != nil {
		return fmt.Errorf("write the demo's broken services: %w", err)
	}
	return nil
}
