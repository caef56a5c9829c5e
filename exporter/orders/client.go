package orders

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
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
	body, err := c.ask(ctx, http.MethodGet, Path+"?"+query.Encode(), nil)
	if err == nil {
		err = c.decode(body, &list)
	}
	return list, err
}

// Lookup gives the progress of an order; one that isn't found is no error.
func (c Client) Lookup(ctx context.Context, q Question) (p Progress, err error) {
	question, err := json.Marshal(q)
	if err != nil {
		return p, err
	}
	body, err := c.ask(ctx, http.MethodPost, LookupPath, question)
	if err == nil {
		err = c.decode(body, &p)
	}
	return p, err
}

func (c Client) decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the program at %s answers something else than orders: is it shopwatch's exporter, of this version?", c.URL)
	}
	return nil
}

// ask gives the body of an answer that is one.
func (c Client) ask(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("private address %s: %w", c.URL, err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+c.Token)
	response, err := c.HTTP.Do(r)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // it repeats the URL
		}
		return nil, fmt.Errorf("no exporter answers at %s (start it, or name its address with --private.listen-address): %w", c.URL, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("the exporter at %s broke off its answer: %w", c.URL, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, c.refused(response, content)
	}
	return content, nil
}

// refused says what an answer means that is none.
func (c Client) refused(response *http.Response, content []byte) error {
	var told trouble
	if json.Unmarshal(content, &told) == nil && told.Error != "" {
		return errors.New(told.Error)
	}
	switch response.StatusCode {
	case http.StatusUnauthorized:
		if strings.HasPrefix(response.Header.Get("WWW-Authenticate"), "Basic") {
			return fmt.Errorf("the private address %s asks for a login of its --web.config.file, which this command can't give", c.URL)
		}
		return fmt.Errorf("the exporter at %s doesn't know this operator token: name the folder it runs with by --data.dir", c.URL)
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return fmt.Errorf("the program at %s knows no orders: name the exporter's address with --private.listen-address", c.URL)
	case http.StatusServiceUnavailable:
		var away Away
		if json.Unmarshal(content, &away) == nil {
			return away.sentence()
		}
	}
	return fmt.Errorf("the exporter at %s answered %s: %.200s", c.URL, response.Status, bytes.TrimSpace(content))
}

// sentence is what a person is told.
func (a Away) sentence() error {
	var last string
	if a.AsOf != nil && a.Waiting != nil {
		last = fmt.Sprintf("; at %s %d orders waited", a.AsOf.Format(time.DateTime), *a.Waiting)
	}
	return fmt.Errorf("the shop's books can't be asked now: %s%s", a.Problem, last)
}
