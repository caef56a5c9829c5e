package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"shopwatch/dashboards"
	exporterconfig "shopwatch/exporter/config"
	"shopwatch/rules"
)

// rulesFlags are the options of the commands that print files for servers of the user's own.
type rulesFlags struct {
	ops, management         time.Duration
	pace                    float64
	given                   struct{ ops, management, pace bool } // on the command line
	job                     string
	runbookURL, grafanaURL  string
	webhookURL, tokenFile   string
	secret, secretKey       string
	exporter, notifierAddr  string
	ruleFiles, alertmanager []string
	out                     string

	format                         string // plain, or a kind of the Prometheus operator
	fragment                       bool
	object                         rules.Object
	port                           string
	exporterLabels, notifierLabels map[string]string
}

// The values of --format. All but the first are objects of the Prometheus operator.
const (
	plain              = "plain"
	prometheusRule     = "prometheusrule"
	serviceMonitor     = "servicemonitor"
	scrapeConfig       = "scrapeconfig"
	alertmanagerConfig = "alertmanagerconfig"
)

func (r *rulesFlags) escalation() rules.Escalation {
	return rules.Escalation{Ops: r.ops, Management: r.management, Pace: r.pace}
}

// takeTiers takes the tiers that no flag gives from the configuration file: the
// notifier says them on its page, which would lie beside rules with others.
func (r *rulesFlags) takeTiers(f flags) error {
	if f.configFile == "" {
		return nil
	}
	doc, err := read(f)
	if err != nil {
		return err
	}
	said, problems := rules.DefaultEscalation(), doc.Problems()
	doc.Decode(exporterconfig.SectionEscalation, &said, problems)
	if !r.given.ops {
		r.ops = said.Ops
	}
	if !r.given.management {
		r.management = said.Management
	}
	if !r.given.pace {
		r.pace = said.Pace
	}
	return problems.Err()
}

func (r *rulesFlags) commands(f *flags, app *kingpin.Application, command func(*kingpin.CmdClause, func() error) *kingpin.CmdClause, stdout io.Writer) {
	tiered := func(cmd *kingpin.CmdClause, do func() error) *kingpin.CmdClause {
		return command(cmd, func() error {
			if err := r.takeTiers(*f); err != nil {
				return err
			}
			return do()
		})
	}
	// The flags fill maps that are there.
	r.object.Labels, r.exporterLabels, r.notifierLabels = map[string]string{}, map[string]string{}, map[string]string{}
	r.forRules(tiered(app.Command("rules", "Print the rules for a Prometheus of your own."), func() error {
		return r.printRules(stdout)
	}))
	r.forPrometheus(tiered(app.Command("prometheus", "Print a prometheus.yml that scrapes the exporter and loads the rule file."), func() error {
		return show(stdout)(r.prometheus())
	}))
	r.forAlertmanager(tiered(app.Command("alertmanager", "Print an alertmanager.yml that tells the notifier."), func() error {
		return show(stdout)(r.alertmanagerFile())
	}))
	cmd := command(app.Command("dashboards", "Print the Grafana board, or write it with its provisioning."), func() error {
		if r.out == "" {
			return show(stdout)(fs.ReadFile(dashboards.Files(), "shop.json"))
		}
		return write(dashboards.Files(), r.out, stdout)
	})
	cmd.Flag("out", "Folder to write to, laid out as /etc/grafana; files that are there are replaced.").StringVar(&r.out)
}

func (r *rulesFlags) forRules(cmd *kingpin.CmdClause) {
	r.offerTiers(cmd)
	r.offerJob(cmd)
	cmd.Flag("runbook.url", "Where runbooks are; the alert's name is appended.").Default(rules.DefaultRunbookURL).StringVar(&r.runbookURL)
	cmd.Flag("grafana.url", "Where Grafana is.").Default(rules.DefaultDashboardURL).StringVar(&r.grafanaURL)
	cmd.Flag("out", "Folder to write to, one file a subject; files that are there are replaced. Without it, everything is printed as one.").StringVar(&r.out)
	r.offerObjects(cmd, prometheusRule)
}

func (r *rulesFlags) forPrometheus(cmd *kingpin.CmdClause) {
	r.offerTiers(cmd)
	r.offerJob(cmd)
	cmd.Flag("exporter", "host:port of the exporter's private address.").Default("127.0.0.1:9816").StringVar(&r.exporter)
	cmd.Flag("notifier", "host:port of the notifier's private address; empty: it isn't scraped by itself.").Default("127.0.0.1:9817").StringVar(&r.notifierAddr)
	cmd.Flag("rule-file", "Rule file, as `shopwatch rules` printed it; repeatable.").Default("shopwatch.rules.yml").StringsVar(&r.ruleFiles)
	cmd.Flag("alertmanager", "Alertmanager's URL; repeatable.").Default("http://127.0.0.1:9093").StringsVar(&r.alertmanager)
	cmd.Flag("fragment", "Print the scrape jobs alone, for a prometheus.yml that is there already.").BoolVar(&r.fragment)
	r.offerObjects(cmd, serviceMonitor, scrapeConfig)
	const component = "app.kubernetes.io/component="
	cmd.Flag("service.port", "Of a servicemonitor: name of the Services' port that answers /metrics.").Default("http").StringVar(&r.port)
	cmd.Flag("exporter.label", "Of a servicemonitor: label=value of the exporter's Service; repeatable.").
		Default("app.kubernetes.io/name=shopwatch", component+"exporter").StringMapVar(&r.exporterLabels)
	cmd.Flag("notifier.label", "Of a servicemonitor: label=value of the notifier's Service; repeatable.").
		Default("app.kubernetes.io/name=shopwatch", component+"notifier").StringMapVar(&r.notifierLabels)
}

