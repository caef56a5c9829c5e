package statuspage

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/text/language"
)

// Limits on what a visitor may send; every real address is far shorter.
const (
	maxPath     = 256
	maxQuery    = 256
	maxLanguage = 256
)

// guard stands before every route: reading only, short addresses, and headers
// that keep the page to itself.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		case len(r.URL.Path) > maxPath || len(r.URL.RawQuery) > maxQuery:
			http.Error(w, "address too long", http.StatusRequestURITooLong)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (p *Page) routePages(mux *http.ServeMux) {
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		p.page(w, r, p.edition(), "home", "home.html", func(c composer) any { return c.home() })
	})
	mux.HandleFunc("/history", func(w http.ResponseWriter, r *http.Request) {
		p.page(w, r, p.edition(), "history", "history.html", func(c composer) any { return c.history() })
	})
	mux.HandleFunc("/incidents/{id}", func(w http.ResponseWriter, r *http.Request) {
		e := p.edition()
		i := e.incident(r.PathValue("id"))
		if i == nil {
			p.missing(w, r)
			return
		}
		p.page(w, r, e, "incident/"+i.ID, "incident.html", func(c composer) any { return c.incidentPage(*i) })
	})
	mux.HandleFunc("/maintenances/{id}", func(w http.ResponseWriter, r *http.Request) {
		e := p.edition()
		m := e.maintenance(r.PathValue("id"))
		if m == nil {
			p.missing(w, r)
			return
		}
		p.page(w, r, e, "maintenance/"+m.ID, "maintenance.html", func(c composer) any { return c.maintenancePage(*m) })
	})
	mux.HandleFunc(p.stylesheet.path, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		p.sendForever(w, r, p.stylesheet.body, 365*24*time.Hour)
	})
	mux.HandleFunc("/robots.txt", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		p.sendForever(w, r, []byte("User-agent: *\nDisallow: /storybook\n"), 24*time.Hour)
	})
	mux.HandleFunc("/", p.missing)
}

// sendForever answers with bytes that don't change while the program runs.
func (p *Page) sendForever(w http.ResponseWriter, r *http.Request, body []byte, age time.Duration) {
	w.Header().Set("ETag", etagOf(body))
	w.Header().Set("Cache-Control", cacheFor(age))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// known are the languages of the house as browsers name them; Chinese is first
// and so the answer for browsers that name none.
var known = language.NewMatcher([]language.Tag{language.Chinese, language.English})

// preferred picks the reader's language from Accept-Language: Chinese in any
// script or region, Chinese where nothing is said, English for all others.
func preferred(header string) string {
	if len(header) > maxLanguage {
		header = ""
	}
	wanted, _, err := language.ParseAcceptLanguage(header)
	if err != nil || len(wanted) == 0 {
		return "zh"
	}
	if _, index, confidence := known.Match(wanted...); index == 0 && confidence != language.No {
		return "zh"
	}
	return "en"
}

// cacheFor lets every cache keep an answer for so long.
func cacheFor(age time.Duration) string {
	return fmt.Sprintf("public, max-age=%d", int(age/time.Second))
}
