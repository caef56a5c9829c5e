package payment_test

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/probe/payment"
	"shopwatch/rules"
)

const (
	mchID  = "1900009191"
	serial = "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C"
)

var authorizationV3 = regexp.MustCompile(`^WECHATPAY2-SHA256-RSA2048 mchid="([^"]+)",nonce_str="([^"]+)",signature="([^"]+)",timestamp="(\d+)",serial_no="([^"]+)"$`)

func sealV3(nonce, text, associated string) string {
	block, err := aes.NewCipher([]byte(apiV3Key))
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(gcm.Seal(nil, []byte(nonce), []byte(text), []byte(associated)))
}

// serveWeChatPay is APIv3 as its documentation has it, with one merchant and no order.
func serveWeChatPay(t *testing.T) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := func(status int, code, words string) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"code":%q,"message":%q}`, code, words)
		}
		if r.Method != http.MethodGet || r.Header.Get("User-Agent") == "" || r.Header.Get("Accept") != "application/json" {
			t.Errorf("the look asked %s %s, User-Agent %q, Accept %q", r.Method, r.URL, r.UserAgent(), r.Header.Get("Accept"))
		}
		parts := authorizationV3.FindStringSubmatch(r.Header.Get("Authorization"))
		if parts == nil {
			refuse(http.StatusUnauthorized, "SIGN_ERROR", "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》")
			return
		}
		seconds, _ := strconv.ParseInt(parts[4], 10, 64)
		message := fmt.Sprintf("%s\n%s\n%s\n%s\n\n", r.Method, r.URL.RequestURI(), parts[4], parts[2])
		switch {
		case parts[1] != mchID || parts[5] != serial:
			refuse(http.StatusUnauthorized, "SIGN_ERROR", "商户证书序列号有误")
		case clockOf(r).Sub(time.Unix(seconds, 0)).Abs() > 5*time.Minute:
			refuse(http.StatusUnauthorized, "SIGN_ERROR", "timestamp与发起请求的时间不得超过5分钟")
		case !verified(message, parts[3]):
			refuse(http.StatusUnauthorized, "SIGN_ERROR", "错误的签名，验签失败")
		case strings.HasPrefix(r.URL.Path, "/v3/pay/transactions/out-trade-no/") && r.URL.Query().Get("mchid") == mchID:
			refuse(http.StatusNotFound, "ORDER_NOT_EXIST", "订单不存在")
		case r.URL.Path == "/v3/certificates":
			fmt.Fprintf(w, `{"data":[{"serial_no":"5157F09EFDC096DE","encrypt_certificate":{"algorithm":"AEAD_AES_256_GCM","nonce":"61f9c719728a","associated_data":"certificate","ciphertext":%q}}]}`,
				sealV3("61f9c719728a", "-----BEGIN CERTIFICATE-----", "certificate"))
		default:
			refuse(http.StatusBadRequest, "PARAM_ERROR", "参数错误")
		}
	})
}

func wechatpay() exporter.Payment {
	return exporter.Payment{Gateway: payment.WeChatPay, Merchant: mchID, Key: pemOf(merchantKey()), Serial: serial}
}

func TestWeChatPayTellsAWrongAPIv3Key(t *testing.T) {
	t.Parallel()
	options := wechatpay()
	options.APIKey = "AnotherCanaryKeyOfThirtyTwoChars"
	want(t, look(t, start(t, serveWeChatPay(t)), options), rules.ReasonAuth, "APIv3 key")
	options.APIKey = "short"
	want(t, look(t, start(t, serveWeChatPay(t)), options), rules.ReasonOther, "32 characters")
}

func TestWeChatPayMayKnowNoCertificates(t *testing.T) {
	t.Parallel()
	options := wechatpay()
	options.APIKey = apiV3Key
	gateway := serveWeChatPay(t)
	target := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v3/certificates" {
			gateway.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"code":"RESOURCE_NOT_EXISTS","message":"无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥"}`)
	}))
	want(t, look(t, target, options), "", "")
}

func TestEachAnswerOfWeChatPayHasItsReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		reason rules.Reason
		says   string
	}{
		{200, `{"trade_state":"CLOSED"}`, "", ""},
		{404, `{"code":"RESOURCE_NOT_EXISTS"}`, "", ""},
		{400, `{"code":"MCH_NOT_EXISTS"}`, rules.ReasonAuth, "MCH_NOT_EXISTS"},
		{403, `{"code":"NO_AUTH"}`, rules.ReasonAuth, "NO_AUTH"},
		{400, `{"code":"PARAM_ERROR"}`, rules.ReasonQuery, "PARAM_ERROR"},
		{429, `{"code":"FREQUENCY_LIMITED"}`, rules.ReasonVantage, "FREQUENCY_LIMITED"},
		{500, `{"code":"SYSTEM_ERROR"}`, rules.ReasonQuery, "out of service"},
		{200, `{"code":0,"data":[]}`, rules.ReasonBody, "protocol"},
		{404, `{"code":"not found"}`, rules.ReasonBody, "protocol"},
	} {
		t.Run(fmt.Sprint(c.status, c.body), func(t *testing.T) {
			t.Parallel()
			target := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			want(t, look(t, target, wechatpay()), c.reason, c.says)
		})
	}
}
