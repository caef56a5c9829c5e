package config

import (
	"errors"
	"regexp"
	"strconv"
	"time"

	"shopwatch/internal/configfile"
	"shopwatch/rules"
)

// The fields as the file has them, each with its default.

type sectionFields struct {
	Shops []shopFields
}

type shopFields struct {
	ID       string
	Name     text // default: the id
	Ledger   *ledgerFields
	Delivery *deliveryFields
	Services []serviceFields
}

type ledgerFields struct {
	Software    string
	DSN         configfile.Secret
	TablePrefix string `yaml:"table_prefix"`
	Timezone    string
	Interval    time.Duration
	Lookback    time.Duration
	Slow        time.Duration
}

// SetDefaults is called before the file's values.
func (f *ledgerFields) SetDefaults() {
	f.Timezone = "Asia/Shanghai"
	f.Interval = 15 * time.Second
	f.Lookback = 7 * 24 * time.Hour
	f.Slow = time.Minute
}

type deliveryFields struct {
	Name     text
	Group    text
	Position *int // default: after the services
	Critical bool
	Public   bool
}

// SetDefaults is called before the file's values.
func (f *deliveryFields) SetDefaults() {
	f.Name = text{ZH: "自动发货", EN: "Automatic delivery"}
	f.Group = defaultGroup
	f.Critical = true
	f.Public = true
}

type serviceFields struct {
	ID               string
	Name             text // default: the id
	Group            text
	Role             rules.Role
	Critical         bool
	Public           bool
	HTTP             *httpFields
	TCP              *tcpFields
	Interval         time.Duration
	Timeout          *time.Duration // default: 10 s, less where the interval is less
	Slow             time.Duration
	FailureThreshold int      `yaml:"failure_threshold"`
	SuccessThreshold int      `yaml:"success_threshold"`
	DependsOn        []string `yaml:"depends_on"`
}

// SetDefaults is called before the file's values.
func (f *serviceFields) SetDefaults() {
	f.Group = defaultGroup
	f.Role = rules.RoleOther
	f.Public = true
	f.Interval = 15 * time.Second
	f.Slow = 3 * time.Second
	f.FailureThreshold = 1
	f.SuccessThreshold = 1
}

const defaultTimeout = 10 * time.Second

var defaultGroup = text{ZH: "商店", EN: "Shop"}

type httpFields struct {
	URL             string
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
	Address string
	TLS     bool
}

// text is a rules.Text that is given as {zh: …, en: …} or as one text for both languages.
type text rules.Text

// UnmarshalText takes one text for both languages.
func (t *text) UnmarshalText(raw []byte) error {
	t.ZH, t.EN = string(raw), string(raw)
	return nil
}

// or fills a missing language from the other, and both from the fallback.
func (t text) or(fallback string) rules.Text {
	switch {
	case t.ZH == "" && t.EN == "":
		t.ZH, t.EN = fallback, fallback
	case t.ZH == "":
		t.ZH = t.EN
	case t.EN == "":
		t.EN = t.ZH
	}
	return rules.Text(t)
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
