package message

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"shopwatch/notifier"
)

// planned tells what a notice of planned work says of it: its window always with
// its date, as it is read days before, and times to the minute, as they were planned.
func (f *Facts) planned(d notifier.Delivery, clock clock) {
	n, say := d.Notice.Facts, wordsOf[f.Language]
	plan := *n.Planned
	if d.First { // its reader knows of no other plan
		plan.Before = notifier.Window{}
	}
	f.Title = cmp.Or(oneLine(clean(n.Title.In(string(f.Language)), maxName)), say.maintenance)
	f.Services = clamp(strings.Join(names(plan, f.Language), say.comma), maxDescription, "…")
	f.At = clock.moment(clock.now)
	f.Window = clock.window(plan.Window)
	if !plan.Before.From.IsZero() {
		f.Before = clock.span(plan.Before)
	}
	if !n.Since.IsZero() {
		f.Since, f.Lasted = clock.minute(n.Since)+clock.offset(n.Since), clock.duration(clock.now.Sub(n.Since))
	}
	switch d.Notice.Event {
	case notifier.EventCompleted:
		f.Over, f.Lasted = clock.minute(n.Over), clock.duration(n.Lasted())
		return
	case notifier.EventCancelled:
		return
	}
	if plan.Status == notifier.Verifying {
		f.Status = say.verifying
	}
	f.Until = clock.until(plan)
	passed := !plan.Window.Until.After(clock.now)
	f.Longer = !n.Since.IsZero() && (passed || !plan.Before.Until.IsZero() && plan.Window.Until.After(plan.Before.Until))
}

// names are those of what is worked on.
func names(plan notifier.Planned, language notifier.Language) (list []string) {
	for _, name := range plan.Services {
		list = append(list, oneLine(clean(name.In(string(language)), maxName)))
	}
	return list
}

// where tells those on call which services of the configuration file are worked on.
func (o *OnCall) where(plan notifier.Planned, language notifier.Language) {
	say, all := wordsOf[language], names(plan, language)
	if len(plan.Keys) == 1 {
		o.Key = clean(plan.Keys[0], maxName)
	}
	for i, key := range plan.Keys[:min(len(plan.Keys), len(all))] {
		all[i] = fmt.Sprintf(say.where, all[i], clean(key, maxName))
	}
	o.Where = clamp(strings.Join(all, say.comma), maxDescription, "…")
}

// toldPlanned is what a digest says of planned work, as the last of its notices leaves it.
func toldPlanned(n notifier.Notice, clock clock) Told {
	say, plan, facts := wordsOf[clock.language], *n.Facts.Planned, n.Facts
	told := Told{Planned: true, Title: cmp.Or(oneLine(clean(facts.Title.In(string(clock.language)), maxName)), say.maintenance)}
	switch {
	case n.Event == notifier.EventCancelled:
		told.Course = fmt.Sprintf(say.isOff, clock.span(plan.Window))
	case n.Event == notifier.EventCompleted:
		told.Course = fmt.Sprintf(say.isDone, clock.minute(facts.Since), clock.end(notifier.Window{From: facts.Since, Until: facts.Over}), clock.duration(facts.Lasted()))
	case !facts.Since.IsZero():
		plan.Before = notifier.Window{}
		told.Course = fmt.Sprintf(say.goesOn, clock.minute(facts.Since), clock.until(plan))
	default:
		told.Course = fmt.Sprintf(say.isPlanned, clock.window(plan.Window))
	}
	return told
}

// adviceOnWork is what buyers do while somebody works, and once it is done.
func (f *Facts) adviceOnWork() {
	say := wordsOf[f.Language]
	switch f.Event {
	case notifier.EventCancelled:
	case notifier.EventCompleted:
		f.Afterwards = say.workDone
	default:
		f.Advice = say.work
		if f.Channel == SMS {
			f.Advice = say.workBrief
		}
	}
}

// window tells a stretch of time with its length: "11月23日 02:00 至 04:00（约 2 小时）".
func (c clock) window(w notifier.Window) string {
	if w.From.IsZero() || w.Until.IsZero() {
		return ""
	}
	from := ""
	if c.offset(w.From) != c.offset(w.Until) { // the clocks change between
		from = c.offset(w.From)
	}
	return fmt.Sprintf(wordsOf[c.language].window, c.dated(w.From)+from, c.end(w)+c.offset(w.Until), c.duration(w.Until.Sub(w.From)))
}

// span is window without its length and zone.
func (c clock) span(w notifier.Window) string {
	return fmt.Sprintf(wordsOf[c.language].span, c.dated(w.From), c.end(w))
}

// end tells when a window ends, with the date only where it began on another.
func (c clock) end(w notifier.Window) string {
	c.now = w.From
	return c.minute(w.Until)
}

// until tells when work should be over, what was said before, and whether that
// moment has passed: "05:30（原定 04:00）".
func (c clock) until(plan notifier.Planned) string {
	say, at := wordsOf[c.language], plan.Window.Until
	told := c.minute(at) + c.offset(at)
	if before := plan.Before.Until; !before.IsZero() && !before.Equal(at) {
		told = fmt.Sprintf(say.moved, told, c.minute(before))
	}
	if !at.After(c.now) {
		told += say.passed
	}
	return told
}

// minute tells a time without its seconds, with its date only where that isn't today's.
func (c clock) minute(at time.Time) string { return c.tell(at, "15:04") }

// dated tells a time without its seconds, with its date.
func (c clock) dated(at time.Time) string {
	c.now = time.Time{}
	return c.minute(at)
}
