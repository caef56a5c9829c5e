package statuspage

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// The JSON is Statuspage's public API v2, so that clients written for it work.
// What that shape has no word for stands in the extra key "shopwatch": both
// languages, the true status (Statuspage knows no "unknown", so such a component
// reads degraded_performance), since and over, what people made known of an
// incident, and the orders that wait.

// maxAPIIncidents is how many incidents Statuspage's lists hold.
const maxAPIIncidents = 50

type apiPage struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	URL       string   `json:"url"`
	TimeZone  string   `json:"time_zone"`
	UpdatedAt apiTime  `json:"updated_at"`
	Shopwatch apiSight `json:"shopwatch"`
}

// apiSight says whether the statuses are what we see now.
type apiSight struct {
	Fresh      bool     `json:"fresh"`
	LastLookAt *apiTime `json:"last_look_at"`
	// Interrupted: nobody judges what is seen, so that incidents may be late.
	Interrupted bool `json:"interrupted"`
}

type apiStatus struct {
	Indicator   string `json:"indicator"`
	Description string `json:"description"`
}

type apiComponent struct {
	ID                 string           `json:"id"`
	Name               string           `json:"name"`
	Status             string           `json:"status"`
	CreatedAt          apiTime          `json:"created_at"`
	UpdatedAt          apiTime          `json:"updated_at"`
	Position           int              `json:"position"`
	Description        *string          `json:"description"`
	Showcase           bool             `json:"showcase"`
	StartDate          *string          `json:"start_date"`
	GroupID            *string          `json:"group_id"`
	PageID             string           `json:"page_id"`
	Group              bool             `json:"group"`
	OnlyShowIfDegraded bool             `json:"only_show_if_degraded"`
	Components         []string         `json:"components,omitempty"` // of a group
	Shopwatch          *apiServiceExtra `json:"shopwatch,omitempty"`
}

type apiServiceExtra struct {
	Shop    string       `json:"shop"`
	Service string       `json:"service"`
	Name    rules.Text   `json:"name"`
	Role    rules.Role   `json:"role"`
	Status  rules.Status `json:"status"`
	Since   *apiTime     `json:"since"`
}

type apiIncident struct {
	ID         string           `json:"id"`
	Name       string           `json:"name"`
	Status     string           `json:"status"`
	CreatedAt  apiTime          `json:"created_at"`
	UpdatedAt  apiTime          `json:"updated_at"`
	Monitoring *apiTime         `json:"monitoring_at"`
	ResolvedAt *apiTime         `json:"resolved_at"`
	Impact     notifier.Impact  `json:"impact"`
	Shortlink  string           `json:"shortlink"`
	StartedAt  apiTime          `json:"started_at"`
	PageID     string           `json:"page_id"`
	Updates    []apiUpdate      `json:"incident_updates"`
	Components []apiComponent   `json:"components"`
	Shopwatch  apiIncidentExtra `json:"shopwatch"`
}

type apiIncidentExtra struct {
	Title      rules.Text  `json:"title"`
	Since      apiTime     `json:"since"`
	Over       *apiTime    `json:"over"`
	Scope      *rules.Text `json:"scope"`        // who is affected; of a text one language may be empty
	ETA        *apiTime    `json:"eta"`          // when it is, or was, expected to be over
	Earlier    []apiTime   `json:"earlier_etas"` // as promised before, oldest first
	Workaround *rules.Text `json:"workaround"`
}

// apiUpdateExtra is what an update says beside its body, as it was written.
type apiUpdateExtra struct {
	Text       *rules.Text `json:"text"`
	Scope      *rules.Text `json:"scope"`
	ETA        *apiTime    `json:"eta"`
	Workaround *rules.Text `json:"workaround"`
	// Of planned work alone: the new plan.
	ScheduledFor   *apiTime `json:"scheduled_for,omitempty"`
	ScheduledUntil *apiTime `json:"scheduled_until,omitempty"`
}

type apiUpdate struct {
	ID                   string     `json:"id"`
	Status               string     `json:"status"`
	Body                 string     `json:"body"`
	IncidentID           string     `json:"incident_id"`
	CreatedAt            apiTime    `json:"created_at"`
	UpdatedAt            apiTime    `json:"updated_at"`
	DisplayAt            apiTime    `json:"display_at"`
	AffectedComponents   []struct{} `json:"affected_components"` // always null: an update names none
	DeliverNotifications bool       `json:"deliver_notifications"`
	CustomTweet          *string    `json:"custom_tweet"`
	TweetID              *string    `json:"tweet_id"`

	Shopwatch apiUpdateExtra `json:"shopwatch"`
}

