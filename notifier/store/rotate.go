package store

import (
	"context"
	"slices"
)

// Reseal seals addresses anew that a previous key sealed, at most limit in one
// transaction, and reports whether there are more. When the last is done, the
// keys before the current one are forgotten: their files are needed no longer.
// Cut short anywhere, it goes on from there the next time.
func (s *Store) Reseal(ctx context.Context, limit int) (more bool, err error) {
	current := s.seal.keys[0].id
	const old = `SELECT id, channel, address, address_key FROM recipients WHERE address_key <> ? ORDER BY id LIMIT ?`
	err = s.Change(ctx, func(tx *Tx) error {
		if err := tx.lock("keys"); err != nil {
			return err
		}
		list, err := tx.sealedRows(old+tx.engine.locking(), current, limit)
		if err != nil {
			return err
		}
		for _, r := range list {
			if err := tx.readdress(r); err != nil {
				return err
			}
		}
		if more = len(list) == limit; more {
			return nil
		}
		_, err = tx.exec(ctx, `DELETE FROM seal_keys WHERE id <> ?`, current)
		return err
	})
	return more, wrap("seal addresses anew", err)
}

// SpareKeyFiles are the files of previous keys that nothing is sealed with any more.
func (s *Store) SpareKeyFiles(ctx context.Context) ([]string, error) {
	var needed []string
	rows, err := s.look.query(ctx, `SELECT id FROM seal_keys`)
	if err != nil {
		return nil, wrap("keys", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, wrap("keys", err)
		}
		needed = append(needed, id)
	}
	var spare []string
	for _, k := range s.seal.keys[1:] {
		if !slices.Contains(needed, k.id) {
			spare = append(spare, k.file)
		}
	}
	return spare, wrap("keys", rows.Err())
}
