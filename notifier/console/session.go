package console

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// page is the base of every page.
type page struct {
	Language string
	Chinese  bool
	Links    []Link
	Refresh  int    // seconds, 0: not by itself
	Known    bool   // the operator looks at it
	Name     string // as the operator goes by in this browser; may be empty
	zone     *time.Location
}

func (c *console) base(r *http.Request) page {
	p := page{Language: "en", Links: c.cfg.Links, Known: c.cfg.Operator.Known(r), Name: named(r), zone: c.cfg.Zone}
	if strings.HasPrefix(strings.ToLower(r.Header.Get("Accept-Language")), "zh") {
		p.Language, p.Chinese = "zh", true
	}
	return p
}

// T gives the sentence of the page's language.
func (p page) T(zh, en string) string {
	if p.Chinese {
		return zh
	}
	return en
}

// In gives a text in the page's language, or in the one that there is.
func (p page) In(t rules.Text) string {
	return cmp.Or(t.In(p.Language), t.ZH, t.EN)
}

// Said gives a mistake in the page's language.
func (p page) Said(mistake *notifier.Error) string {
	return p.T(cmp.Or(mistake.Chinese, mistake.Message), mistake.Message)
}

// At tells a time in the page's zone.
func (p page) At(t time.Time) string {
	if t.IsZero() {
		return "—"
	}
	return t.In(p.zone).Format("2006-01-02 15:04:05")
}

// By names who did something.
func (p page) By(name string) string {
	return cmp.Or(name, p.T("未署名", "no name given"))
}

// Deed tells what somebody did.
func (p page) Deed(deed notifier.Deed) string {
	if said, known := deedWords[deed]; known {
		return said.In(p.Language)
	}
	return string(deed)
}

// Zone names the zone of the page's times.
func (p page) Zone() string { return p.zone.String() }

type loginPage struct {
	page

	Wrong bool
}

// loginForm opens a session at once where the link holds a one-time code, so
// that the link in the terminal is all a newcomer needs.
func (c *console) loginForm(w http.ResponseWriter, r *http.Request) {
	code := r.URL.Query().Get("code")
	// A HEAD is a preview of the link, which must not use the code up.
	if c.cfg.Operator.Known(r) || r.Method == http.MethodGet && code != "" && c.cfg.Operator.LogIn(w, r, code) {
		http.Redirect(w, r, Root, http.StatusSeeOther)
		return
	}
	c.show(w, http.StatusOK, "login.html", loginPage{page: c.base(r), Wrong: code != ""})
}

func (c *console) logIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	if c.cfg.Operator.LogIn(w, r, strings.TrimSpace(r.PostFormValue("token"))) {
		http.Redirect(w, r, Root, http.StatusSeeOther)
		return
	}
	c.cfg.Logger.Warn("console login refused", "remote", r.RemoteAddr)
	c.show(w, http.StatusUnauthorized, "login.html", loginPage{page: c.base(r), Wrong: true})
}

func (c *console) logOut(w http.ResponseWriter, r *http.Request) {
	c.cfg.Operator.LogOut(w, r)
	http.Redirect(w, r, login, http.StatusSeeOther)
}

// nameCookie keeps how the operator goes by in this browser: several people may
// share the one token, and what each did is told by name.
const (
	nameCookie  = "shopwatch_name"
	nameLife    = 365 * 24 * time.Hour
	longestName = 40
)

// keepName remembers how the operator goes by. Pages that stand still ask for it:
// one that refreshes itself would take away what is being typed.
func (c *console) keepName(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	http.SetCookie(w, &http.Cookie{
		Name: nameCookie, Value: url.QueryEscape(proper(r.PostFormValue("name"))), Path: Root, MaxAge: int(nameLife.Seconds()),
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, Root, http.StatusSeeOther)
}

// named is how the operator goes by; empty where the browser doesn't say.
func named(r *http.Request) string {
	cookie, err := r.Cookie(nameCookie)
	if err != nil {
		return ""
	}
	name, err := url.QueryUnescape(cookie.Value)
	if err != nil {
		return ""
	}
	return proper(name)
}

// proper makes of what somebody typed a name of one line.
func proper(name string) string {
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, name))
	if letters := []rune(name); len(letters) > longestName {
		name = strings.TrimSpace(string(letters[:longestName]))
	}
	return name
}
