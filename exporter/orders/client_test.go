package orders_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter/orders"
)

// served is a client of a server.
func served(t *testing.T, handler http.Handler, token string) orders.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return orders.Client{URL: server.URL, Token: token, HTTP: server.Client()}
}

func TestAClientIsToldWhatTheExporterKnows(t *testing.T) {
	t.Parallel()
	b := newBook(time.Now())
	client := served(t, made(t, nil, b.shop("main", true), newBook(time.Now()).shop("other", true)), operatorToken)
	list, err := client.List(t.Context(), orders.Selection{Shop: "main", State: orders.StateWaiting, OlderThan: 30 * time.Minute})
	if err != nil || numbers(list) != "SHORTOFCARDS0003 STUCKMACHINE0001" {
		t.Errorf("got %+v, %v", list, err)
	}
	p, err := client.Lookup(t.Context(), orders.Question{Shop: "main", Number: "STUCKMACHINE0001", Amount: "12.50"})
	if err != nil || p.ID != 1 || *p.WaitingMinutes != 41 {
		t.Errorf("got %+v, %v", p, err)
	}
	if p, err := client.Lookup(t.Context(), orders.Question{Shop: "main", Number: "NOSUCHORDER00000"}); err != nil || p.Found {
		t.Errorf("an order that isn't there is %+v, %v", p, err)
	}
}

func TestTroubleIsASentenceThatSaysWhatToDo(t *testing.T) {
	t.Parallel()
	b, away := newBook(time.Now()), newBook(time.Now())
	away.books.Up, away.books.Open, away.books.Problem = false, 9, "connection refused"
	away.books.LastSuccess = time.Date(2026, 11, 22, 12, 3, 4, 0, time.UTC)
	answers := func(status int, body string, header ...string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			w.Write([]byte(body))
		})
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	good := made(t, nil, b.shop("main", true))
	for _, c := range []struct {
		name   string
		client orders.Client
		shop   string
		want   []string
	}{
		{"nobody there", orders.Client{URL: gone.URL, HTTP: gone.Client()}, "", []string{"no exporter answers at " + gone.URL, "--private.listen-address"}},
		{"wrong token", served(t, good, "wrong"), "", []string{"--data.dir"}},
		{"a login", served(t, answers(401, "Unauthorized", "WWW-Authenticate", "Basic"), operatorToken), "", []string{"--web.config.file"}},
		{"the notifier", served(t, http.NotFoundHandler(), operatorToken), "", []string{"knows no orders", "--private.listen-address"}},
		{"another program", served(t, answers(200, "<html>"), operatorToken), "", []string{"something else than orders"}},
		{"a host that is not known", served(t, answers(421, "add it with --private.host\n"), operatorToken), "", []string{"421", "--private.host"}},
		{"no such shop", served(t, good, operatorToken), "other", []string{"there are: main"}},
		{"the database is away", served(t, made(t, nil, away.shop("main", true)), operatorToken), "",
			[]string{"connection refused", "at 2026-11-22 20:03:04 9 orders waited"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := c.client.Lookup(t.Context(), orders.Question{Shop: c.shop, Number: "STUCKMACHINE0001", Amount: "12.50"})
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
			if err != nil && strings.Contains(err.Error(), orders.LookupPath) {
				t.Errorf("the error shows where inside the program it comes from: %v", err)
			}
			if err != nil && (strings.Contains(err.Error(), "STUCK") || strings.Contains(err.Error(), "12.5")) {
				t.Errorf("the error repeats the question: %v", err)
			}
		})
	}
}
