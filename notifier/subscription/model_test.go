package subscription_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shopwatch/notifier"
	"shopwatch/notifier/subscription"
)

// person is what must be true of somebody, and all that they were ever sent.
type person struct {
	channel, address string
	state            notifier.RecipientState // "": we hold nothing
	id               int64
	language         notifier.Language // that is in force
	asked            int               // the letter whose words are good; -1: none
	until            time.Time         // … before this moment
	tries            int
	letters          []letter
}

// letter is one message that asked a person to prove the address.
type letter struct {
	id         int64
	link, code string
	leave      string
	manage     string
	at         time.Time
}

// house is people who sign up, prove, leave and are erased in any order.
type house struct {
	*world
	people []*person
}

func newHouse(t *rapid.T) *house {
	h := &house{world: newWorld(t)}
	for _, p := range [][2]string{{"email", "a@b.example"}, {"email", "c@d.example"}, {"sms", "+8613800138000"}, {"sms", "+8613800138001"}} {
		h.people = append(h.people, &person{channel: p[0], address: p[1], asked: -1})
	}
	return h
}

func (h *house) someone(t *rapid.T) *person {
	return rapid.SampledFrom(h.people).Draw(t, "who")
}

// sentTo notes the letter that the last act sent, with words that its reader has.
func (h *house) sentTo(t *rapid.T, p *person) {
	row := h.row(p.channel, p.address)
	if row == nil {
		t.Fatalf("%s isn't held", p.address)
	}
	links := h.links(t)
	l := letter{id: row.ID, at: h.clock(), leave: tokenOf(links.Leave(row.Recipient)), manage: tokenOf(links.Manage(row.Recipient))}
	link, code := links.Confirm(row.Recipient)
	l.link, l.code = tokenOf(link), code
	p.letters = append(p.letters, l)
	p.id, p.asked, p.tries, p.until = row.ID, len(p.letters)-1, 0, h.clock().Add(48*time.Hour)
	if p.channel == "sms" {
		p.until = h.clock().Add(10 * time.Minute)
	}
}

// good reports whether the words of a letter still prove anything.
func (h *house) good(p *person, letter int) bool {
	return letter == p.asked && h.clock().Before(p.until)
}

func (p *person) letter(t *rapid.T) int {
	if len(p.letters) == 0 {
		t.Skip("nothing was sent")
	}
	return rapid.IntRange(0, len(p.letters)-1).Draw(t, "letter")
}

