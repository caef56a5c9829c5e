package sms

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	openapiutil "github.com/alibabacloud-go/openapi-util/service"
	"github.com/alibabacloud-go/tea/tea"

	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// Sources: the official SDK dysmsapi-20170525 v4.1.2 (GetSmsSign.SignStatus,
// GetSmsTemplate.TemplateStatus: 0 under review, 1 approved, 2 refused, 10 taken
// back), help.aliyun.com "QuerySmsSignList", "QueryAccountBalance" (BssOpenApi
// 2017-12-14, whose right is bss:DescribeAcccount, so spelt), "V3 版本请求体&签名机制"
// (ACS3-HMAC-SHA256) and "短信服务 API 错误码". The signature is made by the SDK's
// own signing package, openapi-util; only the dialling is ours.

const (
	aliyunSMS     = "2017-05-25"
	aliyunBilling = "2017-12-14"
)

// askAliyun asks for the signature and the template, or for any signature if
// neither is named, and for the balance if there is a least one.
func askAliyun(ctx context.Context, t *talk) error {
	if t.options.SignName == "" && t.options.Template == "" {
		if _, err := t.callAliyun(ctx, "", aliyunSMS, "QuerySmsSignList", "dysms:QuerySmsSignList", url.Values{"PageIndex": {"1"}, "PageSize": {"1"}}); err != nil {
			return err
		}
	}
	if t.options.SignName != "" {
		said, err := t.callAliyun(ctx, "", aliyunSMS, "GetSmsSign", "dysms:GetSmsSign", url.Values{"SignName": {t.options.SignName}})
		if err != nil {
			return err
		}
		if err := judgeAudit("signature", said.SignStatus.String()); err != nil {
			return err
		}
	}
	if t.options.Template != "" {
		said, err := t.callAliyun(ctx, "", aliyunSMS, "GetSmsTemplate", "dysms:GetSmsTemplate", url.Values{"TemplateCode": {t.options.Template}})
		if err != nil {
			return err
		}
		if err := judgeAudit("template", said.TemplateStatus.String()); err != nil {
			return err
		}
	}
	if t.options.LeastBalance <= 0 {
		return nil
	}
	host := "business.aliyuncs.com"
	if region := t.options.Region; region != "" && !strings.HasPrefix(region, "cn-") {
		host = "business.ap-southeast-1.aliyuncs.com"
	}
	said, err := t.callAliyun(ctx, host, aliyunBilling, "QueryAccountBalance", "bss:DescribeAcccount", nil)
	if err != nil {
		return err
	}
	return t.judgeBalance(said.Data.AvailableAmount, said.Data.Currency)
}

// aliyunAnswer is what is read of any of Aliyun's answers.
type aliyunAnswer struct {
	RequestID      string `json:"RequestId"`
	Code           string
	SignStatus     json.Number // a number, or one in quotes
	TemplateStatus json.Number
	Data           aliyunBalance
}

type aliyunBalance struct{ AvailableAmount, Currency string }

// callAliyun makes one call, signed with ACS3-HMAC-SHA256. Right is the action
// that a RAM user needs for it.
func (t *talk) callAliyun(ctx context.Context, host, version, action, right string, query url.Values) (aliyunAnswer, error) {
	where := t.where(host)
	where.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, where.String(), nil)
	if err != nil {
		return aliyunAnswer{}, probe.Problem(rules.ReasonOther, "no request can be made of the target")
	}
	t.signACS3(request, version, action)
	var said aliyunAnswer
	answer, err := t.ask(ctx, request, &said, func(probe.Answer) bool { return said.RequestID != "" && said.Code != "" })
	if err != nil {
		return said, err
	}
	return said, t.judgeAliyun(said.Code, right, answer.Status)
}

// signACS3 signs a request without a body.
func (t *talk) signACS3(request *http.Request, version, action string) {
	empty := sha256.Sum256(nil)
	signed := &tea.Request{
		Method: tea.String(request.Method), Pathname: tea.String(request.URL.EscapedPath()),
		Headers: map[string]*string{
			"host": tea.String(request.URL.Host), "x-acs-version": tea.String(version), "x-acs-action": tea.String(action),
			"x-acs-date":            tea.String(t.look.Now().UTC().Format(time.RFC3339)),
			"x-acs-signature-nonce": tea.String(rand.Text()), "x-acs-content-sha256": tea.String(hex.EncodeToString(empty[:])),
		},
		Query: map[string]*string{},
	}
	for name, values := range request.URL.Query() {
		signed.Query[name] = tea.String(values[0])
	}
	for name, value := range signed.Headers {
		if name != "host" {
			request.Header.Set(name, *value)
		}
	}
	request.Header.Set("Authorization", tea.StringValue(openapiutil.GetAuthorization(signed, tea.String("ACS3-HMAC-SHA256"),
		signed.Headers["x-acs-content-sha256"], tea.String(t.options.KeyID), tea.String(t.options.KeySecret))))
}

// judgeAliyun makes a problem of a code; OK and 200 are none.
func (t *talk) judgeAliyun(code, right string, status int) error {
	shown := t.code(code)
	starts := func(prefixes ...string) bool {
		for _, prefix := range prefixes {
			if strings.HasPrefix(code, prefix) {
				return true
			}
		}
		return false
	}
	switch {
	case code == "OK", code == "200" && status == http.StatusOK:
		return nil
	case starts("Throttling"), code == "isv.BUSINESS_LIMIT_CONTROL":
		return busy(shown)
	case starts("InvalidTimeStamp", "IllegalTimestamp"):
		return t.late(code)
	case starts("Forbidden", "NoPermission", "NotAuthorized", "isp.RAM_PERMISSION"):
		return refused("the key lacks a right (" + shown + "): grant " + right + " to its RAM user")
	case starts("InvalidAccessKeyId", "SignatureDoesNotMatch", "IncompleteSignature", "InvalidSecurityToken", "isv.ACCOUNT_"):
		return refused("Aliyun refuses the key (" + shown + ")")
	case starts("isv.SMS_SIGN", "isv.SIGN", "isv.ERROR_SIGN"):
		return failed("the account doesn't have the signature (" + shown + ")")
	case starts("isv.SMS_TEMPLATE", "isv.TEMPLATE", "isv.ERROR_TEMPLATE"):
		return failed("the account doesn't have the template (" + shown + ")")
	}
	return failed("Aliyun can't answer (" + shown + ")")
}

// judgeAudit makes a problem of a signature or template that isn't approved.
func judgeAudit(what, status string) error {
	switch status {
	case "1":
		return nil
	case "0":
		return failed("the " + what + " is still under review")
	case "2":
		return failed("the " + what + " was refused by the review")
	case "10":
		return failed("the review of the " + what + " was taken back")
	}
	return probe.Problem(rules.ReasonBody, "the state of the "+what+" is not told in Aliyun's protocol")
}
