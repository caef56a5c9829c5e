// Package sms looks at SMS providers: whether ours takes our key, has approved
// our signature and template, and has money of ours left. Nothing is ever sent.
//
// The room signs by itself or by the provider's own signing package, and asks
// over the look's client: the providers' SDKs dial by themselves, read answers
// of any size and, Aliyun's, take no context, so that the resolver, the guard
// and the limits of a look would not hold. What a provider says of itself is
// not repeated in a detail but for codes that hold no secret.
//
// Reasons, beside those of every connection: auth (the key is refused, or lacks
// a right; the detail names what to grant), query (the signature or template is
// not approved, too little balance, the provider is out of service), body (the
// answer isn't in the provider's protocol), status (a 5xx without one), vantage
// (asked too often, so nothing is known), other (the module is incomplete, or
// our clock is too far from the provider's for it to take signatures).
package sms

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// The providers, by the words of configuration.
const (
	Aliyun  = "aliyun"
	Tencent = "tencent"
	Twilio  = "twilio"
)

// maxAnswer bounds a provider's answer; a template in JSON has some kilobytes.
const maxAnswer = 256 << 10

// DefaultTarget is the URL of a provider in a region, "" for one that is not
// known. Aliyun has a host for each region outside of mainland China.
func DefaultTarget(provider, region string) string {
	switch provider {
	case Aliyun:
		if region != "" && !strings.HasPrefix(region, "cn-") {
			return "https://dysmsapi." + region + ".aliyuncs.com"
		}
		return "https://dysmsapi.aliyuncs.com"
	case Tencent:
		return "https://sms.tencentcloudapi.com"
	case Twilio:
		return "https://api.twilio.com"
	}
	return ""
}

// Look is the probe.Kind "sms". An empty target is the provider's default. One
// that isn't the provider's, such as a proxy's, is asked for the balance too.
func Look(ctx context.Context, l *probe.Look) error {
	options := l.Module().SMS
	if options == nil {
		return probe.Problem(rules.ReasonOther, "the module says nothing of an SMS provider")
	}
	ask := map[string]func(context.Context, *talk) error{Aliyun: askAliyun, Tencent: askTencent, Twilio: askTwilio}[options.Provider]
	if ask == nil {
		return probe.Problem(rules.ReasonOther, "the provider is not known: "+probe.Code(options.Provider))
	}
	if options.KeyID == "" || options.KeySecret == "" {
		return probe.Problem(rules.ReasonOther, "key_id and key_secret are needed: nothing can be asked without")
	}
	base, err := url.Parse(cmp.Or(l.Target(), DefaultTarget(options.Provider, options.Region)))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return probe.Problem(rules.ReasonOther, "target is not the http or https URL of the provider")
	}
	base.RawQuery, base.Fragment = "", ""
	err = ask(ctx, &talk{look: l, options: options, base: base, client: l.Client(options.TLS)})
	l.SampleCertificates(err)
	return err
}

// talk is one look at one provider.
type talk struct {
	look    *probe.Look
	options *exporter.SMS
	base    *url.URL
	client  *http.Client
	clock   probe.Answer // the last one that was the provider's own
}

// ask makes a request and reads the JSON object that answers it into said. An
// answer that recognise doesn't know as the provider's is a problem.
func (t *talk) ask(ctx context.Context, request *http.Request, said any, recognise func(probe.Answer) bool) (probe.Answer, error) {
	request.Header.Set("Accept", "application/json")
	answer, err := t.look.Ask(ctx, t.client, request, maxAnswer)
	if err != nil {
		return answer, err
	}
	if json.Unmarshal(answer.Body, said) != nil || !recognise(answer) {
		return answer, answer.Foreign()
	}
	t.clock = answer
	return answer, nil
}

// where is a URL of the provider's: the host of another of its services, if the
// target is the provider's own, and otherwise the target.
func (t *talk) where(service string) *url.URL {
	where := *t.base
	own, _ := url.Parse(DefaultTarget(t.options.Provider, t.options.Region))
	if service != "" && where.Host == own.Host {
		where.Host = service
	}
	if where.Path == "" {
		where.Path = "/"
	}
	return &where
}

// code is a provider's error code as it may be shown.
func (t *talk) code(code string) string {
	return probe.Code(code, t.options.KeyID, t.options.KeySecret)
}

// judgeBalance samples the balance and is a problem if it is too little. The
// amount is as providers write it: "1,234.56".
func (t *talk) judgeBalance(amount, currency string) error {
	balance, err := strconv.ParseFloat(strings.ReplaceAll(amount, ",", ""), 64)
	if err != nil || math.IsNaN(balance) || math.IsInf(balance, 0) || len(currency) != 3 || strings.ContainsFunc(currency, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		return probe.Problem(rules.ReasonBody, "the provider's balance is no amount of a currency")
	}
	t.look.Sample(&rules.SMSBalance, balance, currency)
	if least := t.options.LeastBalance; least > 0 && balance < least {
		return failed(fmt.Sprintf("the balance is %.2f %s, less than %.2f", balance, currency, least))
	}
	return nil
}

// refused is the problem of a key that the provider doesn't take.
func refused(detail string) error { return probe.Problem(rules.ReasonAuth, detail) }

// failed is the problem of a provider that takes the key, but would not send.
func failed(detail string) error { return probe.Problem(rules.ReasonQuery, detail) }

// busy says that the provider answers no more of our questions for now.
func busy(code string) error {
	return probe.Problem(rules.ReasonVantage, "asked too often ("+code+")")
}

// late is the problem of a signature that the provider refuses for its time.
func (t *talk) late(code string) error {
	detail := "the provider refuses the time of our signature (" + t.code(code) + ")"
	if t.clock.Timed {
		side := "behind" // what is ahead of us leaves us behind
		if t.clock.Skew < 0 {
			side = "ahead of"
		}
		detail += fmt.Sprintf(": our clock is %s %s the provider's", t.clock.Skew.Abs().Round(time.Second), side)
	}
	return probe.Problem(rules.ReasonOther, detail)
}
