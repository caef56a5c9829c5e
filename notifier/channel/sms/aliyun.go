package sms

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	openapiutil "github.com/alibabacloud-go/openapi-util/service"
	"github.com/alibabacloud-go/tea/tea"

	"shopwatch/notifier"
)

// Sources: help.aliyun.com "SendSms" of 2017-05-25, "V3 版本请求体&签名机制"
// (ACS3-HMAC-SHA256), "短信服务 API 错误码". The signature is made by the SDK's own
// signing package, openapi-util; only the dialling is ours, since the SDK's own
// takes no context, follows redirects and reads answers without a limit.

// DefaultAliyunEndpoint is where Aliyun takes messages for mainland China.
const DefaultAliyunEndpoint = "dysmsapi.aliyuncs.com"

// AliyunConfig is what NewAliyun needs.
type AliyunConfig struct {
	AccessKeyID, AccessKeySecret string           // required
	SignName                     string           // required: the approved signature, without its 【】
	Templates                    Templates        // required: approved codes, "SMS_123456789"
	Endpoint                     string           // host[:port], or URL; default DefaultAliyunEndpoint
	Now                          func() time.Time // required: Aliyun takes signatures 15 minutes old at most
}

// Aliyun sends through Aliyun's SMS service. It is safe for concurrent use.
type Aliyun struct {
	cfg AliyunConfig
	url *url.URL
	far *far
}

var _ Provider = (*Aliyun)(nil)

// NewAliyun makes a provider; it does not connect.
func NewAliyun(cfg AliyunConfig) (*Aliyun, error) {
	var wrong []error
	refuse := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("sms aliyun: "+format, args...))
	}
	if cfg.AccessKeyID == "" || cfg.AccessKeySecret == "" {
		refuse("access key: want both its id and its secret, of a RAM user that may only send")
	}
	if cfg.SignName == "" {
		refuse("sign name: want the signature that Aliyun approved")
	}
	if len(cfg.Templates) == 0 {
		refuse("templates: want the template code that Aliyun approved for each notice, as down: SMS_123456789")
	}
	for name, code := range cfg.Templates {
		if name == "" || code == "" || strings.ContainsFunc(code, func(r rune) bool { return r <= ' ' || r > '~' }) {
			refuse("templates: got %q: %q, want a template code like SMS_123456789", name, code)
		}
	}
	if cfg.Endpoint == "" {
		cfg.Endpoint = DefaultAliyunEndpoint
	}
	where, err := base(cfg.Endpoint)
	if err != nil {
		refuse("%w", err)
	}
	if cfg.Now == nil {
		refuse("no clock")
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	where.Path = "/"
	return &Aliyun{cfg: cfg, url: where, far: newFar()}, nil
}

// Name is "aliyun".
func (a *Aliyun) Name() string { return "aliyun" }

// Tells reports whether the event has a template.
func (a *Aliyun) Tells(event notifier.Event) bool { return a.cfg.Templates.tells(event) }

// Send fills the template of m.Template with m.Params. Values longer than 35
// runes are cut. The message carries m.ID as OutId, by which receipts tell a
// doubled one.
func (a *Aliyun) Send(ctx context.Context, number string, m notifier.Message) error {
	code, err := a.cfg.Templates.find("aliyun", m)
	if err != nil {
		return err
	}
	params, err := jsonObject(m.Params)
	if err != nil {
		return fmt.Errorf("sms aliyun: %w: %w", err, notifier.ErrUnsendable)
	}
	calling, t := begin(ctx)
	where := *a.url
	where.RawQuery = url.Values{
		"PhoneNumbers": {home(number)}, "SignName": {a.cfg.SignName}, "TemplateCode": {code}, "TemplateParam": {params}, "OutId": {m.ID},
	}.Encode()
	request, err := http.NewRequestWithContext(calling, http.MethodPost, where.String(), nil)
	if err != nil {
		return errors.New("sms aliyun: no request can be made of the endpoint")
	}
	a.sign(request)
	a.far.do(request)
	if t.err != nil {
		return t.failed(ctx, "aliyun", a.cfg.AccessKeySecret, a.cfg.AccessKeyID)
	}
	var answer struct{ Code, Message string }
	if json.Unmarshal(t.body, &answer) != nil || answer.Code == "" || answer.Code == "OK" && t.status != http.StatusOK {
		return t.unread("aliyun")
	}
	return a.readCode(answer.Code, answer.Message)
}