type apiOrders struct {
	Shop         string     `json:"shop"`
	Fresh        bool       `json:"fresh"`
	AsOf         *apiTime   `json:"as_of"`
	Automatic    apiWaiting `json:"automatic"`
	Manual       apiWaiting `json:"manual"`
	ShortOfStock int        `json:"short_of_stock"`
}

type apiWaiting struct {
	Waiting map[rules.Age]int `json:"waiting"`
	Oldest  *apiTime          `json:"oldest_since"`
}

// apiAnswer is any of the documents: page always, the rest where asked for.
type apiAnswer map[string]any

// apiTime is ISO 8601 in UTC with milliseconds.
type apiTime struct{ time.Time }

// MarshalJSON writes the time as Statuspage does.
func (t apiTime) MarshalJSON() ([]byte, error) {
	return []byte(strconv.Quote(t.UTC().Format("2006-01-02T15:04:05.000Z07:00"))), nil
}

func optional(t time.Time) *apiTime {
	if t.IsZero() {
		return nil
	}
	return &apiTime{t}
}

// said is a text, nil where there is none.
func said(t rules.Text) *rules.Text {
	if t == (rules.Text{}) {
		return nil
	}
	return &t
}

func (p *Page) routeAPI(mux *http.ServeMux) {
	serve := func(path string, compose func(composer) apiAnswer) {
		mux.HandleFunc("/api/v2/"+path, func(w http.ResponseWriter, r *http.Request) {
			lang, chosen := languageOf(r)
			e := p.edition()
			d, err := e.document(documentKey{path, lang, chosen}, func() (*document, error) {
				c := p.composer(e, lang, chosen)
				answer := compose(c)
				answer["page"] = c.apiPage()
				body, err := json.Marshal(answer)
				return &document{body: append(body, '\n'), contentType: "application/json; charset=utf-8"}, err
			})
			w.Header().Set("Access-Control-Allow-Origin", "*")
			p.send(w, r, d, err)
		})
	}
	serve("status.json", func(c composer) apiAnswer { return apiAnswer{"status": c.apiStatus()} })
	serve("components.json", func(c composer) apiAnswer { return apiAnswer{"components": c.apiComponents()} })
	serve("incidents.json", func(c composer) apiAnswer {
		return apiAnswer{"incidents": c.apiIncidents(append(append([]notifier.Incident{}, c.open...), c.resolved...))}
	})
	serve("incidents/unresolved.json", func(c composer) apiAnswer { return apiAnswer{"incidents": c.apiIncidents(c.open)} })
	serve("summary.json", func(c composer) apiAnswer {
		return apiAnswer{
			"status": c.apiStatus(), "components": c.apiComponents(), "incidents": c.apiIncidents(c.open),
			"scheduled_maintenances": c.apiMaintenances(c.ahead()), "shopwatch": map[string]any{"orders": c.apiOrders()},
		}
	})
	serveMaintenances(serve)
}

func (c composer) pageID() string { return digest([]byte(c.page.base.String()))[:12] }

func (c composer) apiPage() apiPage {
	updated := c.at
	if updated.IsZero() {
		updated = c.page.started
	}
	return apiPage{
		ID: c.pageID(), Name: c.say(c.page.config.Title), URL: c.page.base.String(), TimeZone: c.zone.String(),
		UpdatedAt: apiTime{updated}, Shopwatch: apiSight{Fresh: c.fresh, Interrupted: c.interrupted, LastLookAt: optional(c.at)},
	}
}

// apiStatus sums the page up. What we can't see is at least minor, never none.
func (c composer) apiStatus() apiStatus {
	switch v := c.judge(); v.colour {
	case green:
		return apiStatus{"none", "All Systems Operational"}
	case blue:
		return apiStatus{"maintenance", "Service Under Maintenance"}
	case yellow:
		return apiStatus{"minor", "Minor Service Outage"}
	case red:
		if c.critical() {
			return apiStatus{"critical", "Major Service Outage"}
		}
		return apiStatus{"major", "Partial System Outage"}
	}
	return apiStatus{"minor", "Status Unknown"}
}

// critical reports whether the shop as a whole is hurt now.
func (c composer) critical() bool {
	for _, i := range c.elsewhere() {
		if i.Impact == notifier.ImpactCritical && !c.recovering(i) {
			return true
		}
	}
	for _, s := range c.services {
		if s.Critical && s.Status == rules.Outage {
			return true
		}
	}
	return false
}

