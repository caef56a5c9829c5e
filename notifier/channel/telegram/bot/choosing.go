package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"shopwatch/notifier"
)

// A reader chooses by buttons what they are told of.

// press answers a button.
func (b *Bot) press(ctx context.Context, e event) {
	p, ok := parsePress(e.data)
	if !ok {
		if _, w, ok := b.reader(ctx, e); ok {
			b.toast(ctx, e, w.unknownButton)
		}
		return
	}
	if p.verb == verbAck || p.verb == verbMute || p.verb == verbWho {
		b.onCallPress(ctx, e, p)
		return
	}
	sub, w, ok := b.reader(ctx, e)
	switch {
	case !ok:
	case sub == nil:
		b.toast(ctx, e, w.notSubscribed)
	case !b.administers(ctx, e):
		b.toast(ctx, e, w.notAdministrator)
	default:
		b.toast(ctx, e, "")
		b.choose(ctx, e, p, *sub, w)
	}
}

func (b *Bot) choose(ctx context.Context, e event, p press, sub notifier.Subscriber, w words) {
	switch p.verb {
	case verbMenu:
		b.show(ctx, e, b.settings(ctx, sub, w), w.menu())
	case verbLeave:
		b.leave(ctx, e, &sub, w)
	case verbServices:
		b.chooseServices(ctx, e, sub, w, p.page)
	case verbService:
		b.toggle(ctx, e, p, sub, w)
	case verbSeverity:
		if p.arg == "" {
			b.show(ctx, e, w.askSeverity, w.severityRows(sub.Wants.Least))
			return
		}
		b.change(ctx, e, sub, w, func(s *notifier.Subscriber) { s.Wants.Least = severities[p.arg] })
	case verbQuiet:
		quiet, ok := parseQuiet(p.arg)
		if !ok {
			b.show(ctx, e, fmt.Sprintf(w.askQuiet, b.cfg.Zone), w.quietRows())
			return
		}
		b.change(ctx, e, sub, w, func(s *notifier.Subscriber) { s.Wants.Quiet = quiet })
	case verbLanguage:
		if p.arg == "" {
			b.show(ctx, e, w.askLanguage, languageRows)
			return
		}
		b.change(ctx, e, sub, w, func(s *notifier.Subscriber) { s.Language = notifier.Language(p.arg) })
	}
}

// servicesPage is how many services one keyboard shows.
const servicesPage = 8

// chooseServices shows the services to choose from.
func (b *Bot) chooseServices(ctx context.Context, e event, sub notifier.Subscriber, w words, page int) {
	services := b.services(ctx)
	pages := max(1, (len(services)+servicesPage-1)/servicesPage)
	page = min(page, pages-1)
	mark := func(on bool, name string) string {
		if on {
			return "✅ " + name
		}
		return "▫️ " + name
	}
	rows := [][]notifier.Button{{{
		Text: mark(len(sub.Wants.Services) == 0, w.allServices), Data: press{verb: verbService, page: page, arg: all}.data(),
	}}}
	for _, s := range services[page*servicesPage : min(len(services), (page+1)*servicesPage)] {
		rows = append(rows, []notifier.Button{{
			Text: mark(slices.Contains(sub.Wants.Services, s.Key()), w.in(s.Name)),
			Data: press{verb: verbService, page: page, arg: hash(s.Key())}.data(),
		}})
	}
	var turn []notifier.Button
	if page > 0 {
		turn = append(turn, notifier.Button{Text: "◀", Data: press{verb: verbServices, page: page - 1}.data()})
	}
	if page < pages-1 {
		turn = append(turn, notifier.Button{Text: "▶", Data: press{verb: verbServices, page: page + 1}.data()})
	}
	rows = append(rows, turn, []notifier.Button{{Text: w.done, Data: press{verb: verbMenu}.data()}})
	b.show(ctx, e, w.askServices, rows)
}

// toggle takes a service in or out. Out of all, one press leaves that one alone;
// the last one out is all again.
func (b *Bot) toggle(ctx context.Context, e event, p press, sub notifier.Subscriber, w words) {
	var key string
	for _, s := range b.services(ctx) {
		if hash(s.Key()) == p.arg {
			key = s.Key()
		}
	}
	changed, err := b.cfg.Subscriptions.Change(ctx, sub.ID, channel, func(s *notifier.Subscriber) {
		switch i := slices.Index(s.Wants.Services, key); {
		case p.arg == all:
			s.Wants.Services = nil
		case key == "": // a service that is no longer there
		case i >= 0:
			s.Wants.Services = slices.Delete(slices.Clone(s.Wants.Services), i, i+1)
		default:
			s.Wants.Services = append(slices.Clone(s.Wants.Services), key)
		}
	})
	if err != nil {
		b.failed(ctx, e, w, err)
		return
	}
	b.chooseServices(ctx, e, changed, w, p.page)
}

// services are those that a reader may choose; none where they can't be told.
func (b *Bot) services(ctx context.Context) []notifier.Service {
	status, err := b.cfg.Statuses.Status(ctx)
	if err != nil {
		if ctx.Err() == nil {
			b.cfg.Logger.Error("telegram: services can't be listed", "err", err)
		}
		return nil
	}
	return status.Services
}

// settings says what a subscriber is told.
func (b *Bot) settings(ctx context.Context, sub notifier.Subscriber, w words) string {
	services := w.allServices
	if len(sub.Wants.Services) > 0 {
		var names []string
		for _, s := range b.services(ctx) {
			if slices.Contains(sub.Wants.Services, s.Key()) {
				names = append(names, w.in(s.Name))
			}
		}
		if missing := len(sub.Wants.Services) - len(names); missing > 0 {
			names = append(names, fmt.Sprintf(w.otherServices, missing))
		}
		services = strings.Join(names, w.comma)
	}
	return fmt.Sprintf(w.settings, w.in(b.cfg.Title), services, w.severity(sub.Wants.Least), w.quiet(sub.Wants.Quiet, b.cfg.Zone.String()))
}
