package subscription_test

import (
	"bytes"
	"cmp"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/subscription"
	"shopwatch/rules"
)

var (
	noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	key  = bytes.Repeat([]byte("k"), 32)
)

// everywhere is where people are told; in a chat they aren't asked.
var everywhere = []string{subscription.Email, subscription.SMS, subscription.Telegram}

const origin = "https://status.shop.example"

// world is a store in memory: its transactions happen whole or not at all.
type world struct {
	mu        sync.Mutex
	now       time.Time
	last      int64
	rows      map[int64]notifier.Subscriber
	notices   []notifier.Notice
	audit     []notifier.AuditEntry
	work      []string          // what the last transaction did
	runs      []notifier.Notice // what tells of what runs
	broken    error             // what the next transactions fail with at their end
	taken     int               // so many next transactions lose to another's
	counted   map[notifier.Limit]time.Time
	uncounted error // what counting fails with
	service   *subscription.Service
}

func newWorld(t interface{ Fatal(...any) }) *world {
	w := &world{now: noon, rows: map[int64]notifier.Subscriber{}, counted: map[notifier.Limit]time.Time{}}
	var err error
	w.service, err = subscription.New(subscription.Config{Change: w.change, List: w.list, Held: w.held, Key: key, BaseURL: origin, Tells: everywhere, Asks: everywhere[:2], Now: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) links(t interface{ Fatal(...any) }) subscription.Links {
	links, err := subscription.NewLinks(key, origin, w.clock)
	if err != nil {
		t.Fatal(err)
	}
	return links
}

func (w *world) change(_ context.Context, do func(subscription.Tx) error) error {
	w.mu.Lock()
	tx := &transaction{world: w, last: w.last, rows: maps.Clone(w.rows), notices: slices.Clone(w.notices), audit: slices.Clone(w.audit)}
	w.mu.Unlock()
	err := do(tx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.work = tx.work
	if w.taken > 0 {
		w.taken--
		return cmp.Or(err, error(&notifier.Error{Code: notifier.Conflict, Message: "somebody else has the address"}))
	}
	if err = cmp.Or(err, w.broken); err != nil {
		return err
	}
	w.last, w.rows, w.notices, w.audit = tx.last, tx.rows, tx.notices, tx.audit
	return nil
}

func (w *world) list(_ context.Context, after int64, limit int) ([]notifier.Subscriber, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []notifier.Subscriber
	for _, id := range slices.Sorted(maps.Keys(w.rows)) {
		if id > after && len(list) < limit {
			list = append(list, w.rows[id])
		}
	}
	return list, nil
}

func (w *world) held(_ context.Context, id int64) (subscription.Held, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	held := subscription.Held{Acts: []subscription.Act{}, Deliveries: []subscription.Delivery{}}
	for _, a := range w.audit {
		if a.Subject == "recipient "+itoa(id) {
			held.Acts = append(held.Acts, subscription.Act{At: a.At, By: a.By, Way: a.Way, Deed: a.Deed})
		}
	}
	return held, nil
}

// Take counts as the store does.
func (w *world) Take(_ context.Context, now time.Time, limits ...notifier.Limit) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.uncounted != nil {
		return false, w.uncounted
	}
	for _, l := range limits {
		if w.counted[l].After(now.Add(time.Duration(l.N-1) * l.Interval())) {
			return false, nil
		}
	}
	for _, l := range limits {
		if w.counted[l].Before(now) {
			w.counted[l] = now
		}
		w.counted[l] = w.counted[l].Add(l.Interval())
	}
	return true, nil
}

// row finds somebody by address.
func (w *world) row(channel, address string) *notifier.Subscriber {
	w.mu.Lock()
	defer w.mu.Unlock()
	return find(w.rows, channel, address)
}

// told are the events that one recipient was sent, oldest first.
func (w *world) told(id int64) []notifier.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	var events []notifier.Event
	for _, n := range w.notices {
		if n.To == id {
			events = append(events, n.Event)
		}
	}
	return events
}

type transaction struct {
	world   *world
	last    int64
	rows    map[int64]notifier.Subscriber
	notices []notifier.Notice
	audit   []notifier.AuditEntry
	work    []string
}

func find(rows map[int64]notifier.Subscriber, channel, address string) *notifier.Subscriber {
	for _, s := range rows {
		if s.Channel == channel && strings.EqualFold(s.Address, address) {
			return &s
		}
	}
	return nil
}

func (t *transaction) Subscriber(channel, address string) (*notifier.Subscriber, error) {
	t.work = append(t.work, "find")
	return find(t.rows, channel, address), nil
}

func (t *transaction) SubscriberByID(id int64) (*notifier.Subscriber, error) {
	t.work = append(t.work, "get")
	if s, ok := t.rows[id]; ok {
		return &s, nil
	}
	return nil, nil
}

func (t *transaction) KeepSubscriber(s *notifier.Subscriber) error {
	t.work = append(t.work, "keep")
	if s.ID == 0 {
		t.last++
		s.ID = t.last
	}
	t.rows[s.ID] = *s
	return nil
}

func (t *transaction) EraseSubscriber(id int64) error {
	delete(t.rows, id)
	t.notices = slices.DeleteFunc(t.notices, func(n notifier.Notice) bool { return n.To == id })
	return nil
}

func (t *transaction) Notify(n notifier.Notice) error {
	t.work = append(t.work, "notify")
	t.notices = append(t.notices, n)
	return nil
}

func (t *transaction) CatchUp(to notifier.Recipient) error {
	t.work = append(t.work, "catch up")
	for _, n := range t.world.runs {
		n.To = to.ID
		t.notices = append(t.notices, n)
	}
	return nil
}

func (t *transaction) Audit(a notifier.AuditEntry) error {
	t.work = append(t.work, "audit")
	t.audit = append(t.audit, a)
	return nil
}

// site is the public pages on a world.
type site struct {
	*world
	*testing.T
	config  subscription.PagesConfig
	handler http.Handler
	from    string // the visitor's address
	log     *bytes.Buffer
}

func newSite(t *testing.T, change func(*subscription.PagesConfig)) *site {
	t.Helper()
	s := &site{world: newWorld(t), T: t, from: "203.0.113.7:4711", log: new(bytes.Buffer)}
	cfg := subscription.PagesConfig{
		Service: s.service, Title: rules.Text{ZH: "星辰卡铺", EN: "Star Cards"}, Zone: time.FixedZone("Asia/Shanghai", 8*60*60), Stylesheet: "/style.css",
		Channels: []string{subscription.Email, subscription.SMS}, Services: services, Telegram: func() string { return "https://t.me/star_bot" },
		Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Limits: subscription.Limits{PerAddressDaily: 3, PerNetworkHourly: 100, Hourly: 1000},
		Counter: s.world, Even: time.Millisecond, Now: s.clock, Logger: slog.New(slog.NewTextHandler(s.log, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	s.config = cfg
	s.restart()
	return s
}

// restart has another process serve the pages.
func (s *site) restart() {
	s.Helper()
	var err error
	if s.handler, err = subscription.NewPages(s.config); err != nil {
		s.Fatal(err)
	}
}

func services() []notifier.Service {
	service := func(id, zh, en string) notifier.Service {
		return notifier.Service{Shop: "main", ID: id, Name: rules.Text{ZH: zh, EN: en}, Public: true}
	}
	return []notifier.Service{service("web", "商品页面", "Shop pages"), service("alipay", "支付宝", "Alipay"), service("delivery", "自动发货", "Delivery")}
}

func (s *site) do(method, path string, form url.Values, header ...string) *httptest.ResponseRecorder {
	s.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.RemoteAddr = s.from
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
		if name == "Host" {
			r.Host = value
		}
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

func (s *site) get(path string) string { return s.do(http.MethodGet, path, nil).Body.String() }

var stamps = regexp.MustCompile(`name="stamp" value="([^"]+)"`)

// filled is a form as a person fills it in, some seconds after it was given.
func (s *site) filled(page, address string) url.Values {
	s.Helper()
	found := stamps.FindStringSubmatch(s.get(page))
	if found == nil {
		s.Fatalf("%s has no form", page)
	}
	s.advance(5 * time.Second)
	return url.Values{"stamp": {found[1]}, "address": {address}, "scope": {"all"}, "severity": {"all"}, "language": {"zh"}, "from": {""}, "to": {""}, "website": {""}}
}

// signUp signs an address up on the page.
func (s *site) signUp(address string) *httptest.ResponseRecorder {
	s.Helper()
	return s.do(http.MethodPost, "/subscribe", s.filled("/subscribe", address))
}

// path is a link of ours without its origin.
func path(link string) string { return strings.TrimPrefix(link, origin) }

// confirmed signs a mail address up and confirms it.
func (s *site) confirmed(address string) notifier.Subscriber {
	s.Helper()
	s.signUp(address)
	link, _ := s.links(s).Confirm(s.row("email", address).Recipient)
	if w := s.do(http.MethodPost, path(link), url.Values{}); w.Code != http.StatusSeeOther {
		s.Fatalf("confirm: %d %s", w.Code, w.Body)
	}
	return *s.row("email", address)
}

// tokenOf is the last part of a link's path.
func tokenOf(link string) string {
	link, _, _ = strings.Cut(link, "?")
	return link[strings.LastIndexByte(link, '/')+1:]
}

func containsAddress(text string, people []*person) bool {
	return slices.ContainsFunc(people, func(p *person) bool { return strings.Contains(text, p.address) })
}
