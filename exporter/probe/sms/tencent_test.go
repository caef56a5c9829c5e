package sms_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/probe/sms"
	"shopwatch/rules"
)

var authorizationTC3 = regexp.MustCompile(`^TC3-HMAC-SHA256 Credential=([^/]+)/(\d{4}-\d\d-\d\d)/([a-z]+)/tc3_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$`)

// serveTencent is the part of Tencent Cloud's API that a look needs, with one
// key, one signature, one template and one app.
func serveTencent(t *testing.T) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		say := func(response string) { fmt.Fprintf(w, `{"Response":{%s,"RequestId":"355b0d83"}}`, response) }
		refuse := func(code, words string) { say(fmt.Sprintf(`"Error":{"Code":%q,"Message":%q}`, code, words)) }
		parts := authorizationTC3.FindStringSubmatch(r.Header.Get("Authorization"))
		if parts == nil {
			refuse("AuthFailure.InvalidAuthorization", "")
			return
		}
		seconds, _ := strconv.ParseInt(r.Header.Get("X-TC-Timestamp"), 10, 64)
		at := time.Unix(seconds, 0).UTC()
		var lines strings.Builder
		for name := range strings.SplitSeq(parts[4], ";") {
			value := r.Header.Get(name)
			if name == "host" {
				value = r.Host
			}
			fmt.Fprintf(&lines, "%s:%s\n", name, strings.ToLower(value))
		}
		canonical := strings.Join([]string{r.Method, r.URL.Path, r.URL.RawQuery, lines.String(), parts[4], hashed(string(body))}, "\n")
		key := keyed(keyed(keyed("TC3"+keySecret, parts[2]), parts[3]), "tc3_request")
		scope := parts[2] + "/" + parts[3] + "/tc3_request"
		signature := hex.EncodeToString([]byte(keyed(key, strings.Join([]string{"TC3-HMAC-SHA256", strconv.FormatInt(seconds, 10), scope, hashed(canonical)}, "\n"))))
		var asked struct {
			TemplateIdSet, SignIdSet []uint64
			SmsSdkAppId              string
			Limit                    *int
		}
		action := strings.Join([]string{parts[3], r.Header.Get("X-TC-Version"), r.Header.Get("X-TC-Action")}, " ")
		switch err := json.Unmarshal(body, &asked); {
		case clockOf(r).Sub(at).Abs() > 5*time.Minute || at.Format(time.DateOnly) != parts[2]:
			refuse("AuthFailure.SignatureExpire", "The provided credentials are expired")
		case parts[1] != keyID:
			refuse("AuthFailure.SecretIdNotFound", "The SecretId is not found: "+parts[1])
		case parts[5] != signature || !strings.HasPrefix(parts[4], "content-type;host"):
			refuse("AuthFailure.SignatureFailure", "The provided credentials could not be validated.")
		case err != nil || r.Header.Get("X-TC-Region") == "":
			refuse("InvalidParameter", "")
		case action == "sms 2021-01-11 DescribeSmsTemplateList" && len(asked.TemplateIdSet) == 0 && asked.Limit != nil:
			say(`"DescribeTemplateStatusSet":[]`)
		case action == "sms 2021-01-11 DescribeSmsTemplateList" && asked.TemplateIdSet[0] == 5678:
			say(`"DescribeTemplateStatusSet":[{"TemplateId":5678,"International":0,"StatusCode":0,"ReviewReply":""}]`)
		case action == "sms 2021-01-11 DescribeSmsTemplateList":
			say(`"DescribeTemplateStatusSet":[]`)
		case action == "sms 2021-01-11 DescribeSmsSignList" && asked.SignIdSet[0] == 1234:
			say(`"DescribeSignListStatusSet":[{"SignId":1234,"International":0,"StatusCode":0}]`)
		case action == "sms 2021-01-11 DescribeSmsSignList":
			say(`"DescribeSignListStatusSet":[]`)
		case action == "sms 2021-01-11 SmsPackagesStatistics" && asked.SmsSdkAppId == "1400006666":
			say(`"SmsPackagesStatisticsSet":[]`)
		case action == "sms 2021-01-11 SmsPackagesStatistics":
			refuse("UnauthorizedOperation.SmsSdkAppIdVerifyFail", "")
		case action == "billing 2018-07-09 DescribeAccountBalance":
			say(`"Uin":1,"Balance":123456,"RealBalance":123456.0`)
		default:
			t.Errorf("the look asked for %s with %s", action, body)
			refuse("InvalidAction", "")
		}
	})
}

func TestTencentTellsWhatTheAccountDoesNotHave(t *testing.T) {
	t.Parallel()
	target := start(t, serveTencent(t))
	want(t, look(t, target, exporter.SMS{Provider: sms.Tencent, SignName: "4321"}), rules.ReasonQuery, "have the signature")
	want(t, look(t, target, exporter.SMS{Provider: sms.Tencent, Template: "8765"}), rules.ReasonQuery, "have the template")
	want(t, look(t, target, exporter.SMS{Provider: sms.Tencent, AppID: "1400000000"}), rules.ReasonQuery, "the app is not the account's")
	want(t, look(t, target, exporter.SMS{Provider: sms.Tencent, SignName: "小明卡铺"}), "", "")
}

func TestEachAnswerOfTencentHasItsReason(t *testing.T) {
	t.Parallel()
	refused := func(code string) string { return `{"Response":{"RequestId":"1","Error":{"Code":"` + code + `"}}}` }
	state := func(code string) string {
		return `{"Response":{"RequestId":"1","DescribeTemplateStatusSet":[{"TemplateId":7,"StatusCode":` + code + `}]}}`
	}
	for body, c := range map[string]struct {
		reason rules.Reason
		says   string
	}{
		state("0"):                              {"", ""},
		state("1"):                              {rules.ReasonQuery, "under review"},
		state("2"):                              {rules.ReasonQuery, "not yet in force"},
		state("-1"):                             {rules.ReasonQuery, "refused by the review"},
		state("null"):                           {rules.ReasonQuery, "have the template"},
		refused("UnauthorizedOperation"):        {rules.ReasonAuth, "grant sms:DescribeSmsTemplateList"},
		refused("AuthFailure.TokenFailure"):     {rules.ReasonAuth, "refuses the key"},
		refused("AuthFailure.SignatureExpire"):  {rules.ReasonOther, "clock"},
		refused("RequestLimitExceeded"):         {rules.ReasonVantage, "RequestLimitExceeded"},
		refused("InternalError"):                {rules.ReasonQuery, "InternalError"},
		refused("FailedOperation.<b>" + "oops"): {rules.ReasonQuery, "not shown"},
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			want(t, look(t, answering(t, 200, body), exporter.SMS{Provider: sms.Tencent, Template: "7"}), c.reason, c.says)
		})
	}
}

func TestTC3SignsTheExampleOfItsDocumentation(t *testing.T) {
	t.Parallel()
	const body = `{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`
	// The asterisks are the documentation's own: the signature is made with them.
	request, err := http.NewRequest(http.MethodPost, "https://cvm.tencentcloudapi.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	got := sms.SignTC3(request, "cvm", body, time.Unix(1551113065, 0), "AKIDz8krbsJ5yKBZQpn74WFkmLPx3*******", "Gu5t9xGARNpq86cd98joQYCN3*******")
	if want := "2230eefd229f582d8b1b891af7107b91597240707d778ab3738f756258d7652c"; !strings.HasSuffix(got, "Signature="+want) {
		t.Errorf("signed %s\nwant %s", got, want)
	}
}
