package config

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"shopwatch/exporter"
	"shopwatch/internal/configfile"
)

type ledgerFields struct {
	Software    string
	DSN         configfile.Secret
	TablePrefix string `yaml:"table_prefix"`
	Timezone    string
	Interval    time.Duration
	Lookback    time.Duration
	Slow        time.Duration
	Sweep       bool
	Queue       configfile.Secret
	Queries     *queriesFields
}

// SetDefaults is called before the file's values.
func (f *ledgerFields) SetDefaults() {
	f.Timezone = "Asia/Shanghai"
	f.Interval = 15 * time.Second
	f.Lookback = 7 * 24 * time.Hour
	f.Slow = time.Minute
}

type queriesFields struct {
	Orders, Key, Where, Number, Form, Stock string
	States                                  map[string]exporter.OrderState
}

// storage is a kind of database, by the form of its data source name.
type storage struct {
	want string
	form *regexp.Regexp
}

var (
	mysql    = storage{"user:password@tcp(host:3306)/database", regexp.MustCompile(`^[^:@/]+(:.*)?@(tcp|unix)\([^)]+\)/[^/?]+(\?.*)?$`)}
	postgres = storage{"postgres://user:password@host:5432/database", regexp.MustCompile(`^postgres(ql)?://[^/]+/[^/?]+(\?.*)?$`)}
	sqlite   = storage{"the path of the shop's SQLite file", regexp.MustCompile(`^([A-Za-z]:[\\/])?[^@?:\x00]+$`)}

	// setting is what stands in data source names of other programs, and isn't in a path.
	setting = regexp.MustCompile(`(?i)\b(host|user|password|dbname|sslmode)\s*=`)
)

// is reports whether a data source name is of the kind.
func (s storage) is(dsn string) bool {
	return s.form.MatchString(dsn) && !(s == sqlite && setting.MatchString(dsn))
}

// book is what differs between the shop software whose books can be read. What
// stands here stands with each driver too, which this room can't ask.
type book struct {
	databases []storage
	prefixed  bool // its tables may have a prefix
	queued    bool // its jobs wait in a Redis
}

// ownQueries is the software of shops that no driver knows.
const ownQueries = "sql"

var books = map[string]book{
	"dujiaoka":   {databases: []storage{mysql}, prefixed: true, queued: true},
	"acgfaka":    {databases: []storage{mysql}, prefixed: true},
	"zfaka":      {databases: []storage{mysql}, prefixed: true},
	"qsfaka":     {databases: []storage{mysql}},
	"dujiaonext": {databases: []storage{sqlite, postgres, mysql}},
	"kamifaka":   {databases: []storage{sqlite, mysql, postgres}},
	"fakabot":    {databases: []storage{postgres, sqlite}},
	ownQueries:   {databases: []storage{mysql, postgres, sqlite}},
}

// prefixForm keeps SQL out of table names.
var prefixForm = regexp.MustCompile(`^[A-Za-z0-9_]{0,32}$`)

func (b builder) ledger(path string, fields ledgerFields) *exporter.Ledger {
	known, found := books[fields.Software]
	if !found {
		b.add(path, "software", fields.Software, "one of "+strings.Join(slices.Sorted(maps.Keys(books)), ", "))
	}
	b.dsn(path, fields.DSN, known.databases)
	switch {
	case !prefixForm.MatchString(fields.TablePrefix):
		b.add(path, "table_prefix", fields.TablePrefix, "at most 32 letters, digits and _")
	case fields.TablePrefix != "" && found && !known.prefixed:
		b.add(path, "table_prefix", fields.TablePrefix, "none: the tables of "+fields.Software+" have no prefix")
	}
	zone, err := time.LoadLocation(fields.Timezone)
	if err != nil || fields.Timezone == "" || fields.Timezone == "Local" {
		b.add(path, "timezone", fields.Timezone, "a time zone such as Asia/Shanghai or UTC")
	}
	b.atLeast(path, "interval", fields.Interval, time.Second)
	b.atLeast(path, "lookback", fields.Lookback, time.Hour)
	b.positive(path, "slow", fields.Slow)
	b.queue(path, fields, known)
	return &exporter.Ledger{
		Software: fields.Software,
		DSN:      fields.DSN.Reveal(),
		Prefix:   fields.TablePrefix,
		Zone:     zone,
		Interval: fields.Interval,
		Late:     b.escalation.Ops,
		Stuck:    b.escalation.Management,
		Slow:     fields.Slow,
		Lookback: fields.Lookback,
		Sweep:    fields.Sweep,
		Queue:    fields.Queue.Reveal(),
		Queries:  b.ownQueries(path, fields),
	}
}

