package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Expand makes deliveries, one a recipient, of the most urgent notice that still
// lacks some: it looks at no more than e.Limit recipients in one transaction, so
// that a notice to many never holds the database. Who wants to be left alone
// gets it at the end of the quiet hours.
//
// What begins goes to all of the audience who want to hear of it; what goes on
// with it (Event.Follows) to those who were told, or are about to be; what begins
// again to both. A recovery
// takes the place of what was not sent yet and then tells all of it. Who joined
// while it ran is told of it by a notice of their own, once.
func (s *Store) Expand(ctx context.Context, e notifier.Expansion) (done notifier.Expanded, err error) {
	waiting := false
	if err := s.look.row(ctx, `SELECT EXISTS (SELECT 1 FROM notices WHERE expanded = 0)`).Scan(&waiting); err != nil || !waiting {
		return done, wrap("expand", err)
	}
	err = s.work(ctx, func(tx *Tx) error {
		done = notifier.Expanded{More: true}
		x, err := tx.expansion(e)
		if err != nil || x == nil {
			return err
		}
		switch {
		case x.notice.To != 0 && x.notice.Incident == "":
			return x.toOne()
		case x.notice.To != 0: // there is none but the one
			x.to, x.last, x.wishes = x.from, true, true
		default:
			if err := x.chunk(e.Limit); err != nil {
				return err
			}
		}
		if x.notice.Event.Ends() {
			if done.Ended, err = x.replace(); err != nil {
				return err
			}
		}
		if err := x.toMany(); err != nil {
			return err
		}
		if err := x.toThoseWithWishes(); err != nil {
			return err
		}
		return x.mark()
	})
	return done, wrap("expand", err)
}

// expansion is one notice on its way to become deliveries.
type expansion struct {
	tx       *Tx
	now      time.Time
	notice   notifier.Notice
	channels string // SQL condition on r: on a channel that tells the event
	digests  []string
	earlier  []int64 // notices of the same incident to all of the same audience
	joined   bool    // there are some to those alone who joined while it ran
	from, to int64   // recipients of this chunk: above from, up to to
	wishes   bool    // some of them don't hear everything at once
	last     bool    // there are none above to
}

// expansion takes up the next notice, nil where there is none. Replicas take
// turns: a recovery must not overtake the trouble that it is told after.
func (t *Tx) expansion(e notifier.Expansion) (*expansion, error) {
	x := &expansion{tx: t, now: e.Now}
	var at int64
	var facts string
	n := &x.notice
	err := t.row(t.ctx, `SELECT id, incident_id, audience, recipient_id, event, at, facts, expanded_to FROM notices
		WHERE expanded = 0 ORDER BY lane, id LIMIT 1`+t.engine.locking()).
		Scan(&n.ID, &n.Incident, &n.Audience, &n.To, &n.Event, &at, &facts, &x.from)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n.At = fromMillis(at)
	if err := json.Unmarshal([]byte(facts), &n.Facts); err != nil {
		return nil, fmt.Errorf("notice %d: %w", n.ID, err)
	}
	x.digests = e.Channels(notifier.EventDigest)
	quoted := make([]string, 0, 8)
	for _, channel := range e.Channels(n.Event) {
		quoted = append(quoted, quote(channel))
	}
	x.channels = "r.channel IN (" + strings.Join(append(quoted, "''"), ", ") + ")"
	if n.Incident == "" {
		return x, nil
	}
	if x.earlier, err = t.numbers(`SELECT id FROM notices WHERE incident_id = ? AND recipient_id = 0 AND audience = ? AND id < ?`, n.Incident, string(n.Audience), n.ID); err != nil {
		return nil, err
	}
	err = t.row(t.ctx, `SELECT EXISTS (SELECT 1 FROM notices WHERE incident_id = ? AND recipient_id > 0 AND id < ?)`, n.Incident, n.ID).Scan(&x.joined)
	return x, err
}

// quote writes a word of ours, a channel's name or an incident's ID, into a statement.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", "''") + "'" }

