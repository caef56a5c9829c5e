package intake

import (
	"cmp"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"shopwatch/internal/guard"
	"shopwatch/notifier"
	"shopwatch/rules"
)

// Limits of UptimeRobot's webhook, which tells of one monitor.
const (
	maxRobotBody = 64 << 10
	longestField = 500 // characters
	robotSkew    = time.Minute
)

// UptimeRobot's values of alertType.
const (
	robotDown        = "1"
	robotUp          = "2"
	robotCertificate = "3"
)

// NewUptimeRobot gives the handler of /webhook/uptimerobot, which takes
// UptimeRobot's notifications: its variables in the query, as form values or as
// JSON, by GET or POST. Where it can't send a header, the token comes as token=…
// in the query. audience=… (several times; default ops) says who is told, and
// service=main/alipay of which service the monitor is; without it the incident
// is of the monitor alone and never public.
//
// The robot looks for itself: what it calls up again is believed without a
// Watchdog. It tells that a certificate expires and never that it was renewed, so
// that incident is closed by a person.
func NewUptimeRobot(cfg Config) (http.Handler, error) { return door(cfg, takeRobot) }

func takeRobot(cfg Config, w http.ResponseWriter, r *http.Request) (int, string) {
	asked := r.URL.Query()
	byQuery := cfg.Token != "" && guard.Equal(asked.Get("token"), cfg.Token)
	if !byQuery && !cfg.known(r) {
		return http.StatusUnauthorized, "send the webhook's token as token=… in the query, or as a header Authorization: Bearer …"
	}
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET, POST")
		return http.StatusMethodNotAllowed, "the webhook takes GET and POST"
	}
	fields, err := robotFields(w, r)
	switch {
	case tooLarge(err):
		return http.StatusRequestEntityTooLarge, fmt.Sprintf("the notification is larger than %d bytes", maxRobotBody)
	case err != nil:
		return http.StatusBadRequest, "the notification is neither form values nor a JSON object"
	}
	alert, problem := robotAlert(fields, asked.Get("service"), cfg.Now())
	if problem != "" {
		return http.StatusBadRequest, problem
	}
	audiences := asked["audience"]
	if len(audiences) == 0 {
		audiences = []string{string(rules.Ops)}
	}
	var alerts []notifier.Alert
	for _, name := range audiences {
		alert.Audience = rules.Audience(name)
		if alert.Audience == rules.Deadman || !slices.Contains(rules.Audiences, alert.Audience) {
			return http.StatusBadRequest, fmt.Sprintf("no audience: name %s, %s or %s in audience=…", rules.Ops, rules.Management, rules.Subscribers)
		}
		if len(alerts) == len(rules.Audiences) {
			return http.StatusBadRequest, "each audience is named once"
		}
		alerts = append(alerts, alert)
	}
	if err := cfg.Keep(r.Context(), alerts); err != nil {
		cfg.Logger.Error("alerts not kept", "from", "uptimerobot", "err", err)
		return http.StatusServiceUnavailable, "the alert could not be stored; try again"
	}
	return http.StatusOK, ""
}

// robotFields gives the variables, wherever they are. Those of the body win:
// the query is also where our own parameters are.
func robotFields(w http.ResponseWriter, r *http.Request) (map[string]string, error) {
	fields := map[string]string{}
	take := func(values url.Values) {
		for name := range values {
			fields[name] = clip(values.Get(name))
		}
	}
	take(r.URL.Query())
	if r.Method == http.MethodGet {
		return fields, nil
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxRobotBody)
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/json" {
		decoder := json.NewDecoder(r.Body)
		decoder.UseNumber()
		var object map[string]any
		if err := decoder.Decode(&object); err != nil {
			return nil, err
		}
		for name, value := range object {
			switch value := value.(type) {
			case string:
				fields[name] = clip(value)
			case json.Number:
				fields[name] = clip(value.String())
			}
		}
		return fields, nil
	}
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	take(r.PostForm)
	return fields, nil
}

// clip keeps a field to what a message can hold, as valid text. One that was left
// unset arrives as its own name between asterisks.
func clip(value string) string {
	value = strings.ToValidUTF8(value, "")
	if utf8.RuneCountInString(value) > longestField {
		value = string([]rune(value)[:longestField])
	}
	if len(value) > 2 && strings.HasPrefix(value, "*") && strings.HasSuffix(value, "*") && !strings.Contains(value, " ") {
		return ""
	}
	return value
}

// robotAlert makes an alert of the variables, or says what they lack.
func robotAlert(fields map[string]string, service string, now time.Time) (notifier.Alert, string) {
	monitor := fields["monitorID"]
	if _, err := strconv.ParseUint(monitor, 10, 64); err != nil {
		return notifier.Alert{}, "monitorID is not the number of a monitor"
	}
	shop, id, ok := strings.Cut(service, "/")
	if service != "" && (!ok || shop == "" || id == "" || strings.Contains(id, "/")) {
		return notifier.Alert{}, "service=… is a shop and one of its services, such as main/alipay"
	}
	name := cmp.Or(fields["monitorFriendlyName"], fields["monitorURL"], monitor)
	key := cmp.Or(service, "uptimerobot/"+monitor)
	at := robotTime(fields["alertDateTime"], now)
	alert := notifier.Alert{
		Firing: true, StartsAt: at, Direct: true,
		Labels: map[string]string{
			rules.LabelAlert: "UptimeRobotDown", rules.LabelIncident: key, rules.LabelShop: shop, rules.LabelService: cmp.Or(id, name),
			rules.LabelSeverity: string(rules.SeverityCritical), rules.LabelTier: string(rules.Ops), "monitor": monitor,
		},
		Annotations: map[string]string{
			rules.AnnotationSummary: "UptimeRobot finds " + name + " down", rules.AnnotationSummaryZH: "UptimeRobot 发现“" + name + "”无法访问",
			rules.AnnotationDescription: strings.TrimSpace(fields["alertDetails"] + " " + fields["monitorURL"]),
		},
	}
	switch fields["alertType"] {
	case robotDown:
	case robotUp: // the end of whatever began before it
		alert.Firing, alert.EndsAt = false, at
	case robotCertificate:
		left := cmp.Or(fields["sslExpiryDaysLeft"], "?")
		alert.Labels[rules.LabelAlert], alert.Labels[rules.LabelSeverity] = "UptimeRobotCertificate", string(rules.SeverityWarning)
		alert.Labels[rules.LabelIncident] = key + "/certificate"
		alert.Annotations[rules.AnnotationSummary] = "UptimeRobot: the certificate of " + name + " expires in " + left + " days"
		alert.Annotations[rules.AnnotationSummaryZH] = "UptimeRobot：“" + name + "”的证书将在 " + left + " 天后过期"
	default:
		return notifier.Alert{}, "alertType is 1 (down), 2 (up) or 3 (certificate)"
	}
	// The name may change while the monitor is down, and the outage is the same.
	alert.Fingerprint = fingerprint(map[string]string{rules.LabelAlert: alert.Name(), "monitor": monitor})
	return alert, ""
}

// robotTime reads Unix seconds. What is absent, or in the future, is now.
func robotTime(value string, now time.Time) time.Time {
	seconds, err := strconv.ParseInt(value, 10, 64)
	if at := time.Unix(seconds, 0); err == nil && seconds > 0 && at.Before(now.Add(robotSkew)) {
		return at
	}
	return now
}
