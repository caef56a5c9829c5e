package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The delays between payment and goods, at pace 1.
const (
	machineLeast, machineMost = 4 * time.Second, 30 * time.Second
	personLeast, personMost   = 3 * time.Minute, 15 * time.Minute
)

// batch is how many orders a delivery round looks at and delivers at most: a
// backlog drains at its own pace instead of holding the books.
const (
	batchLook    = 100
	batchDeliver = 3
)

// worker is the shop's back office: the machine that delivers, the person who
// delivers by hand, and the chores. It knows nothing but what the database
// tells it, so a stopped shop goes on where it was. Broken delivery stops the
// machine alone.
type worker struct {
	door    door
	outages *outages
	sms     string // the gateway's address
	pace    float64
	rand    *rand.Rand
	logger  *slog.Logger
	client  *http.Client

	delays map[int64]time.Duration // of waiting children, drawn at first sight
	rounds []*round
}

// round is something that the worker does every so often.
type round struct {
	every time.Duration
	next  time.Time
	do    func(ctx context.Context, now time.Time) error
}

func newWorker(door door, outages *outages, sms string, pace float64, rand *rand.Rand, logger *slog.Logger) *worker {
	w := &worker{
		door: door, outages: outages, sms: sms, pace: pace, rand: rand, logger: logger,
		client: &http.Client{Timeout: time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute}},
		delays: map[int64]time.Duration{},
	}
	chore := func(every time.Duration, op string) *round {
		return &round{every: every, do: func(ctx context.Context, _ time.Time) error {
			_, err := ask[int](ctx, door, op, nothing{})
			return err
		}}
	}
	w.rounds = []*round{
		{every: 2 * beat, do: w.deliverByMachine},
		{every: time.Second, do: w.deliverByHand},
		chore(time.Second, opExpire),
		chore(w.scale(2*time.Minute), opRefill),
		chore(30*time.Second, opPrune),
	}
	return w
}

func (w *worker) scale(d time.Duration) time.Duration { return time.Duration(float64(d) * w.pace) }

func (w *worker) step(ctx context.Context, now time.Time) {
	for _, round := range w.rounds {
		if now.Before(round.next) {
			continue
		}
		round.next = now.Add(round.every)
		if err := round.do(ctx, now); err != nil {
			w.logger.Debug("back office stands still", "err", err)
			return // the database is gone: the others would wait for it too
		}
	}
}

func (w *worker) deliverByMachine(ctx context.Context, now time.Time) error {
	if w.outages.broken(serviceDelivery) {
		return nil
	}
	return w.deliver(ctx, now, "paid", machineLeast, machineMost)
}

func (w *worker) deliverByHand(ctx context.Context, now time.Time) error {
	return w.deliver(ctx, now, "fulfilling", personLeast, personMost)
}

// deliver delivers the orders in a status whose delay is over.
func (w *worker) deliver(ctx context.Context, now time.Time, status string, least, most time.Duration) error {
	orders, err := ask[[]waiting](ctx, w.door, opWaiting, waitingFor{Status: status, Limit: batchLook})
	if err != nil {
		return err
	}
	done := 0
	for _, order := range orders {
		delay, known := w.delays[order.ID]
		if !known {
			delay = w.scale(least + time.Duration(w.rand.Float64()*float64(most-least)))
			w.delays[order.ID] = delay
		}
		if now.Before(order.Paid.Add(delay)) || done == batchDeliver {
			continue
		}
		_, err := ask[nothing](ctx, w.door, opDeliver, order.ID)
		var no refusal
		if errors.As(err, &no) {
			w.logger.Warn("demo order can't be delivered", "reason", no.Error())
			w.delays[order.ID] = delay + w.scale(time.Hour) // look again later: others wait behind it
			continue
		}
		if err != nil {
			return err
		}
		done++
		delete(w.delays, order.ID)
		if err := w.text(ctx); err != nil {
			w.logger.Debug("buyer not told by text message", "err", err)
		}
	}
	return nil
}

// text tells the buyer by SMS that the goods are there. Goods don't wait for it.
func (w *worker) text(ctx context.Context) error {
	form := url.Values{"Action": {"SendSms"}, "Version": {"2017-05-25"}, "TemplateCode": {"SMS_DEMO_DELIVERED"}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.sms+"/", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := w.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxForm))
	if err != nil {
		return err
	}
	if !strings.Contains(string(body), protocols[serviceSMS].healthy) {
		return fmt.Errorf("sms gateway refuses: %.80s", body)
	}
	return nil
}
