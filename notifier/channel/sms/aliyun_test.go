package sms_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/channeltest"
	"shopwatch/notifier/channel/sms"
)

const (
	number = "+8613800138000"
	keyID  = "LTAI5tSecretKeyID"
	secret = "hunter2hunter2hunter2hunter2"
)

var message = notifier.Message{
	ID: "n12-r34", Language: notifier.Chinese, Template: "down", Text: "支付宝暂时无法支付，自03:12:05起。",
	Params: []notifier.Param{{Name: "title", Value: "支付宝暂时无法支付"}, {Name: "since", Value: "03:12:05"}},
}

func config(hostport string) sms.AliyunConfig {
	return sms.AliyunConfig{
		AccessKeyID: keyID, AccessKeySecret: secret, SignName: "小明卡铺", Endpoint: "http://" + hostport, Now: time.Now,
		Templates: sms.Templates{"down": "SMS_100", "recovered.zh": "SMS_201", "recovered.en": "SMS_202"},
	}
}

// connect is a channel with one provider.
func connect(t *testing.T, cfg sms.AliyunConfig) *sms.Channel {
	t.Helper()
	a, err := sms.NewAliyun(cfg)
	return channel(t, a, err)
}

func channel(t *testing.T, p sms.Provider, err error) *sms.Channel {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	c, err := sms.New(sms.Config{Providers: []sms.Provider{p}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// nonsense is what an answer means that is none of a provider's: a limit and a
// refused key by their statuses, and else a fault that may pass.
func nonsense(status int) channeltest.Outcome {
	switch status {
	case 401, 403, 429, 503:
		return channeltest.WaitChannel
	}
	return channeltest.Temporary
}

// answering is a gateway that gives one answer, in which REQUEST stands for the
// request's URL and its Authorization.
func answering(status int, body string) func(*testing.T) string {
	return func(t *testing.T) string {
		return channeltest.HTTP(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json;charset=utf-8")
			w.WriteHeader(status)
			quoted, _ := json.Marshal(r.URL.String() + " " + number + " " + keyID + " " + secret)
			fmt.Fprint(w, strings.ReplaceAll(body, "REQUEST", strings.Trim(string(quoted), `"`)))
		})
	}
}

func code(status int, code, words string) func(*testing.T) string {
	return answering(status, fmt.Sprintf(`{"Code":%q,"Message":%q,"RequestId":"F655A8D5-B967-440B-8683-DAD6FF8DE990"}`, code, words))
}

func TestAliyunIsAChannel(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, channeltest.Subject{
		Name:    "sms",
		Connect: func(t *testing.T, hostport string) channeltest.Channel { return connect(t, config(hostport)) },
		Address: number,
		Invalid: []string{"", "13800138000", "+86", "+86138001380001234567", "+8613800138000,+8613800138001", "+86138 00138000", "+14155550100"},
		Private: []string{secret, keyID, number, "13800138000"},
		Message: message,
		Status:  nonsense,
		Accepting: func(t *testing.T) (string, func() int) {
			var taken atomic.Int64
			hostport := channeltest.HTTP(t, func(w http.ResponseWriter, _ *http.Request) {
				taken.Add(1)
				fmt.Fprint(w, `{"Code":"OK","Message":"OK","BizId":"9006197469364984400^0","RequestId":"F655A8D5"}`)
			})
			return hostport, func() int { return int(taken.Load()) }
		},
		Answers: []channeltest.Answer{
			{Name: "HTTP 200 with another code than OK is a failure", Serve: code(200, "isp.SYSTEM_ERROR", "isp.SYSTEM_ERROR"), Want: channeltest.Temporary, Says: "isp.SYSTEM_ERROR"},
			{Name: "HTTP 200 without a code is a failure", Serve: answering(200, `{"ok":true}`), Want: channeltest.Temporary, Says: "endpoint"},
			{Name: "HTTP 200 with another kind of JSON is a failure", Serve: answering(200, `[1,2]`), Want: channeltest.Temporary},
			{Name: "HTTP 200 with nothing is a failure", Serve: answering(200, ``), Want: channeltest.Temporary},
			{Name: "the number does not exist", Serve: code(200, "isv.MOBILE_NUMBER_ILLEGAL", number+" invalid mobile number"), Want: channeltest.Permanent, Says: "isv.MOBILE_NUMBER_ILLEGAL"},
			{Name: "a word in a variable is forbidden, which is not the reader's fault", Serve: code(200, "isv.BLACK_KEY_CONTROL_LIMIT", "变量含黑名单关键字"), Want: channeltest.Unsendable},
			{Name: "the template does not exist", Serve: code(200, "isv.SMS_TEMPLATE_ILLEGAL", "模板不合法(不存在或被拉黑)"), Want: channeltest.Unsendable, Says: "SMS_TEMPLATE_ILLEGAL"},
			{Name: "the number's minute is full", Serve: code(200, "isv.BUSINESS_LIMIT_CONTROL", "触发分钟级流控Permits:1"), Want: channeltest.WaitRecipient, After: time.Minute},
			{Name: "the number's hour is full", Serve: code(200, "isv.BUSINESS_LIMIT_CONTROL", "触发小时级流控Permits:5"), Want: channeltest.WaitRecipient, After: time.Hour},
			{Name: "the number's day is full", Serve: code(200, "isv.BUSINESS_LIMIT_CONTROL", "触发天级流控Permits:10"), Want: channeltest.WaitRecipient, After: time.Hour},
			{Name: "the account's own day limit is met", Serve: code(200, "isv.DAY_LIMIT_CONTROL", "触发日发送限额"), Want: channeltest.WaitChannel, After: time.Hour},
			{Name: "the account has no money", Serve: code(200, "isv.AMOUNT_NOT_ENOUGH", "账户余额不足"), Want: channeltest.WaitChannel, After: 5 * time.Minute, Says: "AMOUNT_NOT_ENOUGH"},
			{Name: "the signature was not approved", Serve: code(200, "isv.SMS_SIGNATURE_ILLEGAL", "该账号下找不到对应签名"), Want: channeltest.WaitChannel, After: 5 * time.Minute},
			{Name: "the access key is of nobody", Serve: code(404, "InvalidAccessKeyId.NotFound", "Specified access key "+keyID+" is not found."), Want: channeltest.WaitChannel, After: 5 * time.Minute},
			{Name: "the secret is wrong", Serve: code(400, "SignatureDoesNotMatch", "server string to sign is: "+secret), Want: channeltest.WaitChannel, After: 5 * time.Minute},
			{Name: "the key may not send", Serve: code(403, "Forbidden.RAM", "User not authorized"), Want: channeltest.WaitChannel, After: 5 * time.Minute},
			{Name: "the API is asked too often", Serve: code(400, "Throttling.User", "Request was denied due to user flow control."), Want: channeltest.WaitChannel, After: time.Minute},
			{Name: "the API is broken", Serve: code(503, "ServiceUnavailable", "REQUEST"), Want: channeltest.Temporary, Says: "ServiceUnavailable"},
			{Name: "a gateway on the way is broken", Serve: answering(502, "<html>REQUEST</html>"), Want: channeltest.Temporary},
			{Name: "an error without words", Serve: answering(500, ""), Want: channeltest.Temporary},
			{Name: "the answer quotes the request", Serve: answering(200, `{"Code":"isv.INVALID_PARAMETERS","Message":"REQUEST"}`), Want: channeltest.Unsendable},
			{Name: "the number is on the black list", Serve: code(200, "isv.BLACK_LIST", number), Want: channeltest.Permanent},
			{Name: "the clocks differ", Serve: code(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."), Want: channeltest.WaitChannel, After: 5 * time.Minute},
		},
	})
}

// recording accepts everything and keeps the queries.
type recording struct {
	mu      sync.Mutex
	queries []url.Values
	headers []http.Header
}

func (r *recording) start(t *testing.T) string {
	return channeltest.HTTP(t, func(w http.ResponseWriter, request *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.queries = append(r.queries, request.URL.Query())
		r.headers = append(r.headers, request.Header)
		fmt.Fprint(w, `{"Code":"OK","Message":"OK"}`)
	})
}

func TestSendSaysExactlyWhatAliyunWants(t *testing.T) {
	t.Parallel()
	var far recording
	if err := connect(t, config(far.start(t))).Send(t.Context(), number, message); err != nil {
		t.Fatalf("Send: %v", err)
	}
	want := url.Values{
		"PhoneNumbers": {"13800138000"}, "SignName": {"小明卡铺"}, "TemplateCode": {"SMS_100"}, "OutId": {"n12-r34"},
		"TemplateParam": {`{"title":"支付宝暂时无法支付","since":"03:12:05"}`},
	}
	if got := far.queries[0].Encode(); got != want.Encode() {
		t.Errorf("sent %s\nwant %s", got, want.Encode())
	}
	for name, value := range map[string]string{"X-Acs-Action": "SendSms", "X-Acs-Version": "2017-05-25"} {
		if got := far.headers[0].Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	if got := far.headers[0].Get("Authorization"); !strings.HasPrefix(got, "ACS3-HMAC-SHA256 Credential="+keyID+",") {
		t.Errorf("Authorization: %q", got)
	}
}

func TestEachLanguageMayHaveItsOwnTemplate(t *testing.T) {
	t.Parallel()
	var far recording
	a := connect(t, config(far.start(t)))
	want := []string{"SMS_100", "SMS_100", "SMS_201", "SMS_202"}
	i := 0
	for _, template := range []string{"down", "recovered"} {
		for _, language := range []notifier.Language{notifier.Chinese, notifier.English} {
			m := message
			m.Template, m.Language = template, language
			if err := a.Send(t.Context(), number, m); err != nil {
				t.Fatalf("Send: %v", err)
			}
			if got := far.queries[i].Get("TemplateCode"); got != want[i] {
				t.Errorf("%s in %s: template %s, want %s", template, language, got, want[i])
			}
			i++
		}
	}
}

func TestANoticeWithoutTemplateIsAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	var far recording
	m := message
	m.Template = "confirm"
	err := connect(t, config(far.start(t))).Send(t.Context(), number, m)
	if err == nil || errors.Is(err, notifier.ErrPermanent) || !errors.Is(err, notifier.ErrUnsendable) || !strings.Contains(err.Error(), `"confirm"`) || len(far.queries) != 0 {
		t.Errorf("error %v after %d requests, want one that names the template and no request", err, len(far.queries))
	}
}

func TestValuesAreOneLineOfAtMost35Runes(t *testing.T) {
	t.Parallel()
	var far recording
	a := connect(t, config(far.start(t)))
	for value, want := range map[string]string{
		strings.Repeat("字", 35):        strings.Repeat("字", 35),
		strings.Repeat("字", 36):        strings.Repeat("字", 34) + "…",
		strings.Repeat("🔥", 40):        strings.Repeat("🔥", 34) + "…",
		"two\r\nlines\tand 【brackets】": "two lines and brackets",
		`quote " and \ and <&>`:        `quote " and \ and <&>`,
		"broken \xff byte":             "broken ? byte",
	} {
		m := message
		m.Params = []notifier.Param{{Name: "title", Value: value}}
		if err := a.Send(t.Context(), number, m); err != nil {
			t.Fatalf("Send: %v", err)
		}
		var got map[string]string
		if err := json.Unmarshal([]byte(far.queries[len(far.queries)-1].Get("TemplateParam")), &got); err != nil {
			t.Fatal(err)
		}
		if got["title"] != want {
			t.Errorf("value %q was sent as %q, want %q", value, got["title"], want)
		}
	}
}

func TestOtherCountriesMustBeAllowed(t *testing.T) {
	t.Parallel()
	var far recording
	p, err := sms.NewAliyun(config(far.start(t)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := sms.New(sms.Config{Providers: []sms.Provider{p}, AllowedPrefixes: []string{"+86", "+852"}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(t.Context(), "+85261234567", message); err != nil || far.queries[0].Get("PhoneNumbers") != "85261234567" {
		t.Errorf("Send to Hong Kong: %v", err)
	}
	err = c.Send(t.Context(), "+14155550100", message)
	if !errors.Is(err, notifier.ErrPermanent) || channeltest.Leaked(err, "4155550100") != "" || len(far.queries) != 1 {
		t.Errorf("Send to the USA: %v, want a permanent error without the number", err)
	}
	if _, err := sms.New(sms.Config{Providers: []sms.Provider{p}, AllowedPrefixes: []string{"86"}, Now: time.Now}); err == nil || !strings.Contains(err.Error(), "allowed prefixes") {
		t.Errorf("New with a prefix without +: %v", err)
	}
}

func TestThisMachineIsNotAskedThroughAProxy(t *testing.T) {
	// Not parallel: it sets the environment, as an operator behind a proxy does.
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	var far recording
	if err := connect(t, config(far.start(t))).Send(t.Context(), number, message); err != nil {
		t.Errorf("Send: %v", err)
	}
}

func TestNewRefusesAWrongConfigAndNamesEveryMistake(t *testing.T) {
	t.Parallel()
	for mistake, spoil := range map[string]func(*sms.AliyunConfig){
		"access key":            func(c *sms.AliyunConfig) { c.AccessKeySecret = "" },
		"sign name":             func(c *sms.AliyunConfig) { c.SignName = "" },
		"templates: want":       func(c *sms.AliyunConfig) { c.Templates = nil },
		"templates: got":        func(c *sms.AliyunConfig) { c.Templates = map[string]string{"down": "短信"} },
		"endpoint: got \"https": func(c *sms.AliyunConfig) { c.Endpoint = "dysmsapi.aliyuncs.com/path" },
		"endpoint: got \"ftp":   func(c *sms.AliyunConfig) { c.Endpoint = "ftp://dysmsapi.aliyuncs.com" },
		"endpoint: http ":       func(c *sms.AliyunConfig) { c.Endpoint = "http://dysmsapi.aliyuncs.com" },
		"no clock":              func(c *sms.AliyunConfig) { c.Now = nil },
	} {
		cfg := config("127.0.0.1:80")
		spoil(&cfg)
		if _, err := sms.NewAliyun(cfg); err == nil || !strings.Contains(err.Error(), "sms aliyun: "+mistake) {
			t.Errorf("error %v, want one that says %q", err, mistake)
		}
	}
	_, err := sms.NewAliyun(sms.AliyunConfig{AccessKeySecret: secret})
	if err == nil || strings.Count(err.Error(), "sms aliyun: ") != 4 || channeltest.Leaked(err, secret) != "" {
		t.Errorf("error %v, want four mistakes and no secret", err)
	}
}
