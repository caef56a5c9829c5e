package database_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/rules"
)

func TestMariaDB(t *testing.T) {
	t.Parallel()
	server := ledgertest.MariaDB(t)
	t.Run("as all engines", func(t *testing.T) {
		held(t, func(t testing.TB) *shop { return mariaShop(t, server) })
	})
	t.Run("own", func(t *testing.T) {
		for _, c := range []struct {
			name string
			test func(*testing.T, *shop, *ledgertest.Server)
		}{
			{"a table without any grant is one sentence", deniedTableIsOneSentence},
			{"a column without a grant is named", deniedColumnIsNamed},
			{"a wrong password, database or user is told apart and nothing is quoted", accessIsNamed},
			{"an account that has all its connections is told so", connectionsAreNamed},
			{"zero dates, NULL and bytes that are no text don't hide other rows", oddRowsAreRead},
			{"no character set lets an argument out of its quotes", argumentsStayQuoted},
			{"the limit reaches MySQL as a hint and MariaDB as a setting", limitIsOfBothServers},
			{"one exporter follows a book", claimIsOnes},
			{"who starts again at once has the claim", func(t *testing.T, s *shop, _ *ledgertest.Server) {
				reclaimed(t, s.granted(t), "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock' AND db = DATABASE()")
			}},
			{"with the claim held a look-up goes on during a poll", claimLeavesARoom},
			{"a claim ends with its connection", claimEndsWithConnection},
			{"a table being altered is locked", alteredIsLocked},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.test(t, mariaShop(t, server), server)
			})
		}
	})
}

func deniedTableIsOneSentence(t *testing.T, s *shop, _ *ledgertest.Server) {
	for _, grant := range book.Grants(s.engine, s.name, "", s.account) {
		if !strings.Contains(grant, "cards") {
			s.run(t, grant)
		}
	}
	_, err := s.open(t).Check(t.Context())
	reason(t, err, rules.LedgerAccess, `may read nothing of table "cards": grant SELECT (id, group) on it`, "check the prefix too")
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than a sentence:\n%v", err)
	}
}

func deniedColumnIsNamed(t *testing.T, s *shop, _ *ledgertest.Server) {
	s.granted(t)
	s.run(t, fmt.Sprintf("REVOKE SELECT (status, `desc`) ON `order` FROM %s", s.account))
	_, err := s.open(t).Check(t.Context())
	reason(t, err, rules.LedgerAccess, `may not read status, desc of table "order": grant SELECT (status, desc) on it`)
	if !errors.Is(err, ledger.ErrUnfit) || strings.Contains(err.Error(), "\n") {
		t.Errorf("Check = %v", err)
	}
}

