package demo

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"shopwatch/exporter"
)

//go:embed control
var controlFiles embed.FS

// Paths of Control on the private address.
const (
	ControlRoot = "/demo/"
	ControlAPI  = "/api/demo/" // then break or heal; POST with service in the form
)

// Control is the switchboard on the private address: a page with a button a
// service, and the API that the command line uses. The caller lets only the
// operator through; a form's origin is checked by the private address.
func (s *Shop) Control() (http.Handler, error) {
	page, err := template.ParseFS(controlFiles, "control/*.html")
	if err != nil {
		return nil, fmt.Errorf("demo switchboard: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /demo/style.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, controlFiles, "control/style.css")
	})
	mux.HandleFunc("GET /demo/{$}", func(w http.ResponseWriter, r *http.Request) { s.switchboard(w, r, page) })
	mux.HandleFunc("POST /demo/{verb}", func(w http.ResponseWriter, r *http.Request) {
		if err := s.turn(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, ControlRoot, http.StatusSeeOther)
	})
	mux.HandleFunc("POST /api/demo/{verb}", func(w http.ResponseWriter, r *http.Request) {
		if err := s.turn(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string][]string{"broken": s.Broken()})
	})
	return mux, nil
}

// turn breaks or heals the service of the form.
func (s *Shop) turn(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	service := r.PostFormValue("service")
	switch r.PathValue("verb") {
	case "break":
		return s.Break(service)
	case "heal":
		return s.Heal(service)
	}
	return errors.New("want break or heal")
}

type switchboardPage struct {
	Chinese  bool
	Shop     string
	Services []switched
}

type switched struct {
	exporter.Service
	Broken bool
}

// T gives the sentence of the page's language.
func (p switchboardPage) T(zh, en string) string {
	if p.Chinese {
		return zh
	}
	return en
}

func (s *Shop) switchboard(w http.ResponseWriter, r *http.Request, page *template.Template) {
	p := switchboardPage{Chinese: strings.HasPrefix(strings.ToLower(r.Header.Get("Accept-Language")), "zh"), Shop: s.URL()}
	broken := s.Broken()
	for _, service := range directory {
		p.Services = append(p.Services, switched{service, slices.Contains(broken, service.ID)})
	}
	var b bytes.Buffer
	if err := page.ExecuteTemplate(&b, "switchboard.html", p); err != nil {
		http.Error(w, "the switchboard can't be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
	w.Header().Set("Cache-Control", "no-store")
	b.WriteTo(w)
}
