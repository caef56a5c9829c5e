package maintenance_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shopwatch/notifier"
	"shopwatch/notifier/maintenance"
	"shopwatch/rules"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const remind = time.Hour

func service(id string, public bool) notifier.Service {
	return notifier.Service{Shop: "main", ID: id, Name: rules.Text{ZH: "名" + id, EN: "Name " + id}, Public: public}
}

func machine() *maintenance.Machine {
	made := 0
	return maintenance.New(maintenance.Config{
		NewID: func() string { made++; return fmt.Sprint("m", made) },
		Services: func() []notifier.Service {
			return []notifier.Service{service("web", true), service("alipay", true), service("database", false)}
		},
		Remind: remind, StatusURL: "https://status.example.com/",
	})
}

func plan(from, until time.Time, services ...string) maintenance.Plan {
	return maintenance.Plan{
		By: "小王", Title: rules.Text{ZH: "搬迁数据库"}, Text: rules.Text{ZH: "期间不能下单", EN: "No orders meanwhile"},
		Services: services, Window: notifier.Window{From: from, Until: until},
	}
}

func scheduled(t *testing.T, m *maintenance.Machine, services ...string) notifier.Maintenance {
	t.Helper()
	r, err := m.Schedule(noon, plan(noon.Add(14*time.Hour), noon.Add(16*time.Hour), services...))
	if err != nil {
		t.Fatal(err)
	}
	return r.Maintenance
}

// events gives what an audience is told.
func events(notices []notifier.Notice, audience rules.Audience) (list []notifier.Event) {
	for _, n := range notices {
		if n.Audience == audience {
			list = append(list, n.Event)
		}
	}
	return list
}

func TestPlannedWorkIsAnnouncedRemindedOfBegunAndDoneByTheClockAlone(t *testing.T) {
	t.Parallel()
	m := machine()
	r, err := m.Schedule(noon, plan(noon.Add(14*time.Hour), noon.Add(16*time.Hour), "main/web"))
	if err != nil {
		t.Fatal(err)
	}
	told := r.Notices
	i := r.Maintenance
	for at := noon; !at.After(noon.Add(20 * time.Hour)); at = at.Add(15 * time.Second) {
		r = m.Tick(at, i, true)
		if again := m.Tick(at, r.Maintenance, true); again.Changed {
			t.Fatalf("at %s a second look changes %s to %s", at, r.Maintenance.Status, again.Maintenance.Status)
		}
		told, i = append(told, r.Notices...), r.Maintenance
	}
	want := []notifier.Event{notifier.EventScheduled, notifier.EventReminder, notifier.EventBegan, notifier.EventCompleted}
	for _, audience := range []rules.Audience{rules.Ops, rules.Subscribers} {
		if got := events(told, audience); !slices.Equal(got, want) {
			t.Errorf("%s are told %v, want %v", audience, got, want)
		}
	}
	if !i.Began.Equal(noon.Add(14*time.Hour)) || !i.Ended.Equal(noon.Add(16*time.Hour)) || i.Status != notifier.Completed {
		t.Errorf("it was %s from %s to %s, want completed within its window", i.Status, i.Began, i.Ended)
	}
	if reminder := told[2]; !reminder.At.Equal(noon.Add(13 * time.Hour)) {
		t.Errorf("people are reminded at %s, want an hour before", reminder.At)
	}
}

func TestWorkIsNotCalledDoneBeforeItsServicesWork(t *testing.T) {
	t.Parallel()
	m := machine()
	i := m.Tick(noon.Add(14*time.Hour), scheduled(t, m, "main"), false).Maintenance
	late := m.Tick(noon.Add(16*time.Hour), i, false)
	if got := events(late.Notices, rules.Subscribers); !slices.Equal(got, []notifier.Event{notifier.EventProgress}) {
		t.Fatalf("at its end, with services that don't work, subscribers are told %v, want that it takes longer", got)
	}
	if r := m.Tick(noon.Add(17*time.Hour), late.Maintenance, false); r.Changed {
		t.Errorf("an hour later it is told again: %v", r.Notices)
	}
	done := m.Tick(noon.Add(18*time.Hour), late.Maintenance, true)
	if got := events(done.Notices, rules.Subscribers); !slices.Equal(got, []notifier.Event{notifier.EventCompleted}) {
		t.Errorf("once they work, subscribers are told %v, want that it is done", got)
	}
	if !done.Maintenance.Ended.Equal(noon.Add(18 * time.Hour)) {
		t.Errorf("it ended at %s, want when the services worked", done.Maintenance.Ended)
	}
}

