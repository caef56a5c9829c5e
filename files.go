package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"shopwatch/dashboards"
	"shopwatch/rules"
)

// rulesFlags are the options of the commands that print files for servers of the user's own.
type rulesFlags struct {
	ops, management         time.Duration
	pace                    float64
	job                     string
	runbookURL, grafanaURL  string
	webhookURL, tokenFile   string
	exporter, notifierAddr  string
	ruleFiles, alertmanager []string
	out                     string
}

func (r rulesFlags) escalation() rules.Escalation {
	return rules.Escalation{Ops: r.ops, Management: r.management, Pace: r.pace}
}

func (r *rulesFlags) commands(app *kingpin.Application, command func(*kingpin.CmdClause, func() error) *kingpin.CmdClause, stdout io.Writer) {
	show := func(content []byte, err error) error {
		if err == nil {
			_, err = stdout.Write(content)
		}
		return err
	}
	tiers := func(cmd *kingpin.CmdClause) {
		cmd.Flag("tier.ops", "Age of an outage at which operations are told.").Default("5m").DurationVar(&r.ops)
		cmd.Flag("tier.management", "Age of an outage at which management is told.").Default("30m").DurationVar(&r.management)
		cmd.Flag("tier.pace", "Multiplies every other duration; below 1 for drills.").Default("1").Float64Var(&r.pace)
	}
	job := func(cmd *kingpin.CmdClause) {
		cmd.Flag("job", "Name of the exporter's scrape job.").Default(rules.DefaultJob).StringVar(&r.job)
	}
	cmd := command(app.Command("rules", "Print the rule file for a Prometheus of your own."), func() error {
		return show(rules.RenderFile(rules.Options{
			Escalation: r.escalation(), Job: r.job, RunbookURL: r.runbookURL, DashboardURL: r.grafanaURL,
		}))
	})
	tiers(cmd)
	job(cmd)
	cmd.Flag("runbook.url", "Where runbooks are; the alert's name is appended.").Default(rules.DefaultRunbookURL).StringVar(&r.runbookURL)
	cmd.Flag("grafana.url", "Where Grafana is.").Default(rules.DefaultDashboardURL).StringVar(&r.grafanaURL)

	cmd = command(app.Command("prometheus", "Print a prometheus.yml that scrapes the exporter and loads the rule file."), func() error {
		return show(rules.Prometheus(rules.PrometheusOptions{
			Escalation: r.escalation(), Job: r.job, Exporter: r.exporter, Notifier: r.notifierAddr, RuleFiles: r.ruleFiles, Alertmanagers: r.alertmanager,
		}))
	})
	tiers(cmd)
	job(cmd)
	cmd.Flag("exporter", "host:port of the exporter's private address.").Default("127.0.0.1:9816").StringVar(&r.exporter)
	cmd.Flag("notifier", "host:port of the notifier's private address.").Default("127.0.0.1:9817").StringVar(&r.notifierAddr)
	cmd.Flag("rule-file", "Rule file, as `shopwatch rules` printed it; repeatable.").Default("shopwatch.rules.yml").StringsVar(&r.ruleFiles)
	cmd.Flag("alertmanager", "Alertmanager's URL; repeatable.").Default("http://127.0.0.1:9093").StringsVar(&r.alertmanager)

	cmd = command(app.Command("alertmanager", "Print an alertmanager.yml that tells the notifier."), func() error {
		return show(rules.Alertmanager(rules.AlertmanagerOptions{Escalation: r.escalation(), WebhookURL: r.webhookURL, TokenFile: r.tokenFile}))
	})
	tiers(cmd)
	cmd.Flag("webhook.url", "The notifier's private address.").Default("http://127.0.0.1:9817").StringVar(&r.webhookURL)
	cmd.Flag("webhook.token-file", "File with the webhook's token, as Alertmanager finds it.").Default("webhook.token").StringVar(&r.tokenFile)

	cmd = command(app.Command("dashboards", "Print the Grafana board, or write it with its provisioning."), func() error {
		if r.out == "" {
			return show(fs.ReadFile(dashboards.Files(), "shop.json"))
		}
		return write(dashboards.Files(), r.out, stdout)
	})
	cmd.Flag("out", "Folder to write to, laid out as /etc/grafana; files that are there are replaced.").StringVar(&r.out)
}

// write copies files below a folder and names each.
func write(files fs.FS, dir string, stdout io.Writer) error {
	return fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		to := filepath.Join(dir, filepath.FromSlash(path))
		if err != nil || entry.IsDir() {
			return errors.Join(err, os.MkdirAll(to, 0o755))
		}
		content, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		fmt.Fprintln(stdout, to)
		return os.WriteFile(to, content, 0o644)
	})
}
