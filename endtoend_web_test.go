package main_test

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// browser follows nothing and keeps nothing open, so that a program that was
// killed leaves no half-dead connection behind.
var browser = &http.Client{
	Timeout:       10 * time.Second,
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// ask sends a request; header is name, value, name, value…
func ask(method, address, body string, header ...string) (status int, answer string, err error) {
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	response, err := browser.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

// answers holds that a request is answered with a status, and returns the answer.
func answers(t testing.TB, want int, method, address, body string, header ...string) string {
	t.Helper()
	status, answer, err := ask(method, address, body, header...)
	if err != nil || status != want {
		t.Errorf("%s %s %v was answered %d (%v), want %d: %.300s", method, address, header, status, err, want, answer)
	}
	return answer
}

// decode reads a JSON document.
func decode(address string, into any) error {
	status, answer, err := ask(http.MethodGet, address, "")
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("%s was answered %d: %.300s", address, status, answer)
	}
	return json.Unmarshal([]byte(answer), into)
}

// page is a public page as its reader sees it.
type page struct{ colour, headline, text string }

var (
	verdictColour   = regexp.MustCompile(`<section class="verdict (\w+)"`)
	verdictHeadline = regexp.MustCompile(`<h1 id="verdict">(?:<a [^>]*>)?([^<]*)<`)
	tags            = regexp.MustCompile(`<[^>]*>`)
)

// read opens a page in a language.
func read(address, language string) (page, error) {
	status, answer, err := ask(http.MethodGet, address, "", "Accept-Language", language)
	if err != nil {
		return page{}, err
	}
	colour, headline := verdictColour.FindStringSubmatch(answer), verdictHeadline.FindStringSubmatch(answer)
	if status != http.StatusOK || colour == nil || headline == nil {
		return page{}, fmt.Errorf("%s was answered %d without a verdict: %.300s", address, status, answer)
	}
	return page{colour[1], html.UnescapeString(headline[1]), html.UnescapeString(tags.ReplaceAllString(answer, " "))}, nil
}

// showing objects unless a page shows a colour and a headline in both languages.
func showing(address, colour, zh, en string) func() error {
	return func() error {
		for language, headline := range map[string]string{"zh-CN,zh;q=0.9,en;q=0.8": zh, "en-US,en;q=0.9": en} {
			switch p, err := read(address, language); {
			case err != nil:
				return err
			case p.colour != colour || p.headline != headline:
				return fmt.Errorf("the page shows %s %q, want %s %q", p.colour, p.headline, colour, headline)
			}
		}
		return nil
	}
}

// sample is one series of an answer of Prometheus.
type sample struct {
	labels map[string]string
	value  float64
}

// query asks a Prometheus at its base URL.
func query(base, expression string) ([]sample, error) {
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := decode(base+"/api/v1/query?query="+url.QueryEscape(expression), &answer); err != nil {
		return nil, err
	}
	var samples []sample
	for _, r := range answer.Data.Result {
		value, err := strconv.ParseFloat(fmt.Sprint(r.Value[1]), 64)
		if err != nil {
			return nil, err
		}
		samples = append(samples, sample{r.Metric, value})
	}
	return samples, nil
}

// holds objects unless an expression that compares gives a series.
func holds(base, expression string) func() error {
	return func() error {
		samples, err := query(base, expression)
		if err == nil && len(samples) == 0 {
			return fmt.Errorf("%s gives nothing", expression)
		}
		return err
	}
}

// firing objects unless an alert fires in Prometheus.
func firing(base, alert string) func() error {
	return holds(base, `ALERTS{alertstate="firing",alertname="`+alert+`"}`)
}

// told is an incident as the public page's JSON tells it.
type told struct {
	ID, Name, Status, Impact string
	ResolvedAt               *time.Time `json:"resolved_at"`
	Shopwatch                struct {
		Since time.Time
		Over  *time.Time
	}
}

// incident finds the newest incident of a Chinese title.
func incident(page, title string) (told, error) {
	var answer struct{ Incidents []told }
	if err := decode(page+"api/v2/incidents.json", &answer); err != nil {
		return told{}, err
	}
	for _, i := range answer.Incidents {
		if i.Name == title {
			return i, nil
		}
	}
	return told{}, fmt.Errorf("the page tells of no incident %q, but of %+v", title, answer.Incidents)
}
