package sms_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/notifier/channel/channeltest"
	"shopwatch/notifier/channel/sms"
)

const accountSID = "AC0123456789abcdef0123456789abcdef"

func twilioConfig(hostport string) sms.TwilioConfig {
	return sms.TwilioConfig{AccountSID: accountSID, KeySecret: secret, From: "+14155550100", Endpoint: "http://" + hostport}
}

func twilio(t *testing.T, cfg sms.TwilioConfig) *sms.Channel {
	t.Helper()
	p, err := sms.NewTwilio(cfg)
	return channel(t, p, err)
}

func twilioSays(status, code int, words string) func(*testing.T) string {
	return answering(status, fmt.Sprintf(`{"code":%d,"message":%q,"more_info":"https://www.twilio.com/docs/errors/%d","status":%d}`, code, words, code, status))
}

func TestTwilioIsAChannel(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, channeltest.Subject{
		Name:    "sms",
		Connect: func(t *testing.T, hostport string) channeltest.Channel { return twilio(t, twilioConfig(hostport)) },
		Address: number,
		Private: []string{secret, accountSID, number, "13800138000"},
		Message: message,
		Status:  nonsense,
		Accepting: func(t *testing.T) (string, func() int) {
			var taken atomic.Int64
			hostport := channeltest.HTTP(t, func(w http.ResponseWriter, _ *http.Request) {
				taken.Add(1)
				w.WriteHeader(http.StatusCreated)
				fmt.Fprint(w, `{"sid":"SM0123456789abcdef0123456789abcdef","status":"queued"}`)
			})
			return hostport, func() int { return int(taken.Load()) }
		},
		Answers: []channeltest.Answer{
			{Name: "201 without a sid is a failure", Serve: answering(201, `{"status":"queued"}`), Want: channeltest.Temporary, Says: "endpoint"},
			{Name: "the reader said STOP", Serve: twilioSays(400, 21610, "Attempt to send to unsubscribed recipient "+number), Want: channeltest.Permanent, Says: "21610"},
			{Name: "the number is none", Serve: twilioSays(400, 21211, number), Want: channeltest.Permanent},
			{Name: "the number is a landline", Serve: twilioSays(400, 21614, number), Want: channeltest.Permanent},
			{Name: "our sender doesn't reach that country", Serve: twilioSays(400, 21612, number), Want: channeltest.Unsendable},
			{Name: "the text is too long", Serve: twilioSays(400, 21617, "body"), Want: channeltest.Unsendable},
			{Name: "the sender is not ours", Serve: twilioSays(400, 21606, "from"), Want: channeltest.WaitChannel, After: 5 * time.Minute},
			{Name: "the token is wrong", Serve: twilioSays(401, 20003, "Authenticate "+secret), Want: channeltest.WaitChannel, After: 5 * time.Minute},
			{Name: "the API is asked too often", Serve: twilioSays(429, 20429, "Too Many Requests"), Want: channeltest.WaitChannel, After: time.Minute},
			{Name: "the account's day is full", Serve: twilioSays(429, 63038, "daily"), Want: channeltest.WaitChannel, After: time.Hour},
			{Name: "the API is broken", Serve: twilioSays(500, 20500, "REQUEST"), Want: channeltest.Temporary, Says: "20500"},
			{Name: "it names when to come back", Serve: func(t *testing.T) string {
				return channeltest.HTTP(t, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Retry-After", "7")
					w.WriteHeader(http.StatusTooManyRequests)
				})
			}, Want: channeltest.WaitChannel, After: 7 * time.Second},
		},
	})
}

func TestTwilioGetsWordsAndNoTemplate(t *testing.T) {
	t.Parallel()
	var forms []url.Values
	var users []string
	hostport := channeltest.HTTP(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		user, password, _ := r.BasicAuth()
		forms, users = append(forms, r.PostForm), append(users, user+":"+password)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"sid":"SM1"}`)
	})
	m := message
	m.Text = strings.Repeat("字", 1700)
	cfg := twilioConfig(hostport)
	cfg.KeySID = "SK0123456789abcdef0123456789abcdef"
	if err := twilio(t, cfg).Send(t.Context(), number, m); err != nil {
		t.Fatal(err)
	}
	want := url.Values{"To": {number}, "From": {"+14155550100"}, "Body": {strings.Repeat("字", 1599) + "…"}}
	if got := forms[0].Encode(); got != want.Encode() {
		t.Errorf("sent %s\nwant %s", got, want.Encode())
	}
	if want := cfg.KeySID + ":" + secret; users[0] != want {
		t.Errorf("logged in as %s, want %s", users[0], want)
	}
}

func TestProvidersRefuseAWrongConfigAndNameEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := sms.NewTwilio(sms.TwilioConfig{AccountSID: "x", KeySID: "y", Endpoint: "http://api.twilio.com"})
	wantMistakes(t, err, "account sid", "key sid", "key secret", "sender", "endpoint")
	_, err = sms.NewTencent(sms.TencentConfig{SecretID: secret, Endpoint: "https://a/b"})
	wantMistakes(t, err, "secret", "app id", "sign name", "templates", "endpoint")
	_, err = sms.NewGateway(sms.GatewayConfig{Method: "PUT", URL: "http://sms.example.com", JSON: `{"a":"${b}"`, Form: map[string]string{"a": "${shop}"}, Result: sms.Result{JSON: "code"}})
	wantMistakes(t, err, "method", "url", "json", "body", "${b}", "${shop}", "result")
	if _, err := sms.New(sms.Config{}); err == nil {
		t.Error("New without providers succeeded")
	}
}

func wantMistakes(t *testing.T, err error, mistakes ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(mistakes) || channeltest.Leaked(err, secret) != "" {
		t.Errorf("got\n%v\nwant %d mistakes and no secret", err, len(mistakes))
	}
	for _, mistake := range mistakes {
		if !strings.Contains(err.Error(), mistake) {
			t.Errorf("got\n%v\nwant one that says %q", err, mistake)
		}
	}
}
