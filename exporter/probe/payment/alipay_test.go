package payment_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/probe/payment"
	"shopwatch/rules"
)

const appID = "2021000122671080"

func verified(text, signature string) bool {
	raw, err := base64.StdEncoding.DecodeString(signature)
	hash := sha256.Sum256([]byte(text))
	return err == nil && rsa.VerifyPKCS1v15(&merchantKey().PublicKey, crypto.SHA256, hash[:], raw) == nil
}

// clockOf is the time of a gateway in a test, which may be off.
func clockOf(r *http.Request) time.Time {
	off, _ := time.ParseDuration(r.Header.Get("Test-Clock"))
	return time.Now().Add(off)
}

// serveAlipay is Alipay's gateway as its documentation has it, with one app and
// no trade.
func serveAlipay(t *testing.T) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.URL.Path != "/gateway.do" {
			http.NotFound(w, r)
			return
		}
		refuse := func(code, sub, words string) {
			fmt.Fprintf(w, `{"alipay_trade_query_response":{"code":%q,"msg":"Invalid Arguments","sub_code":%q,"sub_msg":%q},"sign":"c2lnbg=="}`, code, sub, words)
		}
		if method := r.PostForm.Get("method"); method != "alipay.trade.query" {
			t.Errorf("the look asked for %s", method)
		}
		var pairs []string
		for name := range r.PostForm {
			if name != "sign" && r.PostForm.Get(name) != "" {
				pairs = append(pairs, name+"="+r.PostForm.Get(name))
			}
		}
		slices.Sort(pairs)
		text := strings.Join(pairs, "&")
		stamp, err := time.ParseInLocation(time.DateTime, r.PostForm.Get("timestamp"), time.FixedZone("", 8*3600))
		switch {
		case r.PostForm.Get("app_id") == "":
			fmt.Fprint(w, `{"error_response":{"code":"40001","msg":"Missing Required Arguments","sub_code":"isv.missing-app-id","sub_msg":"缺少AppID参数"}}`)
		case r.PostForm.Get("app_id") != appID:
			refuse("40002", "isv.invalid-app-id", "无效的AppID参数")
		case r.PostForm.Get("sign_type") != "RSA2" || !verified(text, r.PostForm.Get("sign")):
			refuse("40002", "isv.invalid-signature", "验签出错，网关生成的验签字符串为："+text)
		case err != nil || clockOf(r).Sub(stamp).Abs() > 15*time.Minute:
			refuse("40002", "isv.invalid-timestamp", "非法的时间戳参数")
		case !strings.Contains(r.PostForm.Get("biz_content"), "out_trade_no"):
			refuse("40004", "ACQ.INVALID_PARAMETER", "参数无效")
		default:
			refuse("40004", "ACQ.TRADE_NOT_EXIST", "交易不存在")
		}
	})
}

func TestAlipayTakesAKeyWithoutPEMLines(t *testing.T) {
	t.Parallel()
	options := exporter.Payment{Gateway: payment.Alipay, Merchant: appID, Key: bareOf(t, merchantKey())}
	want(t, look(t, start(t, serveAlipay(t)), options), "", "")
}

func TestEachAnswerOfAlipayHasItsReason(t *testing.T) {
	t.Parallel()
	signed := exporter.Payment{Gateway: payment.Alipay, Merchant: appID, Key: pemOf(merchantKey())}
	for _, c := range []struct {
		code, sub string
		reason    rules.Reason
		says      string
	}{
		{"10000", "", "", ""},
		{"40004", "ACQ.TRADE_NOT_EXIST", "", ""},
		{"40004", "ACQ.SYSTEM_ERROR", rules.ReasonQuery, "out of service"},
		{"40004", "ACQ.ACCESS_FORBIDDEN", rules.ReasonQuery, "ACQ.ACCESS_FORBIDDEN"},
		{"20000", "aop.unknow-error", rules.ReasonQuery, "out of service"},
		{"20001", "aop.app-auth-token-time-out", rules.ReasonAuth, "aop.app-auth-token-time-out"},
		{"40001", "isv.missing-signature-key", rules.ReasonAuth, "isv.missing-signature-key"},
		{"40002", "isv.invalid-timestamp", rules.ReasonOther, "clock"},
		{"40005", "isv.app-call-limited", rules.ReasonVantage, "isv.app-call-limited"},
		{"40006", "isv.insufficient-isv-permissions", rules.ReasonAuth, "isv.insufficient-isv-permissions"},
		{"40002", "<b>" + sharedKey, rules.ReasonAuth, "not shown"},
	} {
		t.Run(c.code+" "+c.sub, func(t *testing.T) {
			t.Parallel()
			target := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `{"error_response":{"code":%q,"sub_code":%q}}`, c.code, c.sub)
			}))
			want(t, look(t, target, signed), c.reason, c.says)
		})
	}
}
