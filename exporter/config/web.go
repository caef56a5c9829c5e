package config

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/units"
	blackbox "github.com/prometheus/blackbox_exporter/config"

	"shopwatch/exporter"
	"shopwatch/internal/configfile"
)

// methods lists what a look may send: none of them is meant to change a shop,
// POST being for gateways that answer nothing else.
var methods = []string{"GET", "HEAD", "OPTIONS", "POST"}

// mostBody is how much of a page a look may read, in bytes.
const mostBody = 16 << 20

type httpFields struct {
	Method          string
	Headers         map[string]string
	ValidStatus     []int `yaml:"valid_status"`
	Contains        string
	NotContains     string `yaml:"not_contains"`
	FollowRedirects bool   `yaml:"follow_redirects"`
	MaxBody         size   `yaml:"max_body"`
	SkipTLSVerify   bool   `yaml:"skip_tls_verify"`
}

// SetDefaults is called before the file's values.
func (f *httpFields) SetDefaults() {
	f.Method = "GET"
	f.FollowRedirects = true
	f.MaxBody = 1 << 20
}

type tcpFields struct {
	TLS bool
}

func (b builder) http(path string, fields httpFields) exporter.Module {
	b.method(path, fields.Method)
	if fields.Method == "HEAD" && fields.Contains != "" {
		b.add(path, "contains", fields.Contains, "nothing: HEAD brings no page to look into")
	}
	b.headers(path, fields.Headers)
	b.statuses(path, fields.ValidStatus)
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

func (b builder) tcp(fields tcpFields) exporter.Module {
	return exporter.TCPModule(func(t *blackbox.TCPProbe) { t.TLS = fields.TLS })
}

func (b builder) method(path, method string) {
	if !slices.Contains(methods, method) {
		b.add(path, "method", method, "one of "+strings.Join(methods, ", "))
	}
}

func (b builder) statuses(path string, valid []int) {
	for i, status := range valid {
		if status < 100 || status > 599 {
			b.problems.Add(configfile.Item(configfile.Field(path, "valid_status"), i), status, "100–599")
		}
	}
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")

// headers checks headers without ever showing a value, which may be a token.
func (b builder) headers(path string, headers map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		at := configfile.Field(configfile.Field(path, "headers"), name)
		switch {
		case !headerName.MatchString(name):
			b.problems.Add(at, configfile.Phrase("a name that no header has"), "a name such as Accept-Language")
		case strings.ContainsFunc(headers[name], func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			b.problems.Add(at, configfile.Phrase("a value with control characters"), "one line of text")
		}
	}
}

// size is a number of bytes.
type size int64

var sizeForm = regexp.MustCompile(`^([0-9]{1,12})(B|KiB|MiB)?$`)

// UnmarshalText reads "4096", "512KiB", "1MiB".
func (s *size) UnmarshalText(raw []byte) error {
	parts := sizeForm.FindSubmatch(raw)
	if parts == nil {
		return errors.New("a size such as 512KiB or 1MiB")
	}
	number, err := strconv.ParseInt(string(parts[1]), 10, 64)
	if err != nil {
		return errors.New("a size such as 512KiB or 1MiB")
	}
	unit := map[string]int64{"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20}[string(parts[2])]
	*s = size(number * unit)
	return nil
}