func (r *rulesFlags) forAlertmanager(cmd *kingpin.CmdClause) {
	r.offerTiers(cmd)
	cmd.Flag("webhook.url", "The notifier's private address.").Default("http://127.0.0.1:9817").StringVar(&r.webhookURL)
	cmd.Flag("webhook.token-file", "File with the webhook's token, as Alertmanager finds it.").Default("webhook.token").StringVar(&r.tokenFile)
	cmd.Flag("fragment", "Print one route and its receivers, for an alertmanager.yml that is there already.").BoolVar(&r.fragment)
	r.offerObjects(cmd, alertmanagerConfig)
	cmd.Flag("webhook.token-secret", "Of an alertmanagerconfig: Secret with the webhook's token.").Default(rules.DefaultSecret).StringVar(&r.secret)
	cmd.Flag("webhook.token-key", "Of an alertmanagerconfig: key of the token in its Secret.").Default(rules.DefaultSecretKey).StringVar(&r.secretKey)
}

func (r *rulesFlags) offerTiers(cmd *kingpin.CmdClause) {
	lengthFlag(cmd.Flag("tier.ops", "Age of an outage at which operations are told; without it, as --config.file says.").
		IsSetByUser(&r.given.ops).Default("5m"), &r.ops)
	lengthFlag(cmd.Flag("tier.management", "Age of an outage at which management is told; without it, as --config.file says.").
		IsSetByUser(&r.given.management).Default("30m"), &r.management)
	cmd.Flag("tier.pace", "Multiplies every other duration; below 1 for drills; without it, as --config.file says.").
		IsSetByUser(&r.given.pace).Default("1").Float64Var(&r.pace)
}

func (r *rulesFlags) offerJob(cmd *kingpin.CmdClause) {
	cmd.Flag("job", "Name of the exporter's scrape job.").Default(rules.DefaultJob).StringVar(&r.job)
}

func (r *rulesFlags) offerObjects(cmd *kingpin.CmdClause, kinds ...string) {
	cmd.Flag("format", "A file for the server itself, or an object for the Prometheus operator.").
		Default(plain).EnumVar(&r.format, append([]string{plain}, kinds...)...)
	cmd.Flag("metadata.name", "Name of the object.").Default(rules.DefaultObject).StringVar(&r.object.Name)
	cmd.Flag("metadata.namespace", "Namespace of the object; empty: that of whoever applies it.").StringVar(&r.object.Namespace)
	cmd.Flag("metadata.label", "label=value of the object, by which the operator selects it; repeatable.").StringMapVar(&r.object.Labels)
}

// printRules prints the rules as one file, or writes one a subject.
func (r *rulesFlags) printRules(stdout io.Writer) error {
	o := rules.Options{Escalation: r.escalation(), Job: r.job, RunbookURL: r.runbookURL, DashboardURL: r.grafanaURL}
	switch {
	case r.out == "" && r.format == plain:
		return show(stdout)(rules.RenderFile(o))
	case r.out == "":
		return show(stdout)(rules.PrometheusRule(o, r.object))
	}
	files, err := rules.Render(o)
	if r.format == prometheusRule {
		files, err = rules.PrometheusRules(o, r.object)
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := writeFile(filepath.Join(r.out, name), files[name], stdout); err != nil {
			return err
		}
	}
	return nil
}

func (r *rulesFlags) prometheus() ([]byte, error) {
	o := rules.PrometheusOptions{
		Escalation: r.escalation(), Job: r.job, Exporter: r.exporter, Notifier: r.notifierAddr, RuleFiles: r.ruleFiles, Alertmanagers: r.alertmanager,
	}
	if err := r.oneForm(); err != nil {
		return nil, err
	}
	switch r.format {
	case serviceMonitor:
		monitor := rules.ServiceMonitorOptions{
			Object: r.object, Escalation: r.escalation(), Job: r.job, Port: r.port, Exporter: r.exporterLabels, Notifier: r.notifierLabels,
		}
		if r.notifierAddr == "" {
			monitor.Notifier = nil
		}
		return rules.ServiceMonitor(monitor)
	case scrapeConfig:
		return rules.ScrapeConfig(o, r.object)
	}
	if r.fragment {
		return rules.PrometheusFragment(o)
	}
	return rules.Prometheus(o)
}

func (r *rulesFlags) alertmanagerFile() ([]byte, error) {
	if err := r.oneForm(); err != nil {
		return nil, err
	}
	if r.format == alertmanagerConfig {
		return rules.AlertmanagerConfig(rules.AlertmanagerConfigOptions{
			Object: r.object, Escalation: r.escalation(), WebhookURL: r.webhookURL, Secret: r.secret, SecretKey: r.secretKey,
		})
	}
	o := rules.AlertmanagerOptions{Escalation: r.escalation(), WebhookURL: r.webhookURL, TokenFile: r.tokenFile}
	if r.fragment {
		return rules.AlertmanagerFragment(o)
	}
	return rules.Alertmanager(o)
}

// oneForm refuses a fragment of an object: it is one by nature.
func (r *rulesFlags) oneForm() error {
	if r.fragment && r.format != plain {
		return fmt.Errorf("--fragment goes with --format=%s only: what the operator reads is merged by the operator", plain)
	}
	return nil
}

// show prints what was rendered, or passes its error on.
func show(stdout io.Writer) func([]byte, error) error {
	return func(content []byte, err error) error {
		if err == nil {
			_, err = stdout.Write(content)
		}
		return err
	}
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
		return writeFile(to, content, stdout)
	})
}

// writeFile writes one file and names it.
func writeFile(path string, content []byte, stdout io.Writer) error {
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return err
	}
	fmt.Fprintln(stdout, path)
	return nil
}
