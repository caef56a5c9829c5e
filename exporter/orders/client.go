package orders

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"shopwatch/internal/guard"
)

// maxAnswer bounds what a client reads: ten times a full list.
const maxAnswer = 64 << 20

// Client asks a running exporter about orders, for its owner. Its errors are
// sentences that say what to do, and hold no order number.
type Client struct {
	URL   string // scheme://host:port of the private address
	Token string // the operator's
	HTTP  *http.Client
}

// List gives the orders of a selection.
func (c Client) List(ctx context.Context, s Selection) (list List, err error) {
	query := url.Values{"state": {s.State}, "older_than": {s.OlderThan.String()}, "format": {"json"}}
	if s.Shop != "" {
		query.Set("shop", s.Shop)
	}
	err = c.ask(ctx, http.MethodGet, Path+"?"+query.Encode(), nil, &list)
	return list, err
}

// Lookup gives the progress of an order; one that isn't found is no error.
func (c Client) Lookup(ctx context.Context, q Question) (p Progress, err error) {
	question, err := json.Marshal(q)
	if err != nil {
		return p, err
	}
	err = c.ask(ctx, http.MethodPost, LookupPath, question, &p)
	return p, err
}

func (c Client) ask(ctx context.Context, method, path string, body []byte, into any) error {
	asking := guard.Client{URL: c.URL, Token: c.Token, HTTP: c.HTTP, Half: "exporter", About: "orders", Most: maxAnswer, Refused: away}
	return asking.Ask(ctx, method, path, body, into)
}

// away says why the books can't be asked.
func away(status int, content []byte) error {
	var a Away
	if status == http.StatusServiceUnavailable && json.Unmarshal(content, &a) == nil && a.Problem != "" {
		return a.sentence()
	}
	return nil
}

// sentence is what a person is told.
func (a Away) sentence() error {
	var last string
	if a.AsOf != nil && a.Waiting != nil {
		last = fmt.Sprintf("; at %s %d orders waited", a.AsOf.Format(time.DateTime), *a.Waiting)
	}
	return fmt.Errorf("the shop's books can't be asked now: %s%s", a.Problem, last)
}
