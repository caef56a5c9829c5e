package store

import (
	"context"
	"strconv"
	"strings"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// DeadLetter is a delivery that was given up. It names no address.
type DeadLetter struct {
	Delivery  int64
	Incident  string // "": of none
	Event     notifier.Event
	Audience  rules.Audience
	Channel   string
	Recipient int64
	Language  notifier.Language
	State     notifier.RecipientState // of the recipient, now
	Attempts  int
	At        time.Time // when it was given up
	Problem   string    // what the far side said
}

// DeadLetters gives what was given up, the latest first, at most limit: those
// before a delivery, or from the last on where before is 0.
func (s *Store) DeadLetters(ctx context.Context, before int64, limit int) ([]DeadLetter, error) {
	rows, err := s.look.query(ctx, `SELECT d.id, n.incident_id, n.event, n.audience, d.channel, r.id, r.language, r.state, d.attempts, d.done_at, d.problem
		FROM deliveries d JOIN notices n ON n.id = d.notice_id JOIN recipients r ON r.id = d.recipient_id
		WHERE d.state = 'dead' AND (? = 0 OR d.id < ?) ORDER BY d.id DESC LIMIT ?`, before, before, limit)
	if err != nil {
		return nil, wrap("dead letters", err)
	}
	defer rows.Close()
	var list []DeadLetter
	for rows.Next() {
		var l DeadLetter
		var at int64
		if err := rows.Scan(&l.Delivery, &l.Incident, &l.Event, &l.Audience, &l.Channel, &l.Recipient, &l.Language, &l.State, &l.Attempts, &at, &l.Problem); err != nil {
			return nil, wrap("dead letters", err)
		}
		l.At = fromMillis(at)
		list = append(list, l)
	}
	return list, wrap("dead letters", rows.Err())
}

// Resend queues dead letters again, as if they were made now, and has refused
// addresses of theirs tried once more. It gives how many there were; the
// identity of each stays. Nothing is sent to who left.
func (t *Tx) Resend(now time.Time, deliveries []int64) (int, error) {
	if len(deliveries) == 0 {
		return 0, nil
	}
	ids := listOf(deliveries)
	_, err := t.exec(t.ctx, `UPDATE recipients SET state = 'active', problem = '' WHERE state = 'refused'
		AND id IN (SELECT recipient_id FROM deliveries WHERE state = 'dead' AND id IN (`+ids+`))`)
	if err != nil {
		return 0, wrap("resend", err)
	}
	done, err := t.exec(t.ctx, `UPDATE deliveries SET state = 'queued', attempts = 0, created_at = ?, next_at = ?, lease_until = 0, done_at = 0, problem = ''
		WHERE state = 'dead' AND id IN (`+ids+`)
		AND recipient_id IN (SELECT id FROM recipients WHERE state = 'active' OR state = 'pending')`, millis(now), millis(now))
	if err != nil {
		return 0, wrap("resend", err)
	}
	n, err := done.RowsAffected()
	return int(n), wrap("resend", err)
}

// Resend is Tx.Resend in a transaction of its own.
func (s *Store) Resend(ctx context.Context, now time.Time, deliveries []int64) (n int, err error) {
	err = s.Change(ctx, func(tx *Tx) error {
		n, err = tx.Resend(now, deliveries)
		return err
	})
	return n, err
}

// listOf writes row numbers into a statement: "1,2,3". They are numbers of our
// own, and a statement takes many more of them than it takes values.
func listOf(ids []int64) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(id, 10))
	}
	return b.String()
}
