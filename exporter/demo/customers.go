package demo

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	crowd        = 16              // customers in the shop at one moment
	payTries     = 3               // of a buyer whose payment fails
	payRetry     = time.Minute     // between them, at pace 1
	patience     = 2 * time.Second // of a customer, for one answer
	shareUnpaid  = 0.12            // of orders that nobody means to pay
	shareEnglish = 0.2
)

// customers come at random, choose, order and mostly pay, over HTTP like
// anybody else. They draw their lots when they come, so the same randomness and
// clock give the same customers. Whoever meets a broken page leaves; whoever
// can't pay tries again some times.
type customers struct {
	web    *web
	pace   float64
	rand   *rand.Rand // used in step only
	logger *slog.Logger
	client *http.Client
	seats  chan struct{}
	inside sync.WaitGroup

	next     time.Time // when somebody comes; zero before the first step
	returned bool      // buyers of an earlier run know that they still have to pay

	mu    sync.Mutex
	plans plans
}

// visit is one customer's business with the shop.
type visit struct {
	product, payment string
	mail, language   string
	pays             bool
	thinks           time.Duration // until paying
	again            time.Duration // until trying again
	tries            int           // at paying, so far
	cashier          string        // address to pay at, once ordered
}

// plan is a visit that goes on at a moment.
type plan struct {
	at    time.Time
	visit *visit
}

// plans is a heap, the soonest first.
type plans []plan

func (p plans) Len() int           { return len(p) }
func (p plans) Less(i, j int) bool { return p[i].at.Before(p[j].at) }
func (p plans) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *plans) Push(x any)        { *p = append(*p, x.(plan)) }
func (p *plans) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}

func newCustomers(web *web, pace float64, rand *rand.Rand, logger *slog.Logger) *customers {
	return &customers{
		web: web, pace: pace, rand: rand, logger: logger,
		seats: make(chan struct{}, crowd),
		client: &http.Client{
			Timeout:       patience,
			Transport:     &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// step lets in who comes now, and sends to the cashier who pays now.
func (c *customers) step(ctx context.Context, now time.Time) {
	if !c.returned {
		c.returned = c.comeBack(ctx, now)
	}
	if c.next.IsZero() {
		c.next = now.Add(c.arrival())
	}
	// One at a time: after the machine slept, the missed customers are gone.
	if !now.Before(c.next) {
		c.next = now.Add(c.arrival())
		v := c.draw()
		c.enter(func() { c.shop(ctx, v, now) })
	}
	for {
		v, due := c.due(now)
		if !due {
			return
		}
		c.enter(func() { c.pay(ctx, v, now) })
	}
}

// wait waits until every customer inside has left or sits thinking.
func (c *customers) wait() { c.inside.Wait() }

// enter lets a customer act on his own, if there is room.
func (c *customers) enter(act func()) {
	select {
	case c.seats <- struct{}{}:
		c.inside.Go(func() {
			defer func() { <-c.seats }()
			act()
		})
	default:
	}
}

// arrival is the time until the next customer: 40 to 80 seconds at pace 1.
func (c *customers) arrival() time.Duration { return c.between(meanArrival*2/3, meanArrival*4/3) }

// between draws a duration of the shop's life.
func (c *customers) between(least, most time.Duration) time.Duration {
	return time.Duration((float64(least) + c.rand.Float64()*float64(most-least)) * c.pace)
}

func (c *customers) draw() *visit {
	v := &visit{language: "zh-CN", mail: fmt.Sprintf("buyer%06d@example.com", c.rand.IntN(1_000_000))}
	lot := c.rand.Float64()
	for _, p := range catalogue {
		v.product = p.slug
		if lot -= p.share; lot < 0 {
			break
		}
	}
	switch lot := c.rand.Float64(); {
	case lot < 0.5:
		v.payment = serviceAlipay
	case lot < 0.85:
		v.payment = serviceWeChat
	default:
		v.payment = serviceUSDT
	}
	if c.rand.Float64() < shareEnglish {
		v.language = "en"
	}
	c.decide(v)
	return v
}

// decide draws whether and when a buyer pays.
func (c *customers) decide(v *visit) {
	v.pays = c.rand.Float64() >= shareUnpaid
	v.thinks = c.between(20*time.Second, 2*time.Minute)
	v.again = c.between(payRetry, 2*payRetry)
}

// comeBack lets the buyers of unpaid orders of an earlier run go on.
func (c *customers) comeBack(ctx context.Context, now time.Time) bool {
	orders, err := ask[[]receipt](ctx, c.web.door, opUnpaid, nothing{})
	if err != nil {
		return false
	}
	for _, order := range orders {
		v := &visit{payment: order.Payment, cashier: c.web.cashier(order)}
		if c.decide(v); v.pays {
			c.plan(now.Add(v.thinks), v)
		}
	}
	return true
}

func (c *customers) plan(at time.Time, v *visit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	heap.Push(&c.plans, plan{at, v})
}

func (c *customers) due(now time.Time) (*visit, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.plans) == 0 || c.plans[0].at.After(now) {
		return nil, false
	}
	return heap.Pop(&c.plans).(plan).visit, true
}

// shop is a customer's way from the storefront to an order.
func (c *customers) shop(ctx context.Context, v *visit, now time.Time) {
	cashier, err := c.buy(ctx, v)
	if err != nil {
		c.logger.Debug("customer left", "payment", v.payment, "err", err)
		return
	}
	if v.cashier = cashier; v.pays {
		c.plan(now.Add(v.thinks), v)
	}
}

func (c *customers) buy(ctx context.Context, v *visit) (cashier string, err error) {
	order := c.web.url + "/order"
	for _, page := range []string{c.web.url + "/", order + "?product=" + v.product} {
		if _, err := c.call(ctx, http.MethodGet, page, v.language, nil, http.StatusOK); err != nil {
			return "", err
		}
	}
	return c.call(ctx, http.MethodPost, order, v.language,
		url.Values{"product": {v.product}, "payment": {v.payment}, "mail": {v.mail}}, http.StatusSeeOther)
}

// pay is a buyer's try at the cashier.
func (c *customers) pay(ctx context.Context, v *visit, now time.Time) {
	v.tries++
	_, err := c.call(ctx, http.MethodPost, v.cashier, v.language, nil, http.StatusSeeOther)
	if err == nil || errors.Is(err, errRefused) || ctx.Err() != nil {
		return
	}
	c.logger.Debug("customer could not pay", "payment", v.payment, "tries", v.tries, "err", err)
	if v.tries < payTries {
		c.plan(now.Add(v.again), v)
	}
}

// errRefused is a whole shop's no, which trying again does not change: sold
// out, or closed for want of payment.
var errRefused = errors.New("refused")

// call makes one request and returns where it leads. The error names neither
// address nor form: they hold the order and the buyer.
func (c *customers) call(ctx context.Context, method, address, language string, form url.Values, want int) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", errors.New("no address")
	}
	request.Header.Set("Accept-Language", language)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := c.client.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return "", err
	}
	defer answer.Body.Close()
	io.Copy(io.Discard, io.LimitReader(answer.Body, 256<<10))
	if answer.StatusCode == http.StatusConflict {
		return "", errRefused
	}
	if answer.StatusCode != want {
		return "", fmt.Errorf("%s answered %d", request.URL.Path, answer.StatusCode)
	}
	return answer.Header.Get("Location"), nil
}
