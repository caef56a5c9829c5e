package subscription

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"shopwatch/notifier"
)

// maxBy is how many characters a name of whoever acts may have.
const maxBy = 80

// chatForm is a chat's number, or a channel's @name.
var chatForm = regexp.MustCompile(`^(-?[1-9][0-9]{0,18}|@[A-Za-z][A-Za-z0-9_]{3,31})$`)

// Doer is who of the operators does something, and through what.
type Doer struct {
	By  string `json:"by,omitempty"`  // as they call themselves; may be empty
	Way string `json:"way,omitempty"` // "api" (also if empty) or "cli"
}

// WayCLI is the way of the command line.
const WayCLI = "cli"

// check gives the way, or says what is wrong with the name.
func (d Doer) check() (way string, err error) {
	if utf8.RuneCountInString(d.By) > maxBy || strings.ContainsFunc(d.By, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return "", invalid("by is your name, one line of at most %d characters", maxBy)
	}
	if d.Way == WayCLI {
		return WayCLI, nil
	}
	return wayAPI, nil
}

func invalid(format string, args ...any) error {
	return &notifier.Error{Code: notifier.Invalid, Message: fmt.Sprintf(format, args...)}
}

// read takes an address as an operator gives it: mail, a phone number with its
// country, or a chat as telegram:NUMBER.
func (s *Service) read(typed string) (channel, address string, err error) {
	if chat, ok := strings.CutPrefix(strings.TrimSpace(typed), Telegram+":"); ok {
		if !chatForm.MatchString(chat) {
			return "", "", invalid("that is no chat: want telegram: and its number or @name")
		}
		return Telegram, chat, nil
	}
	channel, address, ok := s.ParseAddress(typed)
	if !ok {
		return "", "", invalid("that is no mail address, no phone number that begins with %s, and no chat as telegram:NUMBER", strings.Join(s.cfg.Prefixes, " or "))
	}
	return channel, address, nil
}

// Find gives the subscriber of an address, by its keyed hash. Its mistakes are
// Invalid and NotFound; neither repeats the address.
func (s *Service) Find(ctx context.Context, typed string) (Listed, error) {
	channel, address, err := s.read(typed)
	if err != nil {
		return Listed{}, err
	}
	sub, err := s.Of(ctx, channel, address)
	if err != nil {
		return Listed{}, err
	}
	if sub == nil {
		return Listed{}, &notifier.Error{Code: notifier.NotFound, Message: "nobody has signed up with this address"}
	}
	return listed(*sub), nil
}

// Selection chooses subscribers of a list; what is empty chooses all.
type Selection struct {
	Channel string
	State   notifier.RecipientState
	After   int64 // an id
	Limit   int   // 1–1000
}

// page is how many rows are looked at at once.
const page = 500

// List gives subscribers in the order of their ids, and after which to ask for
// more; 0: there are no more.
func (s *Service) List(ctx context.Context, want Selection) (list []Listed, next int64, err error) {
	list = []Listed{}
	for after := want.After; ; {
		rows, err := s.cfg.List(ctx, after, page)
		if err != nil || len(rows) == 0 {
			return list, 0, err
		}
		for _, sub := range rows {
			after = sub.ID
			if want.Channel != "" && sub.Channel != want.Channel || want.State != "" && sub.State != want.State {
				continue
			}
			if list = append(list, listed(sub)); len(list) == want.Limit {
				return list, after, nil
			}
		}
	}
}

// Addition is somebody whom an operator signs up.
type Addition struct {
	Doer

	Address  string            `json:"address"`
	Language notifier.Language `json:"language"`
	Wants    notifier.Wants    `json:"wants,omitzero"`
	// Consented says that they agreed elsewhere, as on a page that this one
	// replaces: they are told at once instead of being asked.
	Consented bool `json:"consented,omitempty"`
}

// Add signs somebody up. They are asked first whether they agree, as if they had
// signed up on the page; a chat can't be asked, so it must have agreed.
func (s *Service) Add(ctx context.Context, a Addition) (Listed, error) {
	way, err := a.check()
	if err != nil {
		return Listed{}, err
	}
	channel, address, err := s.read(a.Address)
	switch {
	case err != nil:
		return Listed{}, err
	case tags[a.Language] == "":
		return Listed{}, invalid("language is zh or en")
	case !possible(a.Wants):
		return Listed{}, invalid("wants are at most %d services, least minor, major or critical, and quiet from and to in minutes of the day, 0–1439", maxServices)
	}
	if err := s.reaches(channel, a.Consented); err != nil {
		return Listed{}, err
	}
	r := Request{Channel: channel, Address: address, Language: a.Language, Wants: a.Wants}
	if a.Consented {
		sub, err := s.enrol(ctx, r, way, a.By, deedAdd)
		return listed(sub), err
	}
	var added notifier.Subscriber
	err = s.change(ctx, func(tx Tx) error {
		sub, err := s.asked(tx, r, way, a.By, deedAdd)
		if err != nil {
			return err
		}
		added = *sub
		if sub.State == notifier.Active {
			return nil
		}
		return s.notify(tx, sub.ID, notifier.EventConfirm)
	})
	return listed(added), err
}

// reaches reports why nobody can be signed up on a channel: nothing would ever
// be sent, or nothing that asks them.
func (s *Service) reaches(channel string, consented bool) error {
	switch {
	case !slices.Contains(s.cfg.Tells, channel):
		return invalid("nothing can be sent by %s: configure notifier.%s first", channel, channel)
	case consented || slices.Contains(s.cfg.Asks, channel):
		return nil
	case channel == Telegram:
		return invalid("a chat is not asked by us: have its people send /start to the bot, or say that they agreed (--consented)")
	case channel == SMS:
		return invalid("nobody can be asked by text message: switch sign-up by it on (notifier.subscriptions.sms: true), or say that they agreed (--consented)")
	}
	return invalid("nobody can be asked by mail, whose link needs the public page: set notifier.page.url to its https address, or say that they agreed (--consented)")
}

// Limits of what an operator's program says that somebody wants.
const (
	maxServices = 200
	maxService  = 200 // bytes of a key
	dayMinutes  = 24 * 60
)

// possible reports whether wants make sense: quiet hours that never end would
// keep everything from whom they are of.
func possible(w notifier.Wants) bool {
	within := func(minute int) bool { return minute >= 0 && minute < dayMinutes }
	return within(w.Quiet.From) && within(w.Quiet.To) && (w.Least == "" || slices.Contains(notifier.Impacts, w.Least)) &&
		len(w.Services) <= maxServices && !slices.ContainsFunc(w.Services, func(key string) bool { return key == "" || len(key) > maxService })
}

// Deactivate has somebody be told no more, as if they had left.
func (s *Service) Deactivate(ctx context.Context, id int64, d Doer) (Listed, error) {
	way, err := d.check()
	if err != nil {
		return Listed{}, err
	}
	if err := s.leave(ctx, id, way, d.By, deedDeactivate); err != nil {
		return Listed{}, err
	}
	sub, err := s.look(ctx, id)
	if err == nil && sub == nil {
		err = missing(id)
	}
	if err != nil {
		return Listed{}, err
	}
	return listed(*sub), nil
}
