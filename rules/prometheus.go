package rules

import (
	"errors"
	"fmt"
	"net/url"
)

// PrometheusOptions says what prometheus.yml is rendered for.
type PrometheusOptions struct {
	Escalation Escalation // only its pace matters; zero: DefaultEscalation
	// Job is the name of the scrape job, the same as in Options; empty: DefaultJob.
	Job string
	// Exporter is the host:port whose /metrics the exporter answers.
	Exporter string
	// Notifier is the host:port of the notifier's /metrics, scraped as job
	// "<Job>-notifier"; empty where it is the exporter's, or not scraped.
	Notifier string
	// RuleFiles are paths or globs, looked up beside prometheus.yml; at least one.
	RuleFiles []string
	// Alertmanagers are base URLs, each with the path that Alertmanager's API
	// is under, if any; none: alerts are evaluated and told to nobody.
	Alertmanagers []string
}

// Prometheus returns a whole prometheus.yml for Prometheus 2.42 and later.
func Prometheus(o PrometheusOptions) ([]byte, error) {
	return o.render(false)
}

// PrometheusFragment returns its scrape_configs alone, to be merged into the
// user's own prometheus.yml or read by its scrape_config_files (Prometheus 2.43
// and later). It says nothing of rule files and Alertmanagers.
func PrometheusFragment(o PrometheusOptions) ([]byte, error) {
	o.RuleFiles, o.Alertmanagers = nil, nil
	return o.render(true)
}

func (o PrometheusOptions) render(fragment bool) ([]byte, error) {
	if o.Escalation == (Escalation{}) {
		o.Escalation = DefaultEscalation()
	}
	if o.Job == "" {
		o.Job = DefaultJob
	}
	problems := []error{validEscalation(o.Escalation), validJob(o.Job), address("exporter", o.Exporter)}
	if o.Notifier != "" {
		problems = append(problems, address("notifier", o.Notifier))
	}
	if len(o.RuleFiles) == 0 && !fragment {
		problems = append(problems, errors.New("rule files: want at least one"))
	}
	for _, path := range o.RuleFiles {
		problems = append(problems, file("rule file", path))
	}
	managers, err := alertmanagers(o.Alertmanagers)
	if err := errors.Join(append(problems, err)...); err != nil {
		return nil, fmt.Errorf("prometheus.yml: %w", err)
	}
	return execute("prometheus.yml", o.Escalation, struct {
		PrometheusOptions
		NotifierJob   string
		Alertmanagers []*url.URL
		Fragment      bool
	}{o, notifierJob(o.Job), managers, fragment})
}

// notifierJob is the name of the notifier's scrape job, beside the exporter's.
func notifierJob(job string) string { return job + "-notifier" }

func alertmanagers(texts []string) ([]*url.URL, error) {
	var urls []*url.URL
	var problems []error
	for _, text := range texts {
		text, err := base("alertmanager url", text)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		parsed, err := url.Parse(text)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		urls = append(urls, parsed)
	}
	return urls, errors.Join(problems...)
}
