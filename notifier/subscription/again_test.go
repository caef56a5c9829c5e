package subscription_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/subscription"
)

// twice is a store that breaks every transaction off at its end and has it done
// anew, as PostgreSQL's is among replicas.
func (w *world) twice(ctx context.Context, do func(subscription.Tx) error) error {
	return w.change(ctx, func(tx subscription.Tx) error {
		whole := *tx.(*transaction)
		undone := whole
		undone.rows, undone.notices, undone.audit = map[int64]notifier.Subscriber{}, slices.Clone(whole.notices), slices.Clone(whole.audit)
		for id, row := range whole.rows {
			undone.rows[id] = row
		}
		_ = do(&undone)
		return do(tx)
	})
}

func TestWhatIsDoneAnewIsDoneOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	var err error
	s.service, err = subscription.New(subscription.Config{Change: s.twice, List: s.list, Held: s.held, Key: key, BaseURL: origin, Tells: everywhere, Asks: everywhere[:2], Now: s.clock})
	if err != nil {
		t.Fatal(err)
	}
	if s.handler, err = subscription.NewPages(subscription.PagesConfig{
		Service: s.service, Title: services()[0].Name, Zone: time.UTC, Stylesheet: "/style.css", Channels: []string{subscription.Email, subscription.SMS},
		Services: services, Limits: subscription.Limits{PerAddressDaily: 9, PerNetworkHourly: 99, Hourly: 99}, Counter: s.world, Even: time.Millisecond, Now: s.clock, Logger: slog.New(slog.DiscardHandler),
	}); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	one := s.confirmed("a@b.example")
	if told := s.told(one.ID); !slices.Equal(told, []notifier.Event{notifier.EventConfirm, notifier.EventWelcome}) {
		t.Errorf("by mail: told %v", told)
	}
	const number = "+8613800138000"
	w := s.signUp(number)
	at, _ := url.Parse(w.Header().Get("Location"))
	two := *s.row("sms", number)
	enter := func(code string) int {
		return s.do(http.MethodPost, "/subscribe/code", url.Values{"t": at.Query()["t"], "code": {code}}).Code
	}
	_, code := s.links(t).Confirm(two.Recipient)
	for range 4 {
		enter("x" + code[1:])
	}
	if tries := s.row("sms", number).NonceTries; tries != 4 {
		t.Errorf("4 wrong codes count as %d", tries)
	}
	if status := enter(code); status != http.StatusSeeOther || s.row("sms", number).State != notifier.Active {
		t.Errorf("the right code was answered %d", status)
	}
	calls := 0
	changed, err := s.service.Change(ctx, one.ID, "telegram", func(sub *notifier.Subscriber) {
		calls++
		sub.Wants.Services = append(sub.Wants.Services, "main/alipay")
	})
	if err != nil || calls != 2 || !slices.Equal(changed.Wants.Services, []string{"main/alipay"}) || !slices.Equal(s.row("email", "a@b.example").Wants.Services, changed.Wants.Services) {
		t.Errorf("changed to %+v after %d calls, %v", changed.Wants, calls, err)
	}
	if err := s.service.WayBack(ctx, "email", "a@b.example"); err != nil {
		t.Error(err)
	}
	if _, err := s.service.Join(ctx, "telegram", "42", notifier.English, notifier.Wants{}); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := s.service.Leave(ctx, two.ID, "page"); err != nil {
			t.Error(err)
		}
	}
	if err := s.service.Erase(ctx, one.ID, "api", "Wang"); err != nil {
		t.Error(err)
	}
	deeds := map[string]int{}
	for _, a := range s.audit {
		deeds[a.Subject+" "+a.Deed]++
	}
	for deed, want := range map[string]int{
		"recipient 1 ask": 2, "recipient 1 confirm": 1, "recipient 1 change": 1, "recipient 1 erase": 1,
		"recipient 2 ask": 1, "recipient 2 confirm": 1, "recipient 2 leave": 1, "recipient 3 join": 1,
	} {
		if deeds[deed] != want {
			t.Errorf("the record tells %q %d times, want %d", deed, deeds[deed], want)
		}
	}
	if len(s.audit) != 9 || len(s.rows) != 2 {
		t.Errorf("%d entries of %d subscribers, want 9 of 2: %v", len(s.audit), len(s.rows), deeds)
	}
}
