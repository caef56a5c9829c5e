package orders_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"shopwatch/exporter/orders"
)

// exchange sends a look-up over a connection, as it stands on the wire, and gives
// every byte that came back and how long the first took.
func exchange(t *testing.T, o http.Handler, body string) (answer string, took time.Duration) {
	near, far := net.Pipe()
	server := &http.Server{Handler: o}
	go server.Serve(&one{conn: far, closed: make(chan struct{})})
	defer server.Close()
	defer near.Close()
	go fmt.Fprintf(near, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
		orders.LookupPath, pageToken, len(body), body)
	start := time.Now()
	first := make([]byte, 1)
	if _, err := io.ReadFull(near, first); err != nil {
		t.Fatal(err)
	}
	took = time.Since(start)
	rest, err := io.ReadAll(near)
	if err != nil {
		t.Fatal(err)
	}
	return string(first) + string(rest), took
}

// one is a listener to which one connection comes.
type one struct {
	conn   net.Conn
	closed chan struct{}
}

func (l *one) Accept() (net.Conn, error) {
	if conn := l.conn; conn != nil {
		l.conn = nil
		return conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}
func (l *one) Close() error   { close(l.closed); return nil }
func (l *one) Addr() net.Addr { return &net.TCPAddr{} }

// nothing draws a question that finds nothing, of every class.
func nothing(t *rapid.T) orders.Question {
	real := rapid.SampledFrom([]string{"STUCKMACHINE0001", "WAITSFORPERSON02", "SHORTOFCARDS0003", "NOTYETPAID000004", "DELIVERED0000005"})
	q := orders.Question{Amount: rapid.SampledFrom([]string{"12.5", "8", "100", "5"}).Draw(t, "amount"), Caller: rapid.StringN(-1, -1, 64).Draw(t, "caller")}
	switch rapid.SampledFrom([]string{"unknown", "malformed", "wrong amount", "no amount", "strange amount", "removed", "empty"}).Draw(t, "class") {
	case "unknown":
		q.Number = rapid.StringMatching(`X[A-Z0-9]{15}`).Draw(t, "number")
	case "malformed":
		q.Number = "~" + rapid.StringN(-1, -1, 200).Draw(t, "number")
	case "wrong amount":
		q.Number, q.Amount = real.Draw(t, "number"), rapid.StringMatching(`[2-7]{3,8}\.[0-9]{0,8}`).Draw(t, "amount")
	case "no amount":
		q.Number, q.Amount = real.Draw(t, "number"), ""
	case "strange amount":
		q.Number, q.Amount = real.Draw(t, "number"), "-"+rapid.StringN(-1, -1, 100).Draw(t, "amount")
	case "removed":
		q.Number, q.Amount = "REMOVED000000006", "12.5"
	case "empty":
	}
	return q
}

func TestWhatFindsNothingIsAnsweredByTheSameBytesAtTheSameMoment(t *testing.T) {
	t.Parallel()
	// Each exchange has a bubble of its own, so that all begin at one moment and
	// bear one date.
	send := func(body string, database time.Duration) (answer string, took time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			b := newBook(time.Now())
			b.before = func(context.Context) error { time.Sleep(database); return nil }
			answer, took = exchange(t, made(t, nil, b.shop("main", true)), body)
		})
		return answer, took
	}
	want, _ := send(question("NOSUCHORDER00000", "1"), 0)
	if !strings.HasSuffix(want, "\r\n\r\n{\"found\":false}\n") {
		t.Fatalf("an unknown order is answered\n%s", want)
	}
	if found, took := send(question("STUCKMACHINE0001", "12.5"), 0); took != moment || !strings.Contains(found, `"found":true`) {
		t.Fatalf("an order that is there is answered after %s\n%s", took, found)
	}
	rapid.Check(t, func(r *rapid.T) {
		q := nothing(r)
		body, err := json.Marshal(q)
		if err != nil || len(body) > 1024 {
			r.Skip("no question")
		}
		database := time.Duration(rapid.IntRange(0, 249).Draw(r, "ms")) * time.Millisecond
		if got, took := send(string(body), database); got != want || took != moment {
			r.Errorf("%s\nwas answered after %s\n%s\nwant after %s\n%s", body, took, got, moment, want)
		}
	})
}

func FuzzQuestion(f *testing.F) {
	for _, seed := range []string{
		question("STUCKMACHINE0001", "¥１２。５"), `{}`, `null`, `[]`, `{"number":1}`, `{"number":"a","number":"b","more":[{}]}`,
		"{\"caller\":\"\\ud800\"}", strings.Repeat("[", 1024), `{"number":"` + strings.Repeat("a", 1024) + `"}`, "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		q, err := orders.ReadQuestion(body)
		if err != nil {
			if len(body) > 16 && strings.Contains(err.Error(), string(body)) {
				t.Errorf("the error repeats the question: %v", err)
			}
			return
		}
		if len(body) > 1024 || !json.Valid(body) || len(q.Caller) > 64 {
			t.Errorf("%q was taken for a question", body)
		}
		again, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := orders.ReadQuestion(again); len(again) <= 1024 && (err != nil || second != q) {
			t.Errorf("%+v, written and read again, is %+v (%v)", q, second, err)
		}
		if units, decimals, ok := orders.ReadSum(q.Amount); ok && (units < 0 || decimals < 2 || decimals > 8) {
			t.Errorf("amount %q is %d units with %d decimals", q.Amount, units, decimals)
		}
	})
}
