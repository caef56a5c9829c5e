package journey

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// take makes one step: the request with its redirects, the checks of its
// answer, and the values that later steps need.
func (t *trip) take(ctx context.Context, step *exporter.Step) error {
	request, err := t.request(ctx, step)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: t.road, Jar: t.jar, CheckRedirect: t.redirects(step, request.URL)}
	response, err := client.Do(request)
	if err != nil {
		return t.blame(ctx, err)
	}
	defer response.Body.Close()
	t.page = response.Request.URL

	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	switch {
	case !validStatus(step.ValidStatus, response.StatusCode):
		return probe.Problem(rules.ReasonStatus, fmt.Sprintf("answered %d", response.StatusCode))
	case len(body) > maxBody:
		return probe.Problem(rules.ReasonBody, fmt.Sprintf("body is longer than %d bytes", maxBody))
	case err != nil:
		return t.look.Blame(ctx, err, rules.ReasonBody, probe.SafeText(err))
	}
	for _, text := range step.Contains {
		if !bytes.Contains(body, []byte(text)) {
			return probe.Problem(rules.ReasonBody, fmt.Sprintf("body doesn't contain %q", clip(text)))
		}
	}
	for _, text := range step.NotContains {
		if bytes.Contains(body, []byte(text)) {
			return probe.Problem(rules.ReasonBody, fmt.Sprintf("body contains %q", clip(text)))
		}
	}
	for i := range step.Extract {
		wanted := &step.Extract[i]
		value, err := extract(wanted, response.Header, body)
		if err != nil {
			return err
		}
		t.values[wanted.Name] = value
	}
	return nil
}

// blame makes a problem of a step that gave no usable answer.
func (t *trip) blame(ctx context.Context, err error) error {
	problem := t.look.BlameExchange(ctx, err)
	if reason, _ := probe.Explain(problem); reason == rules.ReasonOther && t.road.answered {
		// The exchange was fine: what it said couldn't be followed.
		return probe.Problem(rules.ReasonStatus, fmt.Sprintf("answered %d with a Location that can't be followed", t.road.status))
	}
	return problem
}

// request is the first request of a step.
func (t *trip) request(ctx context.Context, step *exporter.Step) (*http.Request, error) {
	where, err := t.where(step.URL)
	if err != nil {
		return nil, err
	}
	headers := make(http.Header, len(step.Headers)+2)
	for name, template := range step.Headers {
		value, err := expand(template, t.values, nil)
		switch {
		case err != nil:
			return nil, err
		case !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(template):
			return nil, probe.Problem(rules.ReasonOther, fmt.Sprintf("header %q can't be sent", clip(name)))
		case !httpguts.ValidHeaderFieldValue(value):
			return nil, probe.Problem(rules.ReasonBody, fmt.Sprintf("the value for header %s can't stand in a header", name))
		}
		headers.Set(name, value)
	}
	if headers.Get("User-Agent") == "" {
		headers.Set("User-Agent", t.look.UserAgent())
	}
	var body io.Reader
	if step.Body != "" {
		if headers.Get("Content-Type") == "" {
			headers.Set("Content-Type", guessType(step.Body))
		}
		text, err := expand(step.Body, t.values, escapeFor(headers.Get("Content-Type")))
		if err != nil {
			return nil, err
		}
		body = strings.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, cmp.Or(step.Method, http.MethodGet), where.String(), body)
	if err != nil {
		return nil, probe.Problem(rules.ReasonOther, "no request can be made of its method and URL")
	}
	request.Host = headers.Get("Host") // "" leaves it to the URL
	headers.Del("Host")
	request.Header = headers
	return request, nil
}

// where is the URL of a step: its template with the values in it, relative to
// the former page.
func (t *trip) where(template string) (*url.URL, error) {
	text, err := expandURL(template, t.values)
	if err != nil {
		return nil, err
	}
	where, err := t.page.Parse(text)
	if err != nil || !walkable(where) {
		return nil, probe.Problem(rules.ReasonBody, "its URL is not http or https")
	}
	return where, nil
}

// redirects decides on the redirects of one step, which begins at first.
func (t *trip) redirects(step *exporter.Step, first *url.URL) func(*http.Request, []*http.Request) error {
	return func(request *http.Request, via []*http.Request) error {
		if !step.FollowRedirects {
			return http.ErrUseLastResponse
		}
		if !walkable(request.URL) {
			return probe.Problem(rules.ReasonStatus, "redirects to something that is not http or https")
		}
		if circle(request, via) {
			return probe.Problem(rules.ReasonStatus, "redirects in a circle")
		}
		if len(via) > maxRedirects {
			return probe.Problem(rules.ReasonStatus, fmt.Sprintf("more than %d redirects", maxRedirects))
		}
		if !leaves(first, request.URL) {
			return nil
		}
		if request.ContentLength != 0 {
			// A 307 asks to send the body on, which holds what the owner wrote for
			// the first host. Where that is meant, the next step can say so.
			return probe.Problem(rules.ReasonStatus, "redirects a request with a body to another host")
		}
		// What the owner set for one host is not for others: keys hide in headers
		// of any name, and in the query that Referer would repeat.
		for name := range step.Headers {
			request.Header.Del(name)
		}
		request.Header.Del("Referer")
		request.Header.Set("User-Agent", t.look.UserAgent())
		return nil
	}
}

// circle reports whether a request was made twice before. Once is no circle:
// many shops set a cookie and redirect to the same page.
func circle(request *http.Request, via []*http.Request) bool {
	before := 0
	for _, former := range via {
		if former.Method == request.Method && former.URL.String() == request.URL.String() {
			before++
		}
	}
	return before >= 2
}

// leaves reports whether a URL is somewhere else than the first: another host
// or port, or the same one without the TLS that the first has. From port 80 to
// 443 of a host is no leaving.
func leaves(first, next *url.URL) bool {
	if !strings.EqualFold(first.Hostname(), next.Hostname()) || (first.Scheme == "https" && next.Scheme != "https") {
		return true
	}
	return port(first) != port(next) && (port(first) != "80" || port(next) != "443")
}

func port(u *url.URL) string {
	if u.Scheme == "https" {
		return cmp.Or(u.Port(), "443")
	}
	return cmp.Or(u.Port(), "80")
}

func validStatus(valid []int, status int) bool {
	if len(valid) == 0 {
		return status >= 200 && status < 300
	}
	return slices.Contains(valid, status)
}

// clip is the beginning of a text that the owner wrote.
func clip(text string) string {
	if runes := []rune(text); len(runes) > maxQuote {
		return string(runes[:maxQuote-1]) + "…"
	}
	return text
}