// apiComponents lists groups, each before its components.
func (c composer) apiComponents() []apiComponent {
	components := []apiComponent{}
	groups := make(map[string]int) // group id -> its place in components
	for _, s := range c.services {
		component := c.apiComponent(s)
		if id := component.GroupID; id != nil {
			at, known := groups[*id]
			if !known {
				at = len(components)
				groups[*id] = at
				group := component
				group.ID, group.Name, group.GroupID, group.Group, group.Shopwatch = *id, c.say(s.Group), nil, true, nil
				group.Status = apiServiceStatus(rules.Operational)
				components = append(components, group)
			}
			components[at].Components = append(components[at].Components, component.ID)
			components[at].Status = worse(components[at].Status, component.Status)
		}
		components = append(components, component)
	}
	return components
}

func (c composer) apiComponent(s Component) apiComponent {
	created, updated := c.at, c.at
	if len(s.History) > 0 {
		created = s.History[0].Start
	}
	component := apiComponent{
		ID: componentID(s.Service), Name: c.say(s.Name), Status: apiServiceStatus(s.Status),
		CreatedAt: apiTime{created}, UpdatedAt: apiTime{updated}, Position: s.Position, PageID: c.pageID(),
		Shopwatch: &apiServiceExtra{Shop: s.Shop, Service: s.ID, Name: s.Name, Role: s.Role, Status: s.Status, Since: optional(s.Since)},
	}
	if s.Group.ZH != "" {
		id := digest([]byte("group\x00" + s.Shop + "\x00" + s.Group.ZH + "\x00" + s.Group.EN))[:12]
		component.GroupID = &id
	}
	return component
}

// componentID is opaque and stable: of the service's key, safe in an address.
func componentID(s notifier.Service) string { return digest([]byte("service\x00" + s.Key()))[:12] }

var apiStatuses = []string{"operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage"}

func apiServiceStatus(status rules.Status) string {
	switch status {
	case rules.Operational:
		return "operational"
	case rules.Maintenance:
		return "under_maintenance"
	case rules.Outage:
		return "major_outage"
	}
	return "degraded_performance"
}

func worse(a, b string) string {
	for i := len(apiStatuses) - 1; i >= 0; i-- {
		if s := apiStatuses[i]; s == a || s == b {
			return s
		}
	}
	return a
}

func (c composer) apiIncidents(incidents []notifier.Incident) []apiIncident {
	list := []apiIncident{}
	for _, i := range incidents[:min(len(incidents), maxAPIIncidents)] {
		list = append(list, c.apiIncident(i))
	}
	return list
}

func (c composer) apiIncident(i notifier.Incident) apiIncident {
	incident := apiIncident{
		ID: i.ID, Name: c.say(i.Title), Status: string(i.Status), Impact: i.Impact, PageID: c.pageID(),
		CreatedAt: apiTime{i.Opened}, UpdatedAt: apiTime{lastTold(i)}, StartedAt: apiTime{i.Since}, ResolvedAt: optional(i.Closed),
		Shortlink: c.page.base.String() + incidentPath(i.ID),
		Updates:   []apiUpdate{}, Components: []apiComponent{},
		Shopwatch: apiIncidentExtra{
			Title: i.Title, Since: apiTime{i.Since}, Over: optional(i.Over),
			Scope: said(i.Scope), ETA: optional(i.ETA.At), Earlier: []apiTime{}, Workaround: said(i.Workaround),
		},
	}
	for _, at := range i.ETA.Earlier {
		incident.Shopwatch.Earlier = append(incident.Shopwatch.Earlier, apiTime{at})
	}
	if s := c.service(i.Service.Key()); s != nil {
		incident.Components = append(incident.Components, c.apiComponent(*s))
	}
	for n := len(i.Updates) - 1; n >= 0; n-- {
		u := i.Updates[n]
		at := apiTime{u.At}
		if u.Status == notifier.Monitoring {
			incident.Monitoring = &at
		}
		incident.Updates = append(incident.Updates, apiUpdate{
			ID: i.ID + "-" + strconv.Itoa(n+1), Status: string(u.Status), Body: c.body(u), IncidentID: i.ID,
			CreatedAt: at, UpdatedAt: at, DisplayAt: at,
			Shopwatch: apiUpdateExtra{Text: said(u.Text), Scope: said(u.Scope), ETA: optional(u.ETA), Workaround: said(u.Workaround)},
		})
	}
	return incident
}

func (c composer) apiOrders() []apiOrders {
	list := []apiOrders{}
	for _, o := range c.orders {
		list = append(list, apiOrders{
			Shop: o.Shop, Fresh: o.LedgerFresh, AsOf: optional(o.LedgerAt), ShortOfStock: o.ShortOfStock,
			Automatic: apiWaiting{o.Automatic.Ages, optional(o.Automatic.Oldest)},
			Manual:    apiWaiting{o.Manual.Ages, optional(o.Manual.Oldest)},
		})
	}
	return list
}
