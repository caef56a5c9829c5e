package incident_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shopwatch/notifier"
	"shopwatch/notifier/incident"
	"shopwatch/rules"
)

// update tells how the latest incident stands.
func (w *world) update(t *testing.T, at time.Time, d incident.Draft) incident.Result {
	t.Helper()
	r, err := w.machine.Update(at, *w.latest, d)
	if err != nil {
		t.Fatal(err)
	}
	w.keep(r)
	return r
}

// known is a world in which everybody was told of an outage.
func known() *world {
	w := newWorld()
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	w.alert(t0, down(rules.Subscribers, rules.Ops, t0))
	w.alert(t0.Add(30*time.Minute), down(rules.Management, rules.Management, t0.Add(30*time.Minute)))
	w.notices = nil
	return w
}

func TestAnUpdateReachesAllWhoKnowAndItsAuthorStaysInTheHouse(t *testing.T) {
	t.Parallel()
	w := known()
	at := t0.Add(40 * time.Minute)
	w.update(t, at, incident.Draft{
		By: "小王", Status: notifier.Identified, Text: rules.Text{ZH: "支付网关证书过期。\r\n正在更换。"},
		Scope: rules.Text{ZH: "所有用户", EN: "all users"}, ETA: at.Add(20*time.Minute + time.Second), Workaround: rules.Text{EN: "pay with WeChat"},
	})
	expect(t, w, "ops:updated", "management:updated", "subscribers:updated")
	for _, n := range w.notices {
		by := "小王"
		if n.Audience == rules.Subscribers {
			by = ""
		}
		f := n.Facts
		if f.By != by || f.Status != notifier.Identified || f.Update != (rules.Text{ZH: "支付网关证书过期。\n正在更换。", EN: "支付网关证书过期。\n正在更换。"}) ||
			f.Scope.EN != "all users" || f.Workaround.ZH != "pay with WeChat" || !f.ETA.At.Equal(at.Add(21*time.Minute)) {
			t.Errorf("%s hears %+v", n.Audience, f)
		}
	}
	last := w.latest.Updates[len(w.latest.Updates)-1]
	if last.By != "小王" || last.Text.EN != "" || w.latest.Status != notifier.Identified {
		t.Errorf("the timeline keeps %+v", last)
	}
}

func TestEarlierPromisesAreKept(t *testing.T) {
	t.Parallel()
	w := known()
	for n, minutes := range []int{20, 20, 60} { // the second says the same again
		w.update(t, t0.Add(time.Duration(n)*time.Second), incident.Draft{ETA: t0.Add(time.Duration(minutes) * time.Minute), Text: rules.Text{EN: "still at it"}})
	}
	if eta := w.latest.ETA; !eta.At.Equal(t0.Add(time.Hour)) || len(eta.Earlier) != 1 || !eta.Earlier[0].Equal(t0.Add(20*time.Minute)) {
		t.Errorf("promised %+v", eta)
	}
	if said := w.latest.Updates[len(w.latest.Updates)-2]; !said.ETA.IsZero() {
		t.Error("an ETA said again reads as a new one")
	}
}

func TestAnUpdateTellsOnlyThoseWhoKnow(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.public = false
	w.alert(t0, down(rules.Ops, rules.Ops, t0))
	w.alert(t0, down(rules.Subscribers, rules.Ops, t0))
	w.notices = nil
	w.update(t, t0.Add(time.Minute), incident.Draft{Status: notifier.Identified})
	expect(t, w, "ops:updated")
	w.notices = nil
	w.update(t, t0.Add(2*time.Minute), incident.Draft{Status: notifier.Monitoring, Silent: true})
	expect(t, w)
	if w.latest.Status != notifier.Monitoring {
		t.Error("a silent update changed nothing")
	}
	w.update(t, t0.Add(3*time.Minute), incident.Draft{Status: notifier.Investigating}) // the remedy failed
	expect(t, w, "ops:updated")
}

