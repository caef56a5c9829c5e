package database_test

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/rules"
)

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	server := ledgertest.PostgreSQL(t)
	t.Run("as all engines", func(t *testing.T) {
		held(t, func(t testing.TB) *shop { return postgresShop(t, server) })
	})
	t.Run("own", func(t *testing.T) {
		for _, c := range []struct {
			name string
			test func(*testing.T, *shop, *ledgertest.PostgresServer)
		}{
			{"a table without any grant is one sentence", deniedPostgreSQLTable},
			{"a column without a grant is named", deniedPostgreSQLColumn},
			{"rights that everybody has by default may be needed too", everybodysRights},
			{"a wrong password, database or user is told apart and nothing is quoted", postgreSQLAccess},
			{"an account that has all its connections is told so", postgreSQLConnections},
			{"moments of every type are read, and what is none is the zero time", postgreSQLMoments},
			{"a session is left as it was found", sessionStaysClean},
			{"one exporter follows a book", func(t *testing.T, s *shop, _ *ledgertest.PostgresServer) { claimed(t, s.granted(t)) }},
			{"who starts again at once has the claim", func(t *testing.T, s *shop, _ *ledgertest.PostgresServer) {
				reclaimed(t, s.granted(t), "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()")
			}},
			{"with the claim held a look-up goes on during a poll", func(t *testing.T, s *shop, _ *ledgertest.PostgresServer) { roomLeft(t, s.granted(t)) }},
			{"a claim holds nothing up", claimHoldsNothingUp},
			{"a claim ends with its connection", postgreSQLClaimEnds},
			{"a claim whose transaction is gone is no claim", claimNeedsItsTransaction},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.test(t, postgresShop(t, server), server)
			})
		}
	})
}

func deniedPostgreSQLTable(t *testing.T, s *shop, _ *ledgertest.PostgresServer) {
	for _, grant := range book.Grants(s.engine, s.name, "", s.account) {
		if !strings.Contains(grant, "cards") {
			s.run(t, grant)
		}
	}
	_, err := s.open(t).Check(t.Context())
	reason(t, err, rules.LedgerAccess, `user "`+s.account+`" may read nothing of table "cards": grant SELECT (id, group) on it`)
	if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "prefix") {
		t.Errorf("more than a sentence:\n%v", err)
	}
}

func deniedPostgreSQLColumn(t *testing.T, s *shop, _ *ledgertest.PostgresServer) {
	s.granted(t)
	s.run(t, fmt.Sprintf(`REVOKE SELECT (status, "desc") ON "order" FROM %s`, s.account))
	_, err := s.open(t).Check(t.Context())
	reason(t, err, rules.LedgerAccess, `may not read status, desc of table "order": grant SELECT (status, desc) on it`)
	if !errors.Is(err, ledger.ErrUnfit) || strings.Contains(err.Error(), "\n") {
		t.Errorf("Check = %v", err)
	}
}

