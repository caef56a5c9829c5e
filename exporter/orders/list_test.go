package orders_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/orders"
)

// listed asks for a list as the operator.
func listed(t *testing.T, o http.Handler, query string) orders.List {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, orders.Path+"?"+query, nil)
	r.Header.Set("Authorization", "Bearer "+operatorToken)
	w := httptest.NewRecorder()
	o.ServeHTTP(w, r)
	var list orders.List
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", query, w.Code, w.Body)
	}
	return list
}

func numbers(list orders.List) string {
	var all []string
	for _, row := range list.Orders {
		all = append(all, row.Number)
	}
	return strings.Join(all, " ")
}

func TestAListHasTheOldestFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := made(t, nil, newBook(time.Now()).shop("main", true))
		for query, want := range map[string]string{
			"":                              "SHORTOFCARDS0003 STUCKMACHINE0001 WAITSFORPERSON02 FRESHLYPAID00007",
			"older_than=30m&format=json":    "SHORTOFCARDS0003 STUCKMACHINE0001",
			"older_than=2h&shop=main":       "SHORTOFCARDS0003",
			"older_than=48h":                "",
			"state=open&older_than=3m":      "SHORTOFCARDS0003 STUCKMACHINE0001 WAITSFORPERSON02 NOTYETPAID000004",
			"state=waiting&older_than=4m1s": "SHORTOFCARDS0003 STUCKMACHINE0001 WAITSFORPERSON02",
		} {
			if got := numbers(listed(t, o, query)); got != want {
				t.Errorf("%s\ngot  %s\nwant %s", query, got, want)
			}
		}
	})
}

func TestARowSaysWhatHandWorkNeeds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook(time.Now())
		list := listed(t, made(t, nil, b.shop("main", true)), "state=open")
		text, err := json.Marshal(list.Orders[2])
		if err != nil {
			t.Fatal(err)
		}
		// The bubble's clock begins at midnight UTC, 2000-01-01.
		want := `{"shop":"main","id":2,"number":"WAITSFORPERSON02","state":"manual_waiting","kind":"manual",` +
			`"products":[{"id":"7","quantity":2},{"id":"点卡","quantity":1}],"payment":"wxpay","amount":"100.00","currency":"CNY",` +
			`"created":"2000-01-01T07:53:00+08:00","since":"2000-01-01T07:54:00+08:00","waiting_seconds":360}`
		if string(text) != want {
			t.Errorf("got  %s\nwant %s", text, want)
		}
		if unpaid := list.Orders[3]; unpaid.Since != nil || unpaid.Waiting != nil || unpaid.Amount != "12.345678" || unpaid.Currency != "USDT" {
			t.Errorf("an order for which nobody waits is %+v", unpaid)
		}
		if source := list.Shops[0]; source.Note != "" || source.AsOf.Format(time.RFC3339) != "2000-01-01T07:59:53+08:00" {
			t.Errorf("the shop is %+v", source)
		}
	})
}

func TestWhatWasDeliveredOrDeletedMeanwhileIsNotDoneByHand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook(time.Now())
		delivered := b.orders[1]
		delivered.State = exporter.Delivered
		b.orders[1] = delivered
		delete(b.orders, 3)
		working := b.orders[2]
		working.State = exporter.ManualWorking
		b.orders[2] = working
		list := listed(t, made(t, nil, b.shop("main", true)), "")
		if got := numbers(list); got != "WAITSFORPERSON02 FRESHLYPAID00007" || list.Orders[0].State != exporter.ManualWorking {
			t.Errorf("got %+v", list.Orders)
		}
	})
}

