package payment_test

import (
	"fmt"
	"net/http"
	"testing"

	"shopwatch/exporter"
	"shopwatch/exporter/probe/payment"
	"shopwatch/rules"
)

const pid = "1000"

// serveEpay is 彩虹易支付's api.php with one merchant. Its answers repeat the key,
// as the real one does.
func serveEpay(t *testing.T) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api.php" || r.Method != http.MethodGet {
			t.Errorf("the look asked %s %s", r.Method, r.URL.Path)
			http.NotFound(w, r)
			return
		}
		query := r.URL.Query()
		switch {
		case query.Get("act") != "query":
			fmt.Fprint(w, `{"code":-5,"msg":"No Act!"}`)
		case query.Get("pid") != pid:
			fmt.Fprint(w, `{"code":-3,"msg":"商户ID不存在"}`)
		case query.Get("key") != sharedKey:
			fmt.Fprint(w, `{"code":-3,"msg":"商户密钥错误"}`)
		default:
			fmt.Fprintf(w, "\xef\xbb\xbf"+`{"code":1,"pid":%s,"key":%q,"active":1,"money":"12.50","type":1,"account":"a@example.com","username":"张三","orders":7}`, pid, sharedKey)
		}
	})
}

func TestEachAnswerOfEpayHasItsReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body   string
		reason rules.Reason
		says   string
	}{
		{`{"code":"1","pid":"1000","active":"1"}`, "", ""},
		{`{"code":1,"pid":1000}`, "", ""},
		{`{"code":1,"pid":1000,"active":0}`, rules.ReasonAuth, "closed"},
		{`{"code":1,"pid":1000,"active":"0"}`, rules.ReasonAuth, "closed"},
		{`{"code":-3,"msg":"拒绝访问"}`, rules.ReasonAuth, "-3"},
		{`{"code":-2,"msg":"KEY校验失败"}`, rules.ReasonAuth, "-2"},
		{`{"code":-1,"msg":"商户密钥错误"}`, rules.ReasonAuth, "-1"},
		{`{"code":-3,"msg":"该商户只能使用RSA签名类型"}`, rules.ReasonAuth, "RSA"},
		{`{"code":-5,"msg":"No Act!"}`, rules.ReasonQuery, "act=query"},
		{`{"code":-1,"msg":"系统维护中"}`, rules.ReasonQuery, "-1"},
		{`{"code":"` + sharedKey + `","msg":"` + sharedKey + `"}`, rules.ReasonBody, "protocol"},
		{`{"code":1}`, rules.ReasonBody, "protocol"},
		{"<br />\n<b>Warning</b>: mysqli_connect(): Access denied in <b>/www/config.php</b>", rules.ReasonBody, "HTML"},
	} {
		t.Run(c.body, func(t *testing.T) {
			t.Parallel()
			target := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, c.body) }))
			options := exporter.Payment{Gateway: payment.Epay, Merchant: pid, Key: sharedKey}
			want(t, look(t, target, options), c.reason, c.says)
		})
	}
}

func TestEpayIsAskedBesideTheScriptThatShopsAreGiven(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.Handle("/pay/", http.StripPrefix("/pay", serveEpay(t)))
	target := start(t, mux)
	options := exporter.Payment{Gateway: payment.Epay, Merchant: pid, Key: sharedKey}
	for _, path := range []string{"/pay", "/pay/", "/pay/submit.php", "/pay/mapi.php", "/pay/api.php?act=query&key=" + sharedKey} {
		reading := look(t, target+path, options)
		want(t, reading, "", "")
	}
}

func TestTheFirstCodepayIsAskedForAnOrderThatItMustRefuse(t *testing.T) {
	t.Parallel()
	answer := `{"status":-2,"msg":"sign fail"}`
	target := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if query := r.URL.Query(); query.Has("price") || query.Has("token") || query.Get("sign") != "00000000000000000000000000000000" {
			t.Errorf("an order might have come of %s", r.URL.RawQuery)
		}
		fmt.Fprint(w, answer)
	})) + "/creat_order/"
	options := exporter.Payment{Gateway: payment.Codepay, Merchant: pid, Key: sharedKey}
	want(t, look(t, target, options), "", "")
	answer = `{"status":0,"msg":"ok"}`
	want(t, look(t, target, options), rules.ReasonBody, "no order")
	answer = `{"status":"closed"}`
	want(t, look(t, target, options), rules.ReasonBody, "protocol")
}
