package main_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"shopwatch/internal/guard"
)

// exporterOfOrders is an exporter's private address as far as `shopwatch orders`
// needs it: it knows one operator token, and writes down what it is asked.
type exporterOfOrders struct {
	mu    sync.Mutex
	asked []string
}

func (e *exporterOfOrders) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, strings.TrimSpace(r.Method+" "+r.URL.String()+" "+string(body)))
	switch {
	case r.Header.Get(guard.TokenHeader) != "the-operator":
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Query().Get("shop") == "other":
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"error":"no such shop; there are: main"}`)
	case r.URL.Query().Get("shop") == "new":
		io.WriteString(w, `{"shops":[{"shop":"new","unread":true,"note":"wrong password"}],"orders":[],"more":0}`)
	case r.Method == http.MethodPost && strings.Contains(string(body), "KNOWN"):
		io.WriteString(w, `{"found":true,"id":7,"state":"delivered","kind":"automatic"}`)
	case r.Method == http.MethodPost:
		io.WriteString(w, `{"found":false}`)
	case r.URL.Query().Get("older_than") == "2h0m0s":
		io.WriteString(w, `{"shops":[{"shop":"main"}],"orders":[],"more":0}`)
	default:
		io.WriteString(w, `{"shops":[{"shop":"main","note":"connection refused"}],"more":0,"orders":[{"shop":"main","id":7,"number":"KNOWN",`+
			`"state":"paid_auto_waiting","kind":"automatic","created":"2026-11-22T19:17:01+08:00","since":"2026-11-22T19:18:01+08:00","waiting_seconds":2519}]}`)
	}
}

func TestOrdersAreListedAndLookedUpFromTheCommandLine(t *testing.T) {
	t.Parallel()
	exporter := &exporterOfOrders{}
	server := httptest.NewServer(exporter)
	defer server.Close()
	dir, stranger := t.TempDir(), t.TempDir()
	for where, token := range map[string]string{dir: "the-operator\n", stranger: "another\n"} {
		if err := os.WriteFile(filepath.Join(where, "operator.token"), []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address := strings.TrimPrefix(server.URL, "http://")
	for _, c := range []struct {
		dir, verb, asked string
		code             int
		stdout, stderr   string // that must be in there; "": nothing must
	}{
		{dir, "delayed", "GET /api/orders?format=json&older_than=30m0s&state=waiting", 0, "KNOWN   paid_auto_waiting  automatic  41m", "shop main: connection refused"},
		{dir, "delayed --older-than 2h --shop main", "GET /api/orders?format=json&older_than=2h0m0s&shop=main&state=waiting", 0, "", "no paid order waits that long"},
		{dir, "open --format csv", "GET /api/orders?format=json&older_than=0s&state=open", 0, "main,7,KNOWN,", "connection refused"},
		{dir, "open --format json", "GET /api/orders?format=json&older_than=0s&state=open", 0, `"number": "KNOWN"`, "connection refused"},
		{dir, "delayed --shop other", "GET /api/orders?format=json&older_than=30m0s&shop=other&state=waiting", 1, "", "there are: main"},
		{dir, "lookup KNOWN --amount 12.50 --shop main", `POST /api/orders/lookup {"shop":"main","number":"KNOWN","amount":"12.50"}`, 0, "state    delivered", ""},
		{dir, "lookup OTHER", `POST /api/orders/lookup {"number":"OTHER"}`, 0, "", "no order has this number"},
		{dir, "delayed --shop new", "GET /api/orders?format=json&older_than=30m0s&shop=new&state=waiting", 1, "", "knows nothing of new"},
		{stranger, "open", "GET /api/orders?format=json&older_than=0s&state=open", 1, "", "--data.dir"},
		{filepath.Join(dir, "nowhere"), "open", "", 1, "", "no shopwatch has run with --data.dir"},
	} {
		args := append([]string{"--data.dir=" + c.dir, "--private.listen-address=" + address, "orders"}, strings.Fields(c.verb)...)
		command := shopwatch(t, args...)
		var stdout, stderr bytes.Buffer
		command.Stdout, command.Stderr = &stdout, &stderr
		code := 0
		if failed, ok := errors.AsType[*exec.ExitError](command.Run()); ok {
			code = failed.ExitCode()
		}
		if code != c.code {
			t.Errorf("orders %s: exit code %d, want %d", c.verb, code, c.code)
		}
		for _, out := range []struct{ name, got, want string }{{"output", stdout.String(), c.stdout}, {"error", stderr.String(), c.stderr}} {
			if !strings.Contains(out.got, out.want) || out.want == "" && out.got != "" {
				t.Errorf("orders %s: standard %s is %q, want %q in it", c.verb, out.name, out.got, out.want)
			}
		}
		exporter.mu.Lock()
		asked := strings.Join(exporter.asked, "\n")
		exporter.asked = nil
		exporter.mu.Unlock()
		if asked != c.asked {
			t.Errorf("orders %s: asked %s\nwant %s", c.verb, asked, c.asked)
		}
	}
}
