package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Claim takes due deliveries of one lane for one process: nobody else gets them
// until the lease ends. Each comes with the moment at which it may go, and its
// place in every pace is reserved in the same transaction, so that replicas
// share them.
//
// Within one incident a recipient's deliveries keep their order: the second is
// not due before the first is done. Deliveries of a subscriber's quiet hours
// come together as one.
func (s *Store) Claim(ctx context.Context, c notifier.Claim) (found notifier.Claimed, err error) {
	if c.Lapsed.IsZero() {
		c.Lapsed = c.Now
	}
	next, err := s.due(ctx, c)
	if err != nil || next.IsZero() || next.After(c.Now) {
		return notifier.Claimed{Next: next}, wrap("claim", err)
	}
	err = s.work(ctx, func(tx *Tx) error {
		found = notifier.Claimed{}
		w := &claiming{
			tx: tx, Claim: c, found: &found,
			paces:  &paces{tx: tx, now: c.Now, rows: map[string]*pace{}, keys: map[notifier.Scope]string{}},
			taken:  map[int64]bool{},
			defers: map[int64][]int64{},
		}
		return w.run()
	})
	return found, wrap("claim", err)
}

// due is when the lane's next delivery that nobody has is due, zero if there is
// none, or when the far side listens again.
func (s *Store) due(ctx context.Context, c notifier.Claim) (time.Time, error) {
	var at, blocked int64
	err := s.look.row(ctx, `SELECT next_at, coalesce((SELECT blocked_until FROM paces WHERE scope = ?), 0) FROM deliveries
		WHERE state = 'queued' AND channel = ? AND lane = ? AND lease_until <= ? ORDER BY next_at, id LIMIT 1`,
		c.Whole.Name, c.Channel, int(c.Lane), millis(c.Lapsed)).Scan(&at, &blocked)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return fromMillis(max(at, blocked)), err
}

// claiming is one claim at work.
type claiming struct {
	notifier.Claim

	tx     *Tx
	paces  *paces
	found  *notifier.Claimed
	taken  map[int64]bool    // deliveries that a digest has already
	leased []int64           // deliveries that become ours
	defers map[int64][]int64 // deliveries by the moment, in Unix ms, until which they wait
	left   []int64           // deliveries whose recipient takes none any more
	old    []int64           // deliveries that are too old

	earliest time.Time // when the first of defers is due
}

// candidate is a due delivery before it is known whether it may go.
type candidate struct {
	delivery   notifier.Delivery
	sealed     []byte
	key        string // that sealed it
	nonceUntil int64
	blocked    int64 // until when the far side takes nothing for the recipient
	created    int64
	digest     bool
	before     sql.NullInt64 // when the earlier one of the same incident is due or its lease ends; NULL: there is none
}

func (w *claiming) run() error {
	if err := w.paces.lock(w.Whole); err != nil {
		return err
	}
	general := append([]notifier.Scope{w.Whole}, w.Shared...)
	if err := w.paces.load(general); err != nil {
		return err
	}
	limit, wait := w.room()
	if limit == 0 {
		w.found.Next = wait
		return nil
	}
	list, err := w.candidates(limit)
	if err != nil {
		return err
	}
	var own []notifier.Scope
	for _, c := range list {
		own = append(own, w.Own(c.delivery.Recipient.Address)...)
	}
	if err := w.paces.load(own); err != nil {
		return err
	}
	for i := range list {
		if _, wait := w.room(); !wait.IsZero() {
			w.found.Next = wait
			break
		}
		if err := w.consider(&list[i]); err != nil {
			return err
		}
	}
	switch {
	case !w.found.Next.IsZero():
	case len(list) == limit:
		w.found.Next = w.Now // there may be more
	default:
		w.found.Next = w.earliest
	}
	return w.write()
}

// room is how many more may be claimed now, or when to come again.
func (w *claiming) room() (limit int, wait time.Time) {
	whole, _ := w.paces.free(w.Whole)
	if row := w.paces.row(w.Whole); row.blocked > millis(w.Now) {
		return 0, fromMillis(row.blocked)
	}
	if ahead := whole.Sub(w.Now); ahead > w.Horizon {
		return 0, whole.Add(-w.Horizon)
	}
	limit = w.Limit
	for _, scope := range w.Shared {
		free, spent := w.paces.free(scope)
		if spent && !slices.Contains(w.found.Spent, scope.Name) {
			w.found.Spent = append(w.found.Spent, scope.Name)
		}
		if free.After(whole) {
			return 0, free
		}
	}
	if interval := w.Whole.Pace.Interval(); interval > 0 {
		limit = min(limit, w.Whole.Pace.Burst+1+int(w.Horizon/interval))
	}
	return limit, time.Time{}
}