func TestWhatAnUpdateLeavesOutStandsAsBefore(t *testing.T) {
	t.Parallel()
	w := known()
	w.update(t, t0.Add(time.Minute), incident.Draft{Status: notifier.Identified, Scope: rules.Text{EN: "all"}, Workaround: rules.Text{EN: "wait"}, ETA: t0.Add(time.Hour)})
	w.update(t, t0.Add(2*time.Minute), incident.Draft{Text: rules.Text{EN: "still at it"}})
	if i := w.latest; i.Status != notifier.Identified || i.Scope.EN != "all" || i.Workaround.EN != "wait" || !i.ETA.At.Equal(t0.Add(time.Hour)) {
		t.Errorf("stands as %+v", i)
	}
	w.watchdog = judging(t0.Add(time.Hour))
	w.notices = nil
	w.alert(t0.Add(time.Hour), ended(down(rules.Ops, rules.Ops, t0), t0.Add(time.Hour)))
	w.alert(t0.Add(time.Hour), ended(down(rules.Management, rules.Management, t0.Add(30*time.Minute)), t0.Add(time.Hour)))
	expect(t, w, "ops:recovered", "management:recovered", "subscribers:recovered")
}

func TestDraftsThatWontDoAreRefused(t *testing.T) {
	t.Parallel()
	w := known()
	en := func(s string) rules.Text { return rules.Text{EN: s} }
	for name, c := range map[string]struct {
		draft incident.Draft
		code  notifier.Code
		says  string
	}{
		"nothing at all":        {incident.Draft{}, notifier.Invalid, "tells something"},
		"the status as it is":   {incident.Draft{Status: notifier.Investigating, Text: en(" \r\n ")}, notifier.Invalid, "tells something"},
		"an unknown status":     {incident.Draft{Status: "fine"}, notifier.Invalid, "investigating, identified and monitoring"},
		"resolved by an update": {incident.Draft{Status: notifier.Resolved}, notifier.Invalid, "resolving"},
		"a postmortem too soon": {incident.Draft{Status: notifier.Postmortem, Text: en("why")}, notifier.Conflict, "still runs"},
		"a long text":           {incident.Draft{Text: en(strings.Repeat("王", 1001))}, notifier.Invalid, "1001 characters, want at most 1000"},
		"a long scope":          {incident.Draft{Scope: en(strings.Repeat("王", 121))}, notifier.Invalid, "at most 120"},
		"a scope of two lines":  {incident.Draft{Scope: en("all\nusers")}, notifier.Invalid, "one line"},
		"a long workaround":     {incident.Draft{Workaround: en(strings.Repeat("王", 501))}, notifier.Invalid, "at most 500"},
		"a bell":                {incident.Draft{Text: en("ding\a")}, notifier.Invalid, "control"},
		"turned reading":        {incident.Draft{Text: en("a\u202eb")}, notifier.Invalid, "order of reading"},
		"no UTF-8":              {incident.Draft{Text: en("\xff")}, notifier.Invalid, "UTF-8"},
		"an ETA of the past":    {incident.Draft{ETA: t0}, notifier.Invalid, "past"},
		"an ETA far off":        {incident.Draft{ETA: t0.Add(31 * 24 * time.Hour)}, notifier.Invalid, "30 days"},
		"a name of two lines":   {incident.Draft{By: "a\nb", Text: en("x")}, notifier.Invalid, "one line"},
	} {
		r, err := w.machine.Update(t0, *w.latest, c.draft)
		if code(err) != c.code || !strings.Contains(err.Error(), c.says) || r.Changed {
			t.Errorf("%s: got %v, want %s with %q", name, err, c.code, c.says)
		}
	}
	for range 300 {
		r, err := w.machine.Update(t0, *w.latest, incident.Draft{Text: en("again"), Silent: true})
		if err != nil {
			if code(err) != notifier.Conflict || len(w.latest.Updates) != 200 {
				t.Errorf("after %d updates: %v", len(w.latest.Updates), err)
			}
			return
		}
		w.keep(r)
	}
	t.Error("updates without end")
}

