package app

import (
	"context"
	"slices"
	"strings"
	"sync"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/telegram"
	"shopwatch/notifier/channel/telegram/bot"
	"shopwatch/notifier/config"
	"shopwatch/notifier/console"
	"shopwatch/notifier/dispatch"
	"shopwatch/notifier/statuspage"
	"shopwatch/notifier/store"
	"shopwatch/rules"
)

// newBot gives nil where nobody listens to the bot: there is none, another
// program does, or nobody would have anything to say to it.
func (d *desk) newBot(lines []dispatch.Line) (*bot.Bot, error) {
	t, onCall := d.cfg.Notifier.Telegram, d.chatsOnCall()
	if t == nil || t.Updates == config.UpdatesNone || len(onCall) == 0 && !d.cfg.Notifier.Subscriptions.Telegram {
		return nil, nil
	}
	var api *telegram.API
	for _, line := range lines {
		if c, ok := line.Channel.(*telegram.Channel); ok {
			api = c.API()
		}
	}
	cfg := bot.Config{
		API: api, Incidents: inHand{d}, Statuses: stands{d}, Marks: marks{d.store}, Leader: d.store,
		OnCall: onCall, Operators: t.Operators, Title: d.cfg.Notifier.Page.Title, PageURL: d.cfg.Notifier.Page.URL,
		Webhook: t.Updates == config.UpdatesWebhook, Secret: d.store.Derive("telegram webhook"),
		Zone: d.cfg.Notifier.Page.Zone, Now: d.cfg.Now, Logger: d.cfg.Logger,
	}
	if d.cfg.Notifier.Subscriptions.Telegram {
		cfg.Subscriptions = d.subscription
	}
	if d.silencer != nil {
		cfg.Silencer = d
	}
	return bot.New(cfg)
}

// chatsOnCall are the chats of ops and management.
func (d *desk) chatsOnCall() []bot.OnCall {
	var chats []bot.OnCall
	for _, audience := range []rules.Audience{rules.Ops, rules.Management} {
		for _, r := range d.cfg.Notifier.Audiences[audience] {
			if r.Channel == config.Telegram {
				chats = append(chats, bot.OnCall{Address: r.Address, Language: r.Language})
			}
		}
	}
	return chats
}

// hearsByWebhook reports whether Telegram posts to the public address.
func (d *desk) hearsByWebhook() bool {
	return d.bot != nil && d.cfg.Notifier.Telegram.Updates == config.UpdatesWebhook
}

// botLink leads to the bot, where one press subscribes; "" where none takes
// sign-ups, or Telegram hasn't told its name yet. In the demo it leads to where
// the same can be said to the bot that a press on the link would say.
func (d *desk) botLink() string {
	if d.bot == nil {
		return ""
	}
	link := d.bot.Link(nil)
	if _, payload, ok := strings.Cut(link, "?start="); ok && d.cfg.Demo != nil {
		return d.cfg.Demo.Bot("/start " + payload)
	}
	return link
}

// wayTelegram is how the bot's acts stand in the record.
const wayTelegram = "telegram"

// inHand does to incidents what is asked for in Telegram.
type inHand struct{ app *desk }

// Incidents gives those that run and ask to be taken in hand, or are, the oldest first.
func (h inHand) Incidents(ctx context.Context) ([]notifier.Incident, error) {
	open, err := h.app.store.OpenIncidents(ctx)
	return slices.DeleteFunc(open, func(i notifier.Incident) bool { return !i.Asks() && !i.Acknowledged.Given() }), err
}

// Acknowledge notes who has an incident in hand.
func (h inHand) Acknowledge(ctx context.Context, id, by string) (notifier.Incident, error) {
	return h.app.Do(ctx, id, notifier.DeedAcknowledge, console.Wish{By: by, Way: wayTelegram})
}

// Withdraw takes an acknowledgement back.
func (h inHand) Withdraw(ctx context.Context, id, by string) (notifier.Incident, error) {
	return h.app.Do(ctx, id, notifier.DeedWithdraw, console.Wish{By: by, Way: wayTelegram})
}

// marks keeps the bot's place in its updates.
type marks struct{ store *store.Store }

// Mark gives the value kept under a name.
func (m marks) Mark(ctx context.Context, name string) (string, error) {
	return m.store.Mark(ctx, name)
}

// SetMark keeps a value under a name.
func (m marks) SetMark(ctx context.Context, name, value string) error {
	return m.store.Change(ctx, func(tx *store.Tx) error { return tx.SetMark(name, value) })
}

// standing is what the public page last showed.
type standing struct {
	mu     sync.Mutex
	status bot.Status
}

func (s *standing) set(snapshot statuspage.Snapshot) {
	status := bot.Status{Fresh: snapshot.Fresh && !snapshot.Interrupted}
	for _, component := range snapshot.Services {
		if !component.Public {
			continue
		}
		service := component.Service
		if slices.ContainsFunc(snapshot.Maintenances, func(m notifier.Maintenance) bool { return m.Working() && m.Covers(service) }) {
			service.Status = rules.Maintenance // whatever is measured
		}
		status.Services = append(status.Services, service)
	}
	for _, i := range snapshot.Incidents {
		if i.Public && i.Open() {
			status.Incidents = append(status.Incidents, i)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

// stands tells the bot what anybody may know.
type stands struct{ app *desk }

// Status is what the page shows; before it shows anything, the services that
// were last known.
func (s stands) Status(context.Context) (bot.Status, error) {
	s.app.standing.mu.Lock()
	status := s.app.standing.status
	s.app.standing.mu.Unlock()
	if len(status.Services) == 0 {
		status.Services = s.app.choosable()
	}
	return status, nil
}
