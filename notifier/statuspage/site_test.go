package statuspage_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/notifier/statuspage"
)

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// site is a page behind a real listener.
type site struct {
	*statuspage.Page
	clock *clock
	url   string
	t     *testing.T
}

func newSite(t *testing.T, change func(*statuspage.Config)) *site {
	t.Helper()
	c := &clock{now: noon}
	cfg := config(c.Now)
	if change != nil {
		change(&cfg)
	}
	page, err := statuspage.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(page.Handler())
	t.Cleanup(server.Close)
	return &site{Page: page, clock: c, url: server.URL, t: t}
}

// do asks with a method and headers given as "Name: value".
func (s *site) do(method, path string, headers ...string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response, string(body)
}

func (s *site) get(path string, headers ...string) string {
	s.t.Helper()
	response, body := s.do("GET", path, headers...)
	if response.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s: got %s, want 200", path, response.Status)
	}
	return body
}

// outline is a page by meaning, a line a block: "h1 text", "p text", "img label".
func outline(t *testing.T, html string) []string {
	t.Helper()
	blocks := []string{"title", "h1", "h2", "h3", "h4", "p", "li", "dt", "dd", "div"}
	d := xml.NewDecoder(strings.NewReader(html))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var lines []string
	var line strings.Builder
	name, silent := "", 0
	flush := func() {
		if text := strings.Join(strings.Fields(line.String()), " "); text != "" {
			lines = append(lines, name+" "+text)
		}
		line.Reset()
	}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatalf("page is not well formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == "svg" {
				for _, a := range token.Attr {
					if a.Name.Local == "aria-label" {
						flush()
						lines = append(lines, "img "+a.Value)
					}
				}
				silent++
			} else if slices.Contains(blocks, token.Name.Local) {
				flush()
				name = token.Name.Local
			}
		case xml.EndElement:
			if token.Name.Local == "svg" {
				silent--
			} else if slices.Contains(blocks, token.Name.Local) {
				flush()
			}
		case xml.CharData:
			if silent == 0 {
				line.Write(token)
			}
		}
	}
}

// first is the first block of a kind, such as the h1.
func first(t *testing.T, html, kind string) string {
	t.Helper()
	for _, line := range outline(t, html) {
		if text, found := strings.CutPrefix(line, kind+" "); found {
			return text
		}
	}
	t.Fatalf("the page has no %s", kind)
	return ""
}

func hasLine(t *testing.T, html, want string) {
	t.Helper()
	if lines := outline(t, html); !slices.Contains(lines, want) {
		t.Errorf("no line %q in\n%s", want, strings.Join(lines, "\n"))
	}
}
