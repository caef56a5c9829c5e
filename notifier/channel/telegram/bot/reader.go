package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// answer does what an update asks for and says so.
func (b *Bot) answer(ctx context.Context, e event) {
	onCall := b.isOnCall(e.chat)
	if !b.limits.allow(e.chat.id, onCall) {
		return
	}
	if !onCall && !b.limits.strangers.AllowN(b.cfg.Now(), 1) {
		b.unheard(ctx, e)
		return
	}
	switch e.kind {
	case said:
		b.command(ctx, e, onCall)
	case pressed:
		b.press(ctx, e)
	case expelled:
		b.leaveSilently(ctx, e)
	}
}

// unheard does what must not wait for a flood of strangers to end, and says nothing.
func (b *Bot) unheard(ctx context.Context, e event) {
	if e.kind == expelled || e.chat.private && e.kind == said && e.command == "stop" {
		b.leaveSilently(ctx, e)
	}
}

func (b *Bot) leaveSilently(ctx context.Context, e event) {
	if b.cfg.Subscriptions == nil {
		return
	}
	sub, err := b.cfg.Subscriptions.Of(ctx, channel, e.chat.address())
	if err == nil && sub != nil && sub.State == notifier.Active {
		err = b.cfg.Subscriptions.Leave(ctx, sub.ID, channel)
	}
	if err != nil && ctx.Err() == nil {
		b.cfg.Logger.Error("telegram: a chat's leaving was not kept", "err", err)
	}
}

func (b *Bot) command(ctx context.Context, e event, onCall bool) {
	name := b.username.Load()
	if e.to != "" && name != nil && !strings.EqualFold(e.to, *name) {
		return // said to another bot of the group
	}
	if !e.chat.private && (e.words || !addressed(e)) {
		return
	}
	if language, ok := b.onCallLanguage(e.chat); onCall && ok {
		if b.onCallCommand(ctx, e, wordsOf[language]) {
			return
		}
		if e.command == "start" || e.command == "help" || e.words {
			b.say(ctx, e, wordsOf[language].onCallHelp, nil)
			return
		}
	}
	sub, w, ok := b.reader(ctx, e)
	if !ok {
		return
	}
	switch e.command {
	case "help":
		b.say(ctx, e, w.help(b.cfg.Subscriptions != nil), nil)
	case "status":
		b.status(ctx, e, w)
	case "id": // nothing else in Telegram tells the owner what to write into the configuration
		text := fmt.Sprintf(w.numbers, e.chat.address())
		if !e.user.asGroup { // whose number is that of every anonymous administrator
			text += fmt.Sprintf(w.yourNumber, e.user.id)
		}
		b.say(ctx, e, text, nil)
	case "start", "stop", "lang", "services", "quiet", "severity":
		b.subscription(ctx, e, sub, w)
	default:
		b.say(ctx, e, w.unknown, nil)
	}
}

// addressed reports whether a group's command can be meant for us: others may
// live there that know commands of their own.
func addressed(e event) bool {
	return e.to != "" || slices.Contains([]string{
		"start", "stop", "lang", "services", "quiet", "severity", "status", "help", "id", "incidents", "ack", "unack",
	}, e.command)
}

// reader is who is told in the chat, nil where nobody is, and in which words.
func (b *Bot) reader(ctx context.Context, e event) (*notifier.Subscriber, words, bool) {
	w := wordsOf[e.user.language]
	if language, ok := b.onCallLanguage(e.chat); ok {
		w = wordsOf[language]
	}
	if b.cfg.Subscriptions == nil {
		return nil, w, true
	}
	sub, err := b.cfg.Subscriptions.Of(ctx, channel, e.chat.address())
	if err != nil {
		b.failed(ctx, e, w, err)
		return nil, w, false
	}
	switch {
	case sub == nil:
		return nil, w, true
	case sub.State != notifier.Active: // who left is still spoken to as they chose
		return nil, wordsOf[sub.Language], true
	}
	return sub, wordsOf[sub.Language], true
}

