package subscription_test

import (
	"bytes"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/subscription"
)

// operated is a world whose operator's side answers on this machine.
func operated(t *testing.T) (*site, subscription.Client) {
	t.Helper()
	s := newSite(t, nil)
	server := httptest.NewServer(subscription.NewAPI(s.service, nil))
	t.Cleanup(server.Close)
	return s, subscription.Client{URL: server.URL, HTTP: server.Client()}
}

func TestTheOperatorListsFindsAddsExportsDeactivatesAndErases(t *testing.T) {
	t.Parallel()
	s, c := operated(t)
	ctx := t.Context()
	added, err := c.Add(ctx, subscription.Addition{Address: "Boss@Shop.example", Language: notifier.English, Doer: subscription.Doer{By: "Wang"}})
	if err != nil || added.State != notifier.Pending || added.Address != "B…@s….example" {
		t.Fatalf("added %+v, %v", added, err)
	}
	if got := s.told(added.ID); !slices.Equal(got, []notifier.Event{notifier.EventConfirm}) {
		t.Errorf("they were sent %v", got)
	}
	if phone, err := c.Add(ctx, subscription.Addition{Address: "13800138000", Language: notifier.Chinese, Consented: true}); err != nil || phone.State != notifier.Active || phone.Address != "+86138****8000" {
		t.Errorf("added %+v, %v", phone, err)
	}
	if chat, err := c.Add(ctx, subscription.Addition{Address: "telegram:-1001234567890", Language: notifier.Chinese, Consented: true}); err != nil || chat.Channel != "telegram" || strings.Contains(chat.Address, "1001234") {
		t.Errorf("added %+v, %v", chat, err)
	}
	page, err := c.List(ctx, subscription.Selection{Limit: 2})
	if err != nil || len(page.Subscribers) != 2 || page.Next != 2 {
		t.Fatalf("listed %+v, %v", page, err)
	}
	if rest, err := c.List(ctx, subscription.Selection{After: page.Next, Limit: 2}); err != nil || len(rest.Subscribers) != 1 || rest.Next != 0 {
		t.Errorf("listed %+v, %v", rest, err)
	}
	if some, err := c.List(ctx, subscription.Selection{Channel: "sms", State: notifier.Active, Limit: 10}); err != nil || len(some.Subscribers) != 1 {
		t.Errorf("listed %+v, %v", some, err)
	}
	found, err := c.Find(ctx, "boss@shop.example")
	if err != nil || found.ID != added.ID {
		t.Errorf("found %+v, %v", found, err)
	}
	if left, err := c.Deactivate(ctx, added.ID, "Wang"); err != nil || left.State != notifier.Departed {
		t.Errorf("deactivated %+v, %v", left, err)
	}
	record, err := c.Export(ctx, added.ID, "Wang")
	if err != nil || record.Address != "Boss@shop.example" || len(record.Acts) != 3 || record.Acts[2].Deed != "export" || record.Acts[2].By != "Wang" || record.Acts[2].Way != "cli" {
		t.Errorf("exported %+v, %v", record, err)
	}
	var table bytes.Buffer
	if err := subscription.Write(&table, "table", page, time.UTC); err != nil || !strings.Contains(table.String(), "2   sms") || strings.Contains(table.String(), "138001") {
		t.Errorf("wrote %v\n%s", err, &table)
	}
	if err := c.Erase(ctx, added.ID, "Wang"); err != nil || s.row("email", "boss@shop.example") != nil {
		t.Errorf("erased: %v", err)
	}
}

func TestWhatTheOperatorCannotDoIsSaidInASentenceWithoutTheAddress(t *testing.T) {
	t.Parallel()
	_, c := operated(t)
	ctx := t.Context()
	find := func(address string) func() error {
		return func() error { _, err := c.Find(ctx, address); return err }
	}
	add := func(a subscription.Addition) func() error {
		return func() error { _, err := c.Add(ctx, a); return err }
	}
	for name, test := range map[string]struct {
		do   func() error
		want string
	}{
		"nobody":                 {find("secret@shop.example"), "nobody has signed up with this address"},
		"no address":             {find("secret"), "no mail address, no phone number that begins with +86"},
		"no chat":                {find("telegram:secret"), "that is no chat"},
		"no language":            {add(subscription.Addition{Address: "secret@shop.example"}), "language is zh or en"},
		"a chat unasked":         {add(subscription.Addition{Address: "telegram:7", Language: "zh"}), "send /start to the bot"},
		"a strange name":         {add(subscription.Addition{Address: "a@b.example", Language: "zh", Doer: subscription.Doer{By: "a\nb"}}), "by is your name"},
		"erase nobody":           {func() error { return c.Erase(ctx, 7, "") }, "there is no subscriber 7"},
		"export nobody":          {func() error { _, err := c.Export(ctx, 7, ""); return err }, "there is no subscriber 7"},
		"deactivate none":        {func() error { _, err := c.Deactivate(ctx, 7, ""); return err }, "there is no subscriber 7"},
		"a night of years":       {add(subscription.Addition{Address: "secret@shop.example", Language: "zh", Consented: true, Wants: notifier.Wants{Quiet: notifier.Quiet{From: 1, To: 1 << 30}}}), "0–1439"},
		"an impact that is none": {add(subscription.Addition{Address: "secret@shop.example", Language: "zh", Wants: notifier.Wants{Least: "huge"}}), "least minor, major or critical"},
		"a limit":                {func() error { _, err := c.List(ctx, subscription.Selection{Limit: 5000}); return err }, "limit 1–1000"},
	} {
		if err := test.do(); err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}
