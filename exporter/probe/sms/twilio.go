package sms

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"

	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// Sources: twilio.com/docs "Account Balance" (GET /2010-04-01/Accounts/{sid}/
// Balance.json; a string and a currency) and "Error and Warning Dictionary"
// (20003 authenticate, 20404 not found, 20429 too many requests). Basic
// authentication carries no time, so clocks don't matter.

// askTwilio asks for the balance, which is always a sample. With an API key in
// KeyID ("SK…") the account is AppID.
func askTwilio(ctx context.Context, t *talk) error {
	where := t.base.JoinPath("2010-04-01", "Accounts", cmp.Or(t.options.AppID, t.options.KeyID), "Balance.json")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, where.String(), nil)
	if err != nil {
		return probe.Problem(rules.ReasonOther, "no request can be made of the target")
	}
	request.SetBasicAuth(t.options.KeyID, t.options.KeySecret)
	var said struct {
		Balance  *string     `json:"balance"`
		Currency string      `json:"currency"`
		Code     json.Number `json:"code"`
		Message  string      `json:"message"`
	}
	answer, err := t.ask(ctx, request, &said, func(answer probe.Answer) bool {
		return answer.Status == http.StatusOK && said.Balance != nil || answer.Status >= 400 && said.Code != "" && said.Message != ""
	})
	if err != nil {
		return err
	}
	shown := t.code(said.Code.String())
	switch {
	case answer.Status == http.StatusOK:
		return t.judgeBalance(*said.Balance, said.Currency)
	case answer.Status == http.StatusTooManyRequests:
		return busy(shown)
	case answer.Status == http.StatusUnauthorized, answer.Status == http.StatusForbidden:
		return refused("Twilio refuses the account or its key (" + shown + ")")
	case answer.Status == http.StatusNotFound:
		return refused("Twilio doesn't know the account, or it is a subaccount, which has no balance (" + shown + ")")
	}
	return failed("Twilio can't answer (" + shown + ")")
}
