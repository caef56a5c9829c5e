package database_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/rules"
)

// held is what is true on every engine.
func held(t *testing.T, newShop func(testing.TB) *shop) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *shop)
	}{
		{"the account of the grants passes the self-check and reads nothing else", accountIsNarrow},
		{"arguments stand for question marks outside quotes", argumentsFit},
		{"only a SELECT is run", onlySelects},
		{"a plan is told, and a refusal known", plansAreTold},
		{"the server ends what lasts too long", slowIsEnded},
		{"a locked table is named as that, and leaves nothing behind", lockedIsNamed},
		{"a caller who cancels hears just that", cancelPasses},
		{"there are at most two connections", twoConnections},
		{"a value that can't be read isn't quoted", oddIsNotQuoted},
		{"each missing column and table is named", missingIsNamed},
		{"what is optional and missing is a doubt", optionalIsDoubted},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, newShop(t))
		})
	}
}

func accountIsNarrow(t *testing.T, s *shop) {
	d := s.granted(t).open(t)
	if doubts, err := d.Check(t.Context()); err != nil || len(doubts) > 0 {
		t.Fatalf("Check = %q, %v", doubts, err)
	}
	if !d.Has("order", "key") || !d.Has("failed_jobs", "") || d.Has("order", "secret") || d.Has("nothing", "") {
		t.Error("Has disagrees with the grants")
	}
	if s.account == "" {
		return // SQLite: who reads the file reads all
	}
	for _, statement := range []string{"SELECT secret FROM cards", "SELECT * FROM " + d.Table("order"), "SELECT COUNT(secret) FROM cards"} {
		reason(t, d.Each(t.Context(), database.Short, statement, nil, ignore), rules.LedgerAccess, "grant SELECT")
	}
	for _, statement := range []string{"UPDATE cards SET id = 2", "DELETE FROM cards", "DROP TABLE cards", "CREATE TABLE mine (id int)"} {
		if _, err := d.Pool().ExecContext(t.Context(), statement); err == nil {
			t.Errorf("the account may %s", statement)
		}
	}
}

