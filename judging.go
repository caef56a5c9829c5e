package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"shopwatch/rules"
	"shopwatch/rules/engine"
)

// judgement is what an engine judges and tells by: the tiers, and section engine
// of shopwatch.yml. It may change while the engine runs.
type judgement struct {
	escalation rules.Escalation
	settings   engine.Settings
}

// bench is where an engine judges: the folder of its files, and the private
// address that they name.
type bench struct {
	dir      string
	token    string // file with the webhook's token
	exporter string // host:port within the process
	shown    string // URL for people
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	logger   *slog.Logger
}

// files are those of the treaty for a judgement, by name. An engine reads them as
// any Prometheus and Alertmanager would.
func (b bench) files(j judgement) (map[string][]byte, error) {
	rulesYML, err := rules.RenderFile(rules.Options{Escalation: j.escalation, RunbookURL: b.shown + "/runbooks"})
	if err != nil {
		return nil, err
	}
	prometheus, err := rules.Prometheus(rules.PrometheusOptions{
		Escalation: j.escalation, Exporter: b.exporter, RuleFiles: append([]string{"rules.yml"}, j.settings.RuleFiles...),
	})
	if err != nil {
		return nil, err
	}
	if prometheus, err = j.settings.Extend(prometheus); err != nil {
		return nil, err
	}
	alertmanager, err := rules.Alertmanager(rules.AlertmanagerOptions{
		Escalation: j.escalation, WebhookURL: "http://" + b.exporter, TokenFile: b.token,
	})
	return map[string][]byte{"rules.yml": rulesYML, "prometheus.yml": prometheus, "alertmanager.yml": alertmanager}, err
}

// lay writes the files of a judgement, and says on which an engine works.
func (b bench) lay(j judgement) (engine.Config, error) {
	files, err := b.files(j)
	if err != nil {
		return engine.Config{}, err
	}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return engine.Config{}, err
	}
	for name, content := range files {
		if err := keep(filepath.Join(b.dir, name), content); err != nil {
			return engine.Config{}, err
		}
	}
	config := engine.Config{
		DataDir: b.dir, PrometheusConfig: filepath.Join(b.dir, "prometheus.yml"), AlertmanagerConfig: filepath.Join(b.dir, "alertmanager.yml"),
		ExternalURL: b.shown, ResendDelay: j.escalation.Scale(time.Minute), Dial: b.dial, Logger: b.logger,
		Retention: j.settings.Retention, RetentionSize: j.settings.RetentionSize,
	}
	if own := j.settings.PrometheusFile; own != "" {
		config.PrometheusConfig = own
	}
	if own := j.settings.AlertmanagerFile; own != "" {
		config.AlertmanagerConfig = own
	}
	return config, nil
}

// open makes an engine.
func (b bench) open(j judgement) (*engine.Engine, error) {
	config, err := b.lay(j)
	if err != nil {
		return nil, err
	}
	return engine.New(config)
}

// reload has a running engine judge anew. Where it can't, the judgement before
// stays in force.
func (b bench) reload(running *engine.Engine, before, next judgement) error {
	config, err := b.lay(next)
	if err == nil {
		err = running.Reload(config)
	}
	if err != nil {
		_, back := b.lay(before)
		return errors.Join(err, back)
	}
	return nil
}

// checkEngine reads the files that an engine would work on as it would, some of
// which may be the owner's own.
func checkEngine(j judgement) (err error) {
	dir, err := os.MkdirTemp("", "shopwatch-check-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := bench{
		dir: dir, token: filepath.Join(dir, webhookToken), exporter: "127.0.0.1:9816", shown: "http://127.0.0.1:9816",
		logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if err := keep(b.token, []byte("none\n")); err != nil {
		return err
	}
	config, err := b.lay(j)
	if err != nil {
		return err
	}
	return engine.Check(config)
}

// keep writes a file that differs from content.
func keep(path string, content []byte) error {
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, content) {
		return nil
	}
	return os.WriteFile(path, content, 0o600)
}
