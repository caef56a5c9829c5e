package database_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"shopwatch/exporter/ledger/database"
)

// plansAreTold holds an engine to telling how it would run a statement, and to not running it.
func plansAreTold(t *testing.T, s *shop) {
	d := s.granted(t).open(t)
	if err := d.Explain(t.Context(), s.slow, nil, ignore); err != nil {
		t.Error(err)
	}
	steps := 0
	err := d.Explain(t.Context(), "SELECT id FROM "+d.Table("order")+" WHERE id > ?", []any{5}, func(*sql.Rows) error {
		steps++
		return nil
	})
	if err != nil || steps == 0 {
		t.Errorf("%d steps, %v", steps, err)
	}
	if err := d.Explain(t.Context(), "DELETE FROM cards", nil, ignore); err == nil {
		t.Error("what is no SELECT is explained")
	}
	for statement, want := range map[string]bool{"SELECT 1 +": true, "SELECT id FROM nowhere": false, "SELECT 1": false} {
		if err := d.Each(t.Context(), database.Short, statement, nil, ignore); database.Refused(err) != want {
			t.Errorf("%s is refused: %v, want %v: %v", statement, !want, want, err)
		}
	}
	if database.Refused(context.Canceled) || database.Refused(errors.New("x")) {
		t.Error("what no server said is a refusal")
	}
}