func argumentsFit(t *testing.T, s *shop) {
	d := s.granted(t).open(t)
	query := "SELECT status FROM " + d.Table("order") + " WHERE " + s.quote("desc") + " LIKE '%s ?' AND id = ? AND number = ? AND 'it''s' <> '?'"
	if got := one[int](t, d, query, int64(1), "N1"); got != 4 {
		t.Errorf("status = %d, want 4", got)
	}
	list, keys := database.Keys([]int64{3, 1, 2})
	if got := one[int](t, d, "SELECT COUNT(*) FROM "+d.Table("order")+" WHERE id IN ("+list+")", keys...); got != 1 {
		t.Errorf("%d rows by key, want 1", got)
	}
	if got := one[int](t, d, "SELECT COUNT(*) FROM "+d.Table("order")+" WHERE number = ?", `N1' OR ''='\`); got != 0 {
		t.Errorf("%d rows by a number that holds quotes, want none", got)
	}
}

func onlySelects(t *testing.T, s *shop) {
	d := s.granted(t).open(t)
	for _, statement := range []string{"UPDATE cards SET id = 2", "", "SELECTED", " SELECT 1", "WITH x AS (SELECT 1) SELECT 1"} {
		if err := d.Each(t.Context(), database.Short, statement, nil, ignore); err == nil || !strings.Contains(err.Error(), "SELECT") {
			t.Errorf("%q: %v", statement, err)
		}
	}
	if got := one[int](t, d, "select\n1"); got != 1 {
		t.Errorf("select in small letters = %d", got)
	}
}

func slowIsEnded(t *testing.T, s *shop) {
	d := s.granted(t).open(t)
	reason(t, d.Each(t.Context(), 200*time.Millisecond, s.slow, nil, ignore), rules.LedgerSlow, "ended")
	s.quiet(t)
	if got := one[int](t, d, "SELECT 1"); got != 1 {
		t.Errorf("thereafter, 1 = %d", got)
	}
}

// quiet makes sure that the server works at nothing for us.
func (s *shop) quiet(t *testing.T) {
	t.Helper()
	if s.waiting == "" {
		return
	}
	var n int
	for end := time.Now().Add(10 * time.Second); ; {
		if err := s.owner.QueryRow(s.waiting).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the server still works at %d statements", n)
		}
	}
}

func lockedIsNamed(t *testing.T, s *shop) {
	d := s.granted(t).open(t)
	query := "SELECT id FROM " + d.Table("order") + " LIMIT 1"
	if got := one[int](t, d, query); got != 1 {
		t.Fatalf("id = %d", got)
	}
	unlock := s.locked(t)
	began := time.Now()
	reason(t, d.Each(t.Context(), database.Short, query, nil, ignore), rules.LedgerLocked, "locked")
	_, err := d.Check(t.Context())
	reason(t, err, rules.LedgerLocked)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("two statements took %v", took)
	}
	if s.waiting != "" {
		var n int
		if err := s.owner.QueryRow(s.waiting).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d statements wait on the server, %v", n, err)
		}
	}
	unlock()
	if got := one[int](t, d, query); got != 1 {
		t.Errorf("when it is unlocked, id = %d", got)
	}
}

func cancelPasses(t *testing.T, s *shop) {
	d := s.granted(t).open(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rows := 0
	err := d.Each(ctx, database.Long, s.forever, nil, func(*sql.Rows) error { rows++; cancel(); return nil })
	if err != context.Canceled || rows == 0 { //nolint:errorlint // it is that, and nothing around it
		t.Errorf("canceled at the first of %d rows: %v", rows, err)
	}
	if err := d.Each(ctx, database.Short, "SELECT 1", nil, ignore); err != context.Canceled { //nolint:errorlint // as above
		t.Errorf("canceled before: %v", err)
	}
	if err := d.Claim(ctx); s.account != "" && !errors.Is(err, context.Canceled) {
		t.Errorf("claim, canceled before: %v", err)
	}
	s.quiet(t)
	if got := one[int](t, d, "SELECT 1"); got != 1 {
		t.Errorf("thereafter, 1 = %d", got)
	}
}

func twoConnections(t *testing.T, s *shop) {
	d := s.granted(t).open(t)
	if err := d.Claim(t.Context()); err != nil {
		t.Fatal(err)
	}
	var open atomic.Int64
	var most int64
	var mu sync.Mutex
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			err := d.Each(t.Context(), database.Long, "SELECT id FROM "+d.Table("order"), nil, func(*sql.Rows) error {
				n := open.Add(1)
				mu.Lock()
				most = max(most, n)
				mu.Unlock()
				if n == 2 {
					if in := d.Pool().Stats().OpenConnections; in > 2 {
						t.Errorf("%d connections", in)
					}
				}
				open.Add(-1)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if in := d.Pool().Stats().OpenConnections; most > 2 || in > 2 {
		t.Errorf("%d statements at once on %d connections", most, in)
	}
}

func oddIsNotQuoted(t *testing.T, s *shop) {
	d := s.granted(t).open(t)
	err := d.Each(t.Context(), database.Short, "SELECT number FROM "+d.Table("order"), nil, func(rows *sql.Rows) error {
		var number int
		return rows.Scan(&number)
	})
	reason(t, err, rules.LedgerSchema, `"number"`)
	if strings.Contains(err.Error(), "N1") {
		t.Errorf("%v quotes the number", err)
	}
	own := errors.New("the driver's own")
	if err := d.Each(t.Context(), database.Short, "SELECT 1", nil, func(*sql.Rows) error { return own }); !errors.Is(err, own) {
		t.Errorf("the row's error comes back as %v", err)
	}
}

func missingIsNamed(t *testing.T, s *shop) {
	s.run(t, "ALTER TABLE "+s.quote("order")+" RENAME COLUMN status TO state")
	s.run(t, "ALTER TABLE "+s.quote("order")+" RENAME COLUMN created_at TO born")
	if s.account != "" {
		s.run(t, fmt.Sprintf("GRANT SELECT ON %s TO %s", s.quote("order"), s.account))
	}
	s.run(t, "DROP TABLE cards")
	if s.engine == database.MySQL { // to an account without any right there, MySQL tells nothing
		s.run(t, fmt.Sprintf("GRANT SELECT ON %s.* TO %s", s.name, s.account))
	}
	_, err := s.open(t).Check(t.Context())
	if !errors.Is(err, ledger.ErrUnfit) {
		t.Fatalf("Check = %v, want it unfit", err)
	}
	reason(t, err, rules.LedgerSchema, `table "order" has no column status, created_at: is the shop shop 1.0, of a version that is supported?`,
		"cards")
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 2 {
		t.Errorf("%d faults, want one a table:\n%v", len(lines), err)
	}
}

func optionalIsDoubted(t *testing.T, s *shop) {
	s.run(t, "ALTER TABLE "+s.quote("order")+" DROP COLUMN number")
	s.run(t, "DROP TABLE failed_jobs")
	want := []string{`column "key" of table "order" may not be read`, `column "number" of table "order" isn't there`, `table "failed_jobs" isn't there`}
	switch s.engine {
	case database.SQLite:
		want = want[1:]
	case database.MySQL:
		want[0] = `column "key" of table "order" may not be read, or isn't there`
		want[1] = `column "number" of table "order" may not be read, or isn't there`
		want[2] = `user "` + strings.Trim(strings.Split(s.account, "@")[0], "'") + `" may read nothing of table "failed_jobs": grant SELECT (id) on it` +
			" (to an account without rights on it, the server doesn't tell a table that isn't there: check the prefix too)"
		fallthrough
	default:
		for _, grant := range book.Grants(s.engine, s.name, "", s.account)[:2] {
			grant = strings.Replace(grant, ", "+s.quote("key")+", "+s.quote("number"), "", 1)
			s.run(t, grant)
		}
	}
	d := s.open(t)
	if d.Has("order", "") || d.Has("order", "key") {
		t.Error("before the first self-check, something can be read")
	}
	doubts, err := d.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(doubts, "\n") != strings.Join(want, "\n") {
		t.Errorf("doubts:\n%s\nwant\n%s", strings.Join(doubts, "\n"), strings.Join(want, "\n"))
	}
	if d.Has("failed_jobs", "") || d.Has("order", "number") || d.Has("order", "key") != (s.account == "") || !d.Has("order", "") {
		t.Error("Has disagrees with the doubts")
	}
}
