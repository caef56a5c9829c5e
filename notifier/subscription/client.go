package subscription

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"shopwatch/internal/guard"
)

// maxAnswer bounds what a client reads.
const maxAnswer = 16 << 20

// Client asks a running notifier about subscribers, for its owner. Its errors
// are sentences that say what to do.
type Client struct {
	URL   string // scheme://host:port of the private address
	Token string // the operator's
	HTTP  *http.Client
}

// List gives subscribers with their addresses masked.
func (c Client) List(ctx context.Context, want Selection) (p Page, err error) {
	query := url.Values{
		"channel": {want.Channel}, "state": {string(want.State)},
		"after": {strconv.FormatInt(want.After, 10)}, "limit": {strconv.Itoa(want.Limit)},
	}
	err = c.ask(ctx, http.MethodGet, API+"?"+query.Encode(), nil, &p)
	return p, err
}

// Find gives the subscriber of an address.
func (c Client) Find(ctx context.Context, address string) (l Listed, err error) {
	err = c.ask(ctx, http.MethodPost, API+"/find", who{address}, &l)
	return l, err
}

// Add signs somebody up.
func (c Client) Add(ctx context.Context, a Addition) (l Listed, err error) {
	a.Way = WayCLI
	err = c.ask(ctx, http.MethodPost, API, a, &l)
	return l, err
}

// Export gives all that is held of one person.
func (c Client) Export(ctx context.Context, id int64, by string) (r Record, err error) {
	err = c.ask(ctx, http.MethodPost, pathOf(id, "export"), Doer{By: by, Way: WayCLI}, &r)
	return r, err
}

// Deactivate has somebody be told no more.
func (c Client) Deactivate(ctx context.Context, id int64, by string) (l Listed, err error) {
	err = c.ask(ctx, http.MethodPost, pathOf(id, "deactivate"), Doer{By: by, Way: WayCLI}, &l)
	return l, err
}

// Erase removes all that is held of one person.
func (c Client) Erase(ctx context.Context, id int64, by string) error {
	return c.ask(ctx, http.MethodPost, pathOf(id, "erase"), Doer{By: by, Way: WayCLI}, new(done))
}

func (c Client) ask(ctx context.Context, method, path string, send, into any) error {
	var body []byte
	if send != nil {
		var err error
		if body, err = json.Marshal(send); err != nil {
			return err
		}
	}
	asking := guard.Client{URL: c.URL, Token: c.Token, HTTP: c.HTTP, Half: "notifier", About: "subscribers", Most: maxAnswer}
	return asking.Ask(ctx, method, path, body, into)
}
