package subscription

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// The pages, in the order in which a person comes to them.

func (p *pages) form(w http.ResponseWriter, r *http.Request) {
	p.show(w, r, http.StatusOK, "form.html", p.emptyForm(r))
}

// signUp answers the form. Whatever becomes of it, whoever is asked, the answer
// is the same and goes out at the same moment.
func (p *pages) signUp(w http.ResponseWriter, r *http.Request) {
	got := p.read(r)
	if len(got.page.Mistakes) > 0 {
		p.show(w, r, http.StatusUnprocessableEntity, "form.html", got.page)
		return
	}
	p.ask(w, r, got.Channel, got.Address, func() error { return p.service.SignUp(r.Context(), got.Request) })
}

// ask has something be sent to an address, within the limits.
func (p *pages) ask(w http.ResponseWriter, r *http.Request, channel, address string, send func() error) {
	begun := time.Now()
	may, err := p.gate.request(r.Context(), visitor(r, p.cfg.Trusted), p.cfg.Now())
	if err != nil {
		p.trouble(w, r, err)
		return
	}
	if !may {
		w.Header().Set("Retry-After", "3600")
		p.say(w, r, http.StatusTooManyRequests, pageBusy)
		return
	}
	// Too many messages to one address, or a program at the form: nothing is
	// sent, and nothing says so.
	if r.PostFormValue(trap) == "" {
		may, err = p.gate.address(r.Context(), channel, address, p.cfg.Now())
		if may {
			err = send()
		}
	}
	p.even(r, begun)
	if err != nil {
		p.trouble(w, r, err)
		return
	}
	if channel == Email {
		p.to(w, r, inLanguage(r, Root+"/sent"))
		return
	}
	query := url.Values{"t": {p.signer.envelope(channel, address, p.cfg.Now().Add(codeFor))}}
	if lang := chosen(r); lang != "" {
		query.Set("lang", string(lang))
	}
	p.to(w, r, codePath+"?"+query.Encode())
}

func (p *pages) sent(w http.ResponseWriter, r *http.Request) { p.say(w, r, http.StatusOK, pageSent) }

// confirmForm shows a button and changes nothing: scanners open every link of a mail.
func (p *pages) confirmForm(w http.ResponseWriter, r *http.Request) {
	sub, err := p.service.Asking(r.Context(), r.PathValue("token"))
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	p.show(w, r, http.StatusOK, "confirm.html", confirmPage{
		base: p.base(r, labels["confirmHead"]), Action: inLanguage(r, r.URL.Path), Address: Mask(sub.Channel, sub.Address),
		Summary: p.summary(languageOf(r), sub),
	})
}

func (p *pages) confirm(w http.ResponseWriter, r *http.Request) {
	sub, err := p.service.Confirm(r.Context(), r.PathValue("token"))
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	p.manageNow(w, r, sub, "confirmed")
}

// manageNow leads somebody who has just proved to be the one to their subscription.
func (p *pages) manageNow(w http.ResponseWriter, r *http.Request, sub notifier.Subscriber, said string) {
	const good = time.Hour
	path := managePath + "/" + p.signer.mint(toManage, sub.ID, p.cfg.Now().Add(good), "")
	query := url.Values{"said": {said}}
	if lang := chosen(r); lang != "" {
		query.Set("lang", string(lang))
	}
	p.to(w, r, path+"?"+query.Encode())
}

func (p *pages) codeForm(w http.ResponseWriter, r *http.Request) {
	p.showCode(w, r, http.StatusOK, r.URL.Query().Get("t"), rules.Text{})
}

func (p *pages) showCode(w http.ResponseWriter, r *http.Request, status int, envelope string, mistake rules.Text) {
	if _, _, ok := p.signer.opened(envelope, p.cfg.Now()); !ok {
		p.say(w, r, http.StatusNotFound, pageVoid)
		return
	}
	p.show(w, r, status, "code.html", codePage{
		base: p.base(r, labels["codeHead"]), Action: inLanguage(r, codePath), Envelope: envelope,
		Mistake: mistake.In(string(languageOf(r))), Again: inLanguage(r, Root),
	})
}

// code takes the six digits. A wrong one is answered as one of nobody.
func (p *pages) code(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	envelope := r.PostFormValue("t")
	channel, address, ok := p.signer.opened(envelope, p.cfg.Now())
	if !ok {
		p.say(w, r, http.StatusNotFound, pageVoid)
		return
	}
	digits, _ := plainLine(r.PostFormValue("code"))
	var sub notifier.Subscriber
	may, err := p.gate.code(r.Context(), channel, address, p.cfg.Now())
	switch {
	case err != nil:
	case !may:
		err = errVoid
	default:
		sub, err = p.service.EnterCode(r.Context(), channel, address, phoneDress.Replace(digits))
	}
	p.even(r, begun)
	switch {
	case errors.Is(err, errVoid):
		p.showCode(w, r, http.StatusUnprocessableEntity, envelope, mistakeCode)
	case err != nil:
		p.trouble(w, r, err)
	default:
		p.manageNow(w, r, sub, "confirmed")
	}
}

func (p *pages) wayBackForm(w http.ResponseWriter, r *http.Request) {
	p.show(w, r, http.StatusOK, "wayback.html", p.emptyWayBack(r))
}

func (p *pages) emptyWayBack(r *http.Request) wayBackPage {
	form := p.emptyForm(r)
	return wayBackPage{
		base: p.base(r, labels["wayBack"]), Action: inLanguage(r, managePath), Stamp: form.Stamp,
		Mail: form.Mail, Phone: form.Phone, Back: inLanguage(r, Root),
	}
}

