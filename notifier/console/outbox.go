package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// PageLength is how many dead letters, and how many entries of the record, one
// answer holds.
const PageLength = 100

// Outbox tells what waits to be sent, and what was given up.
type Outbox struct {
	Queued   int       `json:"queued"`
	Dead     int       `json:"dead"`
	Oldest   time.Time `json:"oldest,omitzero"` // of the queued
	Channels []Waiting `json:"channels"`
}

// Waiting counts what waits on one channel for one audience, and what was given up.
type Waiting struct {
	Channel  string         `json:"channel"`
	Audience rules.Audience `json:"audience"`
	Queued   int            `json:"queued"`
	Dead     int            `json:"dead"`
}

// DeadLetter is a delivery that was given up. Whom it was for is told by number:
// addresses stay in the store.
type DeadLetter struct {
	Delivery  int64          `json:"delivery"`
	At        time.Time      `json:"at"` // when it was given up
	Incident  string         `json:"incident,omitempty"`
	Event     notifier.Event `json:"event"`
	Audience  rules.Audience `json:"audience"`
	Channel   string         `json:"channel"`
	Recipient int64          `json:"recipient"`
	Attempts  int            `json:"attempts"`
	Problem   string         `json:"problem"`
}

// Letters is one page of dead letters.
type Letters struct {
	Dead []DeadLetter `json:"dead"`           // newest first
	Next int64        `json:"next,omitempty"` // before which the next page lies; 0: this is the last
}

// Resending says which dead letters are to be sent again.
type Resending struct {
	Deliveries []int64 `json:"deliveries,omitempty"`
	All        bool    `json:"all,omitempty"` // every one there is
	By         string  `json:"by,omitempty"`
	Way        string  `json:"way,omitempty"`
}

// resent is the answer to POST /api/outbox/resend.
type resent struct {
	Resent int `json:"resent"`
}

// AuditEntry is one human act.
type AuditEntry struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	By      string    `json:"by,omitempty"`
	Way     string    `json:"way"`
	Deed    string    `json:"deed"`
	Subject string    `json:"subject"`
	Detail  string    `json:"detail,omitempty"`
}

// Record is one page of what people did.
type Record struct {
	Entries []AuditEntry `json:"entries"`        // newest first
	Next    int64        `json:"next,omitempty"` // before which the next page lies; 0: this is the last
}

// letters gives one page of dead letters.
func (c *console) letters(r *http.Request) (Letters, error) {
	from, err := before(r)
	if err != nil {
		return Letters{}, err
	}
	dead, err := c.cfg.Source.DeadLetters(r.Context(), from, PageLength)
	l := Letters{Dead: append([]DeadLetter{}, dead...)}
	if len(dead) == PageLength {
		l.Next = dead[len(dead)-1].Delivery
	}
	return l, err
}

// record gives one page of what people did.
func (c *console) record(r *http.Request) (Record, error) {
	from, err := before(r)
	if err != nil {
		return Record{}, err
	}
	entries, err := c.cfg.Source.Audit(r.Context(), r.URL.Query().Get("subject"), from, PageLength)
	record := Record{Entries: []AuditEntry{}}
	for _, e := range entries {
		e.At = e.At.UTC()
		record.Entries = append(record.Entries, AuditEntry(e))
	}
	if len(entries) == PageLength {
		record.Next = entries[len(entries)-1].ID
	}
	return record, err
}

// mostResent bounds how many dead letters one request names.
const mostResent = 1000

// resend sends again what is named, or all.
func (c *console) resend(r *http.Request, which Resending) (int, error) {
	switch {
	case which.All == (len(which.Deliveries) > 0):
		return 0, &notifier.Error{Code: notifier.Invalid, Message: "name the deliveries that are to be sent again, or all of them", Chinese: "请选择要重新发送的消息，或全部重新发送"}
	case len(which.Deliveries) > mostResent:
		return 0, &notifier.Error{Code: notifier.Invalid, Message: fmt.Sprintf("name at most %d deliveries, or all", mostResent), Chinese: fmt.Sprintf("一次最多选 %d 条，或全部重新发送", mostResent)}
	}
	return c.cfg.Source.Resend(r.Context(), which)
}

