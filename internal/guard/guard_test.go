package guard_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shopwatch/internal/guard"
)

func TestPrivateAddressRefusesWhatOtherWebsitesSend(t *testing.T) {
	t.Parallel()
	wrap, err := guard.New(guard.Config{Listen: "127.0.0.1:9816", Hosts: []string{"Monitor.lan"}})
	if err != nil {
		t.Fatal(err)
	}
	handler := wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	cases := []struct {
		name, method, host string
		header             map[string]string
		want               int
	}{
		{"a command line tool posts", "POST", "127.0.0.1:9816", nil, 204},
		{"the console's own form posts", "POST", "localhost:9816", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:9816"}, 204},
		{"a configured name is known in any case", "GET", "monitor.LAN:9816", nil, 204},
		{"IPv6 loopback is known", "GET", "[::1]:9816", nil, 204},
		{"a page on another site posts", "POST", "127.0.0.1:9816", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403},
		{"an old browser posts from another site", "POST", "127.0.0.1:9816", map[string]string{"Origin": "https://evil.example"}, 403},
		{"a sandboxed frame posts", "POST", "127.0.0.1:9816", map[string]string{"Origin": "null"}, 403},
		{"another port of this machine posts", "DELETE", "127.0.0.1:9816", map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:3000"}, 403},
		{"an image of another site's page reads", "GET", "127.0.0.1:9816", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403},
		{"a frame of another site's page reads", "GET", "127.0.0.1:9816", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403},
		{"a link on another site is followed", "GET", "127.0.0.1:9816", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 204},
		{"a name rebound to loopback reads", "GET", "evil.example:9816", nil, 421},
		{"no host at all", "GET", "", nil, 421},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(c.method, "/alertmanager/api/v2/silences", nil)
			r.Host = c.host
			for name, value := range c.header {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != c.want {
				t.Errorf("got %d, want %d", w.Code, c.want)
			}
		})
	}
}

func TestOperatorIsKnownByTokenOrByTheSessionThatItOpened(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	operator := guard.NewOperator("token", func() time.Time { return now })
	door := operator.Only(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), "")
	knock := func(change func(*http.Request)) int {
		r := httptest.NewRequest("POST", "/", nil)
		change(r)
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		return w.Code
	}
	logIn := func(secret string) []*http.Cookie {
		w := httptest.NewRecorder()
		if !operator.LogIn(w, httptest.NewRequest("POST", "/", nil), secret) {
			return nil
		}
		return w.Result().Cookies()
	}

	if got := knock(func(r *http.Request) { r.Header.Set("Authorization", "Bearer token") }); got != 204 {
		t.Errorf("the token was answered %d", got)
	}
	if got := knock(func(r *http.Request) { r.Header.Set("Authorization", "Bearer tokem") }); got != 401 {
		t.Errorf("a wrong token was answered %d", got)
	}
	if logIn("wrong") != nil || logIn("") != nil {
		t.Error("a wrong secret opened a session")
	}
	code := operator.Code()
	cookies := logIn(code)
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode {
		t.Fatalf("the code opened %v, want one strict HttpOnly cookie", cookies)
	}
	if logIn(code) != nil {
		t.Error("a one-time code opened a second session")
	}
	session := func(r *http.Request) { r.AddCookie(cookies[0]) }
	if got := knock(session); got != 204 {
		t.Errorf("the session was answered %d", got)
	}
	now = now.Add(13 * time.Hour)
	if got := knock(session); got != 401 {
		t.Errorf("an expired session was answered %d", got)
	}
}

func TestTwoShopwatchesOnOneMachineDontLogEachOtherOut(t *testing.T) {
	t.Parallel()
	jar := map[string]*http.Cookie{} // cookies know no ports
	operators := map[string]*guard.Operator{}
	for _, host := range []string{"127.0.0.1:9816", "127.0.0.1:9817", "monitor.example"} {
		operators[host] = guard.NewOperator("token", time.Now)
		r, w := httptest.NewRequest("POST", "/", nil), httptest.NewRecorder()
		r.Host = host
		if !operators[host].LogIn(w, r, "token") {
			t.Fatal("the token opened no session")
		}
		for _, c := range w.Result().Cookies() {
			jar[c.Name] = c
		}
	}
	known := func(host string) bool {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		for _, c := range jar {
			r.AddCookie(c)
		}
		return operators[host].Known(r)
	}
	for host := range operators {
		if !known(host) {
			t.Errorf("%s doesn't know its operator any more", host)
		}
	}
	r, w := httptest.NewRequest("POST", "/", nil), httptest.NewRecorder()
	r.Host = "127.0.0.1:9817"
	for _, c := range jar {
		r.AddCookie(c)
	}
	operators[r.Host].LogOut(w, r)
	if cookies := w.Result().Cookies(); len(cookies) != 1 || cookies[0].MaxAge >= 0 {
		t.Errorf("logging out leaves the browser %v", cookies)
	}
	if known("127.0.0.1:9817") || !known("127.0.0.1:9816") {
		t.Error("logging out ended another session than its own")
	}
}

func TestAnybodyReadsAndTheOperatorAloneChanges(t *testing.T) {
	t.Parallel()
	operator := guard.NewOperator("token", time.Now)
	door := operator.Changes(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for request, want := range map[[3]string]int{
		{"GET", "/api/v2/silences", ""}:              204,
		{"POST", "/api/v2/silences", ""}:             401,
		{"DELETE", "/api/v2/silence/1", ""}:          401,
		{"POST", "/api/v2/alerts", "Bearer wrong"}:   401,
		{"POST", "/api/v2/silences", "Bearer token"}: 204,
	} {
		r := httptest.NewRequest(request[0], request[1], nil)
		r.Header.Set("Authorization", request[2])
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%v was answered %d, want %d", request, w.Code, want)
		}
	}
}

func TestTokenComesBesideALogin(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "/webhook", nil)
	r.SetBasicAuth("owner", "password")
	if guard.Bearer(r, "token") {
		t.Error("a login passed for the token")
	}
	r.Header.Set(guard.TokenHeader, "token")
	if !guard.Bearer(r, "token") {
		t.Error("the token in its own header was refused")
	}
}

func TestEmptyTokenLetsNobodyIn(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer ")
	if guard.Bearer(r, "") {
		t.Error("an empty token was accepted")
	}
}

func TestTokenFileIsMadeOnceAndOnlyForThisUser(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "operator.token")
	first, err := guard.TokenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := guard.TokenFile(path)
	if err != nil || first != second || len(first) < 32 {
		t.Errorf("got %q, then %q (%v), want the same long token", first, second, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v (%v), want 0600", info.Mode().Perm(), err)
	}
	if err := os.WriteFile(path, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := guard.TokenFile(path); err == nil {
		t.Error("an empty token file was accepted")
	}
}