// candidates reads due deliveries, oldest first.
func (w *claiming) candidates(limit int) ([]candidate, error) {
	rows, err := w.tx.query(w.tx.ctx, `SELECT d.id, d.notice_id, d.attempts, d.created_at, d.first, d.digest, d.unclear_with, d.unclear_at,
		r.id, r.audience, r.channel, r.language, r.state, r.address, r.address_key, r.nonce, r.nonce_until, r.blocked_until,
		CASE WHEN d.first = 1 THEN NULL ELSE (SELECT max(`+w.tx.engine.later("e.next_at", "e.lease_until")+`) FROM notices n
			JOIN notices m ON m.incident_id = n.incident_id AND m.recipient_id IN (0, d.recipient_id) AND m.id < n.id
			JOIN deliveries e ON e.notice_id = m.id AND e.recipient_id = d.recipient_id
			WHERE n.id = d.notice_id AND n.incident_id <> '' AND e.state = 'queued' AND (d.digest = 0 OR e.digest = 0)) END
		FROM deliveries d JOIN recipients r ON r.id = d.recipient_id
		WHERE d.state = 'queued' AND d.channel = ? AND d.lane = ? AND d.next_at <= ? AND d.lease_until <= ?
		ORDER BY d.next_at, d.id LIMIT ?`+w.tx.engine.skipLocked("d"),
		w.Channel, int(w.Lane), millis(w.Now), millis(w.Lapsed), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := make([]candidate, 0, limit)
	for rows.Next() {
		var c candidate
		var unclear int64
		d, r := &c.delivery, &c.delivery.Recipient
		if err := rows.Scan(&d.ID, &d.Notice.ID, &d.Attempts, &c.created, &d.First, &c.digest, &d.Unclear.With, &unclear,
			&r.ID, &r.Audience, &r.Channel, &r.Language, &r.State, &c.sealed, &c.key, &r.Nonce, &c.nonceUntil, &c.blocked, &c.before); err != nil {
			return nil, err
		}
		d.Unclear.Since = fromMillis(unclear)
		list = append(list, c)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	return list, w.tell(list)
}

// tell gives the candidates their notices and addresses.
func (w *claiming) tell(list []candidate) error {
	var ids []int64
	for _, c := range list {
		if !slices.Contains(ids, c.delivery.Notice.ID) {
			ids = append(ids, c.delivery.Notice.ID)
		}
	}
	notices, err := w.tx.notices(ids)
	if err != nil {
		return err
	}
	for i := range list {
		d := &list[i].delivery
		d.Notice = notices[d.Notice.ID]
		if d.Recipient.Address, err = w.tx.seal.open(d.Recipient.ID, list[i].key, list[i].sealed); err != nil {
			return err
		}
	}
	return nil
}

// notices reads some, each once.
func (t *Tx) notices(ids []int64) (map[int64]notifier.Notice, error) {
	found := make(map[int64]notifier.Notice, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	rows, err := t.query(t.ctx, `SELECT id, incident_id, audience, recipient_id, event, at, facts FROM notices WHERE `+t.engine.among("id"), t.engine.numbers(ids))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n notifier.Notice
		var at int64
		var facts []byte
		if err := rows.Scan(&n.ID, &n.Incident, &n.Audience, &n.To, &n.Event, &at, &facts); err != nil {
			return nil, err
		}
		n.At = fromMillis(at)
		if err := json.Unmarshal(facts, &n.Facts); err != nil {
			return nil, fmt.Errorf("notice %d: %w", n.ID, err)
		}
		found[n.ID] = n
	}
	return found, rows.Err()
}

// orderWait is how long a delivery waits until it is looked at again whether the
// one before it is done.
const orderWait = 200 * time.Millisecond

// consider decides on one candidate: it ends, waits, or becomes ours with a
// moment and its place in every pace.
func (w *claiming) consider(c *candidate) error {
	d := &c.delivery
	if w.taken[d.ID] {
		return nil
	}
	switch {
	case !takes(d.Notice, d.Recipient.State):
		w.end(d, &w.left)
		return nil
	case w.tooOld(c):
		w.end(d, &w.old)
		return nil
	case c.before.Valid:
		w.wait(d, min(max(fromMillis(c.before.Int64).Sub(w.Now), 0), orderWait))
		return nil
	case c.blocked > millis(w.Now):
		w.wait(d, fromMillis(c.blocked).Sub(w.Now))
		return nil
	}
	own := w.Own(d.Recipient.Address)
	at, _ := w.paces.free(w.Whole)
	for _, scope := range own {
		free, spent := w.paces.free(scope)
		if free.After(at) {
			if spent && !slices.Contains(w.found.Spent, scope.Name) {
				w.found.Spent = append(w.found.Spent, scope.Name)
			}
			w.wait(d, free.Sub(w.Now))
			return nil
		}
	}
	for _, scope := range append(append([]notifier.Scope{w.Whole}, w.Shared...), own...) {
		w.paces.take(scope, at)
	}
	d.At = at
	w.leased = append(w.leased, d.ID)
	if c.digest {
		if err := w.gather(d); err != nil {
			return err
		}
	}
	w.found.Deliveries = append(w.found.Deliveries, *d)
	return nil
}

// takes reports whether a recipient is still told: who has not confirmed yet,
// only what is addressed to that one.
func takes(n notifier.Notice, state notifier.RecipientState) bool {
	return state == notifier.Active || state == notifier.Pending && n.To != 0
}

// tooOld reports whether a delivery is of no use any more: a day old, or a word
// that is void by now.
func (w *claiming) tooOld(c *candidate) bool {
	n := c.delivery.Notice
	if (n.Event == notifier.EventConfirm || n.Event == notifier.EventCode) && c.nonceUntil > 0 && c.nonceUntil <= millis(w.Now) {
		return true
	}
	return w.Now.After(notifier.UsefulUntil(fromMillis(c.created)))
}

func (w *claiming) end(d *notifier.Delivery, list *[]int64) {
	*list = append(*list, d.ID)
	w.count(d.Notice.Audience)
}

func (w *claiming) count(audience rules.Audience) {
	for i := range w.found.Ended {
		if w.found.Ended[i].Audience == audience {
			w.found.Ended[i].N++
			return
		}
	}
	w.found.Ended = append(w.found.Ended, notifier.Ended{Channel: w.Channel, Audience: audience, State: notifier.Dropped, N: 1})
}

func (w *claiming) wait(d *notifier.Delivery, during time.Duration) {
	until := millisUp(w.Now.Add(max(during, time.Millisecond)))
	w.defers[until] = append(w.defers[until], d.ID)
	if at := fromMillis(until); w.earliest.IsZero() || at.Before(w.earliest) {
		w.earliest = at
	}
}

// gather joins what else the recipient missed in the quiet hours. One notice
// alone stays what it is.
func (w *claiming) gather(d *notifier.Delivery) error {
	rows, err := w.tx.query(w.tx.ctx, `SELECT id, notice_id FROM deliveries
		WHERE recipient_id = ? AND state = 'queued' AND digest = 1 AND next_at <= ? AND lease_until <= ? AND created_at >= ? ORDER BY id`,
		d.Recipient.ID, millis(w.Now), millis(w.Lapsed), millis(w.Now)-notifier.UsefulUntil(time.UnixMilli(0)).UnixMilli())
	if err != nil {
		return err
	}
	defer rows.Close()
	var ids, noticeIDs []int64
	for rows.Next() {
		var id, notice int64
		if err := rows.Scan(&id, &notice); err != nil {
			return err
		}
		ids, noticeIDs = append(ids, id), append(noticeIDs, notice)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || len(ids) < 2 {
		return err
	}
	notices, err := w.tx.notices(noticeIDs)
	if err != nil {
		return err
	}
	for i, id := range ids {
		w.taken[id] = true
		d.Digest = append(d.Digest, notices[noticeIDs[i]])
		if id != d.ID {
			d.Together = append(d.Together, id)
			w.leased = append(w.leased, id)
		}
	}
	oldest := d.Digest[0]
	d.Notice = notifier.Notice{ID: oldest.ID, Audience: oldest.Audience, Event: notifier.EventDigest, At: oldest.At, Facts: notifier.Facts{AlertStart: oldest.Facts.AlertStart}}
	return nil
}

// write keeps what was decided.
func (w *claiming) write() error {
	do := func(ids []int64, query string, args ...any) error {
		if len(ids) == 0 {
			return nil
		}
		_, err := w.tx.exec(w.tx.ctx, query+` WHERE `+w.tx.engine.among("id"), append(args, w.tx.engine.numbers(ids))...)
		return err
	}
	err := errors.Join(
		do(w.leased, `UPDATE deliveries SET lease_until = ?`, millis(w.Now.Add(w.Lease))),
		do(w.left, `UPDATE deliveries SET state = 'dropped', done_at = ?, problem = '`+problemLeft+`'`, millis(w.Now)),
		do(w.old, `UPDATE deliveries SET state = 'dropped', done_at = ?, problem = 'too old to be of use'`, millis(w.Now)),
	)
	for until, ids := range w.defers {
		err = errors.Join(err, do(ids, `UPDATE deliveries SET next_at = ?`, until))
	}
	return errors.Join(err, w.paces.save())
}
