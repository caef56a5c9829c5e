package orders_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/orders"
	"shopwatch/rules"
)

const moment = 300 * time.Millisecond

func TestABuyerIsToldStateAgeKindAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, number, amount, want string }{
		{"waits for the machine", "STUCKMACHINE0001", "12.50",
			`{"found":true,"state":"paid_auto_waiting","kind":"automatic","waiting_minutes":41,"age":"gt30m","typical":{"p50_seconds":3,"p90_seconds":9}}`},
		{"waits for a person, behind others", "WAITSFORPERSON02", "",
			`{"found":true,"state":"manual_waiting","kind":"manual","waiting_minutes":6,"age":"5to30m","ahead":3}`},
		{"ran short of cards", "SHORTOFCARDS0003", "0.3",
			`{"found":true,"state":"failed_short_of_stock","kind":"automatic","waiting_minutes":1560,"age":"gt30m","typical":{"p50_seconds":3,"p90_seconds":9}}`},
		{"hasn't been paid, so nobody waits", "NOTYETPAID000004", "",
			`{"found":true,"state":"unpaid","kind":"automatic","typical":{"p50_seconds":3,"p90_seconds":9}}`},
		{"was paid less than a minute ago", "FRESHLYPAID00007", "",
			`{"found":true,"state":"paid_auto_waiting","kind":"automatic","waiting_minutes":0,"age":"lt5m","typical":{"p50_seconds":3,"p90_seconds":9}}`},
		{"was delivered by hand", "DELIVEREDBYHAND8", "5", `{"found":true,"state":"delivered","kind":"manual"}`},
		{"was typed with spaces and full-width letters", "\u200b ＮＯＴＹＥＴＰＡＩＤ０００００４ ", "",
			`{"found":true,"state":"unpaid","kind":"automatic","typical":{"p50_seconds":3,"p90_seconds":9}}`},
		{"was removed", "REMOVED000000006", "", `{"found":false}`},
		{"is another's", "STUCKMACHINE0001", "12.51", `{"found":false}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, _ := ask(made(t, nil, newBook(time.Now()).shop("main", false)), question(c.number, c.amount))
				if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusOK || got != c.want {
					t.Errorf("got %d %s\nwant 200 %s", w.Code, got, c.want)
				}
				if w.Header().Get("Cache-Control") != "no-store" {
					t.Error("an answer about an order may be stored on its way")
				}
			})
		})
	}
}

func TestWithoutRecentDeliveriesNoTypicalTimeIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook(time.Now())
		b.books.Typical = exporter.Typical{}
		if w, _ := ask(made(t, nil, b.shop("main", false)), question("STUCKMACHINE0001", "")); strings.Contains(w.Body.String(), "typical") {
			t.Errorf("got %s", w.Body)
		}
	})
}

func TestClocksThatDisagreeGiveNoNegativeWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook(time.Now())
		b.since[1] = time.Now().Add(3 * time.Minute)
		if w, _ := ask(made(t, nil, b.shop("main", false)), question("STUCKMACHINE0001", "")); !strings.Contains(w.Body.String(), `"waiting_minutes":0,"age":"lt5m"`) {
			t.Errorf("got %s", w.Body)
		}
	})
}

func TestAGuessableNumberAloneFindsNothingAndAsksNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook(time.Now())
		o := made(t, nil, b.shop("main", true))
		for _, amount := range []string{"", "  ", "twelve"} {
			if w, _ := ask(o, question("STUCKMACHINE0001", amount)); strings.TrimSpace(w.Body.String()) != `{"found":false}` {
				t.Errorf("amount %q was answered %s", amount, w.Body)
			}
		}
		if b.asked != 0 {
			t.Errorf("the database was asked %d times", b.asked)
		}
		if w, _ := ask(o, question("STUCKMACHINE0001", "12.5")); !strings.Contains(w.Body.String(), `"found":true`) {
			t.Errorf("number and amount were answered %s", w.Body)
		}
	})
}

func TestAnAmountIsTakenAsPeopleTypeIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		paid  float64
		typed string
		found bool
	}{
		{12.5, "12.50", true}, {12.5, "12.5", true}, {12.5, "¥12.50", true}, {12.5, "￥１２．５０", true}, {12.5, " 12。5 元", true},
		{12.5, "12,50", true}, {12.5, "12.5000000000", true}, {12.5, "0012.5", true}, {12.5, "CNY 12.50", true}, {12.5, "12 . 50", true},
		{12, "12", true}, {12, "12.", true}, {0.5, ".5", true}, {0, "0", true}, {1234.5, "1,234.50", true}, {1234, "1，234", true}, {1234567.89, "1,234,567.89", true},
		{dime + 2*dime, "0.3", true}, {dime + 2*dime, "0.30000000", true}, {19.99, "19.99", true}, {1.005, "1.005", true}, {4.35 * 100, "435", true}, {90000000.01, "90000000.01", true},
		{12.345678, "12.345678", true}, {12.345678, "12.35", true}, {12.345678, "12.3457", true}, {0.00000001, "0.00000001", true},
		{12.5, "12", false}, {12.5, "12.51", false}, {12.5, "12.500001", false}, {12.345678, "12.3", false}, {12.345678, "12.34", false},
		{12.5, "-12.50", false}, {12.5, "+12.50", false}, {12.5, "1.25e1", false}, {12.5, "12.5.0", false}, {12.5, "0x0C.8", false}, {12.5, "12.50 或 13", false},
		{12.5, "125", false}, {12.5, "¥", false}, {12.5, ".", false}, {12.5, ",", false}, {12.5, "12.123456789", false}, {12.5, "99999999999", false},
		{12.5, strings.Repeat("9", 400), false}, {-12.5, "12.5", false}, {math.NaN(), "0", false}, {math.Inf(1), "0", false}, {1e300, "0", false}, {184467440737.09551616, "0", false},
	} {
		t.Run(c.typed, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBook(time.Now())
				o := b.orders[1]
				o.Amount = c.paid
				b.orders[1] = o
				w, _ := ask(made(t, nil, b.shop("main", true)), question("STUCKMACHINE0001", c.typed))
				if got := strings.Contains(w.Body.String(), `"found":true`); w.Code != http.StatusOK || got != c.found {
					t.Errorf("%v was paid, %q typed: got %d %s", c.paid, c.typed, w.Code, w.Body)
				}
			})
		})
	}
}

func TestEveryAnswerLeavesAtTheSameMoment(t *testing.T) {
	t.Parallel()
	slow := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	deaf := func(context.Context) error { time.Sleep(time.Minute); return nil }
	after := func(d time.Duration) func(context.Context) error {
		return func(context.Context) error { time.Sleep(d); return nil }
	}
	for _, c := range []struct {
		name, body string
		before     func(context.Context) error
		down       bool
		want       int
	}{
		{"found at once", question("STUCKMACHINE0001", "12.5"), nil, false, 200},
		{"found by a busy database", question("STUCKMACHINE0001", "12.5"), after(240 * time.Millisecond), false, 200},
		{"not found at once", question("NOSUCHORDER00000", "12.5"), nil, false, 200},
		{"not found by a busy database", question("NOSUCHORDER00000", "12.5"), after(240 * time.Millisecond), false, 200},
		{"no number at all", `{}`, nil, false, 200},
		{"no JSON", `{"number":`, nil, false, 400},
		{"numbers that are no text", `{"number":12}`, nil, false, 400},
		{"a long question", `{"number":"` + strings.Repeat("x", 5000) + `"}`, nil, false, 400},
		{"a long caller", `{"caller":"` + strings.Repeat("x", 65) + `"}`, nil, false, 400},
		{"no such shop", `{"shop":"other"}`, nil, false, 400},
		{"a database that is too slow", question("STUCKMACHINE0001", "12.5"), slow, false, 503},
		{"a database that can't be called off", question("STUCKMACHINE0001", "12.5"), deaf, false, 503},
		{"a database that fails", question("STUCKMACHINE0001", "12.5"), func(context.Context) error { return errors.New("gone") }, false, 503},
		{"books that aren't read", question("STUCKMACHINE0001", "12.5"), nil, true, 503},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBook(time.Now())
				b.before, b.books.Up = c.before, !c.down
				w, took := ask(made(t, nil, b.shop("main", true)), c.body)
				time.Sleep(time.Hour) // until every query has ended
				if w.Code != c.want || took != moment {
					t.Errorf("got %d after %s, want %d after %s: %s", w.Code, took, c.want, moment, w.Body)
				}
			})
		})
	}
}

func TestASlowQueryIsCalledOffBeforeTheAnswerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook(time.Now())
		start := time.Now()
		called := make(chan time.Duration, 1)
		b.before = func(ctx context.Context) error {
			<-ctx.Done()
			called <- time.Since(start)
			return ctx.Err()
		}
		ask(made(t, nil, b.shop("main", true)), question("STUCKMACHINE0001", "12.5"))
		if after := <-called; after >= moment {
			t.Errorf("the query was called off after %s", after)
		}
	})
}

func TestWhileTheDatabaseIsAwayTheLastKnownIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook(time.Now())
		b.books.Up, b.books.Problem = false, "connection refused by db.internal"
		b.books.Open, b.books.LastSuccess = 9, time.Date(2026, 11, 22, 12, 3, 4, 5, time.UTC)
		o := made(t, nil, b.shop("main", false))
		w, _ := ask(o, question("STUCKMACHINE0001", ""))
		if want := `{"available":false,"as_of":"2026-11-22T20:03:04+08:00","waiting":9}`; strings.TrimSpace(w.Body.String()) != want || w.Code != 503 {
			t.Errorf("got %d %s, want 503 %s", w.Code, w.Body, want)
		}
		if b.asked != 0 {
			t.Error("books that aren't read were asked")
		}
		if w, _ := askAs(o, operatorToken, question("STUCKMACHINE0001", "")); !strings.Contains(w.Body.String(), "db.internal") {
			t.Errorf("the operator wasn't told why: %s", w.Body)
		}
		// The moment of a first try that failed is no moment at which orders waited.
		b.books.Unread = true
		if w, _ := ask(o, question("STUCKMACHINE0001", "")); strings.TrimSpace(w.Body.String()) != `{"available":false}` {
			t.Errorf("books that were never read were answered %s", w.Body)
		}
	})
}

func TestFewAskADatabaseAtOnceAndOneShopDoesNotHoldUpAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hung, well := newBook(time.Now()), newBook(time.Now())
		hung.before = func(context.Context) error { time.Sleep(time.Hour); return nil }
		o := made(t, func(c *orders.Config) { c.Concurrency = 3 }, hung.shop("a", false), well.shop("b", false))
		for range 10 {
			go ask(o, `{"shop":"a","number":"STUCKMACHINE0001"}`)
		}
		synctest.Wait()
		if hung.asked != 3 {
			t.Errorf("the database was asked %d times at once, want 3", hung.asked)
		}
		time.Sleep(time.Minute)
		if w, took := ask(o, `{"shop":"a","number":"STUCKMACHINE0001"}`); w.Code != 503 || took != moment || hung.asked != 3 {
			t.Errorf("a database that hangs was asked %d times, or answered %d after %s", hung.asked, w.Code, took)
		}
		if w, _ := ask(o, `{"shop":"b","number":"STUCKMACHINE0001"}`); w.Code != 200 {
			t.Errorf("the other shop was answered %d", w.Code)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		hung.before = nil
		if w, _ := ask(o, `{"shop":"a","number":"STUCKMACHINE0001"}`); w.Code != 200 {
			t.Errorf("after the queries ended: %d", w.Code)
		}
	})
}

func TestACrowdThatComesAtOnceIsAnsweredOneAfterTheOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook(time.Now())
		b.before = func(context.Context) error { time.Sleep(10 * time.Millisecond); return nil }
		o := made(t, func(c *orders.Config) { c.Concurrency = 2 }, b.shop("main", false))
		codes := make(chan int)
		for range 40 {
			go func() {
				w, _ := ask(o, question("STUCKMACHINE0001", ""))
				codes <- w.Code
			}()
		}
		for range 40 {
			if code := <-codes; code != 200 {
				t.Errorf("one of the crowd was answered %d", code)
			}
		}
	})
}

func TestWhoLeavesEndsTheQueryAndTellsTheLogNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook(time.Now())
		logger, log := recorded()
		o := made(t, func(c *orders.Config) { c.Logger = logger }, b.shop("main", false))
		b.before = func(context.Context) error { return errors.New("gone") }
		ask(o, question("STUCKMACHINE0001", ""))
		log.Reset()
		ended := false
		b.before = func(ctx context.Context) error { <-ctx.Done(); ended = true; return ctx.Err() }
		ctx, leave := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer leave()
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, orders.LookupPath, strings.NewReader(question("STUCKMACHINE0001", "")))
		r.Header.Set("Authorization", "Bearer "+pageToken)
		w := httptest.NewRecorder()
		o.ServeHTTP(w, r)
		synctest.Wait()
		if !ended || w.Body.Len() != 0 || log.Len() != 0 {
			t.Errorf("query ended: %v; answer %q; log %q", ended, w.Body, log)
		}
	})
}

func TestTheLogHearsOnceThatLookUpsFailAndNeverANumber(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook(time.Now())
		logger, log := recorded()
		o := made(t, func(c *orders.Config) { c.Logger = logger }, b.shop("main", false))
		b.before = func(context.Context) error {
			return fmt.Errorf("near 'SELECT id FROM orders WHERE order_sn = \"STUCKMACHINE0001\"': denied")
		}
		for range 3 {
			w, _ := ask(o, `{"number":"STUCKMACHINE0001","amount":"12.5000","caller":"203.0.113.77"}`)
			if strings.Contains(w.Body.String(), "STUCK") || strings.Contains(w.Body.String(), "denied") {
				t.Errorf("the answer repeats the error: %s", w.Body)
			}
		}
		b.before = nil
		ask(o, question("STUCKMACHINE0001", ""))
		ask(o, question("STUCKMACHINE0001", ""))
		text := log.String()
		if strings.Count(text, "denied") != 1 || strings.Count(text, "again") != 1 {
			t.Errorf("want one line that look-ups fail and one that they work again:\n%s", text)
		}
		for _, secret := range []string{"STUCKMACHINE0001", "12.5", "203.0.113.77", "192.0.2.1"} {
			if strings.Contains(text, secret) {
				t.Errorf("the log holds %q:\n%s", secret, text)
			}
		}
	})
}

func TestTheDoorsOpenToTheirTokensAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook(time.Now())
		shop := b.shop("main", true)
		open := made(t, nil, shop)
		closed := made(t, func(c *orders.Config) { c.Token = "" }, shop)
		for _, c := range []struct {
			name                string
			door                http.Handler
			method, path, token string
			want                int
		}{
			{"the page looks up", open, "POST", orders.LookupPath, pageToken, 200},
			{"a stranger looks up", open, "POST", orders.LookupPath, "guess", 401},
			{"nobody in particular looks up", open, "POST", orders.LookupPath, "", 401},
			{"no token is configured", closed, "POST", orders.LookupPath, pageToken, 404},
			{"no token is configured, and an empty one given", closed, "POST", orders.LookupPath, "", 404},
			{"the operator looks up though no token is configured", closed, "POST", orders.LookupPath, operatorToken, 200},
			{"the operator lists", open, "GET", orders.Path, operatorToken, 200},
			{"the page lists", open, "GET", orders.Path, pageToken, 401},
			{"a stranger lists", open, "GET", orders.Path, "", 401},
			{"a number in a URL", open, "GET", orders.LookupPath, pageToken, 405},
		} {
			r := httptest.NewRequest(c.method, c.path, strings.NewReader(question("STUCKMACHINE0001", "12.5")))
			r.Header.Set("Authorization", "Bearer "+c.token)
			w := httptest.NewRecorder()
			c.door.ServeHTTP(w, r)
			if w.Code != c.want {
				t.Errorf("%s: got %d, want %d: %s", c.name, w.Code, c.want, w.Body)
			}
			if w.Code != 200 && strings.Contains(w.Body.String(), "STUCK") {
				t.Errorf("%s: the answer tells of an order", c.name)
			}
			if w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s: the answer may be stored on its way", c.name)
			}
		}
		r := httptest.NewRequest("POST", orders.LookupPath, strings.NewReader("{}"))
		r.SetBasicAuth("login", "of the private address")
		r.Header.Set("X-Shopwatch-Token", pageToken)
		w := httptest.NewRecorder()
		if open.ServeHTTP(w, r); w.Code != 200 {
			t.Errorf("the token beside a login was answered %d", w.Code)
		}
	})
}

func TestTheOperatorIsToldAtOnceWithTheKeyAndNeedsNoAmount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook(time.Now())
		b.before = func(context.Context) error { time.Sleep(2 * time.Second); return nil }
		o := made(t, func(c *orders.Config) { c.PerCaller, c.Total = 1, 1 }, b.shop("main", true))
		for range 3 {
			w, took := askAs(o, operatorToken, question("WAITSFORPERSON02", ""))
			var p orders.Progress
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.ID != 2 || p.State != exporter.ManualWaiting || p.Kind != rules.Manual || took != 2*time.Second {
				t.Errorf("got %d %s after %s", w.Code, w.Body, took)
			}
		}
		if w, _ := askAs(o, operatorToken, question("WAITSFORPERSON02", "99")); strings.TrimSpace(w.Body.String()) != `{"found":false}` {
			t.Errorf("a wrong amount was answered %s", w.Body)
		}
	})
}

func TestWithSeveralShopsTheShopMustBeNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook(time.Now())
		o := made(t, nil, b.shop("a", false), b.shop("b", false))
		if w, _ := ask(o, question("STUCKMACHINE0001", "")); w.Code != 400 || !strings.Contains(w.Body.String(), "a, b") {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
		if w, _ := ask(made(t, nil), question("STUCKMACHINE0001", "")); w.Code != 400 || !strings.Contains(w.Body.String(), "exporter.shops") {
			t.Errorf("without any: got %d %s", w.Code, w.Body)
		}
	})
}
