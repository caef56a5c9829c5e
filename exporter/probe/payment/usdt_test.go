package payment_test

import (
	"crypto/md5"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"shopwatch/exporter"
	"shopwatch/exporter/probe/payment"
	"shopwatch/rules"
)

// signedMD5 reports whether the body of a request is signed with the token.
func signedMD5(body map[string]any, key string) bool {
	var pairs []string
	for name, value := range body {
		if name != "signature" && value != nil && value != "" {
			pairs = append(pairs, fmt.Sprintf("%s=%v", name, value))
		}
	}
	slices.Sort(pairs)
	return body["signature"] == fmt.Sprintf("%x", md5.Sum([]byte(strings.Join(pairs, "&")+key)))
}

// serveUSDT is the part that both gateways have: the state of an order, and
// calls that are judged by their signature first.
func serveUSDT(path string, missing, unsigned func(http.ResponseWriter), call func(w http.ResponseWriter, body map[string]any)) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /pay/check-status/{id}", func(w http.ResponseWriter, _ *http.Request) { missing(w) })
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if json.NewDecoder(r.Body).Decode(&body) != nil || !signedMD5(body, token) {
			unsigned(w)
			return
		}
		call(w, body)
	})
	return mux
}

func says(status, code int, message string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"status_code":%d,"message":%q,"data":null,"request_id":""}`, code, message)
	}
}

// decodeAmount is where epusdt gives up on our call: no order may come further.
func decodeAmount(t *testing.T, fail func(http.ResponseWriter)) func(http.ResponseWriter, map[string]any) {
	return func(w http.ResponseWriter, body map[string]any) {
		if _, ok := body["amount"].(float64); ok || body["notify_url"] != nil || body["amount"] == nil {
			t.Errorf("an order might have come of %v", body)
		}
		fail(w)
	}
}

func serveEpusdt(t *testing.T) http.Handler {
	return serveUSDT("/api/v1/order/create-transaction", says(200, 10008, "订单不存在"), says(200, 401, "签名认证错误"),
		decodeAmount(t, says(200, 10009, "无法解析请求参数")))
}

func serveBEpusdt(t *testing.T) http.Handler {
	return serveUSDT("/api/v1/order/cancel-transaction", says(200, 400, "订单不存在"), says(200, 400, "签名错误"),
		func(w http.ResponseWriter, body map[string]any) {
			if body["trade_id"] == "" || body["trade_id"] == nil {
				t.Errorf("cancelled %v", body)
			}
			says(200, 400, "订单不存在")(w)
		})
}

func TestEpusdtsSuccessorIsAskedWithItsPid(t *testing.T) {
	t.Parallel()
	target := start(t, serveUSDT("/payments/gmpay/v1/order/create-transaction",
		says(400, 10008, "order does not exist"), says(401, 401, "signature verification failed"),
		func(w http.ResponseWriter, body map[string]any) {
			if body["pid"] != pid {
				says(401, 401, "signature verification failed")(w)
				return
			}
			decodeAmount(t, says(400, 10009, "failed to parse request params"))(w, body)
		}))
	options := exporter.Payment{Gateway: payment.Epusdt, Merchant: pid, Key: token}
	want(t, look(t, target, options), "", "")
	want(t, look(t, target+"/payments/gmpay/v1/order/create-transaction", options), "", "")
	options.Merchant = "1001"
	want(t, look(t, target, options), rules.ReasonAuth, "pid")
}

func TestAnOldBEpusdtRefusesInItsOwnWay(t *testing.T) {
	t.Parallel()
	target := start(t, serveUSDT("/api/v1/order/cancel-transaction", says(200, 400, "订单不存在"),
		func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"签名错误"}`)
		}, func(w http.ResponseWriter, _ map[string]any) { says(200, 400, "订单不存在")(w) }))
	options := exporter.Payment{Gateway: payment.BEpusdt, APIKey: token}
	want(t, look(t, target, options), "", "")
	options.APIKey += "x"
	want(t, look(t, target, options), rules.ReasonAuth, "signature")
}

func TestAUSDTGatewayWithoutItsDatabaseIsNotWell(t *testing.T) {
	t.Parallel()
	for _, gateway := range []string{payment.Epusdt, payment.BEpusdt} {
		target := start(t, serveUSDT("/none", says(200, 400, "dial tcp 127.0.0.1:3306: connection refused"), nil, nil))
		want(t, look(t, target, exporter.Payment{Gateway: gateway}), rules.ReasonQuery, "look an order up (400)")
		target = start(t, serveUSDT("/api/v1/order/{call}", says(200, 10008, "订单不存在"), nil,
			func(w http.ResponseWriter, _ map[string]any) { says(200, 500, "server error")(w) }))
		want(t, look(t, target, exporter.Payment{Gateway: gateway, APIKey: token}), rules.ReasonQuery, "judge a call (500)")
	}
}