// acts are what people can do, rightly and wrongly.
func (h *house) acts(t *rapid.T) map[string]func(*rapid.T) {
	languages := rapid.SampledFrom([]notifier.Language{notifier.Chinese, notifier.English})
	return map[string]func(*rapid.T){
		"sign up": func(t *rapid.T) {
			p, lang := h.someone(t), languages.Draw(t, "language")
			if err := h.service.SignUp(t.Context(), subscription.Request{Channel: p.channel, Address: p.address, Language: lang}); err != nil {
				t.Fatal(err)
			}
			if p.state != notifier.Active {
				p.state, p.language = notifier.Pending, lang
			}
			h.sentTo(t, p)
		},
		"ask a way back": func(t *rapid.T) {
			p := h.someone(t)
			if err := h.service.WayBack(t.Context(), p.channel, p.address); err != nil {
				t.Fatal(err)
			}
			if p.state == notifier.Active {
				h.sentTo(t, p)
			}
		},
		"confirm": func(t *rapid.T) {
			p := h.someone(t)
			n := p.letter(t)
			_, err := h.service.Confirm(t.Context(), p.letters[n].link)
			right := h.good(p, n) && p.state != notifier.Active
			h.judged(t, err, right)
			if right {
				p.state, p.asked = notifier.Active, -1
			}
		},
		"enter a code": func(t *rapid.T) {
			p := h.someone(t)
			n := p.letter(t)
			code := p.letters[n].code
			if rapid.Bool().Draw(t, "mistyped") {
				code = "x" + code[1:]
			}
			_, err := h.service.EnterCode(t.Context(), p.channel, p.address, code)
			alive := p.asked >= 0 && h.clock().Before(p.until) && p.tries < 5
			right := alive && code == p.letters[p.asked].code
			h.judged(t, err, right)
			switch {
			case right:
				p.state, p.asked = notifier.Active, -1
			case alive:
				p.tries++
			}
		},
		"leave": func(t *rapid.T) {
			p := h.someone(t)
			n := p.letter(t)
			h.judged(t, h.service.LeaveBy(t.Context(), p.letters[n].leave), true)
			if p.letters[n].id == p.id && p.state != "" {
				p.state, p.asked = notifier.Departed, -1
			}
		},
		"change": func(t *rapid.T) {
			p, lang := h.someone(t), languages.Draw(t, "language")
			n := p.letter(t)
			sub, err := h.service.Managed(t.Context(), p.letters[n].manage)
			right := p.letters[n].id == p.id && p.state == notifier.Active && h.clock().Before(p.letters[n].at.Add(30*24*time.Hour+59*time.Second).Truncate(time.Minute)) // to the minute
			h.judged(t, err, right)
			if !right {
				return
			}
			_, err = h.service.Change(t.Context(), sub.ID, "page", func(s *notifier.Subscriber) {
				s.Language, s.State, s.Address = lang, notifier.Departed, "elsewhere"
			})
			h.judged(t, err, true)
			p.language = lang
		},
		"use a link for something else": func(t *rapid.T) {
			p := h.someone(t)
			l := p.letters[p.letter(t)]
			for _, token := range []string{l.link, l.leave, l.manage} {
				if token != l.link {
					_, err := h.service.Confirm(t.Context(), token)
					h.judged(t, err, false)
				}
				if token != l.leave {
					h.judged(t, h.service.LeaveBy(t.Context(), token), false)
				}
				if token != l.manage {
					_, err := h.service.Managed(t.Context(), token)
					h.judged(t, err, false)
				}
			}
		},
		"erase": func(t *rapid.T) {
			p := h.someone(t)
			if p.state == "" {
				return
			}
			h.judged(t, h.service.Erase(t.Context(), p.id, "page", ""), true)
			p.state, p.id, p.asked = "", 0, -1
		},
		"wait": func(t *rapid.T) {
			h.advance(rapid.SampledFrom([]time.Duration{time.Second, 10 * time.Minute, 48 * time.Hour, 31 * 24 * time.Hour}).Draw(t, "long"))
		},
		"fail": func(t *rapid.T) {
			h.broken = errors.New("disk full")
			defer func() { h.broken = nil }()
			p := h.someone(t)
			if h.service.SignUp(t.Context(), subscription.Request{Channel: p.channel, Address: p.address, Language: notifier.Chinese}) == nil {
				t.Fatal("a sign-up that wasn't kept was no error")
			}
		},
		"": h.check,
	}
}

// judged fails unless an act was let happen exactly where it should be.
func (h *house) judged(t *rapid.T, err error, right bool) {
	if mistake, ok := errors.AsType[*notifier.Error](err); err != nil && !ok {
		t.Fatal(err)
	} else if (mistake == nil) != right {
		t.Fatalf("got %v, want it to be let: %v", err, right)
	}
}

// check compares all that is held with what must be.
func (h *house) check(t *rapid.T) {
	held := 0
	for _, p := range h.people {
		row := h.row(p.channel, p.address)
		if row == nil {
			if p.state != "" {
				t.Fatalf("%s is gone, want %s", p.address, p.state)
			}
			continue
		}
		held++
		if row.State != p.state || row.ID != p.id || row.Language != p.language {
			t.Fatalf("%s is %s (%d, %s), want %s (%d, %s)", p.address, row.State, row.ID, row.Language, p.state, p.id, p.language)
		}
		if row.State == notifier.Active && row.Confirmed.IsZero() {
			t.Fatalf("%s is told and never confirmed", p.address)
		}
	}
	if len(h.rows) != held {
		t.Fatalf("%d rows are held of %d people", len(h.rows), held)
	}
	for _, n := range h.notices {
		if n.To == 0 || n.Lane() != notifier.LaneConfirmation || h.rows[n.To].ID == 0 {
			t.Fatalf("sent to whom we don't hold: %+v", n)
		}
	}
	if told := fmt.Sprint(h.audit); containsAddress(told, h.people) {
		t.Fatalf("the audit log holds an address: %s", told)
	}
}

func TestWhateverPeopleDoOnlyThoseAreToldWhoConfirmedAndDidNotLeave(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := newHouse(t)
		t.Repeat(h.acts(t))
	})
}
