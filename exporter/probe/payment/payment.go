// Package payment looks at the payment gateways that card shops use: each is
// asked in its own protocol, since a hijacked name, a CDN's challenge page or a
// proxy's error page answer HTTP just as well. With the shop's credentials a
// query that changes nothing shows that our signature and merchant are taken.
//
// The room never creates, pays, closes or refunds an order: it asks for orders
// that don't exist. Nothing that a gateway sends is repeated in a detail but
// codes that are known not to hold a secret. Where a gateway signs its answers
// (Alipay, WeChat Pay), the signature is not verified: no money is believed in
// because of it, and TLS shows who answered.
//
// Reasons, beside those of every connection: body (the answer isn't in the
// gateway's protocol), status (a 5xx without one), auth (credentials refused),
// query (in the protocol, but the gateway can't do its work), vantage (we ask
// too often, so nothing is known), other (the module is incomplete, or the
// gateway's clock and ours are further apart than Skew: signed requests carry
// the time and would be refused, and orders expire at the wrong moment).
package payment

import (
	"cmp"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// The gateways, by the words of configuration.
const (
	Alipay    = "alipay"
	WeChatPay = "wechatpay"
	Epay      = "epay"    // 易支付 and all that took over its interface
	Codepay   = "codepay" // 码支付
	Epusdt    = "epusdt"
	BEpusdt   = "bepusdt"
)

const (
	// unknownOrder is the number of an order that no shop makes. It fits every
	// gateway: letters and underscores, at most 32 of them.
	unknownOrder = "shopwatch_no_such_order"
	// maxAnswer bounds a gateway's answer; an error in JSON has some hundred bytes.
	maxAnswer = 256 << 10
	// defaultSkew is what Alipay and WeChat Pay take.
	defaultSkew = 5 * time.Minute
)

// DefaultTarget is the URL of a gateway that has only one, "" for one that
// each operator runs at his own.
func DefaultTarget(gateway string) string {
	switch gateway {
	case Alipay:
		return "https://openapi.alipay.com/gateway.do"
	case WeChatPay:
		return "https://api.mch.weixin.qq.com"
	}
	return ""
}

// Look is the probe.Kind "payment". An empty target is the gateway's default.
func Look(ctx context.Context, l *probe.Look) error {
	options := l.Module().Payment
	if options == nil {
		return probe.Problem(rules.ReasonOther, "the module says nothing of a payment gateway")
	}
	ask := map[string]func(context.Context, *talk) error{
		Alipay: askAlipay, WeChatPay: askWeChatPay, Epay: askEpay, Codepay: askCodepay, Epusdt: askEpusdt, BEpusdt: askBEpusdt,
	}[options.Gateway]
	if ask == nil {
		return probe.Problem(rules.ReasonOther, "the gateway is not known: "+probe.Code(options.Gateway))
	}
	base, err := url.Parse(cmp.Or(l.Target(), DefaultTarget(options.Gateway)))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return probe.Problem(rules.ReasonOther, "target is not the http or https URL of the gateway")
	}
	base.RawQuery, base.Fragment = "", ""
	t := &talk{look: l, options: options, base: base, client: l.Client(options.TLS)}
	err = ask(ctx, t)
	l.SampleCertificates(err)
	return t.judgeClock(err)
}

// talk is one look at one gateway.
type talk struct {
	look    *probe.Look
	options *exporter.Payment
	base    *url.URL
	client  *http.Client
	clock   *probe.Answer // the first answer that was the gateway's own
}

// ask makes a request and reads the JSON object that answers it into said. An
// answer that recognise does not know as the gateway's is a problem.
func (t *talk) ask(ctx context.Context, request *http.Request, said any, recognise func(probe.Answer) bool) (probe.Answer, error) {
	request.Header.Set("Accept", "application/json")
	answer, err := t.look.Ask(ctx, t.client, request, maxAnswer)
	if err != nil {
		return answer, err
	}
	if json.Unmarshal(answer.Body, said) != nil || !recognise(answer) {
		return answer, answer.Foreign()
	}
	if t.clock == nil && answer.Timed {
		t.clock = &answer
		t.look.Sample(&rules.GatewaySkew, answer.Skew.Seconds())
	}
	return answer, nil
}

// get asks by GET for a URL of the gateway.
func (t *talk) get(ctx context.Context, u *url.URL, said any, recognise func(probe.Answer) bool) (probe.Answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return probe.Answer{}, probe.Problem(rules.ReasonOther, "no request can be made of the target")
	}
	return t.ask(ctx, request, said, recognise)
}

// post asks by POST with a body.
func (t *talk) post(ctx context.Context, u *url.URL, kind, body string, said any, recognise func(probe.Answer) bool) (probe.Answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(body))
	if err != nil {
		return probe.Answer{}, probe.Problem(rules.ReasonOther, "no request can be made of the target")
	}
	request.Header.Set("Content-Type", kind)
	return t.ask(ctx, request, said, recognise)
}

// code is a gateway's error code as it may be shown.
func (t *talk) code(code string) string {
	return probe.Code(code, t.options.Key, t.options.APIKey, t.options.Serial)
}

// judgeClock makes clocks that are too far apart the problem of a look that
// ended well, or whose credentials were refused: that is what it looks like.
func (t *talk) judgeClock(err error) error {
	allowed := cmp.Or(t.options.Skew, defaultSkew)
	if t.clock == nil || t.clock.Skew.Abs() <= allowed {
		return err
	}
	if err != nil {
		if reason, _ := probe.Explain(err); reason != rules.ReasonAuth {
			return err
		}
	}
	side := "ahead of"
	if t.clock.Skew < 0 {
		side = "behind"
	}
	return probe.Problem(rules.ReasonOther, fmt.Sprintf("the gateway's clock is %s %s ours, more than %s: signatures would be refused",
		t.clock.Skew.Abs().Round(time.Second), side, allowed))
}

// authenticated reports whether credentials are given; it is a problem if only
// some of them are.
func authenticated(credentials ...string) (bool, error) {
	given := 0
	for _, credential := range credentials {
		if credential != "" {
			given++
		}
	}
	if given != 0 && given != len(credentials) {
		return false, probe.Problem(rules.ReasonOther, "some of the gateway's credentials are missing: all or none")
	}
	return given > 0, nil
}

// refused is the problem of credentials that a gateway doesn't take.
func refused(detail string) error { return probe.Problem(rules.ReasonAuth, detail) }

// broken is the problem of a gateway that answers but can't do its work.
func broken(detail string) error { return probe.Problem(rules.ReasonQuery, detail) }

// busy says that the gateway answers no more of our questions for now.
func busy(code string) error {
	return probe.Problem(rules.ReasonVantage, "asked too often ("+code+")")
}

// parseKey reads an RSA private key: PEM of PKCS #1 or PKCS #8, or the base64
// between PEM's lines, as Alipay's key tool gives it.
func parseKey(text string) (*rsa.PrivateKey, error) {
	var der []byte
	if block, _ := pem.Decode([]byte(text)); block != nil {
		der = block.Bytes
	} else if decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), "")); err == nil {
		der = decoded
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if parsed, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		if key, ok := parsed.(*rsa.PrivateKey); ok {
			return key, nil
		}
	}
	return nil, probe.Problem(rules.ReasonOther, "the key is not an RSA private key (PEM, or the base64 between its lines)")
}
