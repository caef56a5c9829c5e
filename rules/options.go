package rules

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Defaults of Options and its relatives.
const (
	DefaultJob          = "shopwatch"
	DefaultRunbookURL   = "http://127.0.0.1:9817/runbooks"
	DefaultDashboardURL = "http://127.0.0.1:3000"
)

// What belongs to shopwatch itself rather than to a shop: alerts about our own
// pipeline carry ShopSelf as shop, so that no configured shop may be called so,
// and ServiceLedger is the service of alerts about books that cannot be read.
const (
	ShopSelf        = "shopwatch"
	ServiceExporter = "exporter"
	ServiceWatchdog = "watchdog"
	ServiceLedger   = "ledger"
)

// BoardUID is the uid of the Grafana board that annotation dashboard_url opens.
const BoardUID = "shopwatch-shop"

// Interval is the time between scrapes, and between evaluations of the rules,
// at pace 1.
const Interval = 15 * time.Second

// settle is how long an alert about our own pipeline waits after its window,
// at pace 1. Window and settle together are the tier.
const settle = time.Minute

// Options says what rule files are rendered for.
type Options struct {
	Escalation Escalation // zero: DefaultEscalation
	// Job is the name under which Prometheus scrapes the exporter; empty: DefaultJob.
	Job string
	// RunbookURL is what the alert's name is appended to, after a slash; empty: DefaultRunbookURL.
	RunbookURL string
	// DashboardURL is where Grafana answers; empty: DefaultDashboardURL.
	DashboardURL string
}

// complete fills the defaults and refuses what would not load, or would not
// mean what it says: all problems at once.
func (o Options) complete() (Options, error) {
	if o.Escalation == (Escalation{}) {
		o.Escalation = DefaultEscalation()
	}
	if o.Job == "" {
		o.Job = DefaultJob
	}
	if o.RunbookURL == "" {
		o.RunbookURL = DefaultRunbookURL
	}
	if o.DashboardURL == "" {
		o.DashboardURL = DefaultDashboardURL
	}
	var problems []error
	problems = append(problems, validEscalation(o.Escalation), validJob(o.Job))
	var err error
	if o.RunbookURL, err = base("runbook url", o.RunbookURL); err != nil {
		problems = append(problems, err)
	}
	if o.DashboardURL, err = base("dashboard url", o.DashboardURL); err != nil {
		problems = append(problems, err)
	}
	o.DashboardURL += "/d/" + BoardUID
	return o, errors.Join(problems...)
}

// validEscalation holds the order of the tiers, and that the first leaves room
// for a window of one look before the pipeline's alerts settle.
func validEscalation(e Escalation) error {
	if !(e.Pace > 0) || e.Scale(Interval) < 10*time.Millisecond {
		return fmt.Errorf("escalation: pace %v: got an interval of %v, want at least 10ms", e.Pace, e.Scale(Interval))
	}
	if e.Pace > 100 {
		return fmt.Errorf("escalation: pace %v: want at most 100", e.Pace)
	}
	if least := e.Scale(settle + Interval); e.Ops < least {
		return fmt.Errorf("escalation: ops %v: want at least %v, which is a minute and a look at pace %v", e.Ops, least, e.Pace)
	}
	if e.Management <= e.Ops {
		return fmt.Errorf("escalation: management %v: want longer than ops, which is %v", e.Management, e.Ops)
	}
	return nil
}

var jobName = regexp.MustCompile(`^[A-Za-z0-9_./:-]{1,128}$`)

func validJob(job string) error {
	if !jobName.MatchString(job) {
		return fmt.Errorf("job %q: want 1–128 letters, digits or _./:-", job)
	}
	return nil
}

// base checks a URL that paths are appended to. Quotes and braces would end
// the YAML string or begin a template, so they are refused.
func base(what, text string) (string, error) {
	parsed, err := url.Parse(text)
	switch {
	case err != nil:
		// url.Error repeats the text, which may hold a password.
		return "", fmt.Errorf("%s: not a URL", what)
	case parsed.Scheme != "http" && parsed.Scheme != "https", parsed.Host == "":
		return "", fmt.Errorf("%s: want http:// or https:// and a host", what)
	case parsed.User != nil:
		return "", fmt.Errorf("%s: want no user or password in it", what)
	case parsed.RawQuery != "", parsed.Fragment != "":
		return "", fmt.Errorf("%s: want no query and no fragment, paths are appended", what)
	case strings.ContainsAny(text, "'\"`{} \\"):
		return "", fmt.Errorf("%s: want no quotes, braces, spaces or backslashes", what)
	}
	return strings.TrimRight(text, "/"), nil
}

// address checks a host:port that Prometheus scrapes.
func address(what, text string) error {
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" || strings.ContainsAny(text, "'\"`{} \\/$\n") {
		return fmt.Errorf("%s %q: want host:port", what, text)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("%s %q: want a port of 1–65535", what, text)
	}
	return nil
}
