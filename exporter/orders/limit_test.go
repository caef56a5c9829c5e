package orders_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shopwatch/exporter/orders"
)

// asking is a caller's look-up.
func asking(caller string) string {
	return fmt.Sprintf(`{"number":"STUCKMACHINE0001","caller":%q}`, caller)
}

func TestEachCallerMayLookUpSoOftenAndIsToldWhenToTryAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := made(t, func(c *orders.Config) { c.PerCaller = 4 }, newBook(time.Now()).shop("main", false))
		for i, want := range []int{200, 200, 429} {
			w, took := ask(o, asking("a"))
			if w.Code != want || took != moment {
				t.Errorf("look-up %d was answered %d after %s, want %d", i, w.Code, took, want)
			}
			if want == 429 && (w.Header().Get("Retry-After") != "15" || strings.Contains(w.Body.String(), "found")) {
				t.Errorf("Retry-After is %q: %s", w.Header().Get("Retry-After"), w.Body)
			}
		}
		if w, _ := ask(o, asking("b")); w.Code != 200 {
			t.Errorf("another caller was answered %d", w.Code)
		}
		time.Sleep(15 * time.Second)
		if w, _ := ask(o, asking("a")); w.Code != 200 {
			t.Errorf("after the time that was told: %d", w.Code)
		}
	})
}

func TestCallersWithoutANameAreKnownByTheirAddressWithoutPort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := made(t, func(c *orders.Config) { c.PerCaller = 1 }, newBook(time.Now()).shop("main", false))
		for _, c := range []struct {
			address string
			want    int
		}{{"198.51.100.1:1000", 200}, {"198.51.100.1:2000", 429}, {"[2001:db8::1]:1000", 200}, {"[2001:db8::1]:2000", 429}, {"pipe", 200}, {"pipe", 429}} {
			r := httptest.NewRequest(http.MethodPost, orders.LookupPath, strings.NewReader(asking("")))
			r.RemoteAddr = c.address
			r.Header.Set("Authorization", "Bearer "+pageToken)
			w := httptest.NewRecorder()
			if o.ServeHTTP(w, r); w.Code != c.want {
				t.Errorf("%s was answered %d, want %d", c.address, w.Code, c.want)
			}
		}
		if w, _ := ask(o, asking("198.51.100.1")); w.Code != 200 {
			t.Errorf("a caller named like an address counts as that address: %d", w.Code)
		}
	})
}

func TestAllCallersTogetherMayLookUpSoOften(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := made(t, func(c *orders.Config) { c.Total = 6 }, newBook(time.Now()).shop("main", false))
		answered := map[int]int{}
		for i := range 10 {
			w, _ := ask(o, asking(fmt.Sprint(i)))
			answered[w.Code]++
		}
		if answered[200] != 3 || answered[429] != 7 {
			t.Errorf("got %v, want 3 found and 7 refused", answered)
		}
	})
}

func TestCallersBeyondCountAreForgottenAndWhoAskedLastIsKept(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	limits := orders.NewLimits(1, 1<<30)
	limits.Take("persistent", now)
	for i := range 3 * orders.MaxCallers {
		limits.Take(fmt.Sprint(i), now)
		if i%1000 == 0 && limits.Take("persistent", now) == 0 {
			t.Fatalf("after %d others, a caller over the limit may look up again", i)
		}
	}
	if n := limits.Callers(); n != orders.MaxCallers {
		t.Errorf("%d callers are remembered, want %d", n, orders.MaxCallers)
	}
}
