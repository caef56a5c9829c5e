package rules

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// DefaultObject is the name of objects that are given none, and DefaultSecret
// and DefaultSecretKey are where the webhook's token is in the cluster.
const (
	DefaultObject    = "shopwatch"
	DefaultSecret    = "shopwatch-webhook"
	DefaultSecretKey = "token"
)

// Object says as what an object of the Prometheus operator is made. The
// operator's own server is the user's: shopwatch brings only what it reads.
type Object struct {
	Name      string            // empty: DefaultObject
	Namespace string            // empty: that of whoever applies it
	Labels    map[string]string // by which the operator selects it, e.g. release: kube-prometheus-stack
}

// PrometheusRule returns the same groups as RenderFile as one object.
func PrometheusRule(o Options, as Object) ([]byte, error) {
	subjects, err := renderSubjects(o)
	if err != nil {
		return nil, err
	}
	return prometheusRule(as, subjects...)
}

// PrometheusRules returns the same files as Render, each an object named after
// its subject.
func PrometheusRules(o Options, as Object) (map[string][]byte, error) {
	subjects, err := renderSubjects(o)
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte, len(subjects))
	for _, s := range subjects {
		if files[s.file], err = prometheusRule(as.of(strings.TrimSuffix(s.file, ".yml")), s); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func prometheusRule(as Object, subjects ...subject) ([]byte, error) {
	head, err := as.head("monitoring.coreos.com/v1", "PrometheusRule")
	if err != nil {
		return nil, err
	}
	return execute("operator/prometheusrule.yml", DefaultEscalation(), struct{ Head, Groups string }{
		head, string(indented(groups(subjects...), 4)),
	})
}

// ServiceMonitorOptions says what ServiceMonitors are rendered for.
type ServiceMonitorOptions struct {
	Object
	Escalation Escalation // only its pace matters; zero: DefaultEscalation
	// Job is the name of the scrape job, the same as in Options; empty: DefaultJob.
	Job string
	// Port is the name of the Services' port on which /metrics is answered.
	Port string
	// Exporter is the labels of the exporter's Service; at least one.
	Exporter map[string]string
	// Notifier is the labels of the notifier's Service, whose job is
	// "<Job>-notifier"; none where it is the exporter's, or not scraped.
	Notifier map[string]string
}

// ServiceMonitor returns what Prometheus does with the exporter's and the
// notifier's metrics as objects, for processes that run in the cluster.
func ServiceMonitor(o ServiceMonitorOptions) ([]byte, error) {
	const version, kind = "monitoring.coreos.com/v1", "ServiceMonitor"
	if o.Escalation == (Escalation{}) {
		o.Escalation = DefaultEscalation()
	}
	if o.Job == "" {
		o.Job = DefaultJob
	}
	head, err := o.head(version, kind)
	problems := []error{err, validEscalation(o.Escalation), validJob(o.Job), validLabels("exporter's label", o.Exporter), validLabels("notifier's label", o.Notifier)}
	if len(o.Exporter) == 0 {
		problems = append(problems, errors.New("exporter's labels: want at least one: a selector of none takes every Service"))
	}
	if !portName.MatchString(o.Port) {
		problems = append(problems, fmt.Errorf("port %q: want the name of a Service's port", o.Port))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	type monitor struct {
		Head, Job, Port string
		Selector        map[string]string
	}
	monitors := []monitor{{head, o.Job, o.Port, o.Exporter}}
	if len(o.Notifier) > 0 {
		head, err := o.of("notifier").head(version, kind)
		if err != nil {
			return nil, err
		}
		monitors = append(monitors, monitor{head, notifierJob(o.Job), o.Port, o.Notifier})
	}
	return execute("operator/servicemonitor.yml", o.Escalation, monitors)
}

// ScrapeConfig returns the same for processes that run outside of the cluster.
// It has no rule files and no Alertmanagers: these are the operator's.
func ScrapeConfig(o PrometheusOptions, as Object) ([]byte, error) {
	const version, kind = "monitoring.coreos.com/v1alpha1", "ScrapeConfig"
	if o.Escalation == (Escalation{}) {
		o.Escalation = DefaultEscalation()
	}
	if o.Job == "" {
		o.Job = DefaultJob
	}
	head, err := as.head(version, kind)
	problems := []error{err, validEscalation(o.Escalation), validJob(o.Job), address("exporter", o.Exporter)}
	if o.Notifier != "" {
		problems = append(problems, address("notifier", o.Notifier))
	}
	problems = append(problems, reachable("exporter", o.Exporter), reachable("notifier", o.Notifier))
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	type scrape struct{ Head, Job, Address string }
	scrapes := []scrape{{head, o.Job, o.Exporter}}
	if o.Notifier != "" {
		head, err := as.of("notifier").head(version, kind)
		if err != nil {
			return nil, err
		}
		scrapes = append(scrapes, scrape{head, notifierJob(o.Job), o.Notifier})
	}
	return execute("operator/scrapeconfig.yml", o.Escalation, scrapes)
}

// AlertmanagerConfigOptions says what an AlertmanagerConfig is rendered for.
type AlertmanagerConfigOptions struct {
	Object
	Escalation Escalation // only its pace matters; zero: DefaultEscalation
	WebhookURL string     // as in AlertmanagerOptions, as the Alertmanager's pod reaches it
	// Secret and SecretKey are where the webhook's token is, in the object's namespace.
	Secret, SecretKey string // empty: DefaultSecret, DefaultSecretKey
}

// AlertmanagerConfig returns the same routes as AlertmanagerFragment as an
// object of version v1alpha1, which every operator reads; v1beta1 is not in its
// default bundle, since it needs a conversion webhook.
func AlertmanagerConfig(o AlertmanagerConfigOptions) ([]byte, error) {
	const kind = "AlertmanagerConfig"
	if o.Escalation == (Escalation{}) {
		o.Escalation = DefaultEscalation()
	}
	if o.Secret == "" {
		o.Secret = DefaultSecret
	}
	if o.SecretKey == "" {
		o.SecretKey = DefaultSecretKey
	}
	head, err := o.head("monitoring.coreos.com/v1alpha1", kind)
	receivers, urlErr := receivers(o.WebhookURL, "")
	problems := []error{err, urlErr, validEscalation(o.Escalation), objectName("secret", o.Secret)}
	if parsed, err := url.Parse(o.WebhookURL); err == nil {
		problems = append(problems, reachable("webhook url", net.JoinHostPort(parsed.Hostname(), parsed.Port())))
	}
	if !secretKey.MatchString(o.SecretKey) {
		problems = append(problems, fmt.Errorf("secret key %q: want letters, digits or ._-", o.SecretKey))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	return execute("operator/alertmanagerconfig.yml", o.Escalation, struct {
		Head, Secret, SecretKey string
		Matchers                []matcher
		Receivers               []receiver
	}{head, o.Secret, o.SecretKey, ours, receivers})
}

// of is the object beside this one that is about a part.
func (o Object) of(part string) Object {
	if o.Name == "" {
		o.Name = DefaultObject
	}
	o.Name += "-" + part
	return o
}

// head is what every object begins with.
func (o Object) head(apiVersion, kind string) (string, error) {
	if o.Name == "" {
		o.Name = DefaultObject
	}
	problems := []error{objectName("name", o.Name), validLabels("label", o.Labels)}
	if o.Namespace != "" {
		problems = append(problems, objectName("namespace", o.Namespace))
	}
	if err := errors.Join(problems...); err != nil {
		return "", err
	}
	head, err := execute("operator/head.yml", DefaultEscalation(), struct {
		Object
		APIVersion, Kind string
	}{o, apiVersion, kind})
	return string(head), err
}

// What Kubernetes takes for names, label keys and values, and names of ports.
var (
	subdomain  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
	labelKey   = regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)
	labelValue = regexp.MustCompile(`^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$`)
	portName   = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$`)
	secretKey  = regexp.MustCompile(`^[-A-Za-z0-9_.]{1,253}$`)
)

func objectName(what, name string) error {
	if !subdomain.MatchString(name) {
		return fmt.Errorf("%s %q: want lower-case letters, digits or .-", what, name)
	}
	return nil
}

func validLabels(what string, labels map[string]string) error {
	var problems []error
	for name, value := range labels {
		if !labelKey.MatchString(name) || !labelValue.MatchString(value) {
			problems = append(problems, fmt.Errorf("%s %q: want NAME=VALUE as Kubernetes takes them", what, name+"="+value))
		}
	}
	return errors.Join(problems...)
}

// reachable refuses an address that inside the cluster is another process's:
// the defaults of processes that share a machine.
func reachable(what, address string) error {
	host, _, _ := net.SplitHostPort(address)
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return fmt.Errorf("%s %q: want an address that is reached from inside the cluster", what, address)
	}
	return nil
}
