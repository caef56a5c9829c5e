package sms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	dysms "github.com/alibabacloud-go/dysmsapi-20170525/v4/client"
	openapiutil "github.com/alibabacloud-go/tea-utils/v2/service"
	"github.com/alibabacloud-go/tea/tea"

	"shopwatch/notifier"
)

// DefaultAliyunEndpoint is where Aliyun takes messages for mainland China.
const DefaultAliyunEndpoint = "dysmsapi.aliyuncs.com"

const (
	// callTimeout ends a call of the SDK. The SDK takes no context, so a call
	// whose caller has gone lives on in the background for at most this long.
	callTimeout = 10 * time.Second
	// maxCalls is how many calls may be under way, abandoned ones included.
	maxCalls = 16
	// providerRefused is how long the whole channel rests after the provider
	// refused our account, key, signature or balance. Only a person mends those.
	providerRefused = 5 * time.Minute
	// throttled is how long the whole channel rests when Aliyun's API gateway is
	// asked too often; its limits are counted by the second and by the minute.
	throttled = time.Minute
)

// AliyunConfig is what NewAliyun needs.
type AliyunConfig struct {
	AccessKeyID, AccessKeySecret string // required
	SignName                     string // required: the approved signature, without its 【】
	// Templates names the approved template, "SMS_123456789", for each
	// Message.Template. An entry "down.zh" goes before "down" for a message in
	// that language. Required, at least one.
	Templates map[string]string
	Endpoint  string // host[:port]; default DefaultAliyunEndpoint
	Protocol  string // "https", the default, or "http" for a server on this machine
	// AllowedPrefixes are the countries that may cost money. Default +86.
	AllowedPrefixes []string
}

// Aliyun sends through Aliyun's SMS service. It is safe for concurrent use.
type Aliyun struct {
	cfg AliyunConfig
	// idle holds the SDK's clients that no call uses. A client is not safe for
	// two calls at once; their connections are shared all the same.
	idle chan *dysms.Client
}

// NewAliyun makes a channel; it does not connect.
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
	if cfg.Protocol == "" {
		cfg.Protocol = "https"
	}
	if cfg.Protocol != "https" && cfg.Protocol != "http" {
		refuse("protocol: got %q, want https or http", cfg.Protocol)
	}
	parsed, err := url.Parse(cfg.Protocol + "://" + cfg.Endpoint)
	if err != nil || parsed.Host != cfg.Endpoint {
		refuse("endpoint: got %q, want host or host:port", cfg.Endpoint)
		parsed = &url.URL{}
	}
	here := loopback(parsed.Hostname())
	if cfg.Protocol == "http" && !here {
		refuse("protocol: http would show the numbers to everybody on the way: use https")
	}
	if len(cfg.AllowedPrefixes) == 0 {
		cfg.AllowedPrefixes = []string{"+86"}
	}
	if err := checkPrefixes(cfg.AllowedPrefixes); err != nil {
		refuse("%w", err)
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	sdk := &openapi.Config{
		AccessKeyId:     tea.String(cfg.AccessKeyID),
		AccessKeySecret: tea.String(cfg.AccessKeySecret),
		Endpoint:        tea.String(cfg.Endpoint),
		Protocol:        tea.String(cfg.Protocol),
		// The SDK keeps a client for ever for each pair of timeouts, so they
		// are the same for every call. It bounds the whole call by the read
		// timeout, and reads the connect timeout as seconds.
		ReadTimeout:    tea.Int(int(callTimeout / time.Millisecond)),
		ConnectTimeout: tea.Int(int(callTimeout / time.Second)),
		MaxIdleConns:   tea.Int(maxCalls),
	}
	if here { // the SDK would ask even this machine through HTTP_PROXY
		sdk.NoProxy = tea.String(cfg.Endpoint)
	}
	a := &Aliyun{cfg: cfg, idle: make(chan *dysms.Client, maxCalls)}
	for range maxCalls {
		client, err := dysms.NewClient(sdk)
		if err != nil {
			return nil, fmt.Errorf("sms aliyun: %s", a.redact(err.Error()))
		}
		a.idle <- client
	}
	return a, nil
}

// Name is "sms".
func (a *Aliyun) Name() string { return "sms" }

