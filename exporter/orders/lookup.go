package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"shopwatch/exporter"
)

const (
	// answerAfter is when every answer to a buyer leaves, after the question came;
	// longer than the database is given, so that nothing is ever late.
	answerAfter = 300 * time.Millisecond
	askWithin   = 250 * time.Millisecond
	// ownerWithin is what the owner's own look-ups give the database.
	ownerWithin = 5 * time.Second

	maxQuestion = 1 << 10 // bytes
	maxCaller   = 64      // bytes
)

// Question is what a look-up asks.
type Question struct {
	Shop   string `json:"shop,omitempty"`   // may be left out where there is one
	Number string `json:"number"`           // as the buyer typed it
	Amount string `json:"amount,omitempty"` // paid, as the buyer typed it
	// Caller is an opaque word of the page for whoever asks it, at most 64 bytes;
	// without one, all who come from the page's address are one.
	Caller string `json:"caller,omitempty"`
}

// lookup answers POST /api/orders/lookup: to the page for a buyer, and to the owner.
func (o *Orders) lookup(w http.ResponseWriter, r *http.Request) {
	owner := o.Operator(r)
	switch {
	case owner:
	case o.Token == "":
		http.Error(w, "buyers can't look up orders here: exporter.orders.lookup_token has no value", http.StatusNotFound)
		return
	case !bears(r, o.Token):
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "send the token for look-ups as a bearer token", http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxQuestion+1))
	if err != nil {
		return // nobody is there to be told
	}
	if owner {
		o.tellOwner(r.Context(), body).write(w)
		return
	}
	leave := o.After(answerAfter)
	reply := o.tellBuyer(r, body)
	select {
	case <-leave:
		reply.write(w)
	case <-r.Context().Done():
	}
}

// readQuestion reads the body of a look-up. Its error never repeats any of it.
func readQuestion(body []byte) (q Question, err error) {
	if len(body) > maxQuestion {
		return Question{}, fmt.Errorf("the question is longer than %d bytes", maxQuestion)
	}
	if json.Unmarshal(body, &q) != nil {
		return Question{}, errors.New(`want JSON: {"shop":"…","number":"…","amount":"…","caller":"…"}, all of them text`)
	}
	if len(q.Caller) > maxCaller {
		return Question{}, fmt.Errorf("caller is longer than %d bytes", maxCaller)
	}
	q.Number, q.Amount = plain(q.Number), plain(q.Amount)
	return q, nil
}

// tellOwner answers the owner's look-up at once.
func (o *Orders) tellOwner(ctx context.Context, body []byte) answer {
	q, err := readQuestion(body)
	if err != nil {
		return answer{status: http.StatusBadRequest, body: trouble{err.Error()}}
	}
	return o.tell(ctx, q, true)
}

// tellBuyer answers a buyer's look-up, as often as a buyer may ask.
func (o *Orders) tellBuyer(r *http.Request, body []byte) answer {
	q, err := readQuestion(body)
	if err != nil {
		return answer{status: http.StatusBadRequest, body: trouble{err.Error()}}
	}
	name := "caller " + q.Caller
	if q.Caller == "" {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			host = r.RemoteAddr
		}
		name = "address " + host
	}
	if wait := o.limits.take(name, o.Now()); wait > 0 {
		return answer{status: http.StatusTooManyRequests, retry: wait, body: trouble{"too many look-ups; try again later"}}
	}
	return o.tell(r.Context(), q, false)
}

// tell answers a question that may be asked.
func (o *Orders) tell(ctx context.Context, q Question, owner bool) answer {
	shop, err := o.shop(q.Shop)
	if err != nil {
		return answer{status: http.StatusBadRequest, body: trouble{err.Error()}}
	}
	books := shop.Follower.Books()
	if !books.Up { // books that don't fit would be read wrongly, not only slowly
		return shop.away(books, owner)
	}
	var paid sum
	named := q.Amount != ""
	if named {
		var ok bool
		if paid, ok = readSum(q.Amount); !ok {
			return none
		}
	}
	if q.Number == "" || shop.Guessable && !named && !owner {
		return none
	}
	within := askWithin
	if owner {
		within = ownerWithin
	}
	found, err := o.find(ctx, shop, q.Number, within)
	if err != nil {
		return shop.away(books, owner)
	}
	if found.Order.State == "" || found.Order.State == exporter.Removed || named && !paid.is(found.Order.Amount) {
		return none
	}
	progress := shop.progress(found, books.Typical, o.Now())
	if owner {
		progress.ID = found.Order.ID
	}
	return answer{status: http.StatusOK, body: progress}
}

var errSlow = errors.New("the database takes too long")

// find asks the shop's database, and gives up in time also where the database
// doesn't: then the look-up keeps its place until it ends.
func (o *Orders) find(ctx context.Context, shop Shop, number string, within time.Duration) (exporter.Found, error) {
	type result struct {
		found exporter.Found
		err   error
	}
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result, 1)
	places, late := o.placesOf(shop.ID), o.After(within)
	select {
	case places <- struct{}{}:
		go func() {
			found, err := shop.Follower.Find(asking, number)
			<-places
			results <- result{found, err}
		}()
	case <-late:
		return exporter.Found{}, errSlow // which those who have the places tell the log
	case <-ctx.Done():
		return exporter.Found{}, ctx.Err()
	}
	var got result
	select {
	case got = <-results:
	case <-late:
		got.err = errSlow
	case <-ctx.Done():
	}
	if ctx.Err() != nil { // whoever asked has left: that says nothing about the books
		return exporter.Found{}, ctx.Err()
	}
	o.heed(shop.ID, number, got.err)
	return got.found, got.err
}

// placesOf are the shop's places for look-ups.
func (o *Orders) placesOf(shop string) chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.places[shop] == nil {
		o.places[shop] = make(chan struct{}, o.Concurrency)
	}
	return o.places[shop]
}

// heed tells the log once when look-ups begin to fail, and once when they work
// again. A database may repeat a query in its error: the number is taken out.
func (o *Orders) heed(shop, number string, err error) {
	o.mu.Lock()
	before := o.failing[shop]
	o.failing[shop] = err != nil
	o.mu.Unlock()
	switch {
	case err != nil && !before:
		o.Logger.Warn("orders can't be looked up", "shop", shop, "err", strings.ReplaceAll(err.Error(), number, "…"))
	case err == nil && before:
		o.Logger.Info("orders can be looked up again", "shop", shop)
	}
}
