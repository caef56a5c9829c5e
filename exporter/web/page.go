package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// base is what every page has.
type base struct {
	Language string // zh or en
	Here     string // path of the page
	Chosen   bool   // the query named the language: links keep it
	now      time.Time
	zone     *time.Location
}

func (w *Web) base(r *http.Request) base {
	return base{
		Language: languageOf(r), Here: r.URL.EscapedPath(), Chosen: r.URL.Query().Has("lang"),
		now: w.Now(), zone: w.Zone,
	}
}

// T picks a text by language.
func (b base) T(zh, en string) string { return rules.Text{ZH: zh, EN: en}.In(b.Language) }

// In is a text in the page's language, or what there is of it.
func (b base) In(text rules.Text) string { return cmp.Or(text.In(b.Language), text.ZH, text.EN) }

// Link is a path of ours, in the language that the reader chose.
func (b base) Link(path string) string {
	if b.Chosen {
		return path + "?lang=" + b.Language
	}
	return path
}

// Other is this page in the other language.
func (b base) Other() string {
	return b.Here + "?lang=" + map[string]string{"zh": "en", "en": "zh"}[b.Language]
}

// At is a moment, and how long ago it was.
func (b base) At(at time.Time) string {
	if at.IsZero() {
		return b.T("从未", "never")
	}
	layout := "15:04:05"
	if b.now.In(b.zone).Format(time.DateOnly) != at.In(b.zone).Format(time.DateOnly) {
		layout = "01-02 " + layout
	}
	return at.In(b.zone).Format(layout) + b.T("（", " (") + b.ago(at) + b.T("）", ")")
}

// Zone names the zone of the page's times.
func (b base) Zone() string { return b.now.In(b.zone).Format("MST -07:00") }

func (b base) ago(at time.Time) string {
	switch age := max(0, b.now.Sub(at)); {
	case age < 2*time.Minute:
		return fmt.Sprintf(b.T("%d 秒前", "%d s ago"), int(age.Seconds()))
	case age < 2*time.Hour:
		return fmt.Sprintf(b.T("%d 分钟前", "%d min ago"), int(age.Minutes()))
	case age < 48*time.Hour:
		return fmt.Sprintf(b.T("%d 小时前", "%d h ago"), int(age.Hours()))
	default:
		return fmt.Sprintf(b.T("%d 天前", "%d d ago"), int(age.Hours()/24))
	}
}

// Milliseconds is a duration as people read it.
func (b base) Milliseconds(d time.Duration) string {
	switch ms := float64(d) / float64(time.Millisecond); {
	case ms >= 10_000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms >= 100:
		return fmt.Sprintf("%.0f ms", ms)
	default:
		return fmt.Sprintf("%.1f ms", ms)
	}
}

// Phase names a phase.
func (b base) Phase(name string) string {
	if known, ok := phaseWords[name]; ok {
		return known.In(b.Language)
	}
	return name
}

// serviceView is a service on a page.
type serviceView struct {
	Shop, ID, URL string
	Name, Group   rules.Text
	Status        rules.Status
	StatusWord    rules.Text
	Affected      bool
	LastLook      time.Time
	LastSuccess   time.Time
	Problem       string // of the last look that failed, "" if none did
}

func (b base) service(state exporter.State) serviceView {
	service := state.Service
	v := serviceView{
		Shop: service.Shop, ID: service.ID, URL: "/looks/" + url.PathEscape(service.Shop) + "/" + url.PathEscape(service.ID),
		Name: service.Name, Group: service.Group, Status: state.Status, Affected: state.Affected,
		LastLook: state.LastLook, LastSuccess: state.LastSuccess,
	}
	if v.Name == (rules.Text{}) {
		v.Name = rules.Text{ZH: service.ID, EN: service.ID}
	}
	if _, ok := statusWords[v.Status]; !ok {
		v.Status = rules.Unknown
	}
	v.StatusWord = statusWords[v.Status]
	for _, reading := range state.Readings {
		if !reading.Success {
			v.Problem = string(reading.Reason) + ": " + cmp.Or(reading.Detail, b.In(reasonWords[reading.Reason]))
			break
		}
	}
	return v
}

// indexPage is all services.
type indexPage struct {
	base
	Shops []shopView
}

type shopView struct {
	ID       string
	Services []serviceView
}

// historyPage is the last looks of one service.
type historyPage struct {
	base
	Service serviceView
	Latest  *lookView  // the failure that lasts, nil if none does
	Why     rules.Text // what its reason means
	Since   time.Time  // since when its target fails without a good look between, as far as is kept
	Failed  int        // of Looks
	Looks   []lookView // newest first
	Most    time.Duration
}

// lookView is a look on a page.
type lookView struct {
	exporter.Past
	Bar []segment
}

// segment is a phase's place in the bar of a look, in thousandths of the
// longest look of the page.
type segment struct {
	Name string
	X, W int
	Took time.Duration
}

// fill takes the looks, newest first.
func (p *historyPage) fill(looks []exporter.Past) {
	for _, look := range looks {
		p.Most = max(p.Most, look.Took)
	}
	for _, look := range looks {
		if !look.Success {
			p.Failed++
		}
		p.Looks = append(p.Looks, lookView{Past: look, Bar: bar(look.Phases, p.Most)})
	}
	p.Latest = latestFailure(p.Looks)
	if p.Latest == nil {
		return
	}
	why, ok := reasonWords[p.Latest.Reason]
	if !ok {
		why = reasonWords[rules.ReasonOther]
	}
	p.Why = why
	for _, look := range looks {
		if look.Target != p.Latest.Target {
			continue
		}
		if look.Success {
			break
		}
		p.Since = look.Start
	}
}

// latestFailure is the newest look that failed and that no good look at the
// same target followed; nil if there is none.
func latestFailure(looks []lookView) *lookView {
	newer := map[string]bool{}
	for i := range looks {
		if look := &looks[i]; !newer[look.Target] {
			if !look.Success {
				return look
			}
			newer[look.Target] = true
		}
	}
	return nil
}

func bar(phases []exporter.Phase, most time.Duration) []segment {
	if most <= 0 {
		return nil
	}
	segments := make([]segment, 0, len(phases))
	var before time.Duration
	for _, phase := range phases {
		x := min(1000, int(before*1000/most))
		before += max(0, phase.Took)
		end := min(1000, int(before*1000/most))
		segments = append(segments, segment{Name: phase.Name, X: x, W: end - x, Took: phase.Took})
	}
	return segments
}