func everybodysRights(t *testing.T, s *shop, _ *ledgertest.PostgresServer) {
	d := s.granted(t).open(t)
	s.run(t, "REVOKE USAGE ON SCHEMA public FROM PUBLIC")
	_, err := d.Check(t.Context())
	reason(t, err, rules.LedgerSchema, "has USAGE on the schema") // to whom may not use it, there is nothing in it
	s.run(t, "GRANT USAGE ON SCHEMA public TO "+s.account)
	if _, err := d.Check(t.Context()); err != nil {
		t.Error(err)
	}
	s.run(t, fmt.Sprintf("REVOKE CONNECT ON DATABASE %s FROM PUBLIC", s.name))
	err = asking(t, s.dsn)
	reason(t, err, rules.LedgerAccess, s.name)
	s.run(t, fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s", s.name, s.account))
	if err := asking(t, s.dsn); err != nil {
		t.Error(err)
	}
}

func postgreSQLAccess(t *testing.T, s *shop, server *ledgertest.PostgresServer) {
	s.granted(t)
	for _, c := range []struct{ dsn, words string }{
		{server.DSN(s.account, "wr0ng-"+password, s.name), "refuses user \"" + s.account + "\""},
		{server.DSN("nobody", password, s.name), "refuses user \"nobody\""},
		{server.DSN(s.account, password, "elsewhere"), "database \"elsewhere\" isn't there"},
	} {
		err := asking(t, c.dsn)
		reason(t, err, rules.LedgerAccess, c.words)
		if !errors.Is(err, ledger.ErrUnfit) {
			t.Errorf("%v is not unfit", err)
		}
	}
	s.run(t, "ALTER ROLE "+s.account+" NOLOGIN")
	reason(t, asking(t, s.dsn), rules.LedgerAccess, "refuses user")
	reason(t, asking(t, "postgres://u:"+password+"@127.0.0.1:1/d"), rules.LedgerAway)
	reason(t, asking(t, "postgres://u:"+password+"@no-such-host.invalid/d"), rules.LedgerAway)
}

func postgreSQLConnections(t *testing.T, s *shop, _ *ledgertest.PostgresServer) {
	s.granted(t)
	s.run(t, "ALTER ROLE "+s.account+" CONNECTION LIMIT 1")
	other, err := sql.Open("pgx", s.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Ping(); err != nil {
		t.Fatal(err)
	}
	reason(t, asking(t, s.dsn), rules.LedgerConnections, "no more connections")
	other.Close()
	for end := time.Now().Add(10 * time.Second); asking(t, s.dsn) != nil; { // the server takes a moment to see it off
		if time.Now().After(end) {
			t.Fatal(asking(t, s.dsn))
		}
	}
}

func postgreSQLMoments(t *testing.T, s *shop, _ *ledgertest.PostgresServer) {
	d := s.granted(t).open(t)
	at := time.Date(2026, 11, 21, 23, 0, 0, 250000000, time.UTC)
	for _, c := range []struct {
		expression string
		want       time.Time
	}{
		{d.Wall("'2026-11-22 07:00:00.25'::timestamp"), at},
		{d.Instant("'2026-11-21 18:00:00.25-05'::timestamptz"), at},
		{d.Wall("'infinity'::timestamp"), time.Time{}},
		{d.Instant("'-infinity'::timestamptz"), time.Time{}},
		{d.Wall("NULL::timestamp"), time.Time{}},
		{d.Instant("'0044-03-15 12:00:00+00 BC'::timestamptz"), time.Time{}},
	} {
		if got := d.Moment(one[sql.NullString](t, d, "SELECT "+c.expression)); !got.Equal(c.want) && c.want != (time.Time{}) {
			t.Errorf("%s = %v, want %v", c.expression, got, c.want)
		}
	}
}

func sessionStaysClean(t *testing.T, s *shop, _ *ledgertest.PostgresServer) {
	d := s.granted(t).open(t)
	if got := one[string](t, d, "SELECT current_setting('statement_timeout') || current_setting('transaction_read_only') || current_setting('lock_timeout')"); got != "2son1s" {
		t.Errorf("within a statement: %s", got)
	}
	reason(t, d.Each(t.Context(), 100*time.Millisecond, s.slow, nil, ignore), rules.LedgerSlow)
	reason(t, d.Each(t.Context(), database.Short, "SELECT secret FROM cards", nil, ignore), rules.LedgerAccess)
	// One connection is kept idle: it is what a pool in between would hand on.
	conn, err := d.Pool().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var got string
	if err := conn.QueryRowContext(t.Context(), `SELECT concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'),
		current_setting('default_transaction_read_only'), current_setting('search_path'), (SELECT COUNT(*) FROM pg_prepared_statements),
		(SELECT COUNT(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'))`).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if want := `0 0 off "$user", public 0 0`; got != want {
		t.Errorf("the session is left as %s, want %s", got, want)
	}
}

// claimHoldsNothingUp: the claim's transaction is idle for long.
func claimHoldsNothingUp(t *testing.T, s *shop, _ *ledgertest.PostgresServer) {
	s.run(t, fmt.Sprintf("ALTER ROLE %s SET idle_in_transaction_session_timeout = '50ms'", s.account))
	d := s.granted(t).open(t)
	if err := d.Claim(t.Context()); err != nil {
		t.Fatal(err)
	}
	pid := one[int](t, d, "SELECT pg_backend_pid()")
	if got := one[int](t, d, "SELECT id FROM cards"); got != 1 {
		t.Fatal(got)
	}
	var state, locks string
	var xid, xmin sql.NullString
	if err := s.owner.QueryRow("SELECT state, backend_xid, backend_xmin FROM pg_stat_activity WHERE pid = $1", pid).Scan(&state, &xid, &xmin); err != nil {
		t.Fatal(err)
	}
	if err := s.owner.QueryRow("SELECT string_agg(DISTINCT locktype, ' ' ORDER BY locktype) FROM pg_locks WHERE pid = $1", pid).Scan(&locks); err != nil {
		t.Fatal(err)
	}
	if state != "idle in transaction" || xid.Valid || xmin.Valid || locks != "advisory virtualxid" {
		t.Errorf("state %s, xid %v, xmin %v, locks on %s", state, xid, xmin, locks)
	}
	s.run(t, "ALTER TABLE cards ADD COLUMN later int")
	s.run(t, "CREATE INDEX CONCURRENTLY ON cards (later)")
	s.run(t, "VACUUM FULL cards")
	if got := one[int](t, d, "SELECT pg_backend_pid()"); got != pid {
		t.Error("the claim's connection was ended")
	}
	if err := d.Claim(t.Context()); err != nil {
		t.Error(err)
	}
}

func postgreSQLClaimEnds(t *testing.T, s *shop, _ *ledgertest.PostgresServer) {
	first, second := s.granted(t).open(t), s.open(t)
	if err := first.Claim(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.run(t, "SELECT pg_terminate_backend($1)", one[int](t, first, "SELECT pg_backend_pid()"))
	taken(t, second)
	reason(t, first.Each(t.Context(), database.Short, "SELECT 1", nil, ignore), rules.LedgerAway)
	if got := one[int](t, first, "SELECT 1"); got != 1 {
		t.Error(got)
	}
	reason(t, first.Claim(t.Context()), rules.LedgerClaimed)
}

func claimNeedsItsTransaction(t *testing.T, s *shop, _ *ledgertest.PostgresServer) {
	first, second := s.granted(t).open(t), s.open(t)
	if err := first.Claim(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := first.EndTransaction(t.Context()); err != nil {
		t.Fatal(err)
	}
	taken(t, second)
	reason(t, first.Claim(t.Context()), rules.LedgerClaimed)
	if err := second.Claim(t.Context()); err != nil {
		t.Error(err)
	}
}