// dsn checks a data source name by its form, and never shows it.
func (b builder) dsn(path string, dsn configfile.Secret, databases []storage) {
	if !dsn.IsSet() {
		b.add(path, "dsn", dsn, "the shop's data source name, or its file in dsn_file")
		return
	}
	wanted := make([]string, len(databases))
	for i, s := range databases {
		if s.is(dsn.Reveal()) {
			return
		}
		wanted[i] = s.want
	}
	if len(wanted) > 0 { // the software is known
		b.add(path, "dsn", configfile.Phrase("a data source name of another form"), strings.Join(wanted, ", or "))
	}
}

func (b builder) queue(path string, fields ledgerFields, known book) {
	if !fields.Queue.IsSet() {
		return
	}
	if !known.queued {
		if known.databases != nil {
			b.add(path, "queue", configfile.Phrase("a queue"), "none: only dujiaoka's jobs wait in a Redis that is watched")
		}
		return
	}
	// An error of the parser's would quote the password.
	u, err := url.Parse(fields.Queue.Reveal())
	if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || u.Hostname() == "" {
		b.add(path, "queue", configfile.Phrase("a queue of another form"), "redis://:password@host:6379/0?prefix=shop_database_, or rediss://… for TLS")
	}
}

// ownQueries checks how the owner of a shop that no driver knows tells of its
// books. What the queries themselves may hold is for the driver to say.
func (b builder) ownQueries(path string, fields ledgerFields) *exporter.Queries {
	at := configfile.Field(path, "queries")
	q := fields.Queries
	switch {
	case fields.Software != ownQueries:
		if _, known := books[fields.Software]; known && q != nil {
			b.problems.Add(at, configfile.Phrase("queries of one's own"), "none: "+fields.Software+" has its own; they are for software sql")
		}
		return nil
	case q == nil:
		b.problems.Add(at, nil, "orders, key and states: how the shop's books are read")
		return nil
	}
	if begins(q.Orders, "SELECT") != nil {
		b.add(at, "orders", q.Orders, "SELECT … AS id, … AS state, … AS created FROM …")
	}
	if strings.TrimSpace(q.Key) == "" {
		b.add(at, "key", q.Key, "the table's integer primary key, such as o.id")
	}
	if q.Stock != "" && begins(q.Stock, "SELECT") != nil {
		b.add(at, "stock", q.Stock, "SELECT … AS product, … AS cards FROM …")
	}
	b.form(at, *q)
	if len(q.States) == 0 {
		b.add(at, "states", nil, "what each value of column state means, such as {\"1\": unpaid, \"4\": delivered}")
	}
	for _, value := range slices.Sorted(maps.Keys(q.States)) {
		if !slices.Contains(states, q.States[value]) {
			b.add(configfile.Field(at, "states"), value, string(q.States[value]), "one of "+joined(states))
		}
	}
	return &exporter.Queries{
		Orders: q.Orders, Key: q.Key, Where: q.Where, Number: q.Number, Form: q.Form, States: q.States, Stock: q.Stock,
	}
}

// states are what an order of one's own queries may be.
var states = []exporter.OrderState{
	exporter.Unpaid, exporter.Expired, exporter.PaidAutoWaiting, exporter.ManualWaiting, exporter.ManualWorking, exporter.Ready,
	exporter.Delivered, exporter.FailedShortOfStock, exporter.Failed, exporter.Refunded, exporter.Removed, exporter.UnknownState,
}

