package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// maxIterations bounds what a server makes us compute for a password.
// PostgreSQL's default is 4,096; this is about a tenth of a second.
const maxIterations = 1_000_000

// Postgres logs in to a PostgreSQL server (or PgBouncer before it) as the
// module says, and asks its query, which must give at least one row; no more
// than the first is looked at. Nothing is read of the environment (PGHOST and
// its like), of ~/.pgpass or of a service file.
//
// A password in clear text is given over TLS or to this machine only.
func Postgres(ctx context.Context, l *probe.Look) error {
	return looked(ctx, l, "PostgreSQL", lookPostgres)
}

func lookPostgres(ctx context.Context, t *talk) error {
	wanted := t.look.Module().Postgres
	secure, err := t.secure(wanted.TLS)
	if err != nil {
		return err
	}
	options, err := postgresOptions(wanted)
	if err != nil {
		return err
	}
	if err := t.connect(ctx, nil, maxAnswer); err != nil {
		return err
	}
	var conn net.Conn = t.wire
	if secure != nil {
		if conn, err = startPostgresTLS(ctx, t, secure); err != nil {
			return err
		}
	}
	if secure == nil && !loopback(conn) {
		options.RequireAuth = "!password"
	}
	dialled := false
	options.DialFunc = func(context.Context, string, string) (net.Conn, error) {
		if dialled { // to cancel the query, of which the end of the connection takes care
			return nil, net.ErrClosed
		}
		dialled = true
		return conn, nil
	}

	end := t.begin("auth", "logging in")
	// The wire ends with the context: see MySQL.
	server, err := pgconn.ConnectConfig(context.Background(), options)
	if err != nil {
		return postgresProblem(ctx, t, err, rules.ReasonAuth)
	}
	defer func() {
		// Of a connection that broke, the library takes leave in the background.
		if server.IsClosed() {
			t.wire.Close()
			<-server.CleanupDone()
			return
		}
		server.Close(context.Background())
	}()
	end()
	return askPostgres(ctx, t, server, wanted.Query)
}

// postgresDefaults are the library's, which it insists to make itself, and from
// the environment where the text leaves something open. None of it is kept.
var postgresDefaults = sync.OnceValues(func() (*pgconn.Config, error) {
	return pgconn.ParseConfig("host=127.0.0.1 port=5432 user=unset password=unset database=unset sslmode=disable " +
		"sslcertmode=disable sslrootcert='' sslnegotiation=postgres target_session_attrs=any connect_timeout=0 " +
		"min_protocol_version=3.0 max_protocol_version=3.0 channel_binding=prefer require_auth='' " +
		"krbsrvname='' krbspn=''")
})

// postgresOptions is what the library needs for a login.
func postgresOptions(wanted *exporter.Database) (*pgconn.Config, error) {
	defaults, err := postgresDefaults()
	if err != nil {
		return nil, probe.Problem(rules.ReasonOther, "PGSERVICE in shopwatch's own environment keeps its PostgreSQL client from starting")
	}
	options := defaults.Copy()
	options.User, options.Password, options.Database = wanted.User, wanted.Password, wanted.Name
	options.RuntimeParams = map[string]string{"application_name": "shopwatch"}
	options.TLSConfig, options.Fallbacks, options.ValidateConnect, options.ConnectTimeout = nil, nil, nil, 0
	options.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil } // DialFunc knows better
	options.MaxProtocolMessageBodyLen = maxAnswer
	options.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		return pgproto3.NewFrontend(&postgresReader{reader: bufio.NewReaderSize(r, maxLogin)}, w)
	}
	return options, nil
}

// startPostgresTLS asks the server for TLS and makes the session. The library
// would do it too, but out of the look's sight.
func startPostgresTLS(ctx context.Context, t *talk, secure *tls.Config) (net.Conn, error) {
	t.look.Step("waiting for the answer to SSLRequest")
	request := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 8}, 80877103)
	if _, err := t.wire.Write(request); err != nil {
		return nil, t.broken(ctx, err, rules.ReasonTLS)
	}
	// One byte: what came behind it unencrypted must not pass for encrypted.
	var answer [1]byte
	if _, err := io.ReadFull(t.wire, answer[:]); err != nil {
		return nil, t.broken(ctx, err, rules.ReasonTLS)
	}
	switch answer[0] {
	case 'S':
		return t.look.Secure(ctx, t.wire, secure)
	case 'N':
		return nil, errNoTLS
	}
	return nil, t.foreign()
}

// askPostgres asks the query and looks for one row.
func askPostgres(ctx context.Context, t *talk, server *pgconn.PgConn, query string) error {
	if query == "" {
		query = defaultQuery
	}
	end := t.begin("query", "waiting for the query's answer")
	result := server.ExecParams(context.Background(), query, nil, nil, nil, nil)
	if result.NextRow() {
		end()
		t.wire.part(ctx)
		_, _ = result.Close()
		return nil
	}
	if _, err := result.Close(); err != nil {
		return postgresProblem(ctx, t, err, rules.ReasonQuery)
	}
	return probe.Problem(rules.ReasonQuery, "the query gave no row")
}

