package web

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// maxLooks bounds the looks of a page: fifty a target are kept of each service.
const maxLooks = 500

//go:embed templates style.css
var files embed.FS

var pages = template.Must(template.ParseFS(files, "templates/*.html"))

// index answers GET /looks: every service with its status and last look.
func (w *Web) index(out http.ResponseWriter, r *http.Request) {
	p := indexPage{base: w.base(r)}
	if wantsJSON(r) {
		list := make([]serviceJSON, 0)
		for _, state := range w.States() {
			list = append(list, jsonOf(state))
		}
		w.json(out, list)
		return
	}
	for _, state := range w.States() {
		if n := len(p.Shops); n == 0 || p.Shops[n-1].ID != state.Service.Shop {
			p.Shops = append(p.Shops, shopView{ID: state.Service.Shop})
		}
		last := &p.Shops[len(p.Shops)-1]
		last.Services = append(last.Services, p.service(state))
	}
	w.page(out, r, "index.html", p)
}

// history answers GET /looks/{shop}/{service}: why is it red?
func (w *Web) history(out http.ResponseWriter, r *http.Request) {
	states := w.States()
	kept, known := w.History(r.PathValue("shop"), r.PathValue("service"))
	i := slices.IndexFunc(states, func(s exporter.State) bool {
		return s.Service.Shop == r.PathValue("shop") && s.Service.ID == r.PathValue("service")
	})
	if i < 0 || !known {
		http.Error(out, "there is no such service", http.StatusNotFound)
		return
	}
	state := states[i]
	looks := slices.Clone(kept)
	slices.SortStableFunc(looks, func(a, b exporter.Past) int { return b.Start.Compare(a.Start) })
	looks = looks[:min(len(looks), maxLooks)]
	if wantsJSON(r) {
		answer := jsonOf(state)
		answer.Looks = make([]lookJSON, 0, len(looks))
		for _, look := range looks {
			answer.Looks = append(answer.Looks, jsonOfLook(look))
		}
		w.json(out, answer)
		return
	}
	p := historyPage{base: w.base(r)}
	p.Service = p.service(state)
	p.fill(looks)
	w.page(out, r, "history.html", p)
}

// style answers GET /looks/style.css.
func style(out http.ResponseWriter, r *http.Request) {
	out.Header().Set("Cache-Control", "max-age=300")
	out.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeFileFS(out, r, files, "style.css")
}

// wantsJSON reports whether a request asks for JSON rather than a page.
func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return r.URL.Query().Get("format") == "json" || strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

// page writes a page that was made in full before.
func (w *Web) page(out http.ResponseWriter, r *http.Request, name string, data any) {
	var body bytes.Buffer
	if err := pages.ExecuteTemplate(&body, name, data); err != nil {
		w.Logger.Error("page can't be made", "page", name, "err", err)
		http.Error(out, "something went wrong", http.StatusInternalServerError)
		return
	}
	header := out.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Language", languageOf(r))
	secure(header)
	_, _ = out.Write(body.Bytes()) // a reader who has left is no news
}

func (w *Web) json(out http.ResponseWriter, data any) {
	body, err := json.MarshalIndent(data, "", "  ")
	if err != nil {
		w.Logger.Error("looks can't be made JSON", "err", err)
		http.Error(out, "something went wrong", http.StatusInternalServerError)
		return
	}
	header := out.Header()
	header.Set("Content-Type", "application/json")
	secure(header)
	_, _ = out.Write(append(body, '\n')) // a reader who has left is no news
}

// secure sets what every answer about looks carries: it may name hosts.
func secure(header http.Header) {
	header.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	header.Add("Vary", "Accept, Accept-Language")
}

// serviceJSON is a service as JSON; times are RFC 3339, absent where unknown.
type serviceJSON struct {
	Shop        string       `json:"shop"`
	Service     string       `json:"service"`
	Name        rules.Text   `json:"name"`
	Status      rules.Status `json:"status"`
	Affected    bool         `json:"affected"`
	LastLook    time.Time    `json:"last_look,omitzero"`
	LastSuccess time.Time    `json:"last_success,omitzero"`
	Looks       []lookJSON   `json:"looks,omitempty"` // newest first; only of one service
}

type lookJSON struct {
	Target  string       `json:"target"`
	Start   time.Time    `json:"start"`
	Seconds float64      `json:"seconds"`
	Success bool         `json:"success"`
	Reason  rules.Reason `json:"reason,omitempty"`
	Detail  string       `json:"detail,omitempty"`
	Phases  []phaseJSON  `json:"phases,omitempty"`
}

type phaseJSON struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

func jsonOf(state exporter.State) serviceJSON {
	return serviceJSON{
		Shop: state.Service.Shop, Service: state.Service.ID, Name: state.Service.Name,
		Status: cmp.Or(state.Status, rules.Unknown), Affected: state.Affected,
		LastLook: state.LastLook.UTC(), LastSuccess: state.LastSuccess.UTC(),
	}
}

func jsonOfLook(look exporter.Past) lookJSON {
	answer := lookJSON{
		Target: look.Target, Start: look.Start.UTC(), Seconds: look.Took.Seconds(),
		Success: look.Success, Reason: look.Reason, Detail: look.Detail,
	}
	for _, phase := range look.Phases {
		answer.Phases = append(answer.Phases, phaseJSON{phase.Name, phase.Took.Seconds()})
	}
	return answer
}
