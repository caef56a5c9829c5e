package store

import (
	"context"
	"encoding/base64"
	"time"

	"shopwatch/notifier"
)

// paces are the rows of scopes that one claim reads, changes and writes back.
type paces struct {
	tx   *Tx
	now  time.Time
	rows map[string]*pace // by key
	keys map[notifier.Scope]string
}

// pace is how far a scope is spoken for.
type pace struct {
	next    int64 // Unix microseconds: when the burst's last place would be free; GCRA's theoretical arrival time
	blocked int64 // Unix milliseconds: the far side said so
	day     string
	spent   int
	changed bool
}

// key names a scope's row. What is private in it is there as a keyed hash alone.
func (t *Tx) key(scope notifier.Scope) string {
	if scope.Private == "" {
		return scope.Name
	}
	return scope.Name + "/" + base64.RawStdEncoding.EncodeToString(t.seal.scope(scope.Name, scope.Private))
}

// load reads the rows of scopes that are not there yet, in one statement.
func (p *paces) load(scopes []notifier.Scope) error {
	var keys []any
	for _, scope := range scopes {
		if _, known := p.keys[scope]; known {
			continue
		}
		key := p.tx.key(scope)
		p.keys[scope] = key
		if p.rows[key] == nil {
			p.rows[key] = &pace{}
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	rows, err := p.tx.query(p.tx.ctx, `SELECT scope, next_at, blocked_until, day, spent FROM paces WHERE scope IN (`+marksOf(len(keys))+`)`, keys...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		var row pace
		if err := rows.Scan(&key, &row.next, &row.blocked, &row.day, &row.spent); err != nil {
			return err
		}
		*p.rows[key] = row
	}
	return rows.Err()
}

// lock keeps other replicas from claiming on the channel until this transaction ends.
func (p *paces) lock(whole notifier.Scope) error {
	if p.tx.engine == sqlite {
		return nil
	}
	if _, err := p.tx.exec(p.tx.ctx, `INSERT INTO paces (scope) VALUES (?) ON CONFLICT (scope) DO NOTHING`, whole.Name); err != nil {
		return err
	}
	_, err := p.tx.exec(p.tx.ctx, `SELECT 1 FROM paces WHERE scope = ? FOR UPDATE`, whole.Name)
	return err
}

const dayForm = "2006-01-02"

func (p *paces) row(scope notifier.Scope) *pace { return p.rows[p.keys[scope]] }

// free is the first moment, from now on, at which one more message of the scope may go.
func (p *paces) free(scope notifier.Scope) (at time.Time, spent bool) {
	row := p.row(scope)
	if scope.Daily > 0 && row.day == p.now.Format(dayForm) && row.spent >= scope.Daily {
		year, month, day := p.now.Date()
		return time.Date(year, month, day+1, 0, 0, 0, 0, p.now.Location()), true
	}
	at = p.now
	if blocked := fromMillis(row.blocked); blocked.After(at) {
		at = blocked
	}
	if scope.Pace.Limited() {
		ahead := time.Duration(max(1, scope.Pace.Burst)-1) * scope.Pace.Interval()
		if next := time.UnixMicro(row.next).Add(-ahead); next.After(at) {
			at = next
		}
	}
	return at, false
}

// take reserves a message of the scope at a moment.
func (p *paces) take(scope notifier.Scope, at time.Time) {
	row := p.row(scope)
	if scope.Pace.Limited() {
		row.next = max(row.next, at.UnixMicro()) + max(1, scope.Pace.Interval().Microseconds())
		row.changed = true
	}
	if scope.Daily > 0 {
		if today := p.now.Format(dayForm); row.day != today {
			row.day, row.spent = today, 0
		}
		row.spent++
		row.changed = true
	}
}

// save writes back what changed, many rows in one statement.
func (p *paces) save() error {
	const most = 100
	var args []any
	values := ""
	flush := func() error {
		if len(args) == 0 {
			return nil
		}
		_, err := p.tx.exec(p.tx.ctx, `INSERT INTO paces (scope, next_at, day, spent) VALUES `+values+`
			ON CONFLICT (scope) DO UPDATE SET next_at = excluded.next_at, day = excluded.day, spent = excluded.spent`, args...)
		args, values = args[:0], ""
		return err
	}
	for key, row := range p.rows {
		if !row.changed {
			continue
		}
		if values != "" {
			values += ", "
		}
		values += "(?, ?, ?, ?)"
		args = append(args, key, row.next, row.day, row.spent)
		if len(args) >= 4*most {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// block has a scope wait until the far side listens again.
func (t *Tx) block(scope notifier.Scope, until time.Time) error {
	_, err := t.exec(t.ctx, `INSERT INTO paces (scope, blocked_until) VALUES (?, ?) ON CONFLICT (scope) DO UPDATE
		SET blocked_until = `+t.engine.later("paces.blocked_until", "excluded.blocked_until"), t.key(scope), millisUp(until))
	return err
}

// unspend gives a day's limit back what a try did not use.
func (t *Tx) unspend(scope notifier.Scope) error {
	_, err := t.exec(t.ctx, `UPDATE paces SET spent = spent - 1 WHERE scope = ? AND spent > 0`, t.key(scope))
	return err
}

// millisUp keeps a moment no earlier than it is.
func millisUp(t time.Time) int64 { return t.Add(time.Millisecond - time.Nanosecond).UnixMilli() }

// ForgetPaces deletes at most limit rows of scopes that hold nobody back any
// more: those last used before a moment, which is a day or more ago.
func (s *Store) ForgetPaces(ctx context.Context, before time.Time, limit int) (more bool, err error) {
	err = s.work(ctx, func(tx *Tx) error {
		done, err := tx.exec(ctx, `DELETE FROM paces WHERE scope IN (SELECT scope FROM paces WHERE next_at < ? AND blocked_until < ? AND day < ? LIMIT ?)`,
			before.UnixMicro(), millis(before), before.Format(dayForm), limit)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		more = n == int64(limit)
		return err
	})
	return more, wrap("forget paces", err)
}
