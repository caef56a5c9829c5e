package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"shopwatch/notifier"
)

const (
	// silentFor is how long the button keeps an incident's alerts silent.
	silentFor = time.Hour
	// maxListed is how many incidents one answer lists.
	maxListed = 10
)

// operates reports whether whoever did e may act on incidents: in a chat of
// people on call, and as one of the operators where the configuration names them.
func (b *Bot) operates(e event) bool {
	if !b.isOnCall(e.chat) || e.user.id <= 0 {
		return false
	}
	return len(b.operators) == 0 || b.operators[e.user.id] && !e.user.asGroup
}

// onCallCommand answers the commands of people on call, and reports whether e is one.
func (b *Bot) onCallCommand(ctx context.Context, e event, w words) bool {
	switch e.command {
	case "incidents":
		b.listIncidents(ctx, e, w)
	case "ack", "unack":
		if !b.operates(e) {
			b.say(ctx, e, w.notOperator, nil)
			return true
		}
		id, ok := b.meant(ctx, e, w)
		if !ok {
			return true
		}
		if e.command == "ack" {
			b.acknowledge(ctx, e, w, id)
		} else {
			b.withdraw(ctx, e, w, id)
		}
	default:
		return false
	}
	return true
}

// meant is the incident that a command is about: the one it names, or the only
// one that it can mean.
func (b *Bot) meant(ctx context.Context, e event, w words) (string, bool) {
	if e.args != "" {
		if !incidentShape.MatchString(e.args) {
			b.say(ctx, e, w.noIncident, nil)
			return "", false
		}
		return e.args, true
	}
	incidents, err := b.cfg.Incidents.Incidents(ctx)
	if err != nil {
		b.failed(ctx, e, w, err)
		return "", false
	}
	var ids []string
	for _, i := range incidents {
		if i.Acknowledged.Given() == (e.command == "unack") {
			ids = append(ids, i.ID)
		}
	}
	if len(ids) == 1 {
		return ids[0], true
	}
	if len(ids) == 0 && e.command == "unack" {
		b.say(ctx, e, w.nobodyHas, nil)
		return "", false
	}
	b.listIncidents(ctx, e, w)
	return "", false
}

// listIncidents says what runs, with a button for each.
func (b *Bot) listIncidents(ctx context.Context, e event, w words) {
	incidents, err := b.cfg.Incidents.Incidents(ctx)
	if err != nil {
		b.failed(ctx, e, w, err)
		return
	}
	if len(incidents) == 0 {
		b.say(ctx, e, w.nothingRuns, nil)
		return
	}
	var text strings.Builder
	text.WriteString(w.runs)
	var rows [][]notifier.Button
	for n, i := range incidents {
		if n == maxListed {
			fmt.Fprintf(&text, "\n"+w.more, len(incidents)-n)
			break
		}
		title := w.in(i.Title)
		fmt.Fprintf(&text, "\n\n%d. %s\n%s", n+1, title, fmt.Sprintf(w.since, b.clock(i.Since)))
		if i.Acknowledged.Given() {
			text.WriteString("\n" + w.inHand(i.Acknowledged, b.clock(i.Acknowledged.At)))
		}
		fmt.Fprintf(&text, "\n/ack %s", i.ID)
		row := []notifier.Button{{Text: fmt.Sprintf(w.ackButton, n+1), Data: press{verb: verbAck, arg: i.ID}.data()}}
		if b.cfg.Silencer != nil {
			row = append(row, notifier.Button{Text: fmt.Sprintf(w.muteButton, n+1), Data: press{verb: verbMute, arg: i.ID}.data()})
		}
		rows = append(rows, row)
	}
	b.say(ctx, e, text.String(), rows)
}

// onCallPress answers the buttons under notices to people on call.
func (b *Bot) onCallPress(ctx context.Context, e event, p press) {
	language, ok := b.onCallLanguage(e.chat)
	if !ok {
		b.toast(ctx, e, wordsOf[e.user.language].notOnCall)
		return
	}
	w := wordsOf[language]
	switch {
	case !b.operates(e):
		b.toast(ctx, e, w.notOperator)
	case p.verb == verbAck:
		b.acknowledge(ctx, e, w, p.arg)
	case p.verb == verbMute:
		b.silence(ctx, e, w, p.arg)
	default:
		b.sayWho(ctx, e, w, p.arg)
	}
}

