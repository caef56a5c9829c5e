package payment

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"

	"shopwatch/exporter/probe"
)

// Sources: github.com/assimon/epusdt (src/route/router.go, middleware/check_sign.go,
// util/sign/sign.go, util/constant/errno.go), its successor
// github.com/GMWalletApp/epusdt (the same, with a pid, under /payments/gmpay/v1),
// and github.com/v03413/bepusdt (app/router/epusdt.go, app/handler/epusdt/epusdt.go;
// until 2025 app/web/epusdt.go). Both check the signature before all else, and
// answer {"status_code", "message"}; an old BEpusdt {"error"} for a wrong one.

// usdtAnswer is every answer of these gateways.
type usdtAnswer struct {
	StatusCode json.Number `json:"status_code"`
	Message    string      `json:"message"`
	Error      string      `json:"error"`
}

func (a usdtAnswer) own(answer probe.Answer) bool {
	_, err := a.StatusCode.Int64()
	return err == nil && a.Message != "" || a.Error != "" && answer.Status == 400
}

// missing reports whether the gateway looked an order up and has none: 10008 in
// epusdt, words in BEpusdt.
func (a usdtAnswer) missing() bool {
	return a.StatusCode == "10008" || a.StatusCode == "400" &&
		speaksOf(strings.ToLower(a.Message), "订单不存在", "order not found", "order does not exist")
}

// misSigned reports whether the gateway refused a signature: 401 in epusdt,
// words in BEpusdt.
func (a usdtAnswer) misSigned() bool {
	return a.StatusCode == "401" || speaksOf(strings.ToLower(a.Message+a.Error), "签名", "signature")
}

// token is what signs requests.
func (t *talk) token() string { return cmp.Or(t.options.APIKey, t.options.Key) }

// root is the gateway's URL without the path of the call that shops are
// configured with; modern reports whether that was the one of epusdt's successor.
func (t *talk) root() (root *url.URL, modern bool) {
	where := *t.base
	for _, call := range []string{"/payments/", "/api/v1/", "/pay/check"} {
		if before, _, found := strings.Cut(where.Path, call); found {
			where.Path = before
			return &where, call == "/payments/"
		}
	}
	return &where, false
}

// lookUp asks for the state of an order that doesn't exist, which the gateway
// must look up in its database to say so.
func (t *talk) lookUp(ctx context.Context) error {
	root, _ := t.root()
	var said usdtAnswer
	if _, err := t.get(ctx, root.JoinPath("pay/check-status", unknownOrder), &said, said.ownOf()); err != nil {
		return err
	}
	if !said.missing() {
		return broken("the gateway can't look an order up (" + t.code(said.StatusCode.String()) + ")")
	}
	return nil
}

// ownOf is own of what the answer will have been read into.
func (a *usdtAnswer) ownOf() func(probe.Answer) bool {
	return func(answer probe.Answer) bool { return a.own(answer) }
}

// askEpusdt looks an order up, and with a token signs a call that epusdt must
// refuse for its parameters, after it took the signature. It is create-transaction,
// for there is no other: with an amount that is no number, and neither currency nor
// notify_url, it fails when the parameters are decoded (10009), before validation
// and long before an order is made.
func askEpusdt(ctx context.Context, t *talk) error {
	if err := t.lookUp(ctx); err != nil || t.token() == "" {
		return err
	}
	root, modern := t.root()
	call := "api/v1/order/create-transaction"
	body := map[string]string{"order_id": unknownOrder, "amount": "none"}
	if modern || t.options.Merchant != "" {
		call = "payments/gmpay/v1/order/create-transaction"
		body["pid"] = t.options.Merchant
	}
	said, err := t.call(ctx, root.JoinPath(call), body)
	switch {
	case err != nil:
		return err
	case said.misSigned():
		return refused("the gateway refuses the signature: its token (or pid) is another")
	case said.StatusCode == "10009" || said.StatusCode == "400":
		return nil
	}
	return broken("the gateway can't judge a call (" + t.code(said.StatusCode.String()) + ")")
}

// askBEpusdt looks an order up, and with a token cancels one that doesn't exist.
func askBEpusdt(ctx context.Context, t *talk) error {
	if err := t.lookUp(ctx); err != nil || t.token() == "" {
		return err
	}
	root, _ := t.root()
	said, err := t.call(ctx, root.JoinPath("api/v1/order/cancel-transaction"), map[string]string{"trade_id": unknownOrder})
	switch {
	case err != nil:
		return err
	case said.missing():
		return nil
	case said.misSigned():
		return refused("the gateway refuses the signature: its token (or pid) is another")
	}
	return broken("the gateway can't judge a call (" + t.code(said.StatusCode.String()) + ")")
}

// call makes a signed call.
func (t *talk) call(ctx context.Context, where *url.URL, parameters map[string]string) (usdtAnswer, error) {
	parameters["signature"] = signMD5(parameters, t.token())
	body, err := json.Marshal(parameters)
	if err != nil {
		return usdtAnswer{}, err
	}
	var said usdtAnswer
	_, err = t.post(ctx, where, "application/json", string(body), &said, said.ownOf())
	return said, err
}

// signMD5 signs parameters as 易支付 and the USDT gateways want them: sorted by
// name, name=value joined by &, none that is empty, the key after them.
func signMD5(parameters map[string]string, key string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if parameters[name] != "" {
			pairs = append(pairs, name+"="+parameters[name])
		}
	}
	sum := md5.Sum([]byte(strings.Join(pairs, "&") + key))
	return hex.EncodeToString(sum[:])
}
