package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"shopwatch/internal/guard"
	"shopwatch/notifier"
)

// maxAnswer bounds what a client reads.
const maxAnswer = 16 << 20

// ErrNoNotifier marks the error of an address at which no notifier answers.
var ErrNoNotifier = guard.ErrAway

// Client asks a running notifier about incidents and the outbox, for its owner.
// Its errors are sentences that say what to do.
type Client struct {
	URL   string // scheme://host:port of the private address
	Token string // the operator's
	HTTP  *http.Client
}

// Incidents gives the incidents that run, the oldest first.
func (c Client) Incidents(ctx context.Context) ([]Running, error) {
	var answer list
	err := c.ask(ctx, http.MethodGet, API, nil, &answer)
	return answer.Incidents, err
}

// Incident gives one with its timeline, and who was told of it.
func (c Client) Incident(ctx context.Context, id string) (a Account, err error) {
	path, err := incidentPath(id)
	if err != nil {
		return a, err
	}
	err = c.ask(ctx, http.MethodGet, path, nil, &a)
	return a, err
}

// Do does a deed to an incident and gives it as it then is.
func (c Client) Do(ctx context.Context, deed notifier.Deed, id string, w Wish) (r Running, err error) {
	path, err := incidentPath(id)
	if err != nil {
		return r, err
	}
	w.Way = WayCLI
	err = c.ask(ctx, http.MethodPost, path+"/"+wordOf(deed), w, &r)
	return r, err
}

// Maintenances gives planned work: what is ahead, then what ended lately.
func (c Client) Maintenances(ctx context.Context) ([]notifier.Maintenance, error) {
	var answer Works
	err := c.ask(ctx, http.MethodGet, APIMaintenance, nil, &answer)
	return answer.Maintenances, err
}

// Schedule plans work and gives it as it then is.
func (c Client) Schedule(ctx context.Context, w Work) (m notifier.Maintenance, err error) {
	w.Way = WayCLI
	err = c.ask(ctx, http.MethodPost, APIMaintenance, w, &m)
	return m, err
}

// Work does a deed to planned work and gives it as it then is.
func (c Client) Work(ctx context.Context, deed notifier.Deed, id string, w Work) (m notifier.Maintenance, err error) {
	if strings.Trim(id, ".") == "" {
		return m, fmt.Errorf("there is no maintenance %q: `shopwatch maintenance list` shows those that there are", id)
	}
	w.Way = WayCLI
	word := ""
	for known, of := range workDeeds {
		if of == deed {
			word = known
		}
	}
	err = c.ask(ctx, http.MethodPost, APIMaintenance+"/"+url.PathEscape(id)+"/"+word, w, &m)
	return m, err
}

// Outbox tells what waits and what was given up.
func (c Client) Outbox(ctx context.Context) (o Outbox, err error) {
	err = c.ask(ctx, http.MethodGet, APIOutbox, nil, &o)
	return o, err
}

// DeadLetters gives what was given up, the newest first, before a delivery; 0: the newest.
func (c Client) DeadLetters(ctx context.Context, before int64) (l Letters, err error) {
	err = c.ask(ctx, http.MethodGet, APIOutbox+"/dead?before="+strconv.FormatInt(before, 10), nil, &l)
	return l, err
}

// Resend sends dead letters again and tells how many.
func (c Client) Resend(ctx context.Context, r Resending) (int, error) {
	var sent resent
	r.Way = WayCLI
	err := c.ask(ctx, http.MethodPost, APIOutbox+"/resend", r, &sent)
	return sent.Resent, err
}

// Audit gives what people did, the newest first: to a subject, or to all if it is empty.
func (c Client) Audit(ctx context.Context, subject string, before int64) (r Record, err error) {
	query := url.Values{"subject": {subject}, "before": {strconv.FormatInt(before, 10)}}
	err = c.ask(ctx, http.MethodGet, APIAudit+"?"+query.Encode(), nil, &r)
	return r, err
}

// incidentPath refuses an id that makes a path which leads elsewhere.
func incidentPath(id string) (string, error) {
	if strings.Trim(id, ".") == "" {
		return "", fmt.Errorf("there is no incident %q: `shopwatch incident list` shows those that run", id)
	}
	return API + "/" + url.PathEscape(id), nil
}

func (c Client) ask(ctx context.Context, method, path string, send, into any) error {
	var body []byte
	if send != nil {
		var err error
		if body, err = json.Marshal(send); err != nil {
			return err
		}
	}
	asking := guard.Client{URL: c.URL, Token: c.Token, HTTP: c.HTTP, Half: "notifier", About: "incidents", Most: maxAnswer}
	return asking.Ask(ctx, method, path, body, into)
}