// Send fills the template of m.Template with m.Params and sends it to the
// number, in E.164. Values longer than 35 runes are cut. A message whose
// deadline ends while Aliyun is thinking may have been accepted all the same;
// it carries m.ID as OutId, by which receipts tell a doubled one.
//
// Errors: wrapping notifier.ErrPermanent where the number takes no messages,
// *notifier.RetryAfterError where a limit was met or the account is refused.
func (a *Aliyun) Send(ctx context.Context, address string, m notifier.Message) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("sms: %w", err)
	}
	if err := checkNumber(address, a.cfg.AllowedPrefixes); err != nil {
		return err
	}
	code, ok := a.cfg.Templates[m.Template+"."+string(m.Language)]
	if !ok {
		code, ok = a.cfg.Templates[m.Template]
	}
	if !ok {
		return fmt.Errorf("sms aliyun: no template code for the notice %q in language %q: name one in templates", m.Template, m.Language)
	}
	params, err := jsonObject(m.Params)
	if err != nil {
		return fmt.Errorf("sms aliyun: %w", err)
	}
	request := &dysms.SendSmsRequest{
		PhoneNumbers:  tea.String(aliyunNumber(address)),
		SignName:      tea.String(a.cfg.SignName),
		TemplateCode:  tea.String(code),
		TemplateParam: tea.String(params),
		OutId:         tea.String(m.ID),
	}
	answer, err := a.call(ctx, request)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("sms: %w", ctx.Err())
	}
	if err != nil {
		return a.readError(err)
	}
	if answer.Body == nil || tea.StringValue(answer.Body.Code) == "" {
		return errors.New("sms aliyun: an answer without a code: check the endpoint")
	}
	return a.readCode(tea.StringValue(answer.Body.Code), tea.StringValue(answer.Body.Message))
}

// aliyunNumber is a number as Aliyun wants it: eleven digits at home, country
// and digits without "+" abroad.
func aliyunNumber(e164 string) string {
	if home, ok := strings.CutPrefix(e164, "+86"); ok {
		return home
	}
	return strings.TrimPrefix(e164, "+")
}

// loopback reports whether the host is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
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

// call runs one call of the SDK and lets go of it when ctx ends.
func (a *Aliyun) call(ctx context.Context, request *dysms.SendSmsRequest) (*dysms.SendSmsResponse, error) {
	var client *dysms.Client
	select {
	case client = <-a.idle:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	type result struct {
		answer *dysms.SendSmsResponse
		err    error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if broken := recover(); broken != nil { // an answer that the SDK did not expect
				r = result{err: errors.New("the answer cannot be read")}
			}
			a.idle <- client
			done <- r
		}()
		r.answer, r.err = client.SendSmsWithOptions(request, &openapiutil.RuntimeOptions{})
	}()
	select {
	case r := <-done:
		return r.answer, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// readError words an error of the SDK, and keeps nothing of it: it holds the
// request's URL, and so the number.
func (a *Aliyun) readError(err error) error {
	var refused *tea.SDKError
	if errors.As(err, &refused) {
		return a.readCode(tea.StringValue(refused.Code), tea.StringValue(refused.Message))
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return fmt.Errorf("sms aliyun: no answer that can be read: %s", a.redact(err.Error()))
}

// readCode maps a code of Aliyun to what the caller must do; nil for "OK". What
// isn't named here is about this message or will pass, so it is a plain error:
// a template that doesn't fit, a forbidden word in a variable
// (BLACK_KEY_CONTROL_LIMIT), a fault of Aliyun's. The codes are those of
// help.aliyun.com, "短信服务 API 错误码".
func (a *Aliyun) readCode(code, words string) error {
	said := fmt.Errorf("sms aliyun: %s: %s", a.redact(code), a.redact(words))
	later := func(after time.Duration, whole bool) error {
		return &notifier.RetryAfterError{After: after, Whole: whole, Err: said}
	}
	switch code {
	case "OK":
		return nil
	case "isv.MOBILE_NUMBER_ILLEGAL", "isv.NOT_SUPPORTED_COUNTRY", "isv.COUNTRY_RESTRICTED":
		return fmt.Errorf("%w: %w", said, notifier.ErrPermanent)
	case "isv.BUSINESS_LIMIT_CONTROL": // of this number
		return later(limitOf(words), false)
	case "isv.DAY_LIMIT_CONTROL", "isv.MONTH_LIMIT_CONTROL": // of the account, set by its owner
		return later(time.Hour, true)
	case "isv.AMOUNT_NOT_ENOUGH", "isv.OUT_OF_SERVICE", "isv.ACCOUNT_NOT_EXISTS", "isv.ACCOUNT_ABNORMAL",
		"isv.PRODUCT_UN_SUBSCRIPT", "isv.PRODUCT_UNSUBSCRIBE", "isp.RAM_PERMISSION_DENY", "isv.DENY_IP_RANGE",
		"isv.SMS_SIGNATURE_ILLEGAL", "SignatureDoesNotMatch", "IncompleteSignature":
		return later(providerRefused, true)
	}
	for _, refusal := range []string{"InvalidAccessKeyId", "Forbidden", "NoPermission"} {
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