// postgresErrors are the SQLSTATEs, or classes of them, that tell something.
var postgresErrors = map[string]struct {
	reason rules.Reason
	words  string
}{
	"08":    {rules.ReasonConnect, "the server or its pooler refuses the connection"},
	"28":    {rules.ReasonAuth, "the user may not log in from here"},
	"53":    {rules.ReasonConnect, "the server is short of resources"},
	"57P":   {rules.ReasonConnect, "the server is shutting down or starting"},
	"58":    {rules.ReasonConnect, "the server has trouble with its system"},
	"28000": {rules.ReasonAuth, "the user may not log in from here"},
	"28P01": {rules.ReasonAuth, "wrong user or password"},
	"42501": {rules.ReasonAuth, "the user has no right to it"},
	"53100": {rules.ReasonConnect, "the disk is full"},
	"53200": {rules.ReasonConnect, "the server is out of memory"},
	"53300": {rules.ReasonConnect, "too many connections"},
	"57P01": {rules.ReasonConnect, "the server is shutting down"},
	"57P02": {rules.ReasonConnect, "the server has crashed"},
	"57P03": {rules.ReasonConnect, "the server is starting, stopping or recovering"},
	"3D000": {rules.ReasonQuery, "there is no such database"},
	"3F000": {rules.ReasonQuery, "there is no such schema"},
	"42601": {rules.ReasonQuery, "the query's syntax is wrong"},
	"42P01": {rules.ReasonQuery, "there is no such table"},
	"57014": {rules.ReasonQuery, "the server gave the query up as too slow"},
	"55P03": {rules.ReasonQuery, "a lock was not given in time"},
	"25006": {rules.ReasonQuery, "the server is read-only"},
	"XX001": {rules.ReasonQuery, "data is damaged"},
	"XX002": {rules.ReasonQuery, "an index is damaged"},
}

// sqlState is the form of PostgreSQL's codes: nothing else of a server's is repeated.
var sqlState = regexp.MustCompile(`^([0-57][0-9A-Z]|F0|HV|P0|XX)[0-9A-Z]{3}$`)

// postgresProblem makes a problem of the library's error. Reason is that of an
// error of the server's whose code says no more than the step in which it came.
func postgresProblem(ctx context.Context, t *talk, err error, reason rules.Reason) error {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		code := refused.Code
		if !sqlState.MatchString(code) {
			return t.foreign()
		}
		for _, key := range []string{code, code[:3], code[:2]} {
			if known, ok := postgresErrors[key]; ok {
				return probe.Problem(known.reason, fmt.Sprintf("PostgreSQL error %s: %s", code, known.words))
			}
		}
		step := "the query"
		if reason == rules.ReasonAuth {
			step = "the login"
		}
		return probe.Problem(reason, fmt.Sprintf("PostgreSQL error %s to %s", code, step))
	}
	if _, ok := errors.AsType[*pgproto3.ExceededMaxBodyLenErr](err); ok {
		err = errTooMuch
	}
	if reason == rules.ReasonAuth {
		if t.wire.met() == nil && bytes.Contains([]byte(err.Error()), []byte("require_auth")) {
			return probe.Problem(reason, "the server wants the password in clear text, which only TLS may carry")
		}
		reason = rules.ReasonOther
	}
	return t.broken(ctx, err, reason)
}

// postgresReader reads the messages of a server for the library, and refuses
// those of a login that would keep it computing: nothing ends that but itself.
type postgresReader struct {
	reader *bufio.Reader
	rest   int // bytes of the message that are still to come
}

// Read reads at most to the end of a message.
func (r *postgresReader) Read(b []byte) (int, error) {
	const header = 5
	if r.rest == 0 {
		head, err := r.reader.Peek(header)
		if err != nil {
			return 0, err
		}
		size := int(binary.BigEndian.Uint32(head[1:])) // of itself and the body
		if size < 4 || size > maxAnswer {
			return 0, errTooMuch
		}
		r.rest = 1 + size
		if head[0] == 'R' {
			if r.rest > maxLogin {
				return 0, errTooMuch
			}
			message, err := r.reader.Peek(r.rest)
			if err != nil {
				return 0, err
			}
			if iterations(message[header:]) > maxIterations {
				return 0, errTooMuch
			}
		}
	}
	n, err := r.reader.Read(b[:min(len(b), r.rest)])
	r.rest -= n
	return n, err
}

// iterations is how often a server's SCRAM challenge wants the password
// hashed, 0 for any other message of a login.
func iterations(body []byte) int {
	const saslContinue = 11
	if len(body) < 4 || binary.BigEndian.Uint32(body) != saslContinue {
		return 0
	}
	at := bytes.LastIndex(body, []byte(",i="))
	if at < 0 {
		return 0
	}
	count, err := strconv.Atoi(string(body[at+3:]))
	if err != nil {
		return 0 // the library refuses it
	}
	return count
}
