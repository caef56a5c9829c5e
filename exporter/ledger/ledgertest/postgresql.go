package ledgertest

import (
	"database/sql"
	"net/url"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the database/sql driver "pgx"

	"shopwatch/internal/servertest"
)

// PostgresServer is a private PostgreSQL server whose zone is UTC, wherever the
// shop is. It offers TLS, and takes plain connections too.
type PostgresServer struct{ *servertest.PostgresServer }

// PostgreSQL starts a private server that ends with the test. It takes about
// three seconds, so let one test start it and give it to its subtests, each with
// a database of its own. Without Debian's postgresql the test is skipped, or
// fails if SHOPWATCH_TEST_NO_SKIP is 1.
func PostgreSQL(t testing.TB) *PostgresServer {
	t.Helper()
	s := &PostgresServer{servertest.Postgres(t)}
	s.Exec(t, "ALTER ROLE ALL SET timezone = 'UTC'")
	return s
}

// DSN is a data source name in the form of a URL.
func (s *PostgresServer) DSN(user, password, database string) string {
	dsn := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Host: s.Addr, Path: "/" + database,
		RawQuery: "sslmode=disable"}
	return dsn.String()
}

// Root is a pool of connections that may do everything, closed with the test. A
// statement without arguments may be several in one. A database of "" is the
// server's own, in which CREATE DATABASE and CREATE ROLE are said.
func (s *PostgresServer) Root(t testing.TB, database string) *sql.DB {
	t.Helper()
	if database == "" {
		database = s.Database
	}
	db, err := sql.Open("pgx", s.DSN(s.User, s.Password, database)+"&default_query_exec_mode=simple_protocol")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// NewDatabase makes a database and connects to it as Root does. Its name is
// taken as it stands, so let it be lower-case letters, digits and underscores.
func (s *PostgresServer) NewDatabase(t testing.TB, name string) *sql.DB {
	t.Helper()
	// template0 has no sessions that could be in the way of a copy.
	run(t, s.Root(t, ""), "CREATE DATABASE "+name+" TEMPLATE template0")
	return s.Root(t, name)
}

// NewRole makes an account that may log in, and nothing more than everybody may.
// It belongs to the whole server: name it after the test.
func (s *PostgresServer) NewRole(t testing.TB, name, password string) {
	t.Helper()
	run(t, s.Root(t, ""), "CREATE ROLE "+name+" LOGIN PASSWORD '"+password+"'")
}

func run(t testing.TB, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}