func (t *Tx) numbers(query string, args ...any) ([]int64, error) {
	rows, err := t.query(t.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []int64
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, rows.Err()
}

// chunk finds the recipients that are looked at now.
func (x *expansion) chunk(limit int) error {
	var to sql.NullInt64
	var found, wishes int
	err := x.tx.row(x.tx.ctx, `SELECT max(id), count(*), count(CASE WHEN wants <> '{}' THEN 1 END)
		FROM (SELECT id, wants FROM recipients WHERE state = 'active' AND audience = ? AND id > ? ORDER BY id LIMIT ?) AS next`,
		string(x.notice.Audience), x.from, limit).Scan(&to, &found, &wishes)
	x.to, x.last, x.wishes = max(to.Int64, x.from), found < limit, wishes > 0
	return err
}

func (x *expansion) mark() error {
	_, err := x.tx.exec(x.tx.ctx, `UPDATE notices SET expanded_to = ?, expanded = ? WHERE id = ?`, x.to, flag(x.last), x.notice.ID)
	return err
}

// toOne makes the delivery of a notice of no incident to one recipient, who may
// not have confirmed yet, but has not left.
func (x *expansion) toOne() error {
	n := x.notice
	_, err := x.tx.exec(x.tx.ctx, `INSERT INTO deliveries (notice_id, recipient_id, channel, lane, state, created_at, next_at)
		SELECT `+newRow+` FROM recipients r WHERE r.id = ? AND r.state IN ('active', 'pending') AND `+x.channels, append(x.row(x.now), n.To)...)
	if err != nil {
		return err
	}
	x.to, x.last = x.from, true
	return x.mark()
}

// newRow is in SQL a delivery's first values for recipient r, and row gives their
// values. An engine can't guess the type of a value here.
const newRow = `CAST(? AS bigint), r.id, r.channel, CAST(? AS bigint), 'queued', CAST(? AS bigint), CAST(? AS bigint)`

func (x *expansion) row(next time.Time) []any {
	return []any{x.notice.ID, int64(x.notice.Lane()), millis(x.notice.At), millis(next)}
}

// has says in SQL that recipient r has an earlier delivery of the incident in
// one of the states.
func (x *expansion) has(states string) string {
	any := []string{"1 = 0"}
	if len(x.earlier) > 0 {
		any = append(any, `EXISTS (SELECT 1 FROM deliveries e WHERE e.notice_id IN (`+listOf(x.earlier)+`) AND e.recipient_id = r.id AND e.state IN (`+states+`))`)
	}
	if x.joined {
		any = append(any, `EXISTS (SELECT 1 FROM notices own JOIN deliveries e ON e.notice_id = own.id AND e.recipient_id = own.recipient_id
			WHERE own.incident_id = `+quote(x.notice.Incident)+` AND own.recipient_id = r.id AND e.state IN (`+states+`))`)
	}
	return "(" + strings.Join(any, " OR ") + ")"
}

const (
	toldStates  = `'queued', 'sent'`
	heardStates = `'queued', 'sent', 'replaced'` // those whose trouble a recovery has just replaced are told by it
)

// whoever is in SQL whom of the chunk the notice goes to, wishes aside. The one
// whom a notice is for has perhaps heard already, by that to all.
func (x *expansion) whoever() string {
	if x.notice.To != 0 {
		return ` FROM recipients r WHERE r.state = 'active' AND r.id = ? AND ` + x.channels + ` AND NOT ` + x.has(heardStates)
	}
	where := ` FROM recipients r WHERE r.state = 'active' AND r.audience = ? AND r.id > ? AND r.id <= ? AND ` + x.channels
	switch {
	case x.notice.Event.Follows():
		where += ` AND ` + x.has(heardStates)
	case x.notice.Event == notifier.EventWorsened:
		where += ` AND NOT ` + x.has(heardStates)
	}
	if x.twice() {
		where += ` AND NOT EXISTS (SELECT 1 FROM notices n JOIN deliveries e ON e.notice_id = n.id JOIN recipients same ON same.id = e.recipient_id
			WHERE n.incident_id = ? AND n.event = ? AND n.at = ? AND n.lane = 0 AND n.id <> ?
			AND same.channel = r.channel AND same.address_hash = r.address_hash AND e.state IN (` + toldStates + `))`
	}
	return where
}

// whom gives the values of whoever.
func (x *expansion) whom() []any {
	n := x.notice
	if n.To != 0 {
		return []any{n.To}
	}
	values := []any{string(n.Audience), x.from, x.to}
	if x.twice() {
		values = append(values, n.Incident, string(n.Event), millis(n.At), n.ID)
	}
	return values
}

// twice reports whether somebody on call who is of several audiences would hear
// the same by one address: that it is over is told once.
func (x *expansion) twice() bool {
	return x.notice.Event == notifier.EventRecovered && x.notice.Lane() == notifier.LaneOnCall
}

// first is in SQL whether recipient r hears of the incident for the first time.
func (x *expansion) first() string {
	if x.notice.Incident == "" {
		return "0"
	}
	return `CASE WHEN ` + x.has(toldStates) + ` THEN 0 ELSE 1 END`
}

// toMany makes the deliveries of those who hear everything at once.
func (x *expansion) toMany() error {
	_, err := x.tx.exec(x.tx.ctx, `INSERT INTO deliveries (notice_id, recipient_id, channel, lane, state, created_at, next_at, first)
		SELECT `+newRow+`, `+x.first()+x.whoever()+` AND r.wants = '{}' ORDER BY r.id`, append(x.row(x.now), x.whom()...)...)
	return err
}

// toThoseWithWishes makes the deliveries of those who hear of some things, or
// not at every hour.
func (x *expansion) toThoseWithWishes() error {
	if !x.wishes {
		return nil
	}
	rows, err := x.tx.query(x.tx.ctx, `SELECT r.id, r.channel, r.wants, `+x.first()+x.whoever()+` AND r.wants <> '{}' ORDER BY r.id`, x.whom()...)
	if err != nil {
		return err
	}
	defer rows.Close()
	type delivery struct {
		recipient int64
		first     int
		next      time.Time
		digest    bool
	}
	var list []delivery
	for rows.Next() {
		var d delivery
		var channel, body string
		if err := rows.Scan(&d.recipient, &channel, &body, &d.first); err != nil {
			return err
		}
		var wants notifier.Wants
		if err := json.Unmarshal([]byte(body), &wants); err != nil {
			return fmt.Errorf("recipient %d: wishes: %w", d.recipient, err)
		}
		n := x.notice
		goesOn := n.Event.Follows() || n.Event == notifier.EventReopened && d.first == 0
		if !goesOn && n.Audience == rules.Subscribers && n.Incident != "" && !n.Facts.Heard(wants) {
			continue
		}
		d.next = x.now
		if until := wants.Quiet.Until(x.now); !until.IsZero() && n.Audience == rules.Subscribers {
			d.next = until
			for _, name := range x.digests {
				d.digest = d.digest || name == channel
			}
		}
		list = append(list, d)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, d := range list {
		_, err := x.tx.exec(x.tx.ctx, `INSERT INTO deliveries (notice_id, recipient_id, channel, lane, state, created_at, next_at, first, digest)
			SELECT `+newRow+`, ?, ? FROM recipients r WHERE r.id = ?`, append(x.row(d.next), d.first, flag(d.digest), d.recipient)...)
		if err != nil {
			return err
		}
	}
	return nil
}

// replace ends what the chunk's recipients have of the incident that nobody is
// sending right now: the recovery tells it.
func (x *expansion) replace() ([]notifier.Ended, error) {
	earlier := x.earlier
	if x.joined {
		own, err := x.tx.numbers(`SELECT id FROM notices WHERE incident_id = ? AND recipient_id > ? AND recipient_id <= ?`, x.notice.Incident, x.from, x.to)
		if err != nil {
			return nil, err
		}
		earlier = append(slices.Clone(earlier), own...)
	}
	if len(earlier) == 0 {
		return nil, nil
	}
	rows, err := x.tx.query(x.tx.ctx, `UPDATE deliveries SET state = 'replaced', done_at = ?, problem = 'it was over before this could be sent'
		WHERE notice_id IN (`+listOf(earlier)+`) AND recipient_id > ? AND recipient_id <= ? AND state = 'queued' AND lease_until <= ? RETURNING channel`,
		millis(x.now), x.from, x.to, millis(x.now))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	counts := map[string]int{}
	for rows.Next() {
		var channel string
		if err := rows.Scan(&channel); err != nil {
			return nil, err
		}
		counts[channel]++
	}
	var ended []notifier.Ended
	for channel, n := range counts {
		ended = append(ended, notifier.Ended{Channel: channel, Audience: x.notice.Audience, State: notifier.Replaced, N: n})
	}
	return ended, rows.Err()
}
