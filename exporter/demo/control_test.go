package demo_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"math/rand/v2"

	"shopwatch/exporter/demo"
)

func TestSwitchboardBreaksAndHealsByButtonAndByAPI(t *testing.T) {
	t.Parallel()
	shop, err := demo.New(demo.Config{Dir: t.TempDir(), Rand: rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		t.Fatal(err)
	}
	defer shop.Close()
	control, err := shop.Control()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(control)
	defer server.Close()
	post := func(path, service string) (int, string) {
		t.Helper()
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		response, err := client.PostForm(server.URL+path, url.Values{"service": {service}})
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	if status, _ := post("/demo/break", "alipay"); status != http.StatusSeeOther || !slices.Equal(shop.Broken(), []string{"alipay"}) {
		t.Errorf("the button answered %d, broken: %v", status, shop.Broken())
	}
	response, err := http.Get(server.URL + demo.ControlRoot)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil || !strings.Contains(string(page), `action="/demo/heal"><input type="hidden" name="service" value="alipay"`) {
		t.Errorf("the page offers no way to heal alipay (%v):\n%s", err, page)
	}
	if status, body := post("/api/demo/heal", "alipay"); status != http.StatusOK || strings.TrimSpace(body) != `{"broken":[]}` || len(shop.Broken()) != 0 {
		t.Errorf("the API answered %d %s, broken: %v", status, body, shop.Broken())
	}
	for _, wrong := range [][2]string{{"/api/demo/break", "nothing"}, {"/api/demo/sell", "alipay"}, {"/demo/break", ""}} {
		if status, body := post(wrong[0], wrong[1]); status != http.StatusBadRequest || body == "" {
			t.Errorf("%v was answered %d %q", wrong, status, body)
		}
	}
}
