package sandbox_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/channeltest"
	"shopwatch/notifier/channel/sms"
	"shopwatch/notifier/channel/webhook"
	"shopwatch/notifier/sandbox"
)

// gates are the channels that speak to the gates, by whose they are.
func gates(t *testing.T, s *sandbox.Sandbox, secret string) map[string]channeltest.Channel {
	t.Helper()
	known := s.GateCredentials()
	texts := func(p sms.Provider, err error) channeltest.Channel {
		if err != nil {
			t.Fatal(err)
		}
		c, err := sms.New(sms.Config{Providers: []sms.Provider{p}, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	made := map[string]channeltest.Channel{
		"tencent": texts(sms.NewTencent(sms.TencentConfig{
			SecretID: known.TencentSecretID, SecretKey: secret, AppID: known.TencentAppID, SignName: "shopwatch", Endpoint: s.GatesURL(), Templates: s.TencentTemplates(),
		})),
		"twilio": texts(sms.NewTwilio(sms.TwilioConfig{AccountSID: known.TwilioAccount, KeySecret: secret, From: "+14155550100", Endpoint: s.GatesURL()})),
		"gateway": texts(sms.NewGateway(sms.GatewayConfig{
			URL: s.GatesURL() + "/gateway", Secret: secret, Headers: map[string]string{"Authorization": "Bearer ${secret}"},
			JSON: `{"to": "${number_home}", "text": "${text}"}`, Result: sms.Result{JSON: "code", Accepted: []string{"0"}, Permanent: []string{"51"}, Refused: []string{"41"}},
		})),
	}
	for _, kind := range []webhook.Kind{webhook.Signed, webhook.DingTalk, webhook.WeCom, webhook.Feishu} {
		c, err := webhook.New(webhook.Config{Kind: kind, Now: func() time.Time { return noon }, Targets: []webhook.Target{{
			Name: "ops-group", URL: func() (string, error) { return s.RobotURL(string(kind)), nil }, Secret: func() (string, error) { return secret, nil },
		}}})
		if err != nil {
			t.Fatal(err)
		}
		made[string(kind)] = c
	}
	return made
}

// addressOf is a good address at a gate.
func addressOf(c channeltest.Channel) string {
	if c.Name() == "sms" {
		return "+8613800138000"
	}
	return "ops-group"
}

func TestEveryGateTakesWhatItsChannelSays(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	for name, c := range gates(t, s, s.GateCredentials().Secret) {
		before := len(s.Messages())
		m := notice(sandbox.SMS)
		m.Text = "支付宝暂时无法支付"
		m.Buttons = [][]notifier.Button{{{Text: "状态页", URL: "https://status.shop.example/"}}}
		if err := c.Send(t.Context(), addressOf(c), m); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := s.Messages()[before:]
		if len(got) != 1 || got[0].Channel != c.Name() || !strings.Contains(got[0].Text, "支付宝暂时无法支付") || got[0].Raw == "" {
			t.Errorf("%s: took %+v", name, got)
		}
	}
}

func TestEveryGateRefusesWhoDoesNotKnowItsSecret(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	for name, c := range gates(t, s, "another secret altogether") {
		err := c.Send(t.Context(), addressOf(c), notice(sandbox.SMS))
		if (err == nil) != (name == "wecom") { // whose robots take no signature
			t.Errorf("%s: %v", name, err)
		}
		if leaked := channeltest.Leaked(err, "another secret", "13800138000", "sandbox-gate-token"); leaked != "" {
			t.Errorf("%s: error holds %q: %v", name, leaked, err)
		}
	}
	if n := len(s.Messages()); n != 1 {
		t.Errorf("%d messages were taken, want WeCom's alone", n)
	}
}

func TestAGateFailsAsItIsTold(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	channels := gates(t, s, s.GateCredentials().Secret)
	for _, c := range []struct {
		gate  string
		fault sandbox.Fault
		want  channeltest.Outcome
	}{
		{"dingtalk", sandbox.Fault{Code: "130101"}, channeltest.WaitRecipient},
		{"wecom", sandbox.Fault{Code: "45009"}, channeltest.WaitRecipient},
		{"feishu", sandbox.Fault{Code: "11232"}, channeltest.WaitRecipient},
		{"webhook", sandbox.Fault{Status: http.StatusGone}, channeltest.Permanent},
		{"tencent", sandbox.Fault{Code: "FailedOperation.PhoneNumberInBlacklist"}, channeltest.Permanent},
		{"twilio", sandbox.Fault{Status: 400, Code: "21610"}, channeltest.Permanent},
		{"gateway", sandbox.Fault{Drop: true, Taken: true}, channeltest.Temporary},
	} {
		channel := channels[c.gate]
		s.Fail(channel.Name(), c.fault)
		err := channel.Send(t.Context(), addressOf(channel), notice(sandbox.SMS))
		if got, _ := channeltest.Understand(err); got != c.want {
			t.Errorf("%s: understood as %q, want %q (%v)", c.gate, got, c.want, err)
		}
		if err := channel.Send(t.Context(), addressOf(channel), notice(sandbox.SMS)); err != nil {
			t.Errorf("%s, once the fault is over: %v", c.gate, err)
		}
	}
}