// subscription answers what changes who is told.
func (b *Bot) subscription(ctx context.Context, e event, sub *notifier.Subscriber, w words) {
	switch {
	case b.cfg.Subscriptions == nil:
		b.say(ctx, e, b.withPage(w.noSignUp), nil)
		return
	case !b.administers(ctx, e):
		b.say(ctx, e, w.notAdministrator, nil)
		return
	case e.command == "start":
		b.join(ctx, e, sub, w)
		return
	case sub == nil:
		b.say(ctx, e, w.notSubscribed, nil)
		return
	}
	switch e.command {
	case "stop":
		b.leave(ctx, e, sub, w)
	case "services":
		if services, ok := readServices(e.args, b.services(ctx)); ok {
			b.change(ctx, e, *sub, w, func(s *notifier.Subscriber) { s.Wants.Services = services })
			return
		}
		if e.args != "" {
			b.say(ctx, e, w.in(misread), nil)
		}
		b.chooseServices(ctx, e, *sub, w, 0)
	case "severity":
		if least, ok := readSeverity(e.args); ok {
			b.change(ctx, e, *sub, w, func(s *notifier.Subscriber) { s.Wants.Least = least })
			return
		}
		b.show(ctx, e, w.asking(e, w.askSeverity), w.severityRows(sub.Wants.Least))
	case "lang":
		if language, ok := readLanguage(e.args); ok {
			b.change(ctx, e, *sub, w, func(s *notifier.Subscriber) { s.Language = language })
			return
		}
		b.show(ctx, e, w.asking(e, w.askLanguage), languageRows)
	case "quiet":
		if quiet, ok := parseQuiet(e.args); ok {
			b.change(ctx, e, *sub, w, func(s *notifier.Subscriber) { s.Wants.Quiet = quiet })
			return
		}
		b.show(ctx, e, w.asking(e, fmt.Sprintf(w.askQuiet, b.cfg.Zone)), w.quietRows())
	}
}

// join subscribes the chat at once: who speaks in it proves that it is theirs.
func (b *Bot) join(ctx context.Context, e event, sub *notifier.Subscriber, w words) {
	chosen := readPayload(e.args, b.services(ctx))
	if sub == nil {
		joined, err := b.cfg.Subscriptions.Join(ctx, channel, e.chat.address(), w.language, notifier.Wants{Services: chosen})
		if err != nil {
			b.failed(ctx, e, w, err)
			return
		}
		w = wordsOf[joined.Language]
		b.say(ctx, e, w.joined+"\n\n"+b.settings(ctx, joined, w), w.menu())
		return
	}
	more := func(key string) bool { return !slices.Contains(sub.Wants.Services, key) }
	if len(sub.Wants.Services) == 0 || !slices.ContainsFunc(chosen, more) {
		b.say(ctx, e, b.settings(ctx, *sub, w), w.menu())
		return
	}
	b.change(ctx, e, *sub, w, func(s *notifier.Subscriber) {
		for _, key := range chosen {
			if len(s.Wants.Services) > 0 && !slices.Contains(s.Wants.Services, key) {
				s.Wants.Services = append(s.Wants.Services, key)
			}
		}
	})
}

func (b *Bot) leave(ctx context.Context, e event, sub *notifier.Subscriber, w words) {
	if err := b.cfg.Subscriptions.Leave(ctx, sub.ID, channel); err != nil {
		b.failed(ctx, e, w, err)
		return
	}
	b.show(ctx, e, w.left, nil)
}

// change keeps a new choice and shows all of them.
func (b *Bot) change(ctx context.Context, e event, sub notifier.Subscriber, w words, change func(*notifier.Subscriber)) {
	changed, err := b.cfg.Subscriptions.Change(ctx, sub.ID, channel, change)
	if err != nil {
		b.failed(ctx, e, w, err)
		return
	}
	w = wordsOf[changed.Language]
	b.show(ctx, e, b.settings(ctx, changed, w), w.menu())
}

// status says how things stand, as the public page does.
func (b *Bot) status(ctx context.Context, e event, w words) {
	status, err := b.cfg.Statuses.Status(ctx)
	if err != nil {
		b.failed(ctx, e, w, err)
		return
	}
	lines := append([]string{w.in(b.cfg.Title)}, b.statusLines(status, w)...)
	b.say(ctx, e, b.withPage(strings.Join(lines, "\n")), nil)
}

// statusLines says what doesn't work as it should; what runs is known also while
// nobody measures.
func (b *Bot) statusLines(status Status, w words) []string {
	const most = 20
	measured := func(s notifier.Service) bool { return s.Status != rules.Unknown && s.Status != "" }
	seen := status.Fresh && slices.ContainsFunc(status.Services, measured)
	var lines []string
	troubled := 0
	for _, s := range status.Services {
		if !seen || !measured(s) || s.Status == rules.Operational {
			continue
		}
		if troubled++; troubled <= most {
			lines = append(lines, w.statusLine(s))
		}
	}
	if troubled > most {
		lines = append(lines, fmt.Sprintf(w.more, troubled-most))
	}
	for n, i := range status.Incidents {
		if n == maxListed {
			lines = append(lines, fmt.Sprintf(w.more, len(status.Incidents)-n))
			break
		}
		lines = append(lines, "• "+w.in(i.Title)+w.space+fmt.Sprintf(w.since, b.clock(i.Since)))
	}
	switch {
	case !seen:
		lines = append(lines, w.notMeasured)
	case len(lines) == 0:
		lines = append(lines, w.allWell)
	}
	return lines
}

// withPage adds where the public page is.
func (b *Bot) withPage(text string) string {
	if b.cfg.PageURL == "" {
		return text
	}
	return text + "\n" + b.cfg.PageURL
}