func TestAPostmortemStandsOnThePageAlone(t *testing.T) {
	t.Parallel()
	w := known()
	if _, err := w.machine.Resolve(t0.Add(time.Hour), *w.latest, incident.Ending{}); code(err) != notifier.Conflict {
		t.Fatalf("resolved while it fires: %v", err)
	}
	w.resolve(t, t0.Add(time.Hour), incident.Ending{Force: true})
	w.notices = nil
	w.update(t, t0.Add(2*time.Hour), incident.Draft{Status: notifier.Postmortem, Text: rules.Text{EN: "The certificate had run out."}})
	expect(t, w)
	if w.latest.Open() || w.latest.Status != notifier.Postmortem {
		t.Errorf("the incident is %+v", w.latest)
	}
	for name, d := range map[string]incident.Draft{
		"an update":             {Text: rules.Text{EN: "x"}, Status: notifier.Identified},
		"one without status":    {Text: rules.Text{}, Status: ""},
		"a wordless postmortem": {Status: notifier.Postmortem},
		"with an ETA":           {Status: notifier.Postmortem, Text: rules.Text{EN: "x"}, ETA: t0.Add(3 * time.Hour)},
	} {
		if r, err := w.machine.Update(t0.Add(2*time.Hour), *w.latest, d); err == nil || r.Changed {
			t.Errorf("%s of what is over was taken", name)
		}
	}
}

func TestNoDraftBreaksAnIncidentNorTellsThePublicWhoWroteIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := known()
		text := rapid.Custom(func(t *rapid.T) rules.Text {
			return rules.Text{ZH: rapid.StringN(0, 20, -1).Draw(t, "zh"), EN: rapid.StringOf(rapid.RuneFrom([]rune("ab \n\r\t\u202e王\x00"))).Draw(t, "en")}
		})
		now := t0
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 3600).Draw(t, "later")) * time.Second)
			before, err := json.Marshal(w.latest)
			if err != nil {
				t.Fatal(err)
			}
			d := incident.Draft{
				By:     rapid.SampledFrom([]string{"", "SECRETNAME", "a\nb"}).Draw(t, "by"),
				Status: notifier.IncidentStatus(rapid.SampledFrom([]string{"", "investigating", "identified", "monitoring", "resolved", "postmortem", "x"}).Draw(t, "status")),
				Text:   text.Draw(t, "text"), Scope: text.Draw(t, "scope"), Workaround: text.Draw(t, "workaround"), Silent: rapid.Bool().Draw(t, "silent"),
				ETA: now.Add(time.Duration(rapid.Int64Range(-1e15, 3e15).Draw(t, "eta"))),
			}
			var r incident.Result
			switch rapid.IntRange(0, 4).Draw(t, "deed") {
			case 0:
				r, err = w.machine.Publish(now, *w.latest, d.By)
			case 1:
				r, err = w.machine.Hold(now, *w.latest, d.By)
			case 2:
				r, err = w.machine.Resolve(now, *w.latest, incident.Ending{By: d.By, Text: d.Text, Force: d.Silent})
			default:
				r, err = w.machine.Update(now, *w.latest, d)
			}
			if after, _ := json.Marshal(w.latest); string(after) != string(before) {
				t.Fatal("a step changed the incident that it was given")
			}
			if err != nil && (r.Changed || len(r.Notices) > 0 || code(err) == "") {
				t.Fatalf("refused by %v, and yet it did %+v", err, r)
			}
			w.keep(r)
			for _, n := range r.Notices {
				told, err := json.Marshal(n.Facts)
				if err != nil {
					t.Fatal(err)
				}
				if n.Audience == rules.Subscribers && n.Event == notifier.EventUpdated && strings.Contains(string(told), "SECRETNAME") {
					t.Fatalf("the public is told %s", told)
				}
			}
			if i := w.latest; i.Open() != (i.Status != notifier.Resolved && i.Status != notifier.Postmortem) || !slices.IsSortedFunc(i.Updates, func(a, b notifier.Update) int { return a.At.Compare(b.At) }) {
				t.Fatalf("the incident stands as %+v", i)
			}
		}
	})
}
