package subscription

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

//go:embed templates static
var files embed.FS

// Limits on what a visitor may send; every real request is far smaller.
const (
	maxBody  = 64 << 10
	maxPath  = 256
	maxQuery = 1024
)

// PagesConfig is what the public pages are built of.
type PagesConfig struct {
	Service *Service
	Title   rules.Text     // the shop's name
	Zone    *time.Location // of quiet hours
	// Stylesheet is the path of the status page's style sheet, which these pages share.
	Stylesheet string
	// Channels are those that can be signed up for on the page: Email, SMS, or both.
	Channels []string
	// Services gives the services that can be chosen: the public ones.
	Services func() []notifier.Service
	// Telegram gives the address of the bot, "" while it isn't known; nil: there is none.
	Telegram func() string
	// Trusted are the proxies whose X-Forwarded-For is believed.
	Trusted []netip.Prefix
	Limits  Limits
	// Counter counts for Limits.
	Counter Counter
	// Even is how long answers take that could tell by their moment who is
	// subscribed; longer work takes a multiple of it. Default 400 ms.
	Even   time.Duration
	Now    func() time.Time
	Logger *slog.Logger
}

// pages are the public pages.
type pages struct {
	cfg       PagesConfig
	service   *Service
	signer    signer
	gate      *gate
	style     []byte
	templates map[notifier.Language]*template.Template
}

// NewPages gives the handler of Root and everything under it.
func NewPages(cfg PagesConfig) (http.Handler, error) {
	if cfg.Service == nil || cfg.Zone == nil || cfg.Services == nil || cfg.Counter == nil || cfg.Now == nil || cfg.Logger == nil {
		return nil, errors.New("subscription pages: service, zone, services, counter, clock and logger are required")
	}
	if cfg.Limits.PerAddressDaily < 1 || cfg.Limits.PerNetworkHourly < 1 || cfg.Limits.Hourly < 1 {
		return nil, errors.New("subscription pages: every limit is at least 1")
	}
	if cfg.Telegram == nil {
		cfg.Telegram = func() string { return "" }
	}
	if cfg.Even == 0 {
		cfg.Even = 400 * time.Millisecond
	}
	p := &pages{cfg: cfg, service: cfg.Service, signer: cfg.Service.links.signer, gate: &gate{cfg.Limits, cfg.Counter}}
	var err error
	if p.style, err = files.ReadFile("static/style.css"); err != nil {
		return nil, fmt.Errorf("subscription pages: %w", err)
	}
	if p.templates, err = loadTemplates(); err != nil {
		return nil, fmt.Errorf("subscription pages: %w", err)
	}
	return p.guard(p.routes()), nil
}

func (p *pages) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Root, p.form)
	mux.HandleFunc("POST "+Root, p.signUp)
	mux.HandleFunc("GET "+Root+"/style.css", p.stylesheet)
	mux.HandleFunc("GET "+Root+"/sent", p.sent)
	mux.HandleFunc("GET "+confirmPath+"{token}", p.confirmForm)
	mux.HandleFunc("POST "+confirmPath+"{token}", p.confirm)
	mux.HandleFunc("GET "+codePath, p.codeForm)
	mux.HandleFunc("POST "+codePath, p.code)
	mux.HandleFunc("GET "+managePath, p.wayBackForm)
	mux.HandleFunc("POST "+managePath, p.wayBack)
	mux.HandleFunc("GET "+managePath+"/{token}", p.manageForm)
	mux.HandleFunc("POST "+managePath+"/{token}", p.manage)
	mux.HandleFunc("POST "+managePath+"/{token}/leave", p.leaveManaged)
	mux.HandleFunc("GET "+managePath+"/{token}/export", p.export)
	mux.HandleFunc("GET "+managePath+"/{token}/erase", p.eraseForm)
	mux.HandleFunc("POST "+managePath+"/{token}/erase", p.erase)
	mux.HandleFunc("GET "+leavePath+"{token}", p.leaveForm)
	mux.HandleFunc("POST "+leavePath+"{token}", p.leave)
	mux.HandleFunc("GET "+Root+"/left", p.left)
	mux.HandleFunc("GET "+Root+"/erased", p.erased)
	mux.HandleFunc("GET "+Root+"/", func(w http.ResponseWriter, r *http.Request) { p.say(w, r, http.StatusNotFound, pageMissing) })
	return mux
}

// guard stands before every route: small requests, no other website's forms but
// the one-click leave of mail programs, and headers that keep the pages to themselves.
func (p *pages) guard(next http.Handler) http.Handler {
	own := http.NewCrossOriginProtection()
	own.AddInsecureBypassPattern("POST " + leavePath + "{token}")
	if origin := p.service.links.base; origin != "" {
		if err := own.AddTrustedOrigin(origin); err != nil {
			p.cfg.Logger.Error("subscription pages: origin not trusted", "err", err)
		}
	}
	own.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.say(w, r, http.StatusForbidden, pageForeign) }))
	inner := own.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Robots-Tag", "noindex")
		h.Set("Cache-Control", "no-store")
		if len(r.URL.Path) > maxPath || len(r.URL.RawQuery) > maxQuery {
			http.Error(w, "address too long", http.StatusRequestURITooLong)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		inner.ServeHTTP(w, r)
	})
}

func (p *pages) stylesheet(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Write(p.style)
}

// show renders a page into a buffer and sends it.
func (p *pages) show(w http.ResponseWriter, r *http.Request, status int, name string, page any) {
	var body bytes.Buffer
	if err := p.templates[languageOf(r)].ExecuteTemplate(&body, name, page); err != nil {
		p.cfg.Logger.Error("subscription page could not be rendered", "page", name, "err", err)
		http.Error(w, saySomething.In(string(languageOf(r))), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Vary", "Accept-Language")
	w.WriteHeader(status)
	w.Write(body.Bytes())
}

// say shows a page of words.
func (p *pages) say(w http.ResponseWriter, r *http.Request, status int, what plain) {
	p.show(w, r, status, "plain.html", p.plainPage(r, what))
}

// refuse says a mistake: of words that are void as a page that says what to do,
// of ours without telling it.
func (p *pages) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if _, ok := errors.AsType[*notifier.Error](err); ok {
		p.say(w, r, http.StatusNotFound, pageVoid)
		return
	}
	p.trouble(w, r, err)
}

// trouble says that something went wrong with us, and logs what.
func (p *pages) trouble(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil {
		p.cfg.Logger.Error("subscription not changed", "err", err)
	}
	p.say(w, r, http.StatusServiceUnavailable, pageTrouble)
}

// to leads a browser on after a POST, in the language that was chosen.
func (p *pages) to(w http.ResponseWriter, r *http.Request, path string) {
	http.Redirect(w, r, path, http.StatusSeeOther)
}

// even waits for the moment at which every answer goes out that was begun with
// this one: work that differs by who is subscribed can't be told by its length.
func (p *pages) even(r *http.Request, begun time.Time) {
	wait := p.cfg.Even - time.Since(begun)%p.cfg.Even
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

// export answers with all that is held of a person, as a file.
func (p *pages) export(w http.ResponseWriter, r *http.Request) {
	sub, err := p.service.Managed(r.Context(), r.PathValue("token"))
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	if !p.mayChange(w, r, sub.ID) {
		return
	}
	record, err := p.service.Export(r.Context(), sub.ID, wayPage, "")
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="subscription.json"`)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	encoder.Encode(record)
}
