package sms_test

import (
	"fmt"
	"net/http"
	"testing"

	"shopwatch/exporter"
	"shopwatch/exporter/probe/sms"
	"shopwatch/rules"
)

const account = "AC00000000000000000000000000000001"

// serveTwilio is the balance of one account, under its own key or an API key.
func serveTwilio(t *testing.T) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case r.Method != http.MethodGet:
			t.Errorf("the look asked %s %s", r.Method, r.URL.Path)
		case user != keyID || password != keySecret:
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"code":20003,"message":"Authenticate %s","more_info":"https://www.twilio.com/docs/errors/20003","status":401}`, password)
		case r.URL.Path != "/2010-04-01/Accounts/"+keyID+"/Balance.json" && r.URL.Path != "/2010-04-01/Accounts/"+account+"/Balance.json":
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"code":20404,"message":"The requested resource was not found","status":404}`)
		default:
			fmt.Fprint(w, `{"account_sid":"AC1","balance":"1234.56","currency":"CNY"}`)
		}
	})
}

func TestTwiliosAPIKeyNeedsTheAccount(t *testing.T) {
	t.Parallel()
	target := start(t, serveTwilio(t))
	want(t, look(t, target, exporter.SMS{Provider: sms.Twilio, AppID: account}), "", "")
	want(t, look(t, target, exporter.SMS{Provider: sms.Twilio, AppID: account + "2"}), rules.ReasonAuth, "20404")
}

func TestEachAnswerOfTwilioHasItsReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		reason rules.Reason
		says   string
	}{
		{200, `{"balance":"0.05","currency":"USD"}`, "", ""},
		{200, `{"balance":"lots","currency":"USD"}`, rules.ReasonBody, "amount"},
		{200, `{"balance":"NaN","currency":"USD"}`, rules.ReasonBody, "amount"},
		{200, `{"balance":"1e999","currency":"USD"}`, rules.ReasonBody, "amount"},
		{200, `{"balance":"1","currency":"dollars"}`, rules.ReasonBody, "currency"},
		{200, `{"balance":null,"currency":"USD"}`, rules.ReasonBody, "protocol"},
		{403, `{"code":20006,"message":"Access Denied"}`, rules.ReasonAuth, "20006"},
		{429, `{"code":20429,"message":"Too Many Requests"}`, rules.ReasonVantage, "20429"},
		{500, `{"code":20500,"message":"Internal Server Error"}`, rules.ReasonQuery, "20500"},
	} {
		t.Run(c.body, func(t *testing.T) {
			t.Parallel()
			want(t, look(t, answering(t, c.status, c.body), exporter.SMS{Provider: sms.Twilio}), c.reason, c.says)
		})
	}
}
