package config

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/units"
	blackbox "github.com/prometheus/blackbox_exporter/config"

	"shopwatch/exporter"
	"shopwatch/internal/configfile"
	"shopwatch/rules"
)

// methods lists what a look may send: none of them is meant to change a shop,
// POST being for gateways that answer nothing else.
var methods = []string{"GET", "HEAD", "OPTIONS", "POST"}

// mostBody is how much of a page a look may read, in bytes.
const mostBody = 16 << 20

// mostInRow bounds both thresholds of hysteresis.
const mostInRow = 100

func (b builder) service(path string, fields serviceFields) exporter.Service {
	service := exporter.Service{
		ID:               fields.ID,
		Name:             fields.Name.or(fields.ID),
		Group:            fields.Group.or(defaultGroup.EN),
		Role:             fields.Role,
		Critical:         fields.Critical,
		Public:           fields.Public,
		Interval:         fields.Interval,
		Timeout:          min(defaultTimeout, fields.Interval),
		Slow:             fields.Slow,
		FailureThreshold: fields.FailureThreshold,
		SuccessThreshold: fields.SuccessThreshold,
		DependsOn:        fields.DependsOn,
	}
	b.name(path, "name", service.Name)
	b.name(path, "group", service.Group)
	if !slices.Contains(rules.Roles, fields.Role) {
		b.add(path, "role", fields.Role, "one of "+joined(rules.Roles))
	}

	b.atLeast(path, "interval", fields.Interval, time.Second)
	if fields.Timeout != nil {
		service.Timeout = *fields.Timeout
		b.positive(path, "timeout", service.Timeout)
		if service.Timeout > fields.Interval {
			b.add(path, "timeout", service.Timeout, "at most the interval: a look ends before the next begins")
		}
	}
	b.positive(path, "slow", fields.Slow)
	b.inRow(path, "failure_threshold", fields.FailureThreshold)
	b.inRow(path, "success_threshold", fields.SuccessThreshold)

	switch {
	case fields.HTTP != nil && fields.TCP != nil:
		b.problems.Add(path, configfile.Phrase("both http and tcp"), "one of the two")
	case fields.HTTP != nil:
		service.Targets = []string{fields.HTTP.URL}
		service.Module = b.http(configfile.Field(path, "http"), *fields.HTTP)
	case fields.TCP != nil:
		service.Targets = []string{fields.TCP.Address}
		service.Module = b.tcp(configfile.Field(path, "tcp"), *fields.TCP)
	default:
		b.problems.Add(path, configfile.Phrase("neither http nor tcp"), "one of the two")
	}
	return service
}

func (b builder) inRow(path, field string, got int) {
	if got < 1 || got > mostInRow {
		b.add(path, field, got, fmt.Sprintf("1–%d", mostInRow))
	}
}

func (b builder) http(path string, fields httpFields) exporter.Module {
	b.url(path, fields.URL)
	if !slices.Contains(methods, fields.Method) {
		b.add(path, "method", fields.Method, "one of "+strings.Join(methods, ", "))
	}
	if fields.Method == "HEAD" && fields.Contains != "" {
		b.add(path, "contains", fields.Contains, "nothing: HEAD brings no page to look into")
	}
	headersPath := configfile.Field(path, "headers")
	for _, name := range slices.Sorted(maps.Keys(fields.Headers)) {
		b.header(headersPath, name, fields.Headers[name])
	}
	for i, status := range fields.ValidStatus {
		if status < 100 || status > 599 {
			b.problems.Add(configfile.Item(configfile.Field(path, "valid_status"), i), status, "100–599")
		}
	}
	if fields.MaxBody < 1 || fields.MaxBody > mostBody {
		b.add(path, "max_body", int64(fields.MaxBody), "1 to 16MiB")
	}
	return exporter.HTTPModule(func(h *blackbox.HTTPProbe) {
		h.Method, h.Headers, h.ValidStatusCodes = fields.Method, fields.Headers, fields.ValidStatus
		h.BodySizeLimit = units.Base2Bytes(fields.MaxBody)
		h.HTTPClientConfig.FollowRedirects = fields.FollowRedirects
		h.HTTPClientConfig.TLSConfig.InsecureSkipVerify = fields.SkipTLSVerify
		if fields.Contains != "" {
			h.FailIfBodyNotMatchesRegexp = []blackbox.Regexp{exporter.Literal(fields.Contains)}
		}
		if fields.NotContains != "" {
			h.FailIfBodyMatchesRegexp = []blackbox.Regexp{exporter.Literal(fields.NotContains)}
		}
	})
}

// userinfo matches what may be a password in a URL, well-formed or not.
var userinfo = regexp.MustCompile(`//[^/]*@`)

// url checks a URL to look at. It becomes label target, which everybody who
// reads the metrics sees, so that it must hold no password.
func (b builder) url(path, raw string) {
	const want = "http://… or https://… with a host"
	parsed, err := url.Parse(raw)
	switch {
	case userinfo.MatchString(raw):
		b.add(path, "url", configfile.Phrase("a URL with a user name or password"),
			"one without: it is shown in metrics; put them into headers")
	case err != nil, parsed.Scheme != "http" && parsed.Scheme != "https", parsed.Hostname() == "":
		b.add(path, "url", raw, want)
	case parsed.Port() != "" && !portForm(parsed.Port()):
		b.add(path, "url", raw, "a port of 1–65535")
	}
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")

// header checks a header without ever showing its value, which may be a token.
func (b builder) header(path, name, value string) {
	at := configfile.Field(path, name)
	switch {
	case !headerName.MatchString(name):
		b.problems.Add(at, configfile.Phrase("a name that no header has"), "a name such as Accept-Language")
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		b.problems.Add(at, configfile.Phrase("a value with control characters"), "one line of text")
	}
}

func (b builder) tcp(path string, fields tcpFields) exporter.Module {
	host, port, err := net.SplitHostPort(fields.Address)
	if err != nil || host == "" || !portForm(port) {
		b.add(path, "address", fields.Address, "host:port such as 127.0.0.1:3306")
	}
	return exporter.TCPModule(func(t *blackbox.TCPProbe) { t.TLS = fields.TLS })
}

func portForm(port string) bool {
	number, err := strconv.ParseUint(port, 10, 16)
	return err == nil && number > 0
}

func joined[T ~string](values []T) string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	return strings.Join(texts, ", ")
}