func TestWorkWhoseWindowPassedWhileNobodyLookedIsToldAsDoneAndNotAsBegun(t *testing.T) {
	t.Parallel()
	m := machine()
	i := scheduled(t, m, "main/web")
	var told []notifier.Notice
	for range 3 {
		r := m.Tick(noon.Add(30*time.Hour), i, true)
		i, told = r.Maintenance, append(told, r.Notices...)
	}
	if got := events(told, rules.Ops); !slices.Equal(got, []notifier.Event{notifier.EventCompleted}) {
		t.Errorf("ops are told %v, want that it is done, once", got)
	}
}

func TestSubscribersReadNothingOfPrivateServicesAndOfWhoWorks(t *testing.T) {
	t.Parallel()
	m := machine()
	r, err := m.Schedule(noon, plan(noon.Add(14*time.Hour), noon.Add(16*time.Hour), "main"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range r.Notices {
		said := fmt.Sprintf("%+v %+v", n.Facts, n.Facts.Planned)
		if n.Audience == rules.Subscribers && (strings.Contains(said, "database") || strings.Contains(said, "小王")) {
			t.Errorf("subscribers read %s", said)
		}
		if n.Audience == rules.Ops && len(n.Facts.Planned.Keys) != 3 {
			t.Errorf("ops read of %v, want all three services", n.Facts.Planned.Keys)
		}
	}
	hidden, err := m.Schedule(noon, plan(noon.Add(14*time.Hour), noon.Add(16*time.Hour), "main/database"))
	if err != nil || len(events(hidden.Notices, rules.Subscribers)) > 0 {
		t.Errorf("subscribers are told %v (%v) of a service that they don't know", events(hidden.Notices, rules.Subscribers), err)
	}
}

func TestAnotherTimeIsToldWithTheOldOneAndRemindedOfAnew(t *testing.T) {
	t.Parallel()
	m := machine()
	i := m.Tick(noon.Add(13*time.Hour), scheduled(t, m, "main/web"), true).Maintenance
	later := notifier.Window{From: noon.Add(38 * time.Hour), Until: noon.Add(40 * time.Hour)}
	r, err := m.Update(noon.Add(13*time.Hour), i, maintenance.Draft{Window: later})
	if err != nil {
		t.Fatal(err)
	}
	if got := events(r.Notices, rules.Subscribers); !slices.Equal(got, []notifier.Event{notifier.EventScheduled}) {
		t.Fatalf("subscribers are told %v, want the new plan", got)
	}
	if planned := r.Notices[0].Facts.Planned; planned.Before != i.Window || planned.Window != later {
		t.Errorf("told is %+v before %+v, want %+v before %+v", planned.Window, planned.Before, later, i.Window)
	}
	if again := m.Tick(noon.Add(37*time.Hour), r.Maintenance, true); !slices.Equal(events(again.Notices, rules.Ops), []notifier.Event{notifier.EventReminder}) {
		t.Errorf("an hour before the new time ops are told %v, want a reminder", again.Notices)
	}
}

func TestPlansThatWontDoAreToldInBothLanguages(t *testing.T) {
	t.Parallel()
	m := machine()
	good := plan(noon.Add(time.Hour), noon.Add(2*time.Hour), "main/web")
	for want, spoil := range map[string]func(*maintenance.Plan){
		"title":                     func(p *maintenance.Plan) { p.Title = rules.Text{} },
		"one line":                  func(p *maintenance.Plan) { p.Title.EN = "a\nb" },
		"at most 1000":              func(p *maintenance.Plan) { p.Text.EN = strings.Repeat("x", 1001) },
		"needs its services":        func(p *maintenance.Plan) { p.Services = nil },
		`no service "main/wechat"`:  func(p *maintenance.Plan) { p.Services = []string{"main/wechat"} },
		"by which it is to be done": func(p *maintenance.Plan) { p.Window.Until = time.Time{} },
		"is past":                   func(p *maintenance.Plan) { p.Window = notifier.Window{From: noon.Add(-2 * time.Hour), Until: noon} },
		"at least 1 minute":         func(p *maintenance.Plan) { p.Window.Until = p.Window.From },
		"at most 7 days":            func(p *maintenance.Plan) { p.Window.Until = p.Window.From.Add(169 * time.Hour) },
		"a year off": func(p *maintenance.Plan) {
			p.Window = notifier.Window{From: noon.Add(400 * 24 * time.Hour), Until: noon.Add(401 * 24 * time.Hour)}
		},
		"a name is": func(p *maintenance.Plan) { p.By = "a\u202eb" },
	} {
		p := good
		spoil(&p)
		_, err := m.Schedule(noon, p)
		var mistake *notifier.Error
		if !errors.As(err, &mistake) || mistake.Code != notifier.Invalid || !strings.Contains(mistake.Message, want) || mistake.Chinese == "" {
			t.Errorf("of %q is told %v", want, err)
		}
	}
	if _, err := m.Schedule(noon, good); err != nil {
		t.Errorf("a good plan is refused: %v", err)
	}
}

// What anybody and the clock may do, at random: whoever is told that it is done
// was told that it is planned or begun, nothing is told after its end, a cancelled
// plan never began, and no step goes back.
func TestAnyHistoryTellsATrueStory(t *testing.T) {
	t.Parallel()
	order := []notifier.MaintenanceStatus{notifier.Scheduled, notifier.InProgress, notifier.Verifying, notifier.Completed, notifier.Cancelled}
	rapid.Check(t, func(t *rapid.T) {
		m := machine()
		now := noon
		minutes := func(name string, least, most int) time.Duration {
			return time.Duration(rapid.IntRange(least, most).Draw(t, name)) * time.Minute
		}
		from := now.Add(minutes("from", -5, 180))
		r, err := m.Schedule(now, plan(from, now.Add(minutes("until", 185, 400)), "main/web"))
		if err != nil {
			t.Fatal(err)
		}
		told := events(r.Notices, rules.Subscribers)
		i := r.Maintenance
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now = now.Add(minutes("passes", 0, 60))
			before := i
			var r maintenance.Result
			err = nil
			switch rapid.IntRange(0, 7).Draw(t, "deed") {
			case 0:
				r, err = m.Begin(now, i, "")
			case 1:
				r, err = m.Complete(now, i, "", rules.Text{})
			case 2:
				r, err = m.Cancel(now, i, "", rules.Text{})
			case 3:
				status := rapid.SampledFrom(order).Draw(t, "status")
				r, err = m.Update(now, i, maintenance.Draft{Status: status, Text: rules.Text{EN: "still"}})
			case 4:
				r, err = m.Update(now, i, maintenance.Draft{Window: notifier.Window{Until: now.Add(minutes("longer", -10, 300))}})
			default:
				r = m.Tick(now, i, rapid.Bool().Draw(t, "works"))
			}
			if err != nil {
				var mistake *notifier.Error
				if !errors.As(err, &mistake) || mistake.Chinese == "" {
					t.Fatalf("a mistake is told as %v", err)
				}
				continue
			}
			if !before.Ahead() && r.Changed {
				t.Fatalf("after its end it changes from %+v to %+v", before, r.Maintenance)
			}
			i = r.Maintenance
			told = append(told, events(r.Notices, rules.Subscribers)...)
			if slices.Index(order, i.Status) < slices.Index(order, before.Status) && !(before.Status == notifier.Verifying && i.Status == notifier.InProgress) {
				t.Fatalf("it went back from %s to %s", before.Status, i.Status)
			}
			for _, n := range r.Notices {
				if n.Facts.Planned.Status != i.Status {
					t.Fatalf("a notice says %s, want %s", n.Facts.Planned.Status, i.Status)
				}
			}
			if i.Working() != (!i.Began.IsZero() && i.Ended.IsZero()) || i.Ahead() != i.Ended.IsZero() {
				t.Fatalf("it says of itself %+v", i)
			}
			if !slices.IsSortedFunc(i.Updates, func(a, b notifier.MaintenanceUpdate) int { return a.At.Compare(b.At) }) {
				t.Fatalf("its timeline is not in order: %+v", i.Updates)
			}
		}
		ends := slices.IndexFunc(told, func(e notifier.Event) bool { return e == notifier.EventCompleted || e == notifier.EventCancelled })
		if ends >= 0 && ends != len(told)-1 {
			t.Fatalf("told after the end: %v", told)
		}
		if slices.Contains(told, notifier.EventCancelled) && slices.Contains(told, notifier.EventBegan) {
			t.Fatalf("cancelled though it began: %v", told)
		}
		if n := len(slices.DeleteFunc(slices.Clone(told), func(e notifier.Event) bool { return e != notifier.EventBegan })); n > 1 {
			t.Fatalf("it began %d times: %v", n, told)
		}
	})
}