// begins says why a query doesn't begin with a word.
func begins(query, word string) error {
	first, _, _ := strings.Cut(strings.Join(strings.Fields(query), " "), " ")
	if !strings.EqualFold(first, word) {
		return fmt.Errorf("begins with %q", first)
	}
	return nil
}

// Bounds of the form of an order number: it is matched with whatever a stranger types.
const (
	longestForm   = 200 // bytes
	longestNumber = 64  // characters
)

// form checks that a number and its form come together, and that the form is one
// that keeps a question short.
func (b builder) form(path string, q queriesFields) {
	const example = ", such as [0-9]{16}"
	switch expression, err := syntax.Parse(q.Form, syntax.Perl); {
	case q.Number == "" && q.Form != "":
		b.add(path, "number", nil, "the expression of the order number whose form is given, or no form")
	case q.Number == "":
	case q.Form == "":
		b.add(path, "form", nil, "the form of a whole order number, as a regular expression"+example)
	case err != nil:
		b.add(path, "form", q.Form, wantPattern(q.Form))
	case len(q.Form) > longestForm:
		b.add(path, "form", configfile.Phrase(fmt.Sprintf("%d bytes", len(q.Form))), fmt.Sprintf("at most %d", longestForm))
	case regexp.MustCompile("^(?:" + q.Form + ")$").MatchString(""):
		b.add(path, "form", q.Form, "one that takes no empty text"+example)
	case longest(expression) > longestNumber:
		b.add(path, "form", q.Form, fmt.Sprintf("one of bounded length, at most %d characters"+example, longestNumber))
	}
}

// longest is how many characters an expression matches at most; beyond
// longestNumber it is any number that is greater.
func longest(e *syntax.Regexp) int {
	total := 0
	switch e.Op {
	case syntax.OpLiteral:
		return len(e.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpStar, syntax.OpPlus:
		return longestNumber + 1
	case syntax.OpRepeat:
		if e.Max < 0 {
			return longestNumber + 1
		}
		return min(longest(e.Sub[0])*e.Max, longestNumber+1)
	case syntax.OpAlternate:
		for _, sub := range e.Sub {
			total = max(total, longest(sub))
		}
		return total
	}
	for _, sub := range e.Sub {
		total += longest(sub)
	}
	return min(total, longestNumber+1)
}

type ordersFields struct {
	LookupToken           configfile.Secret `yaml:"lookup_token"`
	LookupsPerMinute      int               `yaml:"lookups_per_minute"`
	LookupsPerMinuteTotal int               `yaml:"lookups_per_minute_total"`
}

// Orders is who may look up a single order, and how often.
type Orders struct {
	// LookupToken is what the public page shows when it asks for a buyer; "": no
	// buyer can look up. It is secret.
	LookupToken string
	// LookupsPerMinute are each caller's, LookupsPerMinuteTotal those of all.
	LookupsPerMinute, LookupsPerMinuteTotal int
}

// mostLookups is more than a shop's database should be asked in a minute.
const mostLookups = 6000

func (b builder) orders(fields ordersFields) Orders {
	path := configfile.Field(Section, "orders")
	if token := fields.LookupToken.Reveal(); token != "" && utf8.RuneCountInString(token) < leastToken {
		b.add(path, "lookup_token", fields.LookupToken, fmt.Sprintf("at least %d characters", leastToken))
	}
	if fields.LookupsPerMinute < 1 || fields.LookupsPerMinute > mostLookups {
		b.add(path, "lookups_per_minute", fields.LookupsPerMinute, fmt.Sprintf("1–%d", mostLookups))
	}
	if fields.LookupsPerMinuteTotal < fields.LookupsPerMinute || fields.LookupsPerMinuteTotal > mostLookups {
		b.add(path, "lookups_per_minute_total", fields.LookupsPerMinuteTotal, fmt.Sprintf("at least lookups_per_minute, and at most %d", mostLookups))
	}
	return Orders{fields.LookupToken.Reveal(), fields.LookupsPerMinute, fields.LookupsPerMinuteTotal}
}