// wayBack sends a way to their own subscription to whoever has one.
func (p *pages) wayBack(w http.ResponseWriter, r *http.Request) {
	channel, address, field, mistakes := p.readAddress(r, nil)
	mistakes = append(mistakes, p.readStamp(r)...)
	if len(mistakes) > 0 {
		page := p.emptyWayBack(r)
		page.Address = field
		for _, m := range mistakes {
			page.Mistakes = append(page.Mistakes, m.In(string(languageOf(r))))
		}
		p.show(w, r, http.StatusUnprocessableEntity, "wayback.html", page)
		return
	}
	p.ask(w, r, channel, address, func() error { return p.service.WayBack(r.Context(), channel, address) })
}

// saids are what the manage page says of what was just done.
var saids = map[string]string{"confirmed": "saidConfirmed", "saved": "saidSaved"}

func (p *pages) manageForm(w http.ResponseWriter, r *http.Request) {
	sub, err := p.service.Managed(r.Context(), r.PathValue("token"))
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	page := p.managePage(r, sub)
	if label := saids[r.URL.Query().Get("said")]; label != "" {
		page.Said = labels[label].In(string(languageOf(r)))
	}
	p.show(w, r, http.StatusOK, "manage.html", page)
}

func (p *pages) managePage(r *http.Request, sub notifier.Subscriber) managePage {
	path := managePath + "/" + url.PathEscape(r.PathValue("token"))
	return managePage{
		base: p.base(r, labels["manageHead"]), Address: Mask(sub.Channel, sub.Address),
		Action: inLanguage(r, path), Leave: inLanguage(r, path+"/leave"), Export: path + "/export", Erase: inLanguage(r, path+"/erase"),
		Choices: p.choices(languageOf(r), sub.Language, sub.Wants),
	}
}

func (p *pages) manage(w http.ResponseWriter, r *http.Request) {
	sub, err := p.service.Managed(r.Context(), r.PathValue("token"))
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	language, wants, shown, mistakes := p.readChoices(r, sub.Wants.Services, nil)
	if len(mistakes) > 0 {
		page := p.managePage(r, sub)
		page.Choices = shown
		for _, m := range mistakes {
			page.Mistakes = append(page.Mistakes, m.In(string(languageOf(r))))
		}
		p.show(w, r, http.StatusUnprocessableEntity, "manage.html", page)
		return
	}
	if !p.mayChange(w, r, sub.ID) {
		return
	}
	sub, err = p.service.Change(r.Context(), sub.ID, wayPage, func(s *notifier.Subscriber) { s.Language, s.Wants = language, wants })
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	query := url.Values{"said": {"saved"}}
	if lang := chosen(r); lang != "" {
		query.Set("lang", string(lang))
	}
	p.to(w, r, r.URL.Path+"?"+query.Encode())
}

// mayChange says it is busy to a program that changes its subscription without end.
func (p *pages) mayChange(w http.ResponseWriter, r *http.Request, id int64) bool {
	may, err := p.gate.change(r.Context(), id, p.cfg.Now())
	if err != nil {
		p.trouble(w, r, err)
		return false
	}
	if may {
		return true
	}
	w.Header().Set("Retry-After", "60")
	p.say(w, r, http.StatusTooManyRequests, pageBusy)
	return false
}

func (p *pages) leaveManaged(w http.ResponseWriter, r *http.Request) {
	sub, err := p.service.Managed(r.Context(), r.PathValue("token"))
	if err == nil {
		err = p.service.Leave(r.Context(), sub.ID, wayPage)
	}
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	p.to(w, r, inLanguage(r, Root+"/left"))
}

func (p *pages) eraseForm(w http.ResponseWriter, r *http.Request) {
	if _, err := p.service.Managed(r.Context(), r.PathValue("token")); err != nil {
		p.refuse(w, r, err)
		return
	}
	what := pageErase
	what.action = inLanguage(r, r.URL.Path)
	p.say(w, r, http.StatusOK, what)
}

func (p *pages) erase(w http.ResponseWriter, r *http.Request) {
	sub, err := p.service.Managed(r.Context(), r.PathValue("token"))
	if err == nil {
		err = p.service.Erase(r.Context(), sub.ID, wayPage, "")
	}
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	p.to(w, r, inLanguage(r, Root+"/erased"))
}

// leaveForm shows a button and changes nothing, whoever the link is of. Who has
// left already is told so.
func (p *pages) leaveForm(w http.ResponseWriter, r *http.Request) {
	gone, err := p.service.Left(r.Context(), r.PathValue("token"))
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	if gone {
		p.say(w, r, http.StatusOK, pageLeft)
		return
	}
	what := pageLeave
	what.action = inLanguage(r, r.URL.Path)
	p.say(w, r, http.StatusOK, what)
}

// leave is RFC 8058's one-click: a POST of whatever form from a mail program
// without cookies, answered 200 and without a redirect, also to who left before.
func (p *pages) leave(w http.ResponseWriter, r *http.Request) {
	if err := p.service.LeaveBy(r.Context(), r.PathValue("token")); err != nil {
		p.refuse(w, r, err)
		return
	}
	p.say(w, r, http.StatusOK, pageLeft)
}

func (p *pages) left(w http.ResponseWriter, r *http.Request) { p.say(w, r, http.StatusOK, pageLeft) }
func (p *pages) erased(w http.ResponseWriter, r *http.Request) {
	p.say(w, r, http.StatusOK, pageErased)
}
