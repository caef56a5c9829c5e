package subscription

import (
	"net/http"
	"slices"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// A form that is sent sooner than a person types, or later than a day after we
// gave it, is asked for once more.
const (
	typedFor = 2 * time.Second
	formFor  = 24 * time.Hour
)

// trap is a field that no person sees: who fills it in is a program.
const trap = "website"

// request is a form to sign up as it was sent, with what is wrong with it.
type request struct {
	Request

	page formPage
}

// read takes the form apart.
func (p *pages) read(r *http.Request) request {
	page := p.emptyForm(r)
	lang := string(languageOf(r))
	var mistakes []rules.Text
	got := request{page: page}
	got.Channel, got.Address, got.page.Address, mistakes = p.readAddress(r, mistakes)
	got.Language, got.Wants, got.page.Choices, mistakes = p.readChoices(r, nil, mistakes)
	mistakes = append(mistakes, p.readStamp(r)...)
	for _, m := range mistakes {
		got.page.Mistakes = append(got.page.Mistakes, m.In(lang))
	}
	return got
}

// readStamp asks a form to be sent again that we didn't give, or not long ago enough.
func (p *pages) readStamp(r *http.Request) []rules.Text {
	at, ok := p.signer.stamped(r.PostFormValue("stamp"))
	age := p.cfg.Now().Sub(at)
	if !ok || age < typedFor || age > formFor {
		return []rules.Text{mistakeStamp}
	}
	return nil
}

// readAddress reads field address. What is wrong with it depends on what was
// typed alone, never on who is subscribed.
func (p *pages) readAddress(r *http.Request, mistakes []rules.Text) (channel, address string, f field, all []rules.Text) {
	f.Value = r.PostFormValue("address")
	if len(f.Value) > 4*maxAddress {
		f.Value = ""
	}
	channel, address, ok := p.service.ParseAddress(f.Value)
	mail, phone := slices.Contains(p.cfg.Channels, Email), slices.Contains(p.cfg.Channels, SMS)
	var mistake rules.Text
	switch {
	case ok && slices.Contains(p.cfg.Channels, channel):
		return channel, address, f, mistakes
	case mail && phone:
		mistake = mistakeEither
	case phone:
		mistake = mistakePhone
	default:
		mistake = mistakeMail
	}
	f.Mistake = mistake.In(string(languageOf(r)))
	return channel, address, f, append(mistakes, mistake)
}

// readChoices reads what somebody wants to hear, of public services and of those
// that they had chosen before.
func (p *pages) readChoices(r *http.Request, before []string, mistakes []rules.Text) (notifier.Language, notifier.Wants, choices, []rules.Text) {
	reader := languageOf(r)
	language := notifier.Language(r.PostFormValue("language"))
	if tags[language] == "" {
		language = reader
	}
	var wants notifier.Wants
	if r.PostFormValue("severity") == "major" {
		wants.Least = notifier.ImpactMajor
	}
	some := r.PostFormValue("scope") == "some"
	if some {
		keys := slices.Clone(before)
		for _, s := range p.cfg.Services() {
			keys = append(keys, s.Key())
		}
		slices.Sort(keys)
		for _, key := range slices.Compact(keys) {
			if slices.Contains(r.PostForm["service"], key) {
				wants.Services = append(wants.Services, key)
			}
		}
	}
	quiet, ok := readQuiet(r.PostFormValue("from"), r.PostFormValue("to"))
	wants.Quiet = quiet
	shown := p.choices(reader, language, wants)
	shown.All = !some
	if some && len(wants.Services) == 0 {
		shown.ServicesMistake = mistakeServices.In(string(reader))
		mistakes = append(mistakes, mistakeServices)
	}
	if !ok {
		shown.QuietMistake = mistakeQuiet.In(string(reader))
		mistakes = append(mistakes, mistakeQuiet)
	}
	return language, wants, shown, mistakes
}

// readQuiet reads two times of the day; neither means no quiet hours.
func readQuiet(from, to string) (notifier.Quiet, bool) {
	if from == "" && to == "" {
		return notifier.Quiet{}, true
	}
	begin, ok := minuteOf(from)
	end, fine := minuteOf(to)
	if !ok || !fine || begin == end {
		return notifier.Quiet{}, false
	}
	return notifier.Quiet{From: begin, To: end}, true
}

func minuteOf(text string) (int, bool) {
	t, err := time.Parse("15:04", text)
	return t.Hour()*60 + t.Minute(), err == nil && len(text) == len("15:04")
}
