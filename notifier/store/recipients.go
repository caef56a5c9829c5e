package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Where a recipient comes from.
const (
	fromConfig       = "config"
	fromSubscription = "subscription"
)

// recipientFields are a recipient's columns as row.scan reads them.
const recipientFields = `id, audience, channel, language, origin, state, address, address_key, wants,
	nonce, nonce_until, nonce_tries, created_at, confirmed_at, problem`

// recipientRow is one row of recipients.
type recipientRow struct {
	notifier.Subscriber
	origin string
}

// scanner is a row, or rows at one of them.
type scanner interface{ Scan(into ...any) error }

func (r *recipientRow) scan(from scanner, seal *seal) error {
	var sealed []byte
	var keyID, wants string
	var until, created, confirmed int64
	if err := from.Scan(&r.ID, &r.Audience, &r.Channel, &r.Language, &r.origin, &r.State, &sealed, &keyID, &wants,
		&r.Nonce, &until, &r.NonceTries, &created, &confirmed, &r.Problem); err != nil {
		return err
	}
	r.NonceUntil, r.Created, r.Confirmed = fromMillis(until), fromMillis(created), fromMillis(confirmed)
	if err := json.Unmarshal([]byte(wants), &r.Wants); err != nil {
		return fmt.Errorf("recipient %d: wants: %w", r.ID, err)
	}
	var err error
	r.Address, err = seal.open(r.ID, keyID, sealed)
	return err
}

// recipientRows runs a SELECT of recipientFields.
func recipientRows(ctx context.Context, on bound, seal *seal, query string, args ...any) ([]recipientRow, error) {
	rows, err := on.query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []recipientRow
	for rows.Next() {
		var r recipientRow
		if err := r.scan(rows, seal); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// recipient finds one by its address, nil where there is none. The row is the
// transaction's own until it ends.
func (t *Tx) recipient(audience rules.Audience, channel, address string) (*recipientRow, error) {
	digests := t.seal.digests(channel, address)
	var r recipientRow
	err := r.scan(t.row(t.ctx, `SELECT `+recipientFields+` FROM recipients WHERE audience = ? AND channel = ? AND address_hash IN (`+marksOf(len(digests))+`)`+
		t.engine.locking(), append([]any{string(audience), channel}, digests...)...), t.seal)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &r, err
}

// insertRecipient keeps a new one and sets its ID.
func (t *Tx) insertRecipient(r *recipientRow) error {
	wants, err := json.Marshal(r.Wants)
	if err != nil {
		return err
	}
	err = t.row(t.ctx, `INSERT INTO recipients (audience, channel, language, origin, state, address, address_key, address_hash, wants,
		nonce, nonce_until, nonce_tries, created_at, confirmed_at, problem) VALUES (?, ?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (audience, channel, address_hash) DO NOTHING RETURNING id`,
		string(r.Audience), r.Channel, string(r.Language), r.origin, string(r.State), []byte{}, t.seal.digest(r.Channel, r.Address), string(wants),
		r.Nonce, millis(r.NonceUntil), r.NonceTries, millis(r.Created), millis(r.Confirmed), r.Problem).Scan(&r.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return errOvertaken
	}
	if err != nil {
		return err
	}
	return t.readdress(r.Recipient) // sealed to its row, whose number is known only now
}

// updateRecipient keeps what may change of one, its address apart.
func (t *Tx) updateRecipient(r *recipientRow) error {
	wants, err := json.Marshal(r.Wants)
	if err != nil {
		return err
	}
	_, err = t.exec(t.ctx, `UPDATE recipients SET language = ?, origin = ?, state = ?, wants = ?, nonce = ?, nonce_until = ?, nonce_tries = ?,
		created_at = ?, confirmed_at = ?, problem = ?, departed_at = 0 WHERE id = ?`,
		string(r.Language), r.origin, string(r.State), string(wants), r.Nonce, millis(r.NonceUntil), r.NonceTries,
		millis(r.Created), millis(r.Confirmed), r.Problem, r.ID)
	return err
}

// problemLeft is why what is for somebody who has left ends unsent.
const problemLeft = "the recipient takes no notices any more"

// SyncPeople makes the recipients of the config file exactly these: those who
// are no longer in it have departed and are told no more. A subscriber who signed
// up keeps the subscription as it is, also where the file names the address.
// Only what changed is written. Welcome, if there is one, is told in the same
// transaction of everybody who is new, or back.
func (s *Store) SyncPeople(ctx context.Context, people []notifier.Recipient, welcome func(*Tx, notifier.Recipient) error) error {
	return wrap("people", s.Change(ctx, func(tx *Tx) error {
		if err := tx.lock("people"); err != nil {
			return err
		}
		had, err := recipientRows(ctx, tx.bound, tx.seal, `SELECT `+recipientFields+` FROM recipients WHERE origin = ?`, fromConfig)
		if err != nil {
			return err
		}
		gone := map[int64]recipientRow{}
		for _, r := range had {
			gone[r.ID] = r
		}
		for _, person := range people {
			id, came, err := tx.syncPerson(person)
			if err != nil {
				return err
			}
			delete(gone, id)
			if !came || welcome == nil {
				continue
			}
			person.ID = id
			if err := welcome(tx, person); err != nil {
				return err
			}
		}
		for _, r := range gone {
			if r.State == notifier.Departed {
				continue
			}
			r.State = notifier.Departed
			if err := tx.updateRecipient(&r); err != nil {
				return err
			}
		}
		return nil
	}))
}

// DropDeparted ends what waits for people who have departed: the channel that would
// find them gone may be configured no longer. What is on its way ends by itself.
func (s *Store) DropDeparted(ctx context.Context, now time.Time) error {
	return wrap("drop", s.Change(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `UPDATE deliveries SET state = 'dropped', done_at = ?, problem = '`+problemLeft+`'
			WHERE state = 'queued' AND lease_until = 0 AND recipient_id IN (SELECT id FROM recipients WHERE state = 'departed')`, millis(now))
		return err
	}))
}

