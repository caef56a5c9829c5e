package sms_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/channeltest"
	"shopwatch/notifier/channel/sms"
)

func gatewayConfig(hostport string) sms.GatewayConfig {
	return sms.GatewayConfig{
		URL: "http://" + hostport + "/api/send?token=hunter3hunter3", Secret: secret,
		Headers: map[string]string{"Authorization": "Bearer ${secret}", "X-Message": "${id}"},
		JSON:    `{"to": "${number_home}", "body": {"text": "${text}", "flash": false, "n": 1.50}, "list": ["${title}"]}`,
		Result: sms.Result{
			JSON: "data.0.code", Accepted: []string{"0", "true"}, Permanent: []string{"blacklisted"},
			Unsendable: []string{"1002"}, Limited: []string{"1003"}, Refused: []string{"-1"},
		},
	}
}

func gateway(t *testing.T, cfg sms.GatewayConfig) *sms.Channel {
	t.Helper()
	p, err := sms.NewGateway(cfg)
	return channel(t, p, err)
}

func TestAGatewayIsAChannel(t *testing.T) {
	t.Parallel()
	says := func(status int, code string) func(*testing.T) string {
		return answering(status, `{"data":[{"code":`+code+`,"echo":"REQUEST"}]}`)
	}
	channeltest.Run(t, channeltest.Subject{
		Name:    "sms",
		Connect: func(t *testing.T, hostport string) channeltest.Channel { return gateway(t, gatewayConfig(hostport)) },
		Address: number,
		Private: []string{secret, number, "13800138000", "hunter3hunter3", "482913"},
		Message: message,
		Status:  nonsense,
		Accepting: func(t *testing.T) (string, func() int) {
			var taken atomic.Int64
			hostport := channeltest.HTTP(t, func(w http.ResponseWriter, _ *http.Request) {
				taken.Add(1)
				fmt.Fprint(w, `{"data":[{"code":0}]}`)
			})
			return hostport, func() int { return int(taken.Load()) }
		},
		Answers: []channeltest.Answer{
			{Name: "success as a truth value", Serve: says(200, "true"), Want: channeltest.Accepted},
			{Name: "success in words of an error's status is a failure", Serve: says(500, "0"), Want: channeltest.Temporary},
			{Name: "an unknown verdict is a failure", Serve: says(200, `"7"`), Want: channeltest.Temporary, Says: `result "7"`},
			{Name: "a verdict that quotes the request", Serve: says(200, `"REQUEST"`), Want: channeltest.Temporary},
			{Name: "a verdict that quotes a code", Serve: says(200, `"spam: your code is 482913"`), Want: channeltest.Temporary, Says: "spam"},
			{Name: "no verdict is a failure", Serve: answering(200, `{"data":[]}`), Want: channeltest.Temporary},
			{Name: "a verdict that is no value is a failure", Serve: says(200, `{}`), Want: channeltest.Temporary},
			{Name: "the number is on the black list", Serve: says(200, `"blacklisted"`), Want: channeltest.Permanent},
			{Name: "the message is refused", Serve: says(400, "1002"), Want: channeltest.Unsendable},
			{Name: "the number has had enough", Serve: says(200, "1003"), Want: channeltest.WaitRecipient, After: time.Hour},
			{Name: "the account has no money", Serve: says(200, "-1"), Want: channeltest.WaitChannel, After: 5 * time.Minute},
		},
	})
}

func TestAGatewaysVerdictMayBePlainTextOrAStatusAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, answer string
		result       sms.Result
		want         channeltest.Outcome
	}{
		{"the first group of a pattern", "result=0&sid=1", sms.Result{Regex: regexp.MustCompile(`result=(-?\d+)`), Accepted: []string{"0"}}, channeltest.Accepted},
		{"all of a pattern without a group", "0", sms.Result{Regex: regexp.MustCompile(`^-?\d+`), Accepted: []string{"0"}}, channeltest.Accepted},
		{"another number", "30", sms.Result{Regex: regexp.MustCompile(`^-?\d+`), Accepted: []string{"0"}, Refused: []string{"30"}}, channeltest.WaitChannel},
		{"no match", "<html>", sms.Result{Regex: regexp.MustCompile(`^-?\d+`), Accepted: []string{"0"}}, channeltest.Temporary},
		{"the status alone", "anything", sms.Result{}, channeltest.Accepted},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := gatewayConfig(channeltest.HTTP(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, c.answer) }))
			cfg.Result = c.result
			err := gateway(t, cfg).Send(t.Context(), number, message)
			if got, _ := channeltest.Understand(err); got != c.want {
				t.Errorf("understood as %q, want %q (%v)", got, c.want, err)
			}
		})
	}
}

// request is what a gateway was asked.
type request struct {
	url    *url.URL
	header http.Header
	body   string
}

func TestNoValueLeavesItsPlaceInARequest(t *testing.T) {
	t.Parallel()
	asked := make(chan request, 1)
	hostport := channeltest.HTTP(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- request{r.URL, r.Header, string(body)}
		fmt.Fprint(w, `{"data":[{"code":0}]}`)
	})
	asJSON := gateway(t, gatewayConfig(hostport))
	cfg := gatewayConfig(hostport)
	cfg.JSON, cfg.Form, cfg.Query = "", map[string]string{"to": "${number}", "text": "【店】${text}"}, map[string]string{"id": "${id}"}
	asForm := gateway(t, cfg)
	rapid.Check(t, func(t *rapid.T) {
		m := notifier.Message{ID: rapid.StringMatching(`[ -~]{0,20}`).Draw(t, "id"), Text: rapid.String().Draw(t, "text") + "。"}
		if err := asJSON.Send(t.Context(), number, m); err != nil {
			t.Fatal(err)
		}
		sent := <-asked
		var body struct {
			To   string
			Body struct {
				Text  string
				Flash bool
				N     json.Number
			}
			List []string
		}
		if err := json.Unmarshal([]byte(sent.body), &body); err != nil {
			t.Fatalf("%v: %s", err, sent.body)
		}
		text := strings.ToValidUTF8(m.Text, "\ufffd")
		if body.To != "13800138000" || body.Body.Text != text || body.Body.Flash || body.Body.N != "1.50" || len(body.List) != 1 || body.List[0] != "" {
			t.Fatalf("sent %s", sent.body)
		}
		if err := asForm.Send(t.Context(), number, m); err != nil {
			t.Fatal(err)
		}
		sent = <-asked
		form, err := url.ParseQuery(sent.body)
		if err != nil || len(form) != 2 || form.Get("to") != number || form.Get("text") != "【店】"+m.Text {
			t.Fatalf("sent %q (%v)", sent.body, err)
		}
		if query := sent.url.Query(); len(query) != 2 || query.Get("id") != m.ID || query.Get("token") != "hunter3hunter3" {
			t.Fatalf("asked for %q", sent.url)
		}
		if sent.header.Get("Authorization") != "Bearer "+secret {
			t.Fatalf("Authorization %q", sent.header.Get("Authorization"))
		}
	})
}
