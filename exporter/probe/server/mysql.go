package server

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/go-sql-driver/mysql"

	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// defaultQuery is what a database is asked where the module asks nothing.
const defaultQuery = "SELECT 1"

// MySQL logs in to a MySQL or MariaDB server as the module says, and asks its
// query, which must give at least one row; no more than the first is looked at.
//
// The password goes hashed or RSA-encrypted over a plain connection, never in
// clear text. (The plugin sha256_password, which MySQL 9 has dropped, can't be
// used over TLS.)
func MySQL(ctx context.Context, l *probe.Look) error { return looked(ctx, l, "MySQL", lookMySQL) }

func lookMySQL(ctx context.Context, t *talk) error {
	wanted := t.look.Module().MySQL
	secure, err := t.secure(wanted.TLS)
	if err != nil {
		return err
	}
	if err := t.connect(ctx, nil, maxAnswer); err != nil {
		return err
	}
	end := t.begin("greeting", "waiting for the greeting")
	p, err := greeted(t.wire)
	if err != nil {
		return t.broken(ctx, err, rules.ReasonOther)
	}
	end()

	end = func() {}
	p.login = func() { end = t.begin("auth", "logging in") }
	if secure != nil {
		p.secure = func(conn net.Conn) (net.Conn, error) { return t.look.Secure(ctx, conn, secure) }
	}
	options := mysql.NewConfig()
	options.User, options.Passwd, options.DBName = wanted.User, wanted.Password, wanted.Name
	options.Net, options.Addr = "tcp", t.target
	if secure != nil {
		// TLS is made below the driver, by the look. This is how the driver
		// knows that the connection needs no RSA.
		options.Net, options.AllowCleartextPasswords = "unix", true
	}
	options.Logger = &mysql.NopLogger{}
	options.ConnectionAttributes = "program_name:shopwatch"
	options.DialFunc = func(context.Context, string, string) (net.Conn, error) { return p, nil }
	connector, err := mysql.NewConnector(options)
	if err != nil {
		return probe.Problem(rules.ReasonOther, "the module's options for MySQL can't be used")
	}
	// The wire ends with the context; a context that can't end spares the
	// driver's own watching, which logs and renames errors.
	conn, err := connector.Connect(context.Background())
	if err != nil {
		return p.problem(ctx, t, err, rules.ReasonAuth)
	}
	defer conn.Close()
	end()
	return askMySQL(ctx, t, p, conn, wanted.Query)
}

// askMySQL asks the query and looks for one row.
func askMySQL(ctx context.Context, t *talk, p *packets, conn driver.Conn, query string) error {
	if query == "" {
		query = defaultQuery
	}
	end := t.begin("query", "waiting for the query's answer")
	rows, err := conn.(driver.QueryerContext).QueryContext(context.Background(), query, nil)
	if err != nil {
		return p.problem(ctx, t, err, rules.ReasonQuery)
	}
	err = io.EOF
	if columns := rows.Columns(); len(columns) > 0 {
		err = rows.Next(make([]driver.Value, len(columns)))
	}
	if errors.Is(err, io.EOF) {
		err = probe.Problem(rules.ReasonQuery, "the query gave no row")
	} else if err != nil {
		return p.problem(ctx, t, err, rules.ReasonQuery)
	} else {
		end()
	}
	t.wire.part(ctx)
	rows.Close()
	return err
}

// mysqlErrors are the error numbers that tell something.
var mysqlErrors = map[uint16]struct {
	reason rules.Reason
	words  string
}{
	1040: {rules.ReasonConnect, "too many connections"},
	1041: {rules.ReasonConnect, "the server is out of memory"},
	1053: {rules.ReasonConnect, "the server is shutting down"},
	1077: {rules.ReasonConnect, "the server is shutting down"},
	1079: {rules.ReasonConnect, "the server is shutting down"},
	1135: {rules.ReasonConnect, "the server can't start a thread"},
	1203: {rules.ReasonConnect, "the user has too many connections"},
	1226: {rules.ReasonConnect, "the user has used up what it may"},
	1927: {rules.ReasonConnect, "the connection was killed"},
	3032: {rules.ReasonConnect, "the server is in offline mode"},

	1044: {rules.ReasonAuth, "the user has no right to the database"},
	1045: {rules.ReasonAuth, "wrong user or password"},
	1129: {rules.ReasonAuth, "this machine is blocked after too many failed connections"},
	1130: {rules.ReasonAuth, "this machine may not connect"},
	1142: {rules.ReasonAuth, "the user has no right to the table"},
	1143: {rules.ReasonAuth, "the user has no right to the column"},
	1227: {rules.ReasonAuth, "the user has no right to it"},
	1251: {rules.ReasonAuth, "the user's way of logging in is not supported"},
	1370: {rules.ReasonAuth, "the user has no right to the routine"},
	1524: {rules.ReasonAuth, "the user's authentication plugin is not loaded"},
	1698: {rules.ReasonAuth, "wrong user or password"},
	1820: {rules.ReasonAuth, "the password must be changed first"},
	1862: {rules.ReasonAuth, "the password has expired"},
	3118: {rules.ReasonAuth, "the account is locked"},
	3159: {rules.ReasonAuth, "the server wants TLS"},
	4151: {rules.ReasonAuth, "the account is locked"},

	1049: {rules.ReasonQuery, "there is no such database"},
	1046: {rules.ReasonQuery, "no database is selected"},
	1064: {rules.ReasonQuery, "the query's syntax is wrong"},
	1146: {rules.ReasonQuery, "there is no such table"},
	1205: {rules.ReasonQuery, "a lock was not given in time"},
	1969: {rules.ReasonQuery, "the server gave the query up as too slow"},
	3024: {rules.ReasonQuery, "the server gave the query up as too slow"},
}

// problem makes a problem of the driver's error. Reason is that of an error of
// the server's whose number says no more than the step in which it came.
func (p *packets) problem(ctx context.Context, t *talk, err error, reason rules.Reason) error {
	if p.failure != nil {
		return p.failure
	}
	if refused, ok := errors.AsType[*mysql.MySQLError](err); ok {
		known, ok := mysqlErrors[refused.Number]
		switch {
		case ok:
			return probe.Problem(known.reason, fmt.Sprintf("MySQL error %d: %s", refused.Number, known.words))
		case reason == rules.ReasonAuth:
			return probe.Problem(reason, fmt.Sprintf("MySQL error %d to the login", refused.Number))
		}
		return probe.Problem(reason, fmt.Sprintf("MySQL error %d to the query", refused.Number))
	}
	switch {
	case errors.Is(err, mysql.ErrUnknownPlugin), errors.Is(err, mysql.ErrOldPassword):
		return probe.Problem(rules.ReasonAuth, "the user's way of logging in is not supported")
	case errors.Is(err, mysql.ErrCleartextPassword):
		return probe.Problem(rules.ReasonAuth, "the server wants the password in clear text, which only TLS may carry")
	case errors.Is(p.broke, errTooMuch):
		err = errTooMuch
		if reason == rules.ReasonAuth {
			reason = rules.ReasonOther
		}
	}
	return t.broken(ctx, err, reason)
}