func (b *Bot) acknowledge(ctx context.Context, e event, w words, id string) {
	i, err := b.cfg.Incidents.Acknowledge(ctx, id, e.user.name)
	if err != nil {
		b.notDone(ctx, e, w, err)
		return
	}
	has := w.inHand(i.Acknowledged, b.clock(i.Acknowledged.At))
	b.tell(ctx, e, has)
	b.rewrite(ctx, e, notifier.Button{
		Text: "✅ " + has, Data: press{verb: verbWho, arg: id}.data(),
	})
}

func (b *Bot) withdraw(ctx context.Context, e event, w words, id string) {
	if _, err := b.cfg.Incidents.Withdraw(ctx, id, e.user.name); err != nil {
		b.notDone(ctx, e, w, err)
		return
	}
	b.tell(ctx, e, w.withdrawn)
}

func (b *Bot) silence(ctx context.Context, e event, w words, id string) {
	if b.cfg.Silencer == nil {
		b.toast(ctx, e, w.cannotSilence)
		return
	}
	until, err := b.cfg.Silencer.Silence(ctx, id, e.user.name, channel, silentFor)
	if err != nil {
		b.notDone(ctx, e, w, err)
		return
	}
	silent := fmt.Sprintf(w.silentUntil, b.clock(until))
	b.tell(ctx, e, silent)
	b.rewrite(ctx, e, notifier.Button{Text: "🔕 " + silent, Data: press{verb: verbWho, arg: id}.data()})
}

// sayWho answers a button that says who has an incident in hand.
func (b *Bot) sayWho(ctx context.Context, e event, w words, id string) {
	incidents, err := b.cfg.Incidents.Incidents(ctx)
	if err != nil {
		b.failed(ctx, e, w, err)
		return
	}
	for _, i := range incidents {
		if i.ID != id {
			continue
		}
		if i.Acknowledged.Given() {
			b.toast(ctx, e, w.inHand(i.Acknowledged, b.clock(i.Acknowledged.At)))
			return
		}
		b.toast(ctx, e, w.nobodyHas)
		return
	}
	b.toast(ctx, e, w.isOver)
}

// notDone says why a deed to an incident was not done: the asker's mistake in
// their words, ours without any detail.
func (b *Bot) notDone(ctx context.Context, e event, w words, err error) {
	mistake, ok := errors.AsType[*notifier.Error](err)
	switch {
	case !ok || mistake.Code == notifier.Invalid:
		b.failed(ctx, e, w, err)
	case mistake.Code == notifier.NotFound:
		b.tell(ctx, e, w.noIncident)
	case e.command == "unack":
		b.tell(ctx, e, w.nobodyHas)
	case strings.HasPrefix(e.data, string(verbMute)):
		b.tell(ctx, e, w.cannotSilence)
	default:
		b.tell(ctx, e, w.isOver)
	}
}

// failed says that something was not done, without any detail.
func (b *Bot) failed(ctx context.Context, e event, w words, err error) {
	if ctx.Err() != nil {
		return
	}
	if mistake, ok := errors.AsType[*notifier.Error](err); ok && mistake.Code == notifier.NotFound {
		b.tell(ctx, e, w.notSubscribed) // has left meanwhile
		return
	}
	b.cfg.Logger.Error("telegram: what somebody asked for was not done", "err", err)
	b.tell(ctx, e, w.wentWrong)
}

// clock tells a moment in the page's zone: the hour, and the day where it isn't today.
func (b *Bot) clock(at time.Time) string {
	at, now := at.In(b.cfg.Zone), b.cfg.Now().In(b.cfg.Zone)
	if at.YearDay() == now.YearDay() && at.Year() == now.Year() {
		return at.Format("15:04")
	}
	return at.Format("01-02 15:04")
}
