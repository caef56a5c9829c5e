package orders_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/orders"
	"shopwatch/internal/guard"
	"shopwatch/rules"
)

const (
	pageToken     = "page-token-0123456789"
	operatorToken = "operator-token-0123456789"
)

// dime is a variable, since constants are added without a rounding error.
var dime = 0.1

var (
	form     = regexp.MustCompile(`^[A-Z0-9]{16}$`)
	shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)
)

// book is a shop's books in memory. Its fields are set before it is asked.
type book struct {
	books   exporter.Books
	open    []exporter.OpenOrder
	orders  map[int64]exporter.Order
	since   map[int64]time.Time
	ahead   map[int64]int
	numbers map[int64]string
	// before runs before the database answers: it may take its time, or fail.
	before func(ctx context.Context) error

	mu      sync.Mutex
	asked   int   // numbers of the right form that the database was asked for
	batches []int // sizes of the batches that were read
}

func (b *book) Books() exporter.Books      { return b.books }
func (b *book) Open() []exporter.OpenOrder { return b.open }

func (b *book) Find(ctx context.Context, number string) (exporter.Found, error) {
	if !form.MatchString(number) {
		return exporter.Found{}, nil
	}
	b.mu.Lock()
	b.asked++
	b.mu.Unlock()
	if err := b.wait(ctx); err != nil {
		return exporter.Found{}, err
	}
	for id, n := range b.numbers {
		if n == number {
			return exporter.Found{Order: b.orders[id], Since: b.since[id], Ahead: b.ahead[id]}, nil
		}
	}
	return exporter.Found{}, nil
}

func (b *book) Read(ctx context.Context, ids []int64) ([]exporter.Order, error) {
	b.mu.Lock()
	b.batches = append(b.batches, len(ids))
	b.mu.Unlock()
	if err := b.wait(ctx); err != nil {
		return nil, err
	}
	var found []exporter.Order
	for _, id := range ids {
		if order, ok := b.orders[id]; ok {
			found = append(found, order)
		}
	}
	return found, nil
}

func (b *book) Numbers(_ context.Context, ids []int64) (map[int64]string, error) {
	if len(ids) > 500 {
		return nil, errors.New("more than 500 keys at once")
	}
	found := map[int64]string{}
	for _, id := range ids {
		if number, ok := b.numbers[id]; ok {
			found[id] = number
		}
	}
	return found, nil
}

func (b *book) wait(ctx context.Context) error {
	if b.before == nil {
		return nil
	}
	return b.before(ctx)
}

// newBook has orders of every kind, that began at now.
func newBook(now time.Time) *book {
	b := &book{
		books: exporter.Books{
			Shop: "main", Up: true, LastSuccess: now.Add(-7 * time.Second),
			Typical: exporter.Typical{P50: 2100 * time.Millisecond, P90: 9 * time.Second, Orders: 40},
			Waiting: map[rules.Kind]map[rules.Age]int{
				rules.Automatic: {rules.AgeUnder5m: 3, rules.Age5to30m: 2}, rules.Manual: {rules.AgeOver30m: 4},
			},
		},
		orders: map[int64]exporter.Order{}, since: map[int64]time.Time{}, ahead: map[int64]int{}, numbers: map[int64]string{},
	}
	add := func(number string, o exporter.Order, wait time.Duration) {
		o.ID = int64(len(b.orders) + 1)
		o.Created = now.Add(-wait - time.Minute)
		if o.Currency == "" {
			o.Currency = "CNY"
		}
		b.orders[o.ID], b.numbers[o.ID] = o, number
		if _, waits := o.State.Waiting(); waits {
			b.since[o.ID] = now.Add(-wait)
		}
		if !o.State.Final() {
			b.open = append(b.open, exporter.OpenOrder{
				ID: o.ID, State: o.State, Automatic: o.Automatic, Payment: o.Payment, Created: o.Created, Since: b.since[o.ID],
			})
		}
	}
	item := func(product string, quantity int) exporter.Item {
		return exporter.Item{Product: product, Quantity: quantity}
	}
	add("STUCKMACHINE0001", exporter.Order{State: exporter.PaidAutoWaiting, Automatic: true, Payment: "alipay", Amount: 12.5, Items: []exporter.Item{item("7", 1)}}, 41*time.Minute+59*time.Second)
	add("WAITSFORPERSON02", exporter.Order{State: exporter.ManualWaiting, Payment: "wxpay", Amount: 100, Items: []exporter.Item{item("7", 2), item("点卡", 1)}}, 6*time.Minute)
	b.ahead[2] = 3
	add("SHORTOFCARDS0003", exporter.Order{State: exporter.FailedShortOfStock, Automatic: true, Payment: "支付宝", Amount: dime + 2*dime, Items: []exporter.Item{item("=cmd|' /C calc'!A0", 1)}}, 26*time.Hour)
	add("NOTYETPAID000004", exporter.Order{State: exporter.Unpaid, Automatic: true, Payment: "alipay", Amount: 12.345678, Currency: "USDT"}, 3*time.Minute)
	add("DELIVERED0000005", exporter.Order{State: exporter.Delivered, Automatic: true, Amount: 8}, time.Hour)
	add("REMOVED000000006", exporter.Order{State: exporter.Removed, Automatic: true, Amount: 12.5}, time.Hour)
	add("FRESHLYPAID00007", exporter.Order{State: exporter.PaidAutoWaiting, Automatic: true, Amount: 5}, 59*time.Second)
	add("DELIVEREDBYHAND8", exporter.Order{State: exporter.Delivered, Amount: 5}, time.Hour)
	return b
}

// shop is the book as a shop whose numbers may be guessed or not.
func (b *book) shop(id string, guessable bool) orders.Shop {
	return orders.Shop{ID: id, Follower: b, Guessable: guessable, Late: 5 * time.Minute, Stuck: 30 * time.Minute, Zone: shanghai}
}

// made is an Orders for shops; change, if not nil, sets what a test is about.
func made(t testing.TB, change func(*orders.Config), shops ...orders.Shop) *orders.Orders {
	t.Helper()
	const plenty = 1 << 20
	config := orders.Config{
		Shops:     func() []orders.Shop { return shops },
		Token:     pageToken,
		Operator:  func(r *http.Request) bool { return guard.Bearer(r, operatorToken) },
		PerCaller: plenty, Total: plenty,
	}
	if change != nil {
		change(&config)
	}
	o, err := orders.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// question is the body of a look-up.
func question(number, amount string) string {
	body, _ := json.Marshal(orders.Question{Number: number, Amount: amount})
	return string(body)
}

// ask looks up by the page's token, and says how long the answer took.
func ask(o http.Handler, body string) (*httptest.ResponseRecorder, time.Duration) {
	return askAs(o, pageToken, body)
}

func askAs(o http.Handler, token, body string) (*httptest.ResponseRecorder, time.Duration) {
	r := httptest.NewRequest(http.MethodPost, orders.LookupPath, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	start := time.Now()
	o.ServeHTTP(w, r)
	return w, time.Since(start)
}

// recorded is a log and what was written to it.
func recorded() (*slog.Logger, *bytes.Buffer) {
	var log bytes.Buffer
	return slog.New(slog.NewTextHandler(&log, nil)), &log
}

// progress looks up as the operator.
func progress(t *testing.T, o http.Handler, number string) (p orders.Progress) {
	t.Helper()
	w, _ := askAs(o, operatorToken, question(number, ""))
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return p
}
