package sandbox_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	dysms "github.com/alibabacloud-go/dysmsapi-20170525/v4/client"
	"github.com/alibabacloud-go/tea/tea"

	"shopwatch/notifier/sandbox"
)

// aliyun is the official SDK, pointed at the sandbox.
func aliyun(t *testing.T, s *sandbox.Sandbox, id, secret string) *dysms.Client {
	t.Helper()
	client, err := dysms.NewClient(&openapi.Config{
		AccessKeyId: tea.String(id), AccessKeySecret: tea.String(secret), Endpoint: tea.String(s.SMSEndpoint()), Protocol: tea.String("http"),
		NoProxy: tea.String(s.SMSEndpoint()),
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// request is a good one.
func request() *dysms.SendSmsRequest {
	return &dysms.SendSmsRequest{
		PhoneNumbers: tea.String("13800138000"), SignName: tea.String("shopwatch"), TemplateCode: tea.String("SMS_1"),
		TemplateParam: tea.String(`{"name":"支付宝 *~+&=","n":"3"}`), OutId: tea.String("n12-r34"),
	}
}

var templates = []sandbox.Template{{Name: "test", Code: "SMS_1", Text: "${name}坏了${n}次。"}}

func TestTheOfficialSDKIsUnderstood(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{Templates: templates})
	want := s.Credentials()
	answer, err := aliyun(t, s, want.SMSAccessKeyID, want.SMSAccessKeySecret).SendSms(request())
	if err != nil {
		t.Fatal(err)
	}
	if tea.StringValue(answer.Body.Code) != "OK" || tea.StringValue(answer.Body.BizId) == "" || tea.StringValue(answer.Body.RequestId) == "" {
		t.Errorf("answered %s", answer.Body)
	}
	if m := s.Messages()[0]; m.To != "+8613800138000" || m.Text != "【shopwatch】支付宝 *~+&=坏了3次。" || !strings.Contains(m.Raw, "n12-r34") {
		t.Errorf("took %+v", m)
	}
}

func TestARequestThatWasNotSignedByTheSecretIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{Templates: templates})
	want := s.Credentials()
	for code, key := range map[string][2]string{
		"InvalidAccessKeyId.NotFound": {"somebody", want.SMSAccessKeySecret},
		"SignatureDoesNotMatch":       {want.SMSAccessKeyID, "another secret"},
	} {
		if _, err := aliyun(t, s, key[0], key[1]).SendSms(request()); err == nil || !strings.Contains(err.Error(), code) {
			t.Errorf("error %v, want %s", err, code)
		}
	}
	response, err := http.Post("http://"+s.SMSEndpoint()+"/?Action=SendSms", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct{ Code string }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != 400 || answer.Code != "MissingAuthorization" {
		t.Errorf("unsigned: HTTP %d %s (%v)", response.StatusCode, answer.Code, err)
	}
	if n := len(s.Messages()); n != 0 {
		t.Errorf("%d messages were taken", n)
	}
}

func TestTheGatewayRefusesWhatAliyunRefuses(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{Templates: templates})
	want := s.Credentials()
	client := aliyun(t, s, want.SMSAccessKeyID, want.SMSAccessKeySecret)
	for name, c := range map[string]struct {
		spoil func(*dysms.SendSmsRequest)
		want  string
	}{
		"another signature":     {func(r *dysms.SendSmsRequest) { r.SignName = tea.String("别人") }, "isv.SMS_SIGNATURE_ILLEGAL"},
		"an unknown template":   {func(r *dysms.SendSmsRequest) { r.TemplateCode = tea.String("SMS_2") }, "isv.SMS_TEMPLATE_ILLEGAL"},
		"a short number":        {func(r *dysms.SendSmsRequest) { r.PhoneNumbers = tea.String("1380013800") }, "isv.MOBILE_NUMBER_ILLEGAL"},
		"no number of a mobile": {func(r *dysms.SendSmsRequest) { r.PhoneNumbers = tea.String("12800138000") }, "isv.MOBILE_NUMBER_ILLEGAL"},
		"letters for a number":  {func(r *dysms.SendSmsRequest) { r.PhoneNumbers = tea.String("somebody") }, "isv.MOBILE_NUMBER_ILLEGAL"},
		"a number too many": {func(r *dysms.SendSmsRequest) {
			r.PhoneNumbers = tea.String(strings.Repeat("13800138000,", 1000) + "13800138000")
		}, "isv.MOBILE_COUNT_OVER_LIMIT"},
		"a missing variable": {func(r *dysms.SendSmsRequest) { r.TemplateParam = tea.String(`{"name":"x"}`) }, "isv.TEMPLATE_MISSING_PARAMETERS"},
		"no variables":       {func(r *dysms.SendSmsRequest) { r.TemplateParam = nil }, "isv.TEMPLATE_MISSING_PARAMETERS"},
		"a long variable": {func(r *dysms.SendSmsRequest) {
			r.TemplateParam = tea.String(`{"name":"` + strings.Repeat("字", 36) + `","n":"1"}`)
		}, "isv.PARAM_LENGTH_LIMIT"},
		"a link in a variable": {func(r *dysms.SendSmsRequest) { r.TemplateParam = tea.String(`{"name":"https://x.example","n":"1"}`) }, "isv.PARAM_NOT_SUPPORT_URL"},
		"a number in JSON":     {func(r *dysms.SendSmsRequest) { r.TemplateParam = tea.String(`{"name":"x","n":1}`) }, "isv.INVALID_JSON_PARAM"},
	} {
		t.Run(name, func(t *testing.T) {
			r := request()
			c.spoil(r)
			answer, err := client.SendSms(r)
			if err != nil {
				t.Fatalf("HTTP says %v, want 200 with a code", err)
			}
			if got := tea.StringValue(answer.Body.Code); got != c.want {
				t.Errorf("answered %s (%s), want %s", got, tea.StringValue(answer.Body.Message), c.want)
			}
		})
	}
}

func TestEveryTemplateOfANoticeKeepsAliyunsRules(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	codes := s.SMSTemplates()
	for event, variables := range map[string][]string{
		"down": {"title", "since", "lasted"}, "prolonged": {"title", "since", "lasted"}, "reopened": {"title", "since", "lasted"},
		"recovered": {"title", "since", "over", "lasted"}, "maintenance_in_progress": {"title", "since", "until"}, "confirm": {"code"}, "code": {"code"},
	} {
		for _, language := range []string{"zh", "en"} {
			code := codes[event+"."+language]
			r := request()
			r.TemplateCode = tea.String(code)
			r.TemplateParam = tea.String(`{"title":"TITLE","since":"SINCE","over":"OVER","until":"UNTIL","lasted":"LASTED","code":"CODE"}`)
			want := s.Credentials()
			answer, err := aliyun(t, s, want.SMSAccessKeyID, want.SMSAccessKeySecret).SendSms(r)
			if err != nil || tea.StringValue(answer.Body.Code) != "OK" {
				t.Fatalf("%s.%s: %v", event, language, err)
			}
			messages := s.Messages()
			text := messages[len(messages)-1].Text
			for _, variable := range variables {
				variable = strings.ToUpper(variable)
				if strings.Count(text, variable) != 1 {
					t.Errorf("%s.%s holds %s %d times: %s", event, language, variable, strings.Count(text, variable), text)
				}
			}
			for _, forbidden := range []string{"http", "退订", "微信", "QQ", "加群", "TITLESINCE", "SINCELASTED"} {
				if strings.Contains(text, forbidden) {
					t.Errorf("%s.%s holds %q: %s", event, language, forbidden, text)
				}
			}
		}
	}
}
