package sms_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/notifier/channel/channeltest"
	"shopwatch/notifier/channel/sms"
)

func tencentConfig(hostport string) sms.TencentConfig {
	return sms.TencentConfig{
		SecretID: keyID, SecretKey: secret, AppID: "1400006666", SignName: "小明卡铺", Endpoint: "http://" + hostport,
		Templates: sms.Templates{"down": "449739", "recovered.zh": "449740", "recovered.en": "449741", "confirm": "449742"},
	}
}

func tencent(t *testing.T, cfg sms.TencentConfig) *sms.Channel {
	t.Helper()
	p, err := sms.NewTencent(cfg)
	return channel(t, p, err)
}

// tencentSays is a far side whose request fails.
func tencentSays(code, words string) func(*testing.T) string {
	return answering(200, fmt.Sprintf(`{"Response":{"Error":{"Code":%q,"Message":%q},"RequestId":"a"}}`, code, words))
}

// tencentSaysOfNumber is a far side that takes the request and speaks of its one number.
func tencentSaysOfNumber(code, words string) func(*testing.T) string {
	return answering(200, fmt.Sprintf(`{"Response":{"SendStatusSet":[{"SerialNo":"","PhoneNumber":%q,"Fee":0,"SessionContext":"","Code":%q,"Message":%q,"IsoCode":""}],"RequestId":"a"}}`, number, code, words))
}

func TestTencentIsAChannel(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, channeltest.Subject{
		Name:    "sms",
		Connect: func(t *testing.T, hostport string) channeltest.Channel { return tencent(t, tencentConfig(hostport)) },
		Address: number,
		Private: []string{secret, keyID, number, "13800138000"},
		Message: message,
		Status:  nonsense,
		Accepting: func(t *testing.T) (string, func() int) {
			var taken atomic.Int64
			hostport := channeltest.HTTP(t, func(w http.ResponseWriter, _ *http.Request) {
				taken.Add(1)
				fmt.Fprint(w, `{"Response":{"SendStatusSet":[{"SerialNo":"5000:1045710669157053657849499619","PhoneNumber":"+8613800138000","Fee":1,"SessionContext":"n12-r34","Code":"Ok","Message":"send success","IsoCode":"CN"}],"RequestId":"a"}}`)
			})
			return hostport, func() int { return int(taken.Load()) }
		},
		Answers: []channeltest.Answer{
			{Name: "OK in other letters than Ok is a failure", Serve: tencentSaysOfNumber("OK", ""), Want: channeltest.Temporary},
			{Name: "an answer about no number is a failure", Serve: answering(200, `{"Response":{"SendStatusSet":[],"RequestId":"a"}}`), Want: channeltest.Temporary, Says: "endpoint"},
			{Name: "an answer about nothing is a failure", Serve: answering(200, `{"Response":{"SendStatusSet":[null]}}`), Want: channeltest.Temporary},
			{Name: "another kind of JSON is a failure", Serve: answering(200, `[1,2]`), Want: channeltest.Temporary},
			{Name: "the reader opted out", Serve: tencentSaysOfNumber("FailedOperation.PhoneNumberInBlacklist", number+" in blacklist"), Want: channeltest.Permanent, Says: "PhoneNumberInBlacklist"},
			{Name: "the number does not exist", Serve: tencentSaysOfNumber("InvalidParameterValue.IncorrectPhoneNumber", number), Want: channeltest.Permanent},
			{Name: "the template was not approved", Serve: tencentSaysOfNumber("FailedOperation.TemplateIncorrectOrUnapproved", "template"), Want: channeltest.Unsendable},
			{Name: "the number of variables is another", Serve: tencentSaysOfNumber("InvalidParameterValue.TemplateParameterFormatError", "format"), Want: channeltest.Unsendable},
			{Name: "a link stands in a variable", Serve: tencentSaysOfNumber("InvalidParameterValue.ProhibitedUseUrlInTemplateParameter", "url"), Want: channeltest.Unsendable},
			{Name: "the number had one within thirty seconds", Serve: tencentSaysOfNumber("LimitExceeded.PhoneNumberThirtySecondLimit", "30s"), Want: channeltest.WaitRecipient, After: 30 * time.Second},
			{Name: "the number's hour is full", Serve: tencentSaysOfNumber("LimitExceeded.PhoneNumberOneHourLimit", "1h"), Want: channeltest.WaitRecipient, After: time.Hour},
			{Name: "the number's day is full", Serve: tencentSaysOfNumber("LimitExceeded.PhoneNumberDailyLimit", "1d"), Want: channeltest.WaitRecipient, After: time.Hour},
			{Name: "the console's frequency is met", Serve: tencentSaysOfNumber("LimitExceeded.DeliveryFrequencyLimit", "f"), Want: channeltest.WaitRecipient, After: time.Minute},
			{Name: "the account's day is full", Serve: tencentSaysOfNumber("LimitExceeded.AppDailyLimit", "d"), Want: channeltest.WaitChannel, After: time.Hour},
			{Name: "the signature was not approved", Serve: tencentSaysOfNumber("FailedOperation.SignatureIncorrectOrUnapproved", "sign"), Want: channeltest.WaitChannel, After: 5 * time.Minute},
			{Name: "no texts are left", Serve: tencentSays("FailedOperation.InsufficientBalanceInSmsPackage", "balance"), Want: channeltest.WaitChannel, After: 5 * time.Minute},
			{Name: "the key is of nobody", Serve: tencentSays("AuthFailure.SecretIdNotFound", keyID+" not found"), Want: channeltest.WaitChannel, After: 5 * time.Minute},
			{Name: "the clocks differ", Serve: tencentSays("AuthFailure.SignatureExpire", "expired"), Want: channeltest.WaitChannel, After: 5 * time.Minute},
			{Name: "the key may not send", Serve: tencentSays("UnauthorizedOperation.RequestPermissionDeny", secret), Want: channeltest.WaitChannel, After: 5 * time.Minute},
			{Name: "the API is asked too often", Serve: tencentSays("RequestLimitExceeded", "slower"), Want: channeltest.WaitChannel, After: time.Minute},
			{Name: "the API is broken", Serve: tencentSays("InternalError.OtherError", "REQUEST"), Want: channeltest.Temporary, Says: "InternalError"},
		},
	})
}

func TestTencentFillsVariablesByTheirPlace(t *testing.T) {
	t.Parallel()
	var bodies []map[string]any
	var headers []http.Header
	hostport := channeltest.HTTP(t, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		var body map[string]any
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Error(err)
		}
		bodies, headers = append(bodies, body), append(headers, r.Header)
		fmt.Fprint(w, `{"Response":{"SendStatusSet":[{"Code":"Ok"}],"RequestId":"a"}}`)
	})
	m := message
	m.Params = slices.Clone(m.Params)
	m.Params[0].Value = strings.Repeat("字", 40)
	if err := tencent(t, tencentConfig(hostport)).Send(t.Context(), number, m); err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(bodies[0])
	want := `{"PhoneNumberSet":["+8613800138000"],"SessionContext":"n12-r34","SignName":"小明卡铺","SmsSdkAppId":"1400006666","TemplateId":"449739","TemplateParamSet":["` + strings.Repeat("字", 34) + `…","03:12:05"]}`
	if string(got) != want {
		t.Errorf("sent %s\nwant %s", got, want)
	}
	for name, value := range map[string]string{"X-TC-Action": "SendSms", "X-TC-Version": "2021-01-11", "X-TC-Region": "ap-guangzhou"} {
		if got := headers[0].Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
}
