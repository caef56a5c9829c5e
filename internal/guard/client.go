package guard

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// ErrAway marks the error of an address at which the program that was asked for
// doesn't answer.
var ErrAway = errors.New("no answer")

// Client asks one half of a running shopwatch at the private address, as the
// operator. Its errors are sentences that say what to do.
type Client struct {
	URL   string // scheme://host:port of the private address
	Token string // the operator's
	HTTP  *http.Client

	Half  string // whom it asks: "notifier", "exporter"
	About string // what it asks about: "incidents"
	Most  int64  // bytes of an answer that are read
	// Refused says what an answer means that is no 200; nil, or an answer of nil:
	// the sentence that came with it, or what its status tells.
	Refused func(status int, content []byte) error
}

// Ask sends a request with a body of JSON, or with none, and reads the JSON of
// its answer into a pointer.
func (c Client) Ask(ctx context.Context, method, path string, body []byte, into any) error {
	r, err := http.NewRequestWithContext(ctx, method, c.URL+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("private address %s: %w", c.URL, err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(TokenHeader, c.Token)
	response, err := c.HTTP.Do(r)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // it repeats the URL
		}
		return c.unheard(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, c.Most))
	if err != nil {
		return fmt.Errorf("the %s at %s broke off its answer: %w", c.Half, c.URL, err)
	}
	if response.StatusCode != http.StatusOK {
		return c.refused(response, content)
	}
	if json.Unmarshal(content, into) != nil {
		return fmt.Errorf("the program at %s answers something else than %s: is it shopwatch's %s, of this version?", c.URL, c.About, c.Half)
	}
	return nil
}

// unheard says why there is no answer, and how to get one.
func (c Client) unheard(err error) error {
	if _, stranger := errors.AsType[*tls.CertificateVerificationError](err); stranger {
		return fmt.Errorf("the private address %s shows a certificate that this machine doesn't trust: name its authority in --http.config.file (tls_config: {ca_file: …}): %w", c.URL, err)
	}
	if broke, ok := errors.AsType[*net.OpError](err); ok && broke.Op == "remote error" { // so crypto/tls marks an alert of the far side
		return fmt.Errorf("the private address %s refuses this command, which may lack a client certificate of its authority: name one in --http.config.file (tls_config: {cert_file: …, key_file: …}): %w", c.URL, err)
	}
	if strings.HasPrefix(c.URL, "https:") {
		return c.away("no %s answers at %s (start it, name its address with --private.listen-address, or a client certificate in --http.config.file): %w", c.Half, c.URL, err)
	}
	return c.away("no %s answers at %s (start it, or name its address with --private.listen-address): %w", c.Half, c.URL, err)
}

// refused says what an answer means that is none.
func (c Client) refused(response *http.Response, content []byte) error {
	if c.Refused != nil {
		if err := c.Refused(response.StatusCode, content); err != nil {
			return err
		}
	}
	var told struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(content, &told) == nil && told.Error != "" {
		return errors.New(told.Error)
	}
	switch response.StatusCode {
	case http.StatusUnauthorized:
		if strings.HasPrefix(response.Header.Get("WWW-Authenticate"), "Basic") {
			return fmt.Errorf("the private address %s asks for the login of its --web.config.file: name it in --http.config.file (basic_auth: {username: …, password_file: …})", c.URL)
		}
		return fmt.Errorf("the %s at %s doesn't know this operator token: name the folder it runs with by --data.dir", c.Half, c.URL)
	case http.StatusBadRequest:
		if bytes.Contains(content, []byte("HTTP request to an HTTPS server")) { // so net/http answers
			return fmt.Errorf("the private address %s speaks TLS: name its --web.config.file, or its authority in --http.config.file (tls_config: {ca_file: …})", c.URL)
		}
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return c.away("the program at %s knows no %s: name the %s's address with --private.listen-address", c.URL, c.About, c.Half)
	}
	return fmt.Errorf("the %s at %s answered %s: %.200s", c.Half, c.URL, response.Status, bytes.TrimSpace(content))
}

// awayError is [ErrAway] in a sentence of its own.
type awayError struct{ error }

func (awayError) Is(target error) bool { return target == ErrAway }

func (e awayError) Unwrap() error { return e.error }

func (c Client) away(format string, args ...any) error {
	return awayError{fmt.Errorf(format, args...)}
}
