package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// APIMaintenance is where programs ask about planned work, and plan it.
const APIMaintenance = "/api/maintenances"

const maintenancePath = "/console/maintenances"

// Work is what the operator wants of planned work. To plan it needs a title,
// services and until when; each deed takes of it what it needs.
type Work struct {
	By       string                     `json:"by,omitempty"`
	Way      string                     `json:"way,omitempty"` // one of the Way constants
	Title    rules.Text                 `json:"title,omitzero"`
	Text     rules.Text                 `json:"text,omitzero"`
	Services []string                   `json:"services,omitempty"` // keys: "main/alipay", or "main" for a whole shop
	From     time.Time                  `json:"from,omitzero"`      // zero: now, or as before
	Until    time.Time                  `json:"until,omitzero"`
	Status   notifier.MaintenanceStatus `json:"status,omitempty"` // of an update
	Silent   bool                       `json:"silent,omitempty"` // for the page alone
}

// Works is the answer to GET /api/maintenances: what is ahead, the next first,
// then what ended within 30 days.
type Works struct {
	Maintenances []notifier.Maintenance `json:"maintenances"`
}

// workDeeds are the last parts of the paths that do something to planned work.
var workDeeds = map[string]notifier.Deed{
	"begin": notifier.DeedBegin, "updates": notifier.DeedUpdate, "complete": notifier.DeedComplete, "cancel": notifier.DeedCancel,
}

func workDeedOf(word string) (notifier.Deed, error) {
	deed, known := workDeeds[word]
	if !known {
		return "", &notifier.Error{Code: notifier.NotFound, Message: "a maintenance can be begun (begin), updated (updates), completed (complete) and cancelled (cancel); nothing else"}
	}
	return deed, nil
}

func (c *console) routeMaintenanceAPI(answer func(string, func(*http.Request) (any, error))) {
	wanted := func(r *http.Request) (w Work, err error) {
		err = decode(r, &w, `{"by": "who you are"}`)
		w.Way = programs(w.Way)
		return w, err
	}
	answer("GET "+APIMaintenance, func(r *http.Request) (any, error) {
		list, err := c.cfg.Source.Maintenances(r.Context())
		return Works{append([]notifier.Maintenance{}, list...)}, err
	})
	answer("GET "+APIMaintenance+"/{id}", func(r *http.Request) (any, error) {
		return c.cfg.Source.Maintenance(r.Context(), r.PathValue("id"))
	})
	answer("POST "+APIMaintenance, func(r *http.Request) (any, error) {
		w, err := wanted(r)
		if err != nil {
			return nil, err
		}
		return c.cfg.Source.Schedule(r.Context(), w)
	})
	answer("POST "+APIMaintenance+"/{id}/{deed}", func(r *http.Request) (any, error) {
		deed, err := workDeedOf(r.PathValue("deed"))
		if err != nil {
			return nil, err
		}
		w, err := wanted(r)
		if err != nil {
			return nil, err
		}
		return c.cfg.Source.Work(r.Context(), r.PathValue("id"), deed, w)
	})
}

// maintenancePage shows planned work, and all that can be done to it.
type maintenancePage struct {
	page

	Ahead, Ended []notifier.Maintenance
	Services     []notifier.Service
	Shops        []string // with more than one service
	Typed        url.Values
	Mistake      string
}

// Chosen reports whether a form that is shown again had a service ticked.
func (p maintenancePage) Chosen(key string) bool { return slices.Contains(p.Typed["service"], key) }

// Names tells what is worked on: services by their names, a whole shop by its key.
func (p maintenancePage) Names(m notifier.Maintenance) string {
	var names []string
	for _, key := range m.Services {
		name := key
		for _, s := range p.Services {
			if s.Key() == key {
				name = p.In(s.Name)
			}
		}
		if !strings.Contains(key, "/") {
			name = p.T("整个店铺 ", "the whole shop ") + key
		}
		names = append(names, name)
	}
	return strings.Join(names, p.T("、", ", "))
}

func (c *console) maintenances(w http.ResponseWriter, r *http.Request) { c.showMaintenances(w, r, nil) }

func (c *console) showMaintenances(w http.ResponseWriter, r *http.Request, mistake *notifier.Error) {
	list, err := c.cfg.Source.Maintenances(r.Context())
	if err != nil {
		c.broken(w, err)
		return
	}
	overview, err := c.cfg.Source.Overview(r.Context())
	if err != nil {
		c.broken(w, err)
		return
	}
	p := maintenancePage{page: c.base(r), Services: overview.Services, Typed: r.PostForm}
	for _, m := range list {
		if m.Ahead() {
			p.Ahead = append(p.Ahead, m)
		} else {
			p.Ended = append(p.Ended, m)
		}
	}
	for n, s := range p.Services {
		if n > 0 && p.Services[n-1].Shop == s.Shop && !slices.Contains(p.Shops, s.Shop) {
			p.Shops = append(p.Shops, s.Shop)
		}
	}
	status := http.StatusOK
	if mistake != nil {
		status, p.Mistake = statuses[mistake.Code], p.Said(mistake)
	}
	c.show(w, status, "maintenance.html", p)
}

// planForm plans work as a page's form asks for.
func (c *console) planForm(w http.ResponseWriter, r *http.Request) {
	c.workForm(w, r, func(wanted Work) error {
		_, err := c.cfg.Source.Schedule(r.Context(), wanted)
		return err
	})
}

// workDeed does what a page's form asks of planned work.
func (c *console) workDeed(w http.ResponseWriter, r *http.Request) {
	c.workForm(w, r, func(wanted Work) error {
		deed, err := workDeedOf(r.PathValue("deed"))
		if err == nil {
			_, err = c.cfg.Source.Work(r.Context(), r.PathValue("id"), deed, wanted)
		}
		return err
	})
}

func (c *console) workForm(w http.ResponseWriter, r *http.Request, do func(Work) error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		c.broken(w, &notifier.Error{Code: notifier.Invalid, Message: "the form is too long, or broke off", Chinese: "表单太长，或没有传完"})
		return
	}
	text := func(name string) rules.Text {
		return rules.Text{ZH: r.PostForm.Get(name + "_zh"), EN: r.PostForm.Get(name + "_en")}
	}
	wanted := Work{
		By: named(r), Way: WayConsole, Title: text("title"), Text: text("text"), Services: r.PostForm["service"],
		Status: notifier.MaintenanceStatus(r.PostForm.Get("status")), Silent: r.PostForm.Get("silent") != "",
	}
	var err error
	if wanted.From, err = c.minute(r.PostForm.Get("from")); err == nil {
		wanted.Until, err = c.minute(r.PostForm.Get("until"))
	}
	if err == nil {
		err = do(wanted)
	}
	if err != nil {
		c.mistaken(w, err, func(mistake *notifier.Error) { c.showMaintenances(w, r, mistake) })
		return
	}
	http.Redirect(w, r, maintenancePath, http.StatusSeeOther)
}

// minute reads what a browser's field for a date and time holds, in the page's zone.
func (c *console) minute(typed string) (time.Time, error) {
	if typed == "" {
		return time.Time{}, nil
	}
	at, err := time.ParseInLocation("2006-01-02T15:04", strings.Replace(strings.TrimSpace(typed), " ", "T", 1), c.cfg.Zone)
	if err != nil {
		return at, &notifier.Error{Code: notifier.Invalid, Message: "a time is written as 2026-11-23 02:00", Chinese: "时间请写成 2026-11-23 02:00"}
	}
	return at, nil
}
