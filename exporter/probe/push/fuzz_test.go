package push_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"shopwatch/exporter/probe/push"
)

// FuzzPush calls the endpoint with whatever a far side may send: it never
// panics, its answer is short and one of three, and only a known token at its
// place changes anything that is remembered.
func FuzzPush(f *testing.F) {
	path := "/push/" + token
	for _, seed := range [][4]string{
		{"GET", path, "", ""}, {"POST", path + "/fail", "msg=a%0Ab", "body"}, {"HEAD", path + "/0", "status=down", ""},
		{"GET", path + "/start", "status=up&msg=OK&ping=1", ""}, {"PUT", path, "", ""}, {"GET", "/push/", "", ""},
		{"GET", "/push/nobody", "msg=x", ""}, {"GET", path + "/256", "", ""}, {"GET", path + "/-1", "", ""},
		{"GET", "//push/" + token, "", ""}, {"POST", path, "%zz;&&=&msg", "\xff\x00\u202e"}, {"", "", "", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		clock := &clock{}
		r := receiver(t, push.Config{Now: clock.Now}, service("worker", token))
		before := r.Remembered()
		answer := httptest.NewRecorder()
		r.ServeHTTP(answer, &http.Request{
			Method: method, URL: &url.URL{Path: path, RawQuery: query}, Body: io.NopCloser(strings.NewReader(body)),
		})

		if answer.Code != 200 && answer.Code != 404 && answer.Code != 405 || answer.Body.Len() > 60 {
			t.Errorf("answered %d %q", answer.Code, answer.Body)
		}
		after := r.Remembered()
		known := path == "/push/"+token || strings.HasPrefix(path, "/push/"+token+"/")
		if known = known && answer.Code == 200; !known && after != before {
			t.Errorf("%s %q?%q answered %d and changed\n%s\nto\n%s", method, path, query, answer.Code, before, after)
		}
		if !known && answer.Code == 200 {
			t.Errorf("%s %q is answered 200", method, path)
		}
		if len(after) > len(before)+1500 { // 200 characters of six bytes at most as JSON, and a moment
			t.Errorf("one call grew the state from %d to %d bytes", len(before), len(after))
		}
		if reading := look(t, r, service("worker", token)); strings.ContainsAny(reading.Detail, "\n\r\x00\x1b") || len([]rune(reading.Detail)) > 200 {
			t.Errorf("the detail is %q", reading.Detail)
		}
	})
}
