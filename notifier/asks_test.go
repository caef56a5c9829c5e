package notifier_test

import (
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

func TestWhatIsForTheBoardAsksForNobody(t *testing.T) {
	t.Parallel()
	ended := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	alert := func(severity rules.Severity, ended time.Time) notifier.ActiveAlert {
		return notifier.ActiveAlert{Severity: severity, Ended: ended}
	}
	for name, c := range map[string]struct {
		incident notifier.Incident
		want     bool
	}{
		"an error budget":                       {notifier.Incident{Alerts: []notifier.ActiveAlert{alert(rules.SeverityInfo, time.Time{})}}, false},
		"an error budget after an outage":       {notifier.Incident{Alerts: []notifier.ActiveAlert{alert(rules.SeverityInfo, time.Time{}), alert(rules.SeverityCritical, ended)}}, false},
		"an outage that runs":                   {notifier.Incident{Alerts: []notifier.ActiveAlert{alert(rules.SeverityInfo, time.Time{}), alert(rules.SeverityCritical, time.Time{})}}, true},
		"a stranger's alert without severity":   {notifier.Incident{Alerts: []notifier.ActiveAlert{alert("", time.Time{})}}, true},
		"an outage whose end is in doubt":       {notifier.Incident{Alerts: []notifier.ActiveAlert{alert(rules.SeverityCritical, ended)}}, true},
		"an error budget whose end is in doubt": {notifier.Incident{Alerts: []notifier.ActiveAlert{alert(rules.SeverityInfo, ended)}}, false},
		"what is over":                          {notifier.Incident{Closed: ended, Alerts: []notifier.ActiveAlert{alert(rules.SeverityCritical, ended)}}, false},
	} {
		if got := c.incident.Asks(); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
