package sms

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tcerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	tencent "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/sms/v20210111"

	"shopwatch/notifier"
)

// Where Tencent Cloud takes messages, by default.
const (
	DefaultTencentEndpoint = "sms.tencentcloudapi.com"
	DefaultTencentRegion   = "ap-guangzhou"
)

// TencentConfig is what NewTencent needs.
type TencentConfig struct {
	SecretID, SecretKey string    // required
	AppID               string    // required: SmsSdkAppId, "1400006666"
	SignName            string    // required: the approved signature, without its 【】
	Templates           Templates // required: approved template ids, "449739"
	Region              string    // default DefaultTencentRegion
	Endpoint            string    // host[:port], or URL; default DefaultTencentEndpoint
}

// Tencent sends through Tencent Cloud's SMS service. It is safe for concurrent use.
type Tencent struct {
	cfg    TencentConfig
	client *tencent.Client
}

var _ Provider = (*Tencent)(nil)

// NewTencent makes a provider; it does not connect.
func NewTencent(cfg TencentConfig) (*Tencent, error) {
	var wrong []error
	refuse := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("sms tencent: "+format, args...))
	}
	if cfg.SecretID == "" || cfg.SecretKey == "" {
		refuse("secret: want both its id and its key, of a CAM user that may only send")
	}
	if cfg.AppID == "" {
		refuse("app id: want the SmsSdkAppId of the application, as 1400006666")
	}
	if cfg.SignName == "" {
		refuse("sign name: want the signature that Tencent approved")
	}
	if len(cfg.Templates) == 0 {
		refuse("templates: want the template id that Tencent approved for each notice, as down: 449739")
	}
	if cfg.Region == "" {
		cfg.Region = DefaultTencentRegion
	}
	if cfg.Endpoint == "" {
		cfg.Endpoint = DefaultTencentEndpoint
	}
	where, err := base(cfg.Endpoint)
	if err != nil {
		refuse("%w", err)
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	settings := profile.NewClientProfile()
	settings.DisableRegionBreaker = true // it would send to another endpoint behind our back
	settings.HttpProfile.Scheme, settings.HttpProfile.Endpoint = where.Scheme, where.Host
	settings.HttpProfile.ReqTimeout = int(callTimeout/time.Second) + 1 // the context ends it first
	client, err := tencent.NewClient(common.NewCredential(cfg.SecretID, cfg.SecretKey), cfg.Region, settings)
	if err != nil {
		return nil, fmt.Errorf("sms tencent: %s", redact(err.Error(), cfg.SecretKey, cfg.SecretID))
	}
	client.WithHttpTransport(newFar())
	return &Tencent{cfg: cfg, client: client}, nil
}

// Name is "tencent".
func (p *Tencent) Name() string { return "tencent" }

// Tells reports whether the event has a template.
func (p *Tencent) Tells(event notifier.Event) bool { return p.cfg.Templates.tells(event) }

// Send fills the template of m.Template with the values of m.Params in their
// order: Tencent's variables are {1}, {2}, {3} and have no names. Values longer
// than 35 runes are cut. The message carries m.ID as its session's context,
// which comes back with the receipt.
func (p *Tencent) Send(ctx context.Context, number string, m notifier.Message) error {
	id, err := p.cfg.Templates.find("tencent", m)
	if err != nil {
		return err
	}
	request := tencent.NewSendSmsRequest()
	request.PhoneNumberSet = []*string{&number}
	request.SmsSdkAppId, request.SignName, request.TemplateId = &p.cfg.AppID, &p.cfg.SignName, &id
	request.SessionContext = &m.ID
	for _, param := range m.Params {
		filled := value(param.Value)
		request.TemplateParamSet = append(request.TemplateParamSet, &filled)
	}
	calling, t := begin(ctx)
	answer, err := p.client.SendSmsWithContext(calling, request)
	if t.err != nil {
		return t.failed(ctx, "tencent", p.cfg.SecretKey, p.cfg.SecretID)
	}
	var refused *tcerrors.TencentCloudSDKError
	if errors.As(err, &refused) && !strings.HasPrefix(refused.Code, "ClientError.") {
		return p.readCode(refused.Code, refused.Message)
	}
	if err != nil || answer.Response == nil || len(answer.Response.SendStatusSet) != 1 || answer.Response.SendStatusSet[0] == nil || answer.Response.SendStatusSet[0].Code == nil {
		return t.unread("tencent")
	}
	status := answer.Response.SendStatusSet[0]
	words := ""
	if status.Message != nil {
		words = *status.Message
	}
	return p.readCode(*status.Code, words)
}

// readCode maps a code of Tencent, of the request or of its one number, to what
// the caller must do; nil for "Ok". What isn't named here will pass. The codes
// are those of cloud.tencent.com/document/api/382/52071, and of the SDK's errors.go.
func (p *Tencent) readCode(code, words string) error {
	said := fmt.Errorf("sms tencent: %s: %s", p.redact(code), p.redact(words))
	later := func(after time.Duration, whole bool) error {
		return &notifier.RetryAfterError{After: after, Whole: whole, Err: said}
	}
	switch code {
	case "Ok":
		return nil
	case "FailedOperation.PhoneNumberInBlacklist", // who answered TD, or complained
		"InvalidParameterValue.IncorrectPhoneNumber", "FailedOperation.PhoneNumberParseFail", "UnsupportedOperation.UnsupportedRegion":
		return fmt.Errorf("%w: %w", said, notifier.ErrPermanent)
	case "FailedOperation.ContainSensitiveWord", "FailedOperation.TemplateIncorrectOrUnapproved", "FailedOperation.TemplateUnapprovedOrNotExist",
		"FailedOperation.TemplateIdNotExist", "FailedOperation.TemplateParamSetNotMatchApprovedTemplate", "FailedOperation.MarketingSendTimeConstraint",
		"UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone", "UnsupportedOperation.GlobalTemplateToChineseMainlandPhone",
		"UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber":
		return fmt.Errorf("%w: %w", said, notifier.ErrUnsendable)
	case "LimitExceeded.PhoneNumberThirtySecondLimit":
		return later(30*time.Second, false)
	case "LimitExceeded.PhoneNumberOneHourLimit", "LimitExceeded.PhoneNumberDailyLimit", "LimitExceeded.PhoneNumberSameContentDailyLimit":
		return later(time.Hour, false) // such windows may end at midnight, or roll: an hour from now there may be room
	case "LimitExceeded.DeliveryFrequencyLimit": // of this number, by the console's settings
		return later(time.Minute, false)
	case "InvalidParameterValue.SdkAppIdNotExist", "FailedOperation.SignatureIncorrectOrUnapproved", "FailedOperation.MissingSignature",
		"FailedOperation.InsufficientBalanceInSmsPackage", "InternalError.RequestTimeException":
		return later(providerRefused, true)
	}
	for prefix, act := range map[string]func() error{
		"InvalidParameterValue.":  func() error { return fmt.Errorf("%w: %w", said, notifier.ErrUnsendable) },
		"LimitExceeded.":          func() error { return later(time.Hour, true) }, // of the account, set by its owner
		"RequestLimitExceeded":    func() error { return later(throttled, true) },
		"AuthFailure":             func() error { return later(providerRefused, true) },
		"UnauthorizedOperation":   func() error { return later(providerRefused, true) },
		"InternalError.SigVerify": func() error { return later(providerRefused, true) },
	} {
		if strings.HasPrefix(code, prefix) {
			return act()
		}
	}
	return said
}

func (p *Tencent) redact(words string) string {
	return redact(words, p.cfg.SecretKey, p.cfg.SecretID)
}
