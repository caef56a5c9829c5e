package subscription_test

import (
	"strings"
	"testing"

	"shopwatch/notifier"
	"shopwatch/notifier/subscription"
)

func TestNobodyIsAddedWhomNothingWouldReachOrAsk(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		address     string
		consented   bool
		tells, asks []string
		want        string // of the mistake; "": there is none
	}{
		"a number where sign-up by text message is off": {"13800138000", false, everywhere, nil, "notifier.subscriptions.sms: true"},
		"one that agreed":                                {"13800138000", true, everywhere, nil, ""},
		"one where no text message can be sent":          {"13800138000", true, everywhere[:1], nil, "configure notifier.sms"},
		"a mail address where the page can't be reached": {"a@x.example", false, everywhere, nil, "notifier.page.url"},
		"a mail address":                                 {"a@x.example", false, everywhere, everywhere[:1], ""},
		"a chat that didn't agree":                       {"telegram:42", false, everywhere, everywhere[:1], "/start"},
		"a chat without a bot":                           {"telegram:42", true, everywhere[:2], everywhere[:1], "configure notifier.telegram"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			service, err := subscription.New(subscription.Config{
				Change: w.change, List: w.list, Held: w.held, Key: key, BaseURL: origin, Tells: c.tells, Asks: c.asks, Now: w.clock,
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = service.Add(t.Context(), subscription.Addition{Address: c.address, Language: notifier.English, Consented: c.consented})
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || len(w.rows) > 0):
				t.Errorf("kept %d, said %v, want %q", len(w.rows), err, c.want)
			}
		})
	}
}
