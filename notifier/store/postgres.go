package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// What a replica takes of PostgreSQL's connections, of which a server has 100 by
// default. Each place to be led (Lead) takes one more.
const (
	postgresWriters = 8
	postgresReaders = 4
	connectWithin   = 10 * time.Second
)

// leastPostgres is the oldest version that its makers still mend (2025).
const leastPostgres = 130000

// dialling is how to connect to PostgreSQL.
type dialling struct{ config *pgx.ConnConfig }

// settings of every connection. A replica that is gone without a word, or hangs
// amid a transaction, must not hold its locks for hours.
const settings = `SET idle_in_transaction_session_timeout = '30s';
	SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;
	SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`

func (d *dialling) settle(ctx context.Context, conn *pgx.Conn) error {
	return conn.PgConn().Exec(ctx, settings).Close()
}

// connect opens a connection outside the pools.
func (d *dialling) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, d.config.Copy())
	if err != nil {
		return nil, err
	}
	return conn, d.settle(ctx, conn)
}

func (d *dialling) pool(size int) *sql.DB {
	db := stdlib.OpenDB(*d.config, stdlib.OptionAfterConnect(d.settle))
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db
}

func openPostgres(ctx context.Context, cfg Config) (*Store, error) {
	config, err := pgx.ParseConfig(cfg.PostgresDSN)
	if err != nil { // the error may hold some of what was parsed, and so of a password
		return nil, errors.New("open store: that is no connection string of PostgreSQL, or it names a certificate that can't be read: it looks like postgres://user:password@host:5432/database?sslmode=verify-full")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectWithin
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "shopwatch"
	}
	where := fmt.Sprintf("open store in PostgreSQL at %s, database %s", net.JoinHostPort(config.Host, fmt.Sprint(config.Port)), config.Database)
	dial := &dialling{config}
	read := dial.pool(postgresReaders)
	s := &Store{engine: postgres, write: dial.pool(postgresWriters), read: read, look: bound{postgres, read}, dial: dial}
	if err := s.preparePostgres(ctx, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", where, err), s.Close())
	}
	return s, nil
}

// preparePostgres does what one replica at a time may do.
func (s *Store) preparePostgres(ctx context.Context, cfg Config) error {
	conn, err := s.dial.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var version int
	var encoding string
	var standby, readOnly bool
	err = conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),
		pg_is_in_recovery(), current_setting('transaction_read_only')::bool`).Scan(&version, &encoding, &standby, &readOnly)
	switch {
	case err != nil:
		return err
	case version < leastPostgres:
		return fmt.Errorf("PostgreSQL %d is too old: 13 or newer is needed", version/10000)
	case encoding != "UTF8":
		return fmt.Errorf("the database's encoding is %s: make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0", encoding)
	case standby || readOnly:
		return errors.New("the server takes no writes, as a standby does: name the primary")
	}
	class, object := lockOf("open")
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1, $2)`, class, object); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	return s.openSeal(ctx, cfg)
}

// lockOf names an advisory lock: PostgreSQL knows them by two numbers of 32 bits,
// and ours begin with "shop".
func lockOf(name string) (class, object int32) {
	hash := fnv.New32a()
	hash.Write([]byte(name))
	return 0x73686f70, int32(hash.Sum32())
}

// lock keeps other replicas out of what a name stands for, until the transaction
// ends. SQLite has one writer anyhow.
func (t *Tx) lock(name string) error {
	if t.engine == sqlite || t.locked[name] {
		return nil
	}
	class, object := lockOf(name)
	if _, err := t.exec(t.ctx, `SELECT pg_advisory_xact_lock(?, ?)`, class, object); err != nil {
		return fmt.Errorf("store: wait for other replicas: %w", err)
	}
	if t.locked == nil {
		t.locked = map[string]bool{}
	}
	t.locked[name] = true
	return nil
}

// States of PostgreSQL (appendix A of its manual) after which nothing of the
// transaction has happened, and another try may succeed.
var passing = map[string]bool{
	"40001": true, // serialization_failure
	"40P01": true, // deadlock_detected
	"55P03": true, // lock_not_available
	"57P01": true, // admin_shutdown
	"57P02": true, // crash_shutdown
	"57P03": true, // cannot_connect_now
	"25P03": true, // idle_in_transaction_session_timeout
	"53300": true, // too_many_connections
}

// again reports whether a transaction that broke off may be begun anew.
func (e engine) again(err error) bool {
	if e == sqlite { // waits for its lock by itself
		return false
	}
	if errors.Is(err, errOvertaken) {
		return true
	}
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return passing[answer.Code]
	}
	var commit *commitError
	return !errors.As(err, &commit) && lost(err)
}

// lost reports whether an error is of the connection.
func lost(err error) bool {
	var network *net.OpError
	var refused *pgconn.ConnectError
	return pgconn.SafeToRetry(err) || errors.As(err, &network) || errors.As(err, &refused) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// explainPostgres says what a person can do about an error of the server.
func explainPostgres(err error) error {
	var answer *pgconn.PgError
	switch {
	case errors.As(err, &answer) && answer.Code == "53100": // disk_full
		return fmt.Errorf("the disk of PostgreSQL is full (%w): nothing was changed; make room, and the work goes on by itself", err)
	case errors.As(err, &answer) && answer.Code == "25006": // read_only_sql_transaction
		return fmt.Errorf("PostgreSQL takes no writes (%w): see whether it has become a standby", err)
	case errors.As(err, &answer):
		return err
	case lost(err):
		return fmt.Errorf("PostgreSQL can't be reached (%w): see whether it runs", err)
	}
	return err
}
