package console

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

	"shopwatch/notifier"
)

// maxAnswer bounds what a client reads.
const maxAnswer = 16 << 20

// ErrNoNotifier marks the error of an address at which no notifier answers.
var ErrNoNotifier = errors.New("no notifier answers")

// Client asks a running notifier about incidents, for its owner. Its errors are
// sentences that say what to do.
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

// Do does a deed to an incident and gives it as it then is. By is who does it;
// it may be empty.
func (c Client) Do(ctx context.Context, deed notifier.Deed, id, by string) (r Running, err error) {
	if strings.Trim(id, ".") == "" { // a path that leads elsewhere
		return r, fmt.Errorf("there is no incident %q: `shopwatch incident list` shows those that run", id)
	}
	body, err := json.Marshal(who{by})
	if err != nil {
		return r, err
	}
	return r, c.ask(ctx, http.MethodPost, API+"/"+url.PathEscape(id)+"/"+string(deed), body, &r)
}

func (c Client) ask(ctx context.Context, method, path string, body []byte, into any) error {
	r, err := http.NewRequestWithContext(ctx, method, c.URL+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("private address %s: %w", c.URL, err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+c.Token)
	response, err := c.HTTP.Do(r)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // it repeats the URL
		}
		return fmt.Errorf("%w at %s (start it, or name its address with --private.listen-address): %w", ErrNoNotifier, c.URL, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("the notifier at %s broke off its answer: %w", c.URL, err)
	}
	if response.StatusCode != http.StatusOK {
		return c.refused(response, content)
	}
	if json.Unmarshal(content, into) != nil {
		return fmt.Errorf("the program at %s answers something else than incidents: is it shopwatch's notifier, of this version?", c.URL)
	}
	return nil
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
		return fmt.Errorf("the notifier at %s doesn't know this operator token: name the folder it runs with by --data.dir", c.URL)
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return fmt.Errorf("%w at %s: the program there knows no incidents; name the notifier's address with --private.listen-address", ErrNoNotifier, c.URL)
	}
	return fmt.Errorf("the notifier at %s answered %s: %.200s", c.URL, response.Status, bytes.TrimSpace(content))
}
