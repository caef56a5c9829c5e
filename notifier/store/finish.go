package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Finish records what became of tries, all in one transaction. A delivery that
// somebody else has finished meanwhile stays as it is. It gives those that ended
// without being sent, because a recovery tells what they would have told.
func (s *Store) Finish(ctx context.Context, outcomes []notifier.Outcome) (ended []notifier.Ended, err error) {
	err = s.work(ctx, func(tx *Tx) error {
		ended = nil
		var sent []int64
		var at time.Time
		for _, o := range outcomes {
			if o.State == notifier.Sent && o.Moved == "" {
				sent = append(sent, o.Delivery)
				if o.At.After(at) {
					at = o.At
				}
				continue
			}
			replaced, err := tx.fail(o)
			if err != nil {
				return err
			}
			ended = append(ended, replaced...)
		}
		return tx.sent(sent, at)
	})
	return ended, wrap("finish", err)
}

// sent records what the far sides took, all at the moment of the last.
func (t *Tx) sent(ids []int64, at time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := t.exec(t.ctx, `UPDATE deliveries SET state = 'sent', attempts = attempts + 1, done_at = ?, problem = ''
		WHERE state = 'queued' AND `+t.engine.among("id"), millis(at), t.engine.numbers(ids))
	return err
}

// fail records a try that the far side did not take.
func (t *Tx) fail(o notifier.Outcome) ([]notifier.Ended, error) {
	done := o.At
	if o.State == notifier.Queued {
		done = time.Time{}
	}
	var recipient int64
	err := t.row(t.ctx, `UPDATE deliveries SET state = ?, attempts = attempts + 1, next_at = ?, lease_until = 0, done_at = ?, problem = ?,
		unclear_with = ?, unclear_at = ? WHERE state = 'queued' AND id = ? RETURNING recipient_id`,
		string(o.State), millisUp(o.Next), millis(done), o.Problem, o.Unclear.With, millis(o.Unclear.Since), o.Delivery).Scan(&recipient)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if o.Block.Name != "" {
		err = errors.Join(err, t.block(o.Block, o.Next))
	}
	for _, scope := range o.Unspent {
		err = errors.Join(err, t.unspend(scope))
	}
	if o.BlockRecipient {
		_, blocking := t.exec(t.ctx, `UPDATE recipients SET blocked_until = ? WHERE id = ?`, millisUp(o.Next), recipient)
		err = errors.Join(err, blocking)
	}
	if o.Deactivate {
		_, refusing := t.exec(t.ctx, `UPDATE recipients SET state = 'refused', problem = ? WHERE origin = ? AND state = 'active' AND id = ?`,
			o.Problem, fromSubscription, recipient)
		err = errors.Join(err, refusing)
	}
	if o.Moved != "" {
		err = errors.Join(err, t.move(recipient, o.Moved))
	}
	if err != nil {
		return nil, err
	}
	return t.giveWay(o, recipient)
}

// giveWay lets a recovery that came while a notice of the trouble was being sent
// in vain tell both: the notice is replaced, and whoever heard nothing else of
// the incident hears of it from its beginning.
func (t *Tx) giveWay(o notifier.Outcome, recipient int64) ([]notifier.Ended, error) {
	var recovery int64
	var incident, channel string
	var audience rules.Audience
	err := t.row(t.ctx, `SELECT later.id, n.incident_id, n.audience, d.channel FROM deliveries d JOIN notices n ON n.id = d.notice_id
		JOIN notices m ON m.incident_id = n.incident_id AND m.recipient_id = 0 AND m.id > n.id AND m.event IN ('recovered', 'maintenance_completed', 'maintenance_cancelled')
		JOIN deliveries later ON later.notice_id = m.id AND later.recipient_id = d.recipient_id
		WHERE d.id = ? AND n.incident_id <> '' AND later.state = 'queued' ORDER BY later.id LIMIT 1`, o.Delivery).
		Scan(&recovery, &incident, &audience, &channel)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ended []notifier.Ended
	if o.State == notifier.Queued {
		ended = []notifier.Ended{{Channel: channel, Audience: audience, State: notifier.Replaced, N: 1}}
		_, err = t.exec(t.ctx, `UPDATE deliveries SET state = 'replaced', done_at = ? WHERE id = ?`, millis(o.At), o.Delivery)
		if err != nil {
			return nil, err
		}
	}
	_, err = t.exec(t.ctx, `UPDATE deliveries SET first = 1 WHERE id = ? AND NOT EXISTS (SELECT 1 FROM notices n JOIN deliveries e ON e.notice_id = n.id
		WHERE n.incident_id = ? AND n.recipient_id IN (0, ?) AND e.recipient_id = ? AND e.id < deliveries.id AND e.state IN ('queued', 'sent'))`,
		recovery, incident, recipient, recipient)
	return ended, err
}

// move gives a recipient the address that the far side named. Where somebody has
// it already, that one stays: the mover has left if the other is told, and else
// they change places, for no two may have one address.
func (t *Tx) move(id int64, address string) error {
	mover, err := t.recipientByID(id)
	if err != nil {
		return err
	}
	if _, err := t.exec(t.ctx, `UPDATE recipients SET blocked_until = 0 WHERE id = ?`, id); err != nil {
		return err
	}
	other, err := t.recipient(mover.Audience, mover.Channel, address)
	if err == nil && mover.origin == fromConfig {
		err = t.rememberMove(mover)
	}
	switch {
	case err != nil:
		return err
	case other == nil || other.ID == id:
		mover.Address = address
		return t.readdress(mover.Recipient)
	case other.State == notifier.Active:
		_, err := t.exec(t.ctx, `UPDATE recipients SET state = 'departed' WHERE id = ?`, id)
		return err
	}
	// No address has the empty hash.
	if _, err := t.exec(t.ctx, `UPDATE recipients SET address_hash = ? WHERE id = ?`, []byte{}, other.ID); err != nil {
		return err
	}
	other.Address, mover.Address = mover.Address, address
	return errors.Join(t.readdress(mover.Recipient), t.readdress(other.Recipient))
}

func (t *Tx) recipientByID(id int64) (*recipientRow, error) {
	var r recipientRow
	err := r.scan(t.row(t.ctx, `SELECT `+recipientFields+` FROM recipients WHERE id = ?`+t.engine.locking(), id), t.seal)
	return &r, err
}

// Hold keeps claimed deliveries from others until a moment, for a far side that
// is slow; the zero time gives them back unsent.
func (s *Store) Hold(ctx context.Context, deliveries []int64, until time.Time) error {
	if len(deliveries) == 0 {
		return nil
	}
	return wrap("hold", s.work(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `UPDATE deliveries SET lease_until = ? WHERE state = 'queued' AND `+tx.engine.among("id"), millis(until), tx.engine.numbers(deliveries))
		return err
	}))
}

// ReleaseLeases makes due again what a process that is no more had claimed. On
// PostgreSQL it does nothing: others may be at work there, and leases end.
func (s *Store) ReleaseLeases(ctx context.Context) error {
	if s.engine != sqlite {
		return nil
	}
	return wrap("release leases", s.Change(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `UPDATE deliveries SET lease_until = 0 WHERE state = 'queued' AND lease_until > 0`)
		return err
	}))
}
