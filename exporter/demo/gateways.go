package demo

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"shopwatch/rules"
)

// till signs what the shop and its gateways tell each other by way of the
// buyer's browser, so that nobody marks his own order as paid.
type till []byte

func (t till) sign(parts ...string) string {
	mac := hmac.New(sha256.New, t)
	io.WriteString(mac, strings.Join(parts, "\n"))
	return hex.EncodeToString(mac.Sum(nil))
}

func (t till) signed(sign string, parts ...string) bool {
	return hmac.Equal([]byte(sign), []byte(t.sign(parts...)))
}

// protocol is how a provider's gateway answers a harmless question: the one
// that a watcher asks, and what a whole gateway's answer contains.
type protocol struct {
	path    string
	healthy string
	answer  func(rw http.ResponseWriter)
	// broken answers every request of a broken gateway; n counts them from 1.
	broken func(rw http.ResponseWriter, r *http.Request, n int64)
}

// Each gateway answers in the shape of its provider, and each fails in another
// way, since a watcher must notice them all: no answer in time, an error
// status, and an error inside a well-meant 200.
var protocols = map[string]protocol{
	serviceAlipay: {
		path:    "/gateway.do?method=alipay.trade.query&out_trade_no=0",
		healthy: `"sub_code":"ACQ.TRADE_NOT_EXIST"`,
		answer: func(rw http.ResponseWriter) {
			rawJSON(rw, http.StatusOK, `{"alipay_trade_query_response":{"code":"40004","msg":"Business Failed","sub_code":"ACQ.TRADE_NOT_EXIST","sub_msg":"交易不存在"},"sign":"ZGVtbw=="}`)
		},
		broken: func(rw http.ResponseWriter, r *http.Request, n int64) {
			if n%2 == 1 && r.URL.Path != "/cashier" {
				hang(r)
				return
			}
			rawJSON(rw, http.StatusServiceUnavailable, `{"error_response":{"code":"20000","msg":"Service Currently Unavailable","sub_code":"isp.unknow-error","sub_msg":"系统繁忙"}}`)
		},
	},
	serviceWeChat: {
		path:    "/v3/certificates",
		healthy: `"serial_no"`,
		answer: func(rw http.ResponseWriter) {
			rawJSON(rw, http.StatusOK, `{"data":[{"serial_no":"DEMO5157F09EFDC096DE15EBE81A47057A72","effective_time":"2026-01-01T00:00:00+08:00","expire_time":"2031-01-01T00:00:00+08:00"}]}`)
		},
		broken: func(rw http.ResponseWriter, _ *http.Request, _ int64) {
			rawJSON(rw, http.StatusInternalServerError, `{"code":"SYSTEM_ERROR","message":"系统异常，请稍后重试"}`)
		},
	},
	serviceUSDT: {
		path:    "/pay/check-status/0",
		healthy: `"status_code":200`,
		answer: func(rw http.ResponseWriter) {
			rawJSON(rw, http.StatusOK, `{"status_code":200,"message":"success","data":{"trade_id":"0","status":1},"request_id":"demo"}`)
		},
		broken: func(rw http.ResponseWriter, _ *http.Request, _ int64) {
			rawJSON(rw, http.StatusOK, `{"status_code":10005,"message":"区块链节点未同步 (node is not in sync)","data":null,"request_id":"demo"}`)
		},
	},
	serviceSMS: {
		path:    "/?Action=QuerySendStatistics&Version=2017-05-25",
		healthy: `"Code":"OK"`,
		answer: func(rw http.ResponseWriter) {
			rawJSON(rw, http.StatusOK, `{"Code":"OK","Message":"OK","RequestId":"00000000-0000-0000-0000-000000000000","BizId":"0"}`)
		},
		broken: func(rw http.ResponseWriter, _ *http.Request, _ int64) {
			rawJSON(rw, http.StatusOK, `{"Code":"isv.AMOUNT_NOT_ENOUGH","Message":"账户余额不足","RequestId":"00000000-0000-0000-0000-000000000000"}`)
		},
	},
}

func rawJSON(rw http.ResponseWriter, status int, text string) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.WriteHeader(status)
	io.WriteString(rw, text)
}

