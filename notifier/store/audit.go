package store

import (
	"context"
	"fmt"
	"math"

	"shopwatch/notifier"
)

// Audit keeps one human act, together with what it did. The database itself
// refuses to change or delete an entry.
func (t *Tx) Audit(e notifier.AuditEntry) error {
	_, err := t.exec(t.ctx, `INSERT INTO audit (at, by, way, deed, subject, detail) VALUES (?, ?, ?, ?, ?, ?)`,
		millis(e.At), e.By, e.Way, e.Deed, e.Subject, e.Detail)
	if err != nil {
		return fmt.Errorf("store: audit %s of %s: %w", e.Deed, e.Subject, err)
	}
	return nil
}

// AuditLog gives what people did to a subject ("": to anything), newest first:
// at most limit entries with an ID below before (0: from the newest on).
func (s *Store) AuditLog(ctx context.Context, subject string, before int64, limit int) ([]notifier.AuditEntry, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	condition, args := `id < ?`, []any{before}
	if subject != "" {
		condition, args = condition+` AND subject = ?`, append(args, subject)
	}
	rows, err := s.look.query(ctx, `SELECT id, at, by, way, deed, subject, detail FROM audit WHERE `+condition+` ORDER BY id DESC LIMIT ?`, append(args, limit)...)
	if err != nil {
		return nil, wrap("audit log", err)
	}
	defer rows.Close()
	var list []notifier.AuditEntry
	for rows.Next() {
		var e notifier.AuditEntry
		var at int64
		if err := rows.Scan(&e.ID, &at, &e.By, &e.Way, &e.Deed, &e.Subject, &e.Detail); err != nil {
			return nil, wrap("audit log", err)
		}
		e.At = fromMillis(at)
		list = append(list, e)
	}
	return list, wrap("audit log", rows.Err())
}
