package sms_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/probe/sms"
	"shopwatch/rules"
)

var authorizationACS3 = regexp.MustCompile(`^ACS3-HMAC-SHA256 Credential=([^,]+),SignedHeaders=([^,]+),Signature=([0-9a-f]{64})$`)

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func keyed(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return string(mac.Sum(nil))
}

// signatureACS3 is what the documentation says that the request's signature is.
func signatureACS3(r *http.Request, headers string, body []byte) string {
	query := r.URL.Query()
	var pairs []string
	for name := range query {
		pairs = append(pairs, strings.ReplaceAll(url.QueryEscape(name)+"="+url.QueryEscape(query.Get(name)), "+", "%20"))
	}
	slices.Sort(pairs)
	var lines strings.Builder
	for name := range strings.SplitSeq(headers, ";") {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		fmt.Fprintf(&lines, "%s:%s\n", name, value)
	}
	canonical := strings.Join([]string{r.Method, "/", strings.Join(pairs, "&"), lines.String(), headers, hashed(string(body))}, "\n")
	return hex.EncodeToString([]byte(keyed(keySecret, "ACS3-HMAC-SHA256\n"+hashed(canonical))))
}

// serveAliyun is the part of Aliyun's API that a look needs, with one key, one
// approved signature and one approved template.
func serveAliyun(t *testing.T) http.Handler {
	var mu sync.Mutex
	nonces := map[string]bool{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		refuse := func(status int, code, words string) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"RequestId":"F655A8D5","HostId":"x","Code":%q,"Message":%q}`, code, words)
		}
		parts := authorizationACS3.FindStringSubmatch(r.Header.Get("Authorization"))
		if parts == nil {
			refuse(400, "IncompleteSignature", "")
			return
		}
		nonce := r.Header.Get("X-Acs-Signature-Nonce")
		mu.Lock()
		replayed := nonces[nonce]
		nonces[nonce] = true
		mu.Unlock()
		date, err := time.Parse("2006-01-02T15:04:05Z", r.Header.Get("X-Acs-Date"))
		query := r.URL.Query()
		switch action := r.Header.Get("X-Acs-Action") + " " + r.Header.Get("X-Acs-Version"); {
		case err != nil || clockOf(r).Sub(date).Abs() > 15*time.Minute:
			refuse(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
		case nonce == "" || replayed:
			refuse(400, "SignatureNonceUsed", "Specified signature nonce was used already.")
		case parts[1] != keyID:
			refuse(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found: "+parts[1])
		case parts[3] != signatureACS3(r, parts[2], body) || !strings.Contains(parts[2], "x-acs-action"):
			refuse(400, "SignatureDoesNotMatch", "server string to sign is: "+keySecret)
		case action == "QuerySmsSignList 2017-05-25":
			fmt.Fprint(w, `{"RequestId":"1","Code":"OK","Message":"OK","SmsSignList":[]}`)
		case action == "GetSmsSign 2017-05-25" && query.Get("SignName") == "小明卡铺 一店":
			fmt.Fprint(w, `{"RequestId":"1","Code":"OK","Message":"OK","SignName":"小明卡铺 一店","SignStatus":1,"RegisterResult":1}`)
		case action == "GetSmsSign 2017-05-25":
			refuse(200, "isv.SMS_SIGNATURE_ILLEGAL", "该账号下找不到对应签名")
		case action == "GetSmsTemplate 2017-05-25" && query.Get("TemplateCode") == "SMS_100":
			fmt.Fprint(w, `{"RequestId":"1","Code":"OK","Message":"OK","TemplateCode":"SMS_100","TemplateStatus":"1"}`)
		case action == "GetSmsTemplate 2017-05-25":
			refuse(200, "isv.SMS_TEMPLATE_ILLEGAL", "该账号下找不到对应模板")
		case action == "QueryAccountBalance 2017-12-14":
			fmt.Fprint(w, `{"Code":"200","Message":"success","RequestId":"1","Success":true,"Data":{"AvailableAmount":"1,234.56","CreditAmount":"0.00","Currency":"CNY"}}`)
		default:
			t.Errorf("the look asked for %s", action)
			refuse(404, "InvalidAction.NotFound", "")
		}
	})
}

func TestAliyunTellsWhatTheAccountDoesNotHave(t *testing.T) {
	t.Parallel()
	target := start(t, serveAliyun(t))
	want(t, look(t, target, exporter.SMS{Provider: sms.Aliyun, SignName: "别人的"}), rules.ReasonQuery, "have the signature")
	want(t, look(t, target, exporter.SMS{Provider: sms.Aliyun, Template: "SMS_999"}), rules.ReasonQuery, "have the template")
}

func TestEachAnswerOfAliyunHasItsReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		reason rules.Reason
		says   string
	}{
		{200, `{"RequestId":"1","Code":"OK","SignStatus":"1"}`, "", ""},
		{200, `{"RequestId":"1","Code":"OK","SignStatus":0}`, rules.ReasonQuery, "under review"},
		{200, `{"RequestId":"1","Code":"OK","SignStatus":2}`, rules.ReasonQuery, "refused by the review"},
		{200, `{"RequestId":"1","Code":"OK","SignStatus":10}`, rules.ReasonQuery, "taken back"},
		{200, `{"RequestId":"1","Code":"OK"}`, rules.ReasonBody, "protocol"},
		{403, `{"RequestId":"1","Code":"Forbidden.RAM"}`, rules.ReasonAuth, "grant dysms:GetSmsSign"},
		{200, `{"RequestId":"1","Code":"isp.RAM_PERMISSION_DENY"}`, rules.ReasonAuth, "grant dysms:GetSmsSign"},
		{400, `{"RequestId":"1","Code":"Throttling.User"}`, rules.ReasonVantage, "Throttling.User"},
		{400, `{"RequestId":"1","Code":"InvalidTimeStamp.Expired"}`, rules.ReasonOther, "our clock is "},
		{503, `{"RequestId":"1","Code":"ServiceUnavailable"}`, rules.ReasonQuery, "ServiceUnavailable"},
		{200, `{"RequestId":"1","Code":"isv.OUT_OF_SERVICE"}`, rules.ReasonQuery, "isv.OUT_OF_SERVICE"},
	} {
		t.Run(c.body, func(t *testing.T) {
			t.Parallel()
			want(t, look(t, answering(t, c.status, c.body), exporter.SMS{Provider: sms.Aliyun, SignName: "小明卡铺"}), c.reason, c.says)
		})
	}
}

func TestARAMUserWithoutTheRightToTheBalanceIsToldWhatToGrant(t *testing.T) {
	t.Parallel()
	gateway := serveAliyun(t)
	target := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Acs-Action") == "QueryAccountBalance" {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"RequestId":"1","Code":"NotAuthorized","Message":"This API is not authorized for caller."}`)
			return
		}
		gateway.ServeHTTP(w, r)
	}))
	want(t, look(t, target, exporter.SMS{Provider: sms.Aliyun, LeastBalance: 1}), rules.ReasonAuth, "grant bss:DescribeAcccount")
}