// syncPerson keeps somebody whom the file names; came: they are new, or back.
func (t *Tx) syncPerson(person notifier.Recipient) (id int64, came bool, err error) {
	known, err := t.recipient(person.Audience, person.Channel, person.Address)
	if err != nil {
		return 0, false, err
	}
	if known == nil {
		if known, err = t.movedFrom(person); err != nil {
			return 0, false, err
		}
	} else if _, err := t.exec(t.ctx, `UPDATE recipients SET moved_from = ? WHERE id = ? AND moved_from <> ?`, []byte{}, known.ID, []byte{}); err != nil {
		return 0, false, err // the file names the new address by now
	}
	if known == nil {
		person.State = notifier.Active
		r := recipientRow{Subscriber: notifier.Subscriber{Recipient: person}, origin: fromConfig}
		err := t.insertRecipient(&r)
		return r.ID, true, err
	}
	if known.origin != fromConfig || known.State == notifier.Active && known.Language == person.Language {
		return known.ID, false, nil
	}
	came = known.State != notifier.Active
	known.State, known.Language = notifier.Active, person.Language
	return known.ID, came, t.updateRecipient(known)
}

// rememberMove keeps which address the file names for somebody whom the far side
// is about to move, the first of them where it moves the same one again.
func (t *Tx) rememberMove(mover *recipientRow) error {
	_, err := t.exec(t.ctx, `UPDATE recipients SET moved_from = ? WHERE id = ? AND moved_from = ?`, t.seal.moved(mover.Recipient), mover.ID, []byte{})
	return err
}

// movedFrom finds the person whom the file still names by an address from which
// the far side has moved, nil where there is none.
func (t *Tx) movedFrom(person notifier.Recipient) (*recipientRow, error) {
	var id int64
	err := t.row(t.ctx, `SELECT id FROM recipients WHERE origin = ? AND audience = ? AND channel = ? AND moved_from = ? ORDER BY id DESC LIMIT 1`,
		fromConfig, string(person.Audience), person.Channel, t.seal.moved(person)).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return t.recipientByID(id)
}

// RecipientCount is how many recipients a channel has in a state.
type RecipientCount struct {
	Audience, Channel string
	State             notifier.RecipientState
	N                 int
}

// Recipients counts who is told, by audience, channel and state.
func (s *Store) Recipients(ctx context.Context) ([]RecipientCount, error) {
	rows, err := s.look.query(ctx, `SELECT audience, channel, state, count(*) FROM recipients GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`)
	if err != nil {
		return nil, fmt.Errorf("store: recipients: %w", err)
	}
	defer rows.Close()
	var list []RecipientCount
	for rows.Next() {
		var c RecipientCount
		if err := rows.Scan(&c.Audience, &c.Channel, &c.State, &c.N); err != nil {
			return nil, fmt.Errorf("store: recipients: %w", err)
		}
		list = append(list, c)
	}
	return list, rows.Err()
}