func TestWhileTheDatabaseIsAwayAListIsWhatMemoryHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, well := newBook(time.Now()), newBook(time.Now())
		b.books.Up, b.books.Problem = false, "connection refused"
		list := listed(t, made(t, nil, b.shop("main", true), well.shop("other", true)), "older_than=30m")
		if len(b.batches) != 0 {
			t.Error("books that aren't read were asked")
		}
		if note := list.Shops[0].Note; !strings.Contains(note, "connection refused") || list.Shops[1].Note != "" {
			t.Errorf("got notes %+v", list.Shops)
		}
		if len(list.Orders) != 4 {
			t.Fatalf("got %+v", list.Orders)
		}
		row := list.Orders[2] // of the machine that is stuck
		if row.Shop != "main" || row.ID != 1 || row.Payment != "alipay" || *row.Waiting != 2519 || row.Number != "" || row.Amount != "" || row.Products != nil {
			t.Errorf("got %+v", row)
		}
		if list.Orders[3].Number != "STUCKMACHINE0001" {
			t.Errorf("the shop that is well has %+v", list.Orders[3])
		}
	})
}

func TestALongListIsReadInBatchesAndSaysHowMuchItLeavesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook(time.Now())
		b.open = nil
		for id := range int64(12_345) {
			at := time.Now().Add(-time.Duration(id+1) * time.Second)
			b.open = append(b.open, exporter.OpenOrder{ID: id + 1, State: exporter.PaidAutoWaiting, Automatic: true, Created: at, Since: at})
			b.orders[id+1] = exporter.Order{ID: id + 1, State: exporter.PaidAutoWaiting, Automatic: true}
			b.numbers[id+1] = fmt.Sprintf("ORDER%011d", id+1)
		}
		o := made(t, nil, b.shop("main", true))
		list := listed(t, o, "")
		if len(list.Orders) != 10_000 || list.More != 2345 || list.Orders[0].ID != 12_345 || list.Orders[9999].Number != "ORDER00000002346" {
			t.Errorf("got %d orders from %d on, and %d more", len(list.Orders), list.Orders[0].ID, list.More)
		}
		if len(b.batches) != 20 || slices.Max(b.batches) > 500 {
			t.Errorf("the database was asked for %v keys", b.batches)
		}

		reads := 0
		b.before = func(context.Context) error {
			if reads++; reads > 3 {
				return errors.New("connection lost")
			}
			return nil
		}
		list = listed(t, o, "older_than=10346s") // the oldest 2,000
		if want := "500 of 2000 orders are shown as they were last known: connection lost"; list.Shops[0].Note != want || reads != 4 {
			t.Errorf("after %d reads the note is %q, want %q", reads, list.Shops[0].Note, want)
		}
		if list.Orders[1499].Number == "" || list.Orders[1500].Number != "" || len(list.Orders) != 2000 {
			t.Error("what was read before the connection was lost is not in the list, or too much is")
		}
	})
}

func TestAListKnowsNothingOfBooksThatWereNeverRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook(time.Now())
		b.books = exporter.Books{Unread: true, LastSuccess: time.Now(), Problem: "access denied for reader"}
		list := listed(t, made(t, nil, b.shop("main", true)), "")
		source := list.Shops[0]
		if !source.Unread || source.AsOf != nil || !strings.Contains(source.Note, "access denied") || !slices.Equal(list.Unread(), []string{"main"}) {
			t.Errorf("got %+v", source)
		}
	})
}

func TestAListSaysWhichOrdersItCanNotHave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBook(time.Now())
		b.books.Unswept, b.books.Dropped = 900, 70
		note := listed(t, made(t, nil, b.shop("main", true)), "").Shops[0].Note
		if !strings.Contains(note, "ledger.sweep") || !strings.Contains(note, "; 70 open orders") {
			t.Errorf("got %q", note)
		}
	})
}

func TestAListThatMakesNoSenseIsRefusedWithWhatWouldMakeSense(t *testing.T) {
	t.Parallel()
	b := newBook(time.Now())
	o := made(t, nil, b.shop("main", true))
	for query, want := range map[string]string{
		"state=late":      `want waiting or open`,
		"older_than=30":   `want a duration such as 30m`,
		"older_than=-30m": `want a duration such as 30m`,
		"format=csv":      `want json`,
		"shop=other":      `there are: main`,
	} {
		r := httptest.NewRequest(http.MethodGet, orders.Path+"?"+query, nil)
		r.Header.Set("Authorization", "Bearer "+operatorToken)
		w := httptest.NewRecorder()
		if o.ServeHTTP(w, r); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: got %d %s, want 400 and %q", query, w.Code, w.Body, want)
		}
	}
}