// asking is the error of any statement by a DSN.
func asking(t testing.TB, dsn string) error {
	t.Helper()
	d, err := database.Open(book, exporter.Ledger{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, err = d.Check(t.Context())
	return err
}

func accessIsNamed(t *testing.T, s *shop, server *ledgertest.Server) {
	s.granted(t)
	user := strings.Trim(strings.Split(s.account, "@")[0], "'")
	for _, c := range []struct{ dsn, words string }{
		{server.DSN(user, "wr0ng-"+password, s.name), "refuses user \"" + user + "\""},
		{server.DSN("nobody", password, s.name), "refuses user \"nobody\""},
		{server.DSN(user, password, "elsewhere"), "database \"elsewhere\" isn't there, or user"},
	} {
		err := asking(t, c.dsn)
		reason(t, err, rules.LedgerAccess, c.words)
		if !errors.Is(err, ledger.ErrUnfit) {
			t.Errorf("%v is not unfit", err)
		}
	}
	s.run(t, "ALTER USER "+s.account+" ACCOUNT LOCK")
	reason(t, asking(t, s.dsn), rules.LedgerAccess, "refuses user")
	reason(t, asking(t, "u:"+password+"@tcp(127.0.0.1:1)/d"), rules.LedgerAway)
	reason(t, asking(t, "u:"+password+"@tcp(no-such-host.invalid:3306)/d"), rules.LedgerAway)
}

func connectionsAreNamed(t *testing.T, s *shop, _ *ledgertest.Server) {
	s.granted(t)
	s.run(t, fmt.Sprintf("ALTER USER %s WITH MAX_USER_CONNECTIONS 1", s.account))
	other, err := sql.Open("mysql", s.dsn)
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

func oddRowsAreRead(t *testing.T, s *shop, _ *ledgertest.Server) {
	conn := s.connection(t)
	exec(t, conn, "SET sql_mode = ''")
	exec(t, conn, "ALTER TABLE `order` MODIFY number varbinary(20), MODIFY created_at datetime(3) NULL")
	exec(t, conn, "INSERT INTO `order` (id, status, created_at, number) VALUES (2, NULL, '0000-00-00 00:00:00', x'fffe41'), (3, 9, NULL, NULL)")
	d := s.granted(t).open(t)
	var moments []time.Time
	var numbers []string
	err := d.Each(t.Context(), database.Short, "SELECT status, created_at, number FROM `order` ORDER BY id", nil, func(rows *sql.Rows) error {
		var status sql.NullInt64
		var created, number sql.NullString
		err := rows.Scan(&status, &created, &number)
		moments, numbers = append(moments, d.Moment(created)), append(numbers, number.String)
		return err
	})
	if err != nil || len(moments) != 3 || moments[0].IsZero() || !moments[1].IsZero() || !moments[2].IsZero() || numbers[1] != "\xff\xfeA" {
		t.Errorf("moments %v, numbers %q, %v", moments, numbers, err)
	}
}

// argumentsStayQuoted asks with a character whose last byte is a backslash in GBK.
func argumentsStayQuoted(t *testing.T, s *shop, _ *ledgertest.Server) {
	s.granted(t)
	for _, settings := range []string{"?charset=gbk", "?charset=gbk,utf8mb4", ""} {
		asked := *s
		asked.dsn += settings
		d := asked.open(t)
		const hostile = "縗' OR 1=1 #"
		if got := one[string](t, d, "SELECT ?", hostile); got != hostile {
			t.Errorf("with %q the argument %q arrives as %q", settings, hostile, got)
		}
		if got := one[string](t, d, "SELECT @@character_set_client"); got != "utf8mb4" {
			t.Errorf("with %q the connection speaks %s", settings, got)
		}
	}
}

func limitIsOfBothServers(t *testing.T, s *shop, _ *ledgertest.Server) {
	d := s.granted(t).open(t)
	if got := one[float64](t, d, "SELECT @@max_statement_time"); got != 2 {
		t.Errorf("within a statement the limit is %v s, want 2", got)
	}
	conn, err := d.Pool().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var limit float64
	var zone string
	if err := conn.QueryRowContext(t.Context(), "SELECT @@max_statement_time, @@time_zone").Scan(&limit, &zone); err != nil || limit != 0 || zone != "+00:00" {
		t.Errorf("after it, limit %v, zone %s, %v", limit, zone, err)
	}
}

func claimIsOnes(t *testing.T, s *shop, _ *ledgertest.Server) {
	claimed(t, s.granted(t))
}

// claimed holds a server that has locks to what Claimer promises.
func claimed(t *testing.T, s *shop) {
	t.Helper()
	first, second := s.open(t), s.open(t)
	for range 3 {
		if err := first.Claim(t.Context()); err != nil {
			t.Fatal(err)
		}
		reason(t, second.Claim(t.Context()), rules.LedgerClaimed, "another exporter follows these books")
	}
	if got := one[int](t, first, "SELECT id FROM cards"); got != 1 {
		t.Errorf("with the claim held, id = %d", got)
	}
	if got := one[int](t, second, "SELECT id FROM cards"); got != 1 {
		t.Errorf("without the claim, id = %d", got)
	}
	elsewhere, err := database.Open(book, exporter.Ledger{DSN: s.dsn, Prefix: "other_"})
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	if err := elsewhere.Claim(t.Context()); err != nil {
		t.Errorf("tables of another prefix are another's book: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	taken(t, second)
}

// reclaimed holds a server that has locks to let an exporter go on that starts
// again at once: the server may not have noticed yet that the one before is gone.
// waiting counts the sessions that wait for such a lock.
func reclaimed(t *testing.T, s *shop, waiting string) {
	t.Helper()
	server := s.connection(t)
	for attempt := 1; ; attempt++ {
		before, after := s.open(t), s.open(t)
		taken(t, before)
		done := make(chan error, 1)
		go func() { done <- after.Claim(context.WithoutCancel(t.Context())) }()
		for waits := 0; waits == 0; {
			if err := server.QueryRowContext(t.Context(), waiting).Scan(&waits); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-done:
				t.Fatalf("while another has the claim, Claim = %v at once", err)
			default:
			}
		}
		if err := before.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err == nil {
			return
		} else if attempt == 5 { // a busy machine may have taken too long
			t.Fatal(err)
		}
	}
}

// taken waits until the server has seen the other connection off.
func taken(t testing.TB, d *database.DB) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		err := d.Claim(t.Context())
		if err == nil {
			return
		}
		if reason(t, err, rules.LedgerClaimed); time.Now().After(end) {
			t.Fatal("the claim isn't taken over")
		}
	}
}

func claimLeavesARoom(t *testing.T, s *shop, _ *ledgertest.Server) {
	roomLeft(t, s.granted(t))
}

func roomLeft(t *testing.T, s *shop) {
	t.Helper()
	d := s.open(t)
	if err := d.Claim(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := d.Each(t.Context(), database.Long, "SELECT id FROM cards", nil, func(*sql.Rows) error {
		if got := one[int](t, d, "SELECT id FROM cards"); got != 1 { // a look-up amid a poll
			t.Errorf("id = %d", got)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if in := d.Pool().Stats().OpenConnections; in != 2 {
		t.Errorf("%d connections, want 2", in)
	}
	if err := d.Claim(t.Context()); err != nil {
		t.Error(err)
	}
	// Errors of statements don't cost the claim.
	other := s.open(t)
	for range 3 {
		reason(t, d.Each(t.Context(), database.Short, "SELECT secret FROM cards", nil, ignore), rules.LedgerAccess)
		reason(t, d.Each(t.Context(), 100*time.Millisecond, s.slow, nil, ignore), rules.LedgerSlow)
		reason(t, other.Claim(t.Context()), rules.LedgerClaimed)
	}
	if err := d.Claim(t.Context()); err != nil {
		t.Error(err)
	}
}

func claimEndsWithConnection(t *testing.T, s *shop, _ *ledgertest.Server) {
	first, second := s.granted(t).open(t), s.open(t)
	if err := first.Claim(t.Context()); err != nil {
		t.Fatal(err)
	}
	killed := one[int64](t, first, "SELECT CONNECTION_ID()")
	s.run(t, fmt.Sprintf("KILL %d", killed))
	taken(t, second)
	// The lost connection costs its owner one statement.
	reason(t, first.Each(t.Context(), database.Short, "SELECT 1", nil, ignore), rules.LedgerAway, "lost")
	if got := one[int](t, first, "SELECT 1"); got != 1 {
		t.Error(got)
	}
	reason(t, first.Claim(t.Context()), rules.LedgerClaimed)
}

func alteredIsLocked(t *testing.T, s *shop, _ *ledgertest.Server) {
	d := s.granted(t).open(t)
	// A reader's transaction holds the ALTER up, which holds all later readers up.
	reader, alter := s.connection(t), s.connection(t)
	exec(t, reader, "START TRANSACTION")
	exec(t, reader, "SELECT id FROM cards")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := alter.ExecContext(ctx, "ALTER TABLE cards ADD COLUMN later int")
		done <- err
	}()
	for waits := 0; waits == 0; {
		if err := s.owner.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for table metadata lock' AND db = ?", s.name).Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	reason(t, d.Each(t.Context(), database.Short, "SELECT id FROM cards", nil, ignore), rules.LedgerLocked, "altered")
	s.quiet(t)
	exec(t, reader, "COMMIT")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := one[int](t, d, "SELECT COUNT(*) FROM cards"); got != 1 {
		t.Errorf("then there are %d rows, want 1", got)
	}
}
