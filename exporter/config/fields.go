package config

import (
	"slices"
	"time"

	"shopwatch/internal/configfile"
	"shopwatch/rules"
)

// The fields as the file has them, each with its default.

type sectionFields struct {
	ModuleFiles []configfile.Path          `yaml:"module_files"`
	Modules     map[string]configfile.Tree // by whose rules is known when the prober is
	Anchors     []string
	Probe       probeFields
	Host        hostFields
	Orders      ordersFields
	Shops       []shopFields
}

// newSection has the defaults.
func newSection() sectionFields {
	return sectionFields{
		Anchors: slices.Clone(defaultAnchors), Host: hostFields{Collectors: slices.Clone(defaultCollectors)},
		Orders: ordersFields{LookupsPerMinute: 10, LookupsPerMinuteTotal: 300},
	}
}

type probeFields struct {
	Targets []string
	Token   configfile.Secret
}

type hostFields struct {
	Root       string
	Collectors []string
}

type shopFields struct {
	ID       string
	Name     text // default: the id
	Ledger   *ledgerFields
	Delivery *deliveryFields
	Services []serviceFields
}

type deliveryFields struct {
	Name     text
	Group    text
	Position *int // default: after the services
	Critical bool
	Public   bool

	DependsOn []string `yaml:"depends_on"`
}

// SetDefaults is called before the file's values.
func (f *deliveryFields) SetDefaults() {
	f.Name = text{ZH: "自动发货", EN: "Automatic delivery"}
	f.Group = defaultGroup
	f.Critical = true
	f.Public = true
}

type serviceFields struct {
	ID       string
	Name     text // default: the id
	Group    text
	Role     rules.Role
	Critical bool
	Public   bool
	Target   string
	Targets  []string
	Answers  *int  // default: all
	Outward  *bool // default: by the targets
	Module   string
	kindFields
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

var defaultGroup = text{ZH: "商店", EN: "Shop"}

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
