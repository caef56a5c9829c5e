package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/common/config"
)

// door is how a command asks the shopwatch that runs with the same data directory.
type door struct {
	scheme string
	token  string // the operator's
	client *http.Client
}

func (d door) url(address string) string { return d.scheme + "://" + address }

// door reads the operator's token, and what --http.config.file says of the
// login and the certificates that the private address asks for.
func (f flags) door() (door, error) {
	token, err := os.ReadFile(filepath.Join(f.dataDir, operatorToken))
	if err != nil {
		return door{}, fmt.Errorf("no shopwatch has run with --data.dir %q: %w", f.dataDir, err)
	}
	d := door{scheme: f.privateScheme(), token: strings.TrimSpace(string(token)), client: http.DefaultClient}
	if f.httpConfig == "" {
		return d, nil
	}
	shown, _, err := config.LoadHTTPConfigFile(f.httpConfig)
	if err != nil {
		return door{}, fmt.Errorf("--http.config.file: %w", err)
	}
	if d.client, err = config.NewClientFromConfig(*shown, "shopwatch"); err != nil {
		return door{}, fmt.Errorf("--http.config.file %s: %w", f.httpConfig, err)
	}
	if shown.TLSConfig != (config.TLSConfig{}) {
		d.scheme = "https"
	}
	return d, nil
}