// sign signs a request without a body.
func (a *Aliyun) sign(request *http.Request) {
	empty := sha256.Sum256(nil)
	signed := &tea.Request{
		Method: tea.String(request.Method), Pathname: tea.String(request.URL.EscapedPath()),
		Headers: map[string]*string{
			"host": tea.String(request.URL.Host), "x-acs-version": tea.String("2017-05-25"), "x-acs-action": tea.String("SendSms"),
			"x-acs-date":            tea.String(a.cfg.Now().UTC().Format(time.RFC3339)),
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
		signed.Headers["x-acs-content-sha256"], tea.String(a.cfg.AccessKeyID), tea.String(a.cfg.AccessKeySecret))))
}

// jsonObject is the params as a JSON object in their own order.
func jsonObject(params []notifier.Param) (string, error) {
	var object bytes.Buffer
	object.WriteByte('{')
	for i, param := range params {
		if i > 0 {
			object.WriteByte(',')
		}
		name, err := json.Marshal(param.Name)
		if err != nil {
			return "", fmt.Errorf("param %q: %w", param.Name, err)
		}
		quoted, err := json.Marshal(value(param.Value))
		if err != nil {
			return "", fmt.Errorf("param %q: %w", param.Name, err)
		}
		object.Write(name)
		object.WriteByte(':')
		object.Write(quoted)
	}
	object.WriteByte('}')
	return object.String(), nil
}

// readCode maps a code of Aliyun to what the caller must do; nil for "OK". What
// isn't named here will pass, so it is a plain error.
func (a *Aliyun) readCode(code, words string) error {
	said := fmt.Errorf("sms aliyun: %s: %s", a.redact(code), a.redact(words))
	later := func(after time.Duration, whole bool) error {
		return &notifier.RetryAfterError{After: after, Whole: whole, Err: said}
	}
	switch code {
	case "OK":
		return nil
	case "isv.MOBILE_NUMBER_ILLEGAL", "isv.NOT_SUPPORTED_COUNTRY", "isv.COUNTRY_RESTRICTED", "isv.BLACK_LIST", "isv.MOBILE_IN_BLACK":
		return fmt.Errorf("%w: %w", said, notifier.ErrPermanent)
	case "isv.SMS_TEMPLATE_ILLEGAL", "isv.TEMPLATE_MISSING_PARAMETERS", "isv.TEMPLATE_PARAMS_ILLEGAL", "isv.PARAM_LENGTH_LIMIT",
		"isv.PARAM_NOT_SUPPORT_URL", "isv.INVALID_JSON_PARAM", "isv.BLACK_KEY_CONTROL_LIMIT", "isv.SMS_CONTENT_ILLEGAL",
		"isv.CONTENT_KEYWORD", "isv.INVALID_PARAMETERS", "isv.SMS_SIGNATURE_SCENE_ILLEGAL":
		return fmt.Errorf("%w: %w", said, notifier.ErrUnsendable)
	case "isv.BUSINESS_LIMIT_CONTROL": // of this number
		return later(limitOf(words), false)
	case "isv.DAY_LIMIT_CONTROL", "isv.MONTH_LIMIT_CONTROL": // of the account, set by its owner
		return later(time.Hour, true)
	case "isv.AMOUNT_NOT_ENOUGH", "isv.OUT_OF_SERVICE", "isv.ACCOUNT_NOT_EXISTS", "isv.ACCOUNT_ABNORMAL",
		"isv.PRODUCT_UN_SUBSCRIPT", "isv.PRODUCT_UNSUBSCRIBE", "isp.RAM_PERMISSION_DENY", "isv.DENY_IP_RANGE",
		"isv.SMS_SIGNATURE_ILLEGAL", "isv.SMS_SIGN_ILLEGAL", "SignatureDoesNotMatch", "IncompleteSignature":
		return later(providerRefused, true)
	}
	for _, refusal := range []string{"InvalidAccessKeyId", "Forbidden", "NoPermission", "InvalidTimeStamp"} {
		if strings.HasPrefix(code, refusal) {
			return later(providerRefused, true)
		}
	}
	if strings.HasPrefix(code, "Throttling") {
		return later(throttled, true)
	}
	return said
}

// limitOf reads which of a number's limits was met: "触发小时级流控Permits:5". A
// day's limit rolls, so an hour from now there may be room again.
func limitOf(words string) time.Duration {
	if strings.Contains(words, "分钟") || strings.Contains(strings.ToLower(words), "minute") {
		return time.Minute
	}
	return time.Hour
}

func (a *Aliyun) redact(words string) string {
	return redact(words, a.cfg.AccessKeySecret, a.cfg.AccessKeyID)
}