// hang holds a request until the other side gives up, though not for ever.
func hang(r *http.Request) {
	timer := time.NewTimer(20 * time.Second)
	defer timer.Stop()
	select {
	case <-r.Context().Done():
	case <-timer.C:
	}
}

// gateway is one provider outside the shop: its API, and for a payment the
// cashier's page where buyers pay.
type gateway struct {
	id       string
	url      string // without a trailing slash
	shop     *web
	outages  *outages
	failures atomic.Int64
	client   *http.Client
	handler  http.Handler
}

func newGateway(id, url string, shop *web, outages *outages) *gateway {
	g := &gateway{id: id, url: url, shop: shop, outages: outages,
		client: &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /style.css", stylesheet)
	if id != serviceSMS {
		mux.HandleFunc("GET /cashier", g.cashier)
		mux.HandleFunc("POST /cashier", g.pay)
	}
	path, _, _ := strings.Cut(protocols[id].path, "?")
	if path == "/" {
		path = "/{$}"
	}
	mux.HandleFunc(path, func(rw http.ResponseWriter, _ *http.Request) { protocols[id].answer(rw) })
	g.handler = http.NewCrossOriginProtection().Handler(mux)
	return g
}

func (g *gateway) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if g.outages.broken(g.id) {
		protocols[g.id].broken(rw, r, g.failures.Add(1))
		return
	}
	g.handler.ServeHTTP(rw, r)
}

// signedOrder reads the order to pay from the address that the shop signed.
func (g *gateway) signedOrder(r *http.Request) (order, amount string, ok bool) {
	query := r.URL.Query()
	order, amount = query.Get("order"), query.Get("amount")
	return order, amount, g.shop.till.signed(query.Get("sign"), "pay", g.id, order, amount)
}

type cashierPage struct {
	base
	Gateway, Order, Amount string
	Action                 string // the signed address of this page
}

func (g *gateway) cashier(rw http.ResponseWriter, r *http.Request) {
	order, amount, ok := g.signedOrder(r)
	if !ok {
		g.shop.problem(rw, r, http.StatusForbidden, textBadSign)
		return
	}
	page := cashierPage{base: g.shop.base(r, paymentName(g.id)), Order: order, Amount: amount, Action: r.URL.RequestURI()}
	page.Gateway = page.Title
	g.shop.pages.show(rw, http.StatusOK, "cashier.html", page)
}

var textBadSign = rules.Text{ZH: "支付链接无效，请从店铺重新进入。", EN: "This payment link is not valid. Please come from the shop."}

// pay takes the buyer's (imaginary) money, tells the shop, and sends the buyer back.
func (g *gateway) pay(rw http.ResponseWriter, r *http.Request) {
	order, amount, ok := g.signedOrder(r)
	if !ok {
		g.shop.problem(rw, r, http.StatusForbidden, textBadSign)
		return
	}
	status, err := g.callBack(r, order, amount)
	switch {
	case err != nil || status >= 500:
		g.shop.problem(rw, r, http.StatusBadGateway, rules.Text{ZH: "商户系统没有响应，付款未完成。", EN: "The shop does not answer; nothing was paid."})
	case status != http.StatusOK:
		g.shop.problem(rw, r, http.StatusConflict, rules.Text{ZH: "订单已关闭，付款已退回。", EN: "The order is closed; nothing was paid."})
	default:
		http.Redirect(rw, r, g.shop.url+"/orders/"+url.PathEscape(order)+"?lang="+language(r), http.StatusSeeOther)
	}
}

// callBack tells the shop that an order was paid and returns its HTTP status.
func (g *gateway) callBack(r *http.Request, order, amount string) (int, error) {
	form := url.Values{"out_trade_no": {order}, "total_amount": {amount}, "trade_status": {"TRADE_SUCCESS"},
		"sign": {g.shop.till.sign("paid", g.id, order, amount)}}
	request, err := http.NewRequestWithContext(r.Context(), http.MethodPost, g.shop.url+"/notify/"+g.id, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := g.client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("call the shop back: %w", err)
	}
	defer answer.Body.Close()
	io.Copy(io.Discard, io.LimitReader(answer.Body, maxForm))
	return answer.StatusCode, nil
}
