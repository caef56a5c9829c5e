package store

import (
	"context"
	"encoding/json"
	"fmt"
)

// body gives the one that a statement finds by a key or ID among what is kept
// whole as JSON, nil where there is none. what names its kind in errors.
func body[T any](ctx context.Context, on bound, what, query, name string) (*T, error) {
	list, err := bodies[T](ctx, on, what+" "+name, query, name)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

// bodies gives all that a statement finds, in its order.
func bodies[T any](ctx context.Context, on bound, what, query string, args ...any) ([]T, error) {
	rows, err := on.query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", what, err)
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		var text string
		var one T
		err := rows.Scan(&text)
		if err == nil {
			err = json.Unmarshal([]byte(text), &one)
		}
		if err != nil {
			return nil, fmt.Errorf("store: %s: %w", what, err)
		}
		list = append(list, one)
	}
	return list, wrap(what, rows.Err())
}
