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

func TestMariaDBThatIsCopiedAndGoesAway(t *testing.T) {
	t.Parallel()
	server := ledgertest.MariaDB(t, "--server-id=1", "--log-bin", "--innodb-flush-log-at-trx-commit=1")
	s := mariaShop(t, server).granted(t)
	t.Run("the lag of a replica is told to who may know it", func(t *testing.T) { mariaLag(t, s, server) })
	start := func() { server.Start(t) }
	t.Run("a server that comes back heals", func(t *testing.T) { comesBack(t, s, server.Stop, start) })
	t.Run("a server that says nothing is away for a caller who won't wait", func(t *testing.T) {
		server.Freeze(t)
		defer server.Thaw(t)
		silent(t, s)
	})
}

func mariaLag(t *testing.T, s *shop, server *ledgertest.Server) {
	host, port, _ := strings.Cut(server.Addr(), ":")
	s.run(t, "CREATE USER copier@'127.0.0.1' IDENTIFIED BY 'c'; GRANT REPLICATION SLAVE ON *.* TO copier@'127.0.0.1';"+
		"CREATE USER monitor@'127.0.0.1' IDENTIFIED BY '"+password+"'; GRANT SLAVE MONITOR, SELECT ON *.* TO monitor@'127.0.0.1'")
	replica := ledgertest.MariaDB(t, "--server-id=2")
	root := replica.Root(t, "")
	run := func(statement string) {
		t.Helper()
		if _, err := root.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	run(fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='%s', MASTER_PORT=%s, MASTER_USER='copier', MASTER_PASSWORD='c', MASTER_USE_GTID=slave_pos", host, port))
	run("START SLAVE")
	open := func(dsn string) *database.DB {
		d, err := database.Open(book, exporter.Ledger{DSN: dsn})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		return d
	}
	copied := open(replica.DSN("monitor", password, s.name))
	lagging(t, copied, func(lag time.Duration, known bool, err error) bool {
		return err == nil && known && lag == 0
	})
	if got := one[int](t, copied, "SELECT id FROM cards"); got != 1 {
		t.Errorf("the replica's row is %d", got)
	}

	user, _, _ := strings.Cut(strings.Trim(s.account, "'"), "'")
	if _, known, err := open(replica.DSN(user, password, s.name)).Lag(t.Context()); known || err != nil {
		t.Errorf("to an account without the right the lag is known: %v, %v", known, err)
	}
	if _, known, err := open(server.DSN("monitor", password, s.name)).Lag(t.Context()); known || err != nil {
		t.Errorf("the lag of a server that is none is known: %v, %v", known, err)
	}

	run("STOP SLAVE")
	run("CHANGE MASTER TO MASTER_DELAY=3600")
	run("START SLAVE")
	past := s.connection(t)
	exec(t, past, "SET timestamp = UNIX_TIMESTAMP() - 100")
	exec(t, past, "INSERT INTO cards VALUES (2, 2, '')")
	lagging(t, copied, func(lag time.Duration, known bool, err error) bool {
		return err == nil && known && lag >= 100*time.Second && lag < 200*time.Second
	})
	run("STOP SLAVE SQL_THREAD")
	_, _, err := copied.Lag(t.Context())
	reason(t, err, rules.LedgerReplica, "doesn't replicate")
	if errors.Is(err, ledger.ErrUnfit) {
		t.Errorf("%v is unfit", err)
	}
	if got := one[int](t, copied, "SELECT COUNT(*) FROM cards"); got != 1 {
		t.Errorf("the replica has %d rows, want 1", got)
	}
}

// lagging waits until the lag is as wanted.
func lagging(t *testing.T, d *database.DB, wanted func(lag time.Duration, known bool, err error) bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		lag, known, err := d.Lag(t.Context())
		if wanted(lag, known, err) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("lag %v, known %v, %v", lag, known, err)
		}
	}
}

