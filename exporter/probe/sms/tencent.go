package sms

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// Sources: cloud.tencent.com/document/api/382 (SMS 2021-01-11:
// DescribeSmsTemplateList, DescribeSmsSignList, SmsPackagesStatistics; StatusCode
// 0 approved, 1 under review, 2 approved but not in force, -1 refused) and
// /555/20253 (billing 2018-07-09: DescribeAccountBalance, in cents), /382/52072
// (TC3-HMAC-SHA256) and /382/52075 (codes). The SDK has no signing package of its
// own, and its client reads answers of any size.

// askTencent asks for the template and the signature, or for any template if
// neither is named, for the app, and for the balance if there is a least one.
// Tencent knows signatures by their id alone: a SignName that is no number can't
// be asked for.
func askTencent(ctx context.Context, t *talk) error {
	sms := tencentService{"sms", "2021-01-11", "sms.tencentcloudapi.com"}
	template, hasTemplate, err := number(t.options.Template, "template")
	if err != nil {
		return err
	}
	sign, hasSign, _ := number(t.options.SignName, "sign_name")

	list := map[string]any{"International": 0}
	if hasTemplate {
		list["TemplateIdSet"] = []uint64{template}
	} else {
		list["Limit"], list["Offset"] = 1, 0
	}
	if hasTemplate || !hasSign {
		said, err := t.callTencent(ctx, sms, "DescribeSmsTemplateList", list)
		if err != nil {
			return err
		}
		if hasTemplate {
			if err := judgeReview("template", template, said.Templates); err != nil {
				return err
			}
		}
	}
	if hasSign {
		said, err := t.callTencent(ctx, sms, "DescribeSmsSignList", map[string]any{"International": 0, "SignIdSet": []uint64{sign}})
		if err != nil {
			return err
		}
		if err := judgeReview("signature", sign, said.Signs); err != nil {
			return err
		}
	}
	if t.options.AppID != "" { // only to see whether the app is the account's
		if _, err := t.callTencent(ctx, sms, "SmsPackagesStatistics", map[string]any{"SmsSdkAppId": t.options.AppID, "Limit": 1, "Offset": 0}); err != nil {
			return err
		}
	}
	if t.options.LeastBalance <= 0 {
		return nil
	}
	billing := tencentService{"billing", "2018-07-09", "billing.tencentcloudapi.com"}
	said, err := t.callTencent(ctx, billing, "DescribeAccountBalance", map[string]any{})
	if err != nil {
		return err
	}
	cents, err := strconv.ParseFloat(said.Balance.String(), 64)
	if err != nil {
		return probe.Problem(rules.ReasonBody, "the provider's balance is no amount")
	}
	return t.judgeBalance(strconv.FormatFloat(cents/100, 'f', -1, 64), "CNY")
}

// number reads an id of configuration.
func number(text, what string) (uint64, bool, error) {
	if text == "" {
		return 0, false, nil
	}
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, false, probe.Problem(rules.ReasonOther, "Tencent's "+what+" is not a number")
	}
	return id, true, nil
}

// tencentService is one API of Tencent Cloud's.
type tencentService struct{ name, version, host string }

// tencentAnswer is what is read of any of Tencent's answers.
type tencentAnswer struct {
	RequestID string `json:"RequestId"`
	Error     *struct{ Code string }
	Templates []tencentState `json:"DescribeTemplateStatusSet"`
	Signs     []tencentState `json:"DescribeSignListStatusSet"`
	Balance   json.Number    // in cents
}

type tencentState struct {
	TemplateID uint64 `json:"TemplateId"`
	SignID     uint64 `json:"SignId"`
	StatusCode *int
}

// callTencent makes one call, signed with TC3-HMAC-SHA256.
func (t *talk) callTencent(ctx context.Context, service tencentService, action string, parameters map[string]any) (tencentAnswer, error) {
	body, err := json.Marshal(parameters)
	if err != nil {
		return tencentAnswer{}, err
	}
	where := t.where(service.host)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, where.String(), strings.NewReader(string(body)))
	if err != nil {
		return tencentAnswer{}, probe.Problem(rules.ReasonOther, "no request can be made of the target")
	}
	now := t.look.Now()
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("X-TC-Action", action)
	request.Header.Set("X-TC-Version", service.version)
	request.Header.Set("X-TC-Region", cmp.Or(t.options.Region, "ap-guangzhou"))
	request.Header.Set("X-TC-Timestamp", strconv.FormatInt(now.Unix(), 10))
	request.Header.Set("Authorization", signTC3(request, service.name, string(body), now, t.options.KeyID, t.options.KeySecret))
	var said struct{ Response tencentAnswer }
	_, err = t.ask(ctx, request, &said, func(probe.Answer) bool { return said.Response.RequestID != "" })
	if err != nil || said.Response.Error == nil {
		return said.Response, err
	}
	return said.Response, t.judgeTencent(said.Response.Error.Code, service.name+":"+action)
}

// signTC3 is the value of Authorization for a request whose path is /, which
// has no query, and whose signed headers are content-type and host.
func signTC3(request *http.Request, service, body string, now time.Time, id, secret string) string {
	const headers = "content-type;host"
	canonical := fmt.Sprintf("%s\n%s\n\ncontent-type:%s\nhost:%s\n\n%s\n%s", request.Method, request.URL.EscapedPath(),
		request.Header.Get("Content-Type"), request.URL.Host, headers, hashed(body))
	date := now.UTC().Format(time.DateOnly)
	scope := date + "/" + service + "/tc3_request"
	text := fmt.Sprintf("TC3-HMAC-SHA256\n%d\n%s\n%s", now.Unix(), scope, hashed(canonical))
	key := []byte("TC3" + secret)
	for _, part := range []string{date, service, "tc3_request", text} {
		key = keyed(key, part)
	}
	return fmt.Sprintf("TC3-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", id, scope, headers, hex.EncodeToString(key))
}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func keyed(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// judgeTencent makes a problem of a code. Right is the action that a CAM user
// needs for the call.
func (t *talk) judgeTencent(code, right string) error {
	shown := t.code(code)
	switch {
	case strings.HasPrefix(code, "RequestLimitExceeded"), strings.HasPrefix(code, "LimitExceeded"):
		return busy(shown)
	case code == "AuthFailure.SignatureExpire":
		return t.late(code)
	case code == "AuthFailure.UnauthorizedOperation", code == "UnauthorizedOperation", strings.HasPrefix(code, "UnauthorizedOperation.Cam"):
		return refused("the key lacks a right (" + shown + "): grant " + right + " to its CAM user")
	case strings.HasPrefix(code, "AuthFailure"):
		return refused("Tencent refuses the key (" + shown + ")")
	case strings.Contains(strings.ToLower(code), "appid"):
		return failed("the app is not the account's (" + shown + ")")
	}
	return failed("Tencent can't answer (" + shown + ")")
}

// judgeReview makes a problem of a signature or template that isn't in force.
func judgeReview(what string, id uint64, states []tencentState) error {
	for _, state := range states {
		if state.TemplateID+state.SignID != id || state.StatusCode == nil {
			continue
		}
		switch *state.StatusCode {
		case 0:
			return nil
		case 1:
			return failed("the " + what + " is still under review")
		case 2:
			return failed("the " + what + " is approved, but not yet in force")
		}
		return failed("the " + what + " was refused by the review")
	}
	return failed("the account doesn't have the " + what)
}