func (c *console) routeOutboxAPI(answer func(string, func(*http.Request) (any, error))) {
	answer("GET "+APIOutbox, func(r *http.Request) (any, error) {
		o, err := c.cfg.Source.Outbox(r.Context())
		o.Channels = append([]Waiting{}, o.Channels...)
		return o, err
	})
	answer("GET "+APIOutbox+"/dead", func(r *http.Request) (any, error) { return c.letters(r) })
	answer("POST "+APIOutbox+"/resend", func(r *http.Request) (any, error) {
		var which Resending
		if err := decode(r, &which, `{"deliveries": [17]}`); err != nil {
			return nil, err
		}
		which.Way = programs(which.Way)
		n, err := c.resend(r, which)
		return resent{n}, err
	})
	answer("GET "+APIAudit, func(r *http.Request) (any, error) { return c.record(r) })
}

type outboxPage struct {
	page
	Outbox  Outbox
	Letters Letters
	Mistake string
}

// outboxPage shows what waits and what was given up.
func (c *console) outboxPage(w http.ResponseWriter, r *http.Request) { c.showOutbox(w, r, nil) }

func (c *console) showOutbox(w http.ResponseWriter, r *http.Request, mistake *notifier.Error) {
	p := outboxPage{page: c.base(r)}
	var err error
	if p.Outbox, err = c.cfg.Source.Outbox(r.Context()); err == nil {
		p.Letters, err = c.letters(r)
	}
	if err != nil {
		c.broken(w, err)
		return
	}
	status := http.StatusOK
	if mistake != nil {
		status, p.Mistake = statuses[mistake.Code], p.Said(mistake)
	}
	c.show(w, status, "outbox.html", p)
}

// sendAgain answers the outbox's buttons.
func (c *console) sendAgain(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	which := Resending{All: r.PostFormValue("all") != "", By: named(r), Way: WayConsole}
	for _, value := range r.PostForm["delivery"] {
		if id, err := strconv.ParseInt(value, 10, 64); err == nil && !which.All {
			which.Deliveries = append(which.Deliveries, id)
		}
	}
	if _, err := c.resend(r, which); err != nil {
		c.mistaken(w, err, func(mistake *notifier.Error) { c.showOutbox(w, r, mistake) })
		return
	}
	http.Redirect(w, r, outboxPath, http.StatusSeeOther)
}

type auditPage struct {
	page
	Record Record
	About  string // the subject, where one was asked for
	Titles map[string]rules.Text
}

// Title is that of the incident that an entry is about, empty where there is none.
func (p auditPage) Title(subject string) rules.Text { return p.Titles[subject] }

// titles finds those of the incidents in the record.
func (c *console) titles(ctx context.Context, record Record) (map[string]rules.Text, error) {
	found := map[string]rules.Text{}
	for _, e := range record.Entries {
		id, ok := strings.CutPrefix(e.Subject, "incident ")
		if _, known := found[e.Subject]; !ok || known {
			continue
		}
		i, err := c.cfg.Source.Incident(ctx, id)
		if _, mistake := errors.AsType[*notifier.Error](err); err != nil && !mistake {
			return nil, err
		}
		found[e.Subject] = i.Title
	}
	return found, nil
}

// auditPage shows what people did.
func (c *console) auditPage(w http.ResponseWriter, r *http.Request) {
	p := auditPage{page: c.base(r), About: r.URL.Query().Get("subject")}
	var err error
	if p.Record, err = c.record(r); err != nil {
		c.broken(w, err)
		return
	}
	if p.Titles, err = c.titles(r.Context(), p.Record); err != nil {
		c.broken(w, err)
		return
	}
	c.show(w, http.StatusOK, "audit.html", p)
}