func TestPostgreSQLThatIsCopiedAndGoesAway(t *testing.T) {
	t.Parallel()
	server := ledgertest.PostgreSQL(t)
	s := postgresShop(t, server).granted(t)
	stop, start := func() { server.Stop() }, func() { server.Restart(t) } // each time another process
	standby := &ledgertest.PostgresServer{PostgresServer: server.Standby(t)}
	copied := *s
	copied.owner, copied.dsn = standby.Root(t, s.name), standby.DSN(s.account, password, s.name)
	t.Run("a standby holds a claim of its own", func(t *testing.T) {
		claiming, other := copied.open(t), copied.open(t)
		if err := claiming.Claim(t.Context()); err != nil {
			t.Fatal(err)
		}
		reason(t, other.Claim(t.Context()), rules.LedgerClaimed)
	})
	t.Run("a statement in the standby's way is ended", func(t *testing.T) { standbyConflict(t, s, &copied) })
	t.Run("the lag of a standby is told", func(t *testing.T) { standbyLag(t, s, &copied) })
	t.Run("a standby that lost its primary isn't up to date", func(t *testing.T) {
		stop()
		d := copied.open(t)
		lagging(t, d, func(lag time.Duration, known bool, err error) bool { return err == nil && known && lag > 0 })
		start()
		lagging(t, d, func(lag time.Duration, known bool, err error) bool { return err == nil && known && lag == 0 })
	})
	t.Run("a standby that takes over is none", func(t *testing.T) {
		d := copied.open(t)
		if err := d.Claim(t.Context()); err != nil {
			t.Fatal(err)
		}
		copied.run(t, "SELECT pg_promote()")
		lagging(t, d, func(_ time.Duration, known bool, err error) bool { return err == nil && !known })
		if err := d.Claim(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("a server that comes back heals", func(t *testing.T) { comesBack(t, s, stop, start) })
	t.Run("a server that says nothing is away for a caller who won't wait", func(t *testing.T) {
		server.Freeze(t)
		defer server.Thaw(t)
		silent(t, s)
	})
}

func standbyConflict(t *testing.T, primary, standby *shop) {
	primary.run(t, "CREATE TABLE short (id int); GRANT SELECT ON short TO "+primary.account)
	d := standby.open(t)
	done := make(chan error, 1)
	for end := time.Now().Add(20 * time.Second); ; { // until the table has come
		err := d.Each(t.Context(), database.Short, "SELECT id FROM short", nil, ignore)
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	go func() {
		done <- d.Each(t.Context(), database.Long, "SELECT COUNT(*) FROM short, pg_sleep(9)", nil, ignore)
	}()
	for n := 0; n == 0; {
		if err := standby.owner.QueryRow(standby.waiting).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	primary.run(t, "DROP TABLE short")
	reason(t, <-done, rules.LedgerReplica, "the replica had to end the statement")
}

func standbyLag(t *testing.T, primary, standby *shop) {
	d := standby.open(t)
	if _, known, err := primary.open(t).Lag(t.Context()); known || err != nil {
		t.Errorf("the lag of a primary is known: %v, %v", known, err)
	}
	primary.run(t, "INSERT INTO cards VALUES (2, 2, '')")
	lagging(t, d, func(lag time.Duration, known bool, err error) bool { return err == nil && known && lag == 0 })
	standby.run(t, "SELECT pg_wal_replay_pause()")
	primary.run(t, "INSERT INTO cards VALUES (3, 3, '')")
	var least time.Duration
	lagging(t, d, func(lag time.Duration, known bool, err error) bool {
		least = lag
		return err == nil && known && lag > 0
	})
	lagging(t, d, func(lag time.Duration, known bool, err error) bool { return err == nil && known && lag > least })
	if got := one[int](t, d, "SELECT COUNT(*) FROM cards"); got != 2 {
		t.Errorf("the standby has %d rows, want 2", got)
	}
	standby.run(t, "SELECT pg_wal_replay_resume()")
	lagging(t, d, func(lag time.Duration, known bool, err error) bool { return err == nil && known && lag == 0 })
	if got := one[int](t, d, "SELECT COUNT(*) FROM cards"); got != 3 {
		t.Errorf("the standby has %d rows, want 3", got)
	}
}

// silent asks a server that is being frozen: it may answer for a moment yet.
func silent(t *testing.T, s *shop) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		d := s.open(t)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		began := time.Now()
		err := d.Each(ctx, database.Short, "SELECT 1", nil, ignore)
		cancel()
		if err == nil {
			continue
		}
		reason(t, err, rules.LedgerAway)
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("a caller who waits 300 ms waited %v", took)
		}
		return
	}
	t.Error("a frozen server answers")
}

// comesBack holds a server to a restart between, before and amid statements.
func comesBack(t *testing.T, s *shop, stop, start func()) {
	t.Helper()
	claiming, plain := s.open(t), s.open(t)
	if err := claiming.Claim(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := one[int](t, plain, "SELECT id FROM cards WHERE id = 1"); got != 1 {
		t.Fatal(got)
	}
	err := plain.Each(t.Context(), database.Long, s.forever, nil, func(*sql.Rows) error { stop(); return nil })
	reason(t, err, rules.LedgerAway)
	for range 2 {
		reason(t, plain.Each(t.Context(), database.Short, "SELECT id FROM cards WHERE id = 1", nil, ignore), rules.LedgerAway)
		reason(t, claiming.Each(t.Context(), database.Short, "SELECT id FROM cards WHERE id = 1", nil, ignore), rules.LedgerAway)
		reason(t, claiming.Claim(t.Context()), rules.LedgerAway)
		_, err := plain.Check(t.Context())
		if reason(t, err, rules.LedgerAway); errors.Is(err, ledger.ErrUnfit) {
			t.Errorf("%v is unfit", err)
		}
	}
	start()
	for _, d := range []*database.DB{plain, claiming} {
		if got := one[int](t, d, "SELECT id FROM cards WHERE id = 1"); got != 1 {
			t.Errorf("when it is back, id = %d", got)
		}
	}
	if err := claiming.Claim(t.Context()); err != nil {
		t.Error(err)
	}
	reason(t, plain.Claim(t.Context()), rules.LedgerClaimed)
	// Away and back between two statements: nobody has to notice.
	stop()
	start()
	for _, d := range []*database.DB{plain, claiming} {
		if err := d.Each(t.Context(), database.Short, "SELECT id FROM cards WHERE id = 1", nil, ignore); err != nil {
			reason(t, err, rules.LedgerAway)
		}
		if got := one[int](t, d, "SELECT id FROM cards WHERE id = 1"); got != 1 {
			t.Errorf("when it is back again, id = %d", got)
		}
	}
}
