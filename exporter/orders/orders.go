// Package orders answers about single orders: a buyer's look-up, and the
// owner's lists for hand work.
//
// In many shops an order's number alone opens the cards, and in some it can be
// guessed. So whoever tries numbers must learn nothing by it: every answer to a
// look-up leaves at the same moment, and an order that isn't there, a number
// that is none and a wrong amount are one answer, byte for byte. What a buyer is
// told is little: state, age, kind, orders ahead, and how long it usually takes.
//
// The room keeps no number, amount or caller, and lets none get into a log, an
// error or a metric. It knows no table: it asks whoever follows the shop's
// books, who answers from memory or by key and never scans.
package orders

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"shopwatch/exporter"
)

// Path and LookupPath are where an Orders answers on the private address.
const (
	Path       = "/api/orders"
	LookupPath = "/api/orders/lookup"
)

// Follower follows a shop's books. Books and Open answer from memory; the others
// ask the database, and end soon after ctx does.
type Follower interface {
	Books() exporter.Books
	// Open gives the orders that aren't final, in any order.
	Open() []exporter.OpenOrder
	// Find gives the order with a number. It asks the database only if the number
	// has the form of the shop's numbers; the zero Found means that there is none.
	Find(ctx context.Context, number string) (exporter.Found, error)
	// Read gives the orders with these keys as they are now, without those that are gone.
	Read(ctx context.Context, ids []int64) ([]exporter.Order, error)
	// Numbers gives the buyers' order numbers by key.
	Numbers(ctx context.Context, ids []int64) (map[int64]string, error)
}

// Shop is a shop whose books are followed.
type Shop struct {
	ID          string
	Follower    Follower
	Guessable   bool           // numbers alone prove nothing: a buyer must also name the amount
	Late, Stuck time.Duration  // the tiers of age
	Zone        *time.Location // of the moments that are told; nil: UTC
}

// Config is what an Orders works with. Shops and Operator are required.
type Config struct {
	// Shops gives the shops as they are now; it must not wait.
	Shops func() []Shop
	// Token is the secret with which the public page asks for buyers; "": buyers
	// can't look up.
	Token string
	// Operator reports whether a request is the owner's.
	Operator func(*http.Request) bool

	PerCaller int // look-ups a minute of each caller, half of them at once; default 10
	Total     int // look-ups a minute of all buyers, half of them at once; default 300
	// Concurrency is how many look-ups ask one shop's database at once; default
	// 4, since its polls go over the same one or two connections.
	Concurrency int

	Now    func() time.Time                     // default time.Now
	After  func(time.Duration) <-chan time.Time // default time.After
	Logger *slog.Logger                         // hears when look-ups begin to fail; default none
}

// Orders answers [Path] and [LookupPath]. It is an http.Handler, and may be used
// by many goroutines at once.
type Orders struct {
	Config
	mux    *http.ServeMux
	limits *limits

	mu      sync.Mutex
	places  map[string]chan struct{} // of the look-ups under way, by shop
	failing map[string]bool          // shops whose last look-up failed
}

// New makes an Orders.
func New(config Config) (*Orders, error) {
	if config.Shops == nil || config.Operator == nil {
		return nil, errors.New("answers about orders need shops, and a way to know the operator")
	}
	config.PerCaller = cmp.Or(config.PerCaller, 10)
	config.Total = cmp.Or(config.Total, 300)
	config.Concurrency = cmp.Or(config.Concurrency, 4)
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.After == nil {
		config.After = time.After
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	o := &Orders{
		Config: config, mux: http.NewServeMux(), limits: newLimits(config.PerCaller, config.Total),
		places: map[string]chan struct{}{}, failing: map[string]bool{},
	}
	o.mux.HandleFunc("GET "+Path, o.list)
	o.mux.HandleFunc("POST "+LookupPath, o.lookup)
	return o, nil
}

// ServeHTTP implements http.Handler.
func (o *Orders) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	o.mux.ServeHTTP(w, r)
}

// shop finds a shop; "" is the only one.
func (o *Orders) shop(id string) (Shop, error) {
	shops := o.Shops()
	if id == "" && len(shops) == 1 {
		return shops[0], nil
	}
	ids := make([]string, len(shops))
	for i, shop := range shops {
		if shop.ID == id {
			return shop, nil
		}
		ids[i] = shop.ID
	}
	switch {
	case len(shops) == 0:
		return Shop{}, errors.New("no shop's books are followed here: give one a ledger in exporter.shops")
	case id == "":
		return Shop{}, errors.New("several shops' books are followed here, say which shop: " + strings.Join(ids, ", "))
	}
	return Shop{}, errors.New("no such shop whose books are followed here; there are: " + strings.Join(ids, ", "))
}

// bears reports whether a request carries a token, as a bearer's or, where
// exporter-toolkit's basic_auth_users take that header, as X-Shopwatch-Token.
func bears(r *http.Request, token string) bool {
	given := r.Header.Get("X-Shopwatch-Token")
	if scheme, bearer, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		given = strings.TrimSpace(bearer)
	}
	got, want := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(token)) // of one length, to take one time
	return token != "" && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// answer is an answer that is ready to leave.
type answer struct {
	status int
	retry  time.Duration // until another try makes sense; 0: not said
	body   any           // to be JSON
}

// trouble is the body of an answer that tells a program what it did wrong.
type trouble struct {
	Error string `json:"error"`
}

func (a answer) write(w http.ResponseWriter) {
	body, err := json.Marshal(a.body)
	if err != nil { // of our own types
		panic(err)
	}
	body = append(body, '\n')
	header := w.Header()
	if a.retry > 0 {
		header.Set("Retry-After", strconv.Itoa(int((a.retry+time.Second-1)/time.Second)))
	}
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	w.Write(body)
}

// told is a moment as it is told: in the shop's zone, to the second; nil for none.
func (s Shop) told(at time.Time) *time.Time {
	at = at.In(cmp.Or(s.Zone, time.UTC)).Truncate(time.Second)
	if at.IsZero() || at.Year() < 0 || at.Year() > 9999 { // JSON has no form for it
		return nil
	}
	return &at
}
