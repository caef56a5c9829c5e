package app

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"

	"shopwatch/notifier"
	"shopwatch/notifier/config"
	"shopwatch/notifier/store"
	"shopwatch/notifier/subscription"
)

// newSubscription builds the rules of sign-up.
func (d *desk) newSubscription() (err error) {
	base := d.cfg.Notifier.Page.URL
	if subscription.CheckBase(base) != nil { // reached without https: then there are no links
		base = ""
	}
	tells, asks := reached(d.cfg.Notifier, base)
	d.subscription, err = subscription.New(subscription.Config{
		Change: func(ctx context.Context, do func(subscription.Tx) error) error {
			return d.store.Change(ctx, func(tx *store.Tx) error { return do(joining{tx, d}) })
		},
		List: d.store.Subscribers, Held: d.held,
		Key: d.store.Derive("subscription"), BaseURL: base, Prefixes: phonePrefixes(d.cfg.Notifier),
		Tells: tells, Asks: asks, Now: d.cfg.Now,
	})
	return err
}

// reached are the channels on which subscribers are sent notices, and those on
// which they can be asked whether the address is theirs: a mail needs a link, a
// text message the page where its code is typed.
func reached(cfg config.Config, base string) (tells, asks []string) {
	if cfg.Telegram != nil {
		tells = append(tells, subscription.Telegram)
	}
	if cfg.Email != nil {
		tells = append(tells, subscription.Email)
		if base != "" {
			asks = append(asks, subscription.Email)
		}
	}
	if cfg.SMS != nil {
		tells = append(tells, subscription.SMS)
		if cfg.Subscriptions.SMS {
			asks = append(asks, subscription.SMS)
		}
	}
	return tells, asks
}

// joining is a transaction of sign-up, in which also what runs is known.
type joining struct {
	*store.Tx

	app *desk
}

// CatchUp has a subscriber hear of what runs that they want to hear of.
func (j joining) CatchUp(to notifier.Recipient) error {
	open, err := j.OpenIncidents()
	if err != nil {
		return err
	}
	for _, n := range j.app.machine.Newcomer(j.app.cfg.Now(), open, to) {
		if err := j.Notify(n); err != nil {
			return err
		}
	}
	return nil
}

// phonePrefixes are how the numbers begin that the provider may send to.
func phonePrefixes(cfg config.Config) []string {
	if cfg.SMS == nil {
		return nil
	}
	return cfg.SMS.AllowedPrefixes
}

// held gives what the store holds of a subscriber beside the row.
func (d *desk) held(ctx context.Context, id int64) (subscription.Held, error) {
	const most = 10_000
	held := subscription.Held{Acts: []subscription.Act{}, Deliveries: []subscription.Delivery{}}
	acts, err := d.store.AuditLog(ctx, fmt.Sprintf("recipient %d", id), 0, most)
	if err != nil {
		return held, err
	}
	for _, e := range acts {
		held.Acts = append(held.Acts, subscription.Act{At: e.At, By: e.By, Way: e.Way, Deed: e.Deed})
	}
	deliveries, err := d.store.DeliveriesOf(ctx, id, most)
	if err != nil {
		return held, err
	}
	for _, delivery := range deliveries {
		held.Deliveries = append(held.Deliveries, subscription.Delivery(delivery))
	}
	return held, nil
}

// signUpPath is where people sign up, "" where nobody can.
func (d *desk) signUpPath() string {
	if s := d.cfg.Notifier.Subscriptions; s.Email || s.SMS || s.Telegram && d.bot != nil {
		return subscription.Root
	}
	return ""
}

// newPublic gives the public address: the status page, and the pages to sign up
// beside it. Those stay where nobody can sign up any more: whoever did leaves there.
func (d *desk) newPublic() (http.Handler, error) {
	cfg := d.cfg.Notifier.Subscriptions
	var channels []string
	if cfg.Email {
		channels = append(channels, subscription.Email)
	}
	if cfg.SMS {
		channels = append(channels, subscription.SMS)
	}
	usual := config.DefaultSubscriptions()
	limits := subscription.Limits{
		PerAddressDaily:  cmp.Or(cfg.PerAddressDaily, usual.PerAddressDaily),
		PerNetworkHourly: cmp.Or(cfg.PerNetworkHourly, usual.PerNetworkHourly),
		Hourly:           cmp.Or(cfg.Hourly, usual.Hourly),
	}
	pages, err := subscription.NewPages(subscription.PagesConfig{
		Service: d.subscription, Title: d.cfg.Notifier.Page.Title, Zone: d.cfg.Notifier.Page.Zone, Stylesheet: d.page.Stylesheet(),
		Channels: channels, Services: d.choosable, Telegram: d.botLink, Trusted: cfg.TrustedProxies, Limits: limits,
		Counter: d.store, Now: d.cfg.Now, Logger: d.cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(subscription.Root, pages)
	mux.Handle(subscription.Root+"/", pages)
	if d.hearsByWebhook() {
		mux.Handle(d.bot.Path(), d.bot.Handler())
	}
	mux.Handle("/", d.page.Handler())
	return mux, nil
}

// choosable are the services that a subscriber can choose: the public ones, in
// the order of the page.
func (d *desk) choosable() []notifier.Service {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []notifier.Service
	for _, key := range d.order {
		if s := d.services[key]; s.Public {
			list = append(list, s)
		}
	}
	return slices.Clip(list)
}
