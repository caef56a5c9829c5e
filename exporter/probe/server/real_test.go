package server_test

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/prometheus/common/config"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/internal/servertest"
	"shopwatch/rules"
)

// soon is a timeout that a healthy server never reaches and a test waits for.
const soon = time.Second

// patience is the timeout of looks at servers that answer.
const patience = time.Minute

func TestARealMariaDB(t *testing.T) {
	t.Parallel()
	s := ledgertest.MariaDB(t)
	root := s.Root(t, "")
	mustExec(t, root, `CREATE DATABASE shop; CREATE TABLE shop.orders (id INT); CREATE TABLE shop.cards (secret TEXT);
		CREATE USER watcher@'127.0.0.1' IDENTIFIED BY 'watcher-s3cret'; GRANT SELECT ON shop.orders TO watcher@'127.0.0.1';
		CREATE USER locked@'127.0.0.1' IDENTIFIED BY 'watcher-s3cret' ACCOUNT LOCK;
		CREATE USER single@'127.0.0.1' IDENTIFIED BY 'watcher-s3cret' WITH MAX_USER_CONNECTIONS 1;
		CREATE USER elsewhere@'203.0.113.9' IDENTIFIED BY 'watcher-s3cret';`)
	see := func(timeout time.Duration, change func(*exporter.Database)) exporter.Reading {
		return look(mysqlModule(func(d *exporter.Database) {
			d.Password = "watcher-s3cret"
			if change != nil {
				change(d)
			}
		}), s.Addr(), timeout)
	}
	mustSucceed(t, see(patience, nil), "greeting", "auth", "query")
	mustSucceed(t, see(patience, func(d *exporter.Database) { d.Name, d.Query = "shop", "SELECT COUNT(*) FROM orders" }), "greeting", "auth", "query")
	mustSucceed(t, see(patience, func(d *exporter.Database) {
		d.User, d.Password, d.Query = "root", "", "SELECT seq FROM shop.seq_1_to_1000000"
	}), "greeting", "auth", "query")

	for name, c := range map[string]struct {
		change func(*exporter.Database)
		reason rules.Reason
		detail string
	}{
		"a wrong password":      {func(d *exporter.Database) { d.Password = canary }, rules.ReasonAuth, "1045"},
		"no password":           {func(d *exporter.Database) { d.Password = "" }, rules.ReasonAuth, "1045"},
		"a user of elsewhere":   {func(d *exporter.Database) { d.User = "elsewhere" }, rules.ReasonAuth, "1045"},
		"a locked account":      {func(d *exporter.Database) { d.User = "locked" }, rules.ReasonAuth, "4151: the account is locked"},
		"a foreign database":    {func(d *exporter.Database) { d.Name = "mysql" }, rules.ReasonAuth, "1044"},
		"a database of no name": {func(d *exporter.Database) { d.User, d.Password, d.Name = "root", "", "gone" }, rules.ReasonQuery, "1049: there is no such database"},
		"a forbidden table":     {func(d *exporter.Database) { d.Name, d.Query = "shop", "SELECT * FROM cards" }, rules.ReasonAuth, "1142"},
		"a missing table":       {func(d *exporter.Database) { d.User, d.Password, d.Query = "root", "", "SELECT * FROM shop.gone" }, rules.ReasonQuery, "1146"},
		"no row":                {func(d *exporter.Database) { d.Name, d.Query = "shop", "SELECT * FROM orders" }, rules.ReasonQuery, "the query gave no row"},
		"a statement":           {func(d *exporter.Database) { d.Query = "DO 1" }, rules.ReasonQuery, "the query gave no row"},
		"two statements":        {func(d *exporter.Database) { d.Query = "SELECT 1; SELECT 1" }, rules.ReasonQuery, "1064"},
		"a row too long":        {func(d *exporter.Database) { d.Query = "SELECT REPEAT('x', 2000000)" }, rules.ReasonQuery, "more than a look reads"},
		"TLS that isn't there":  {func(d *exporter.Database) { d.TLS = new(config.TLSConfig) }, rules.ReasonTLS, "offers no TLS"},
	} {
		t.Run(name, func(t *testing.T) { mustFail(t, see(patience, c.change), c.reason, c.detail) })
	}
	t.Run("a query that takes too long", func(t *testing.T) {
		mustFail(t, see(soon, func(d *exporter.Database) { d.Query = "SELECT SLEEP(60)" }), rules.ReasonTimeout, "still waiting for the query's answer")
	})
	t.Run("a user with too many connections", func(t *testing.T) {
		db, err := sql.Open("mysql", s.DSN("single", "watcher-s3cret", ""))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Ping(); err != nil {
			t.Fatal(err)
		}
		mustFail(t, see(patience, func(d *exporter.Database) { d.User = "single" }), rules.ReasonConnect, "MySQL error 1226")
	})
	t.Run("looks leave in order", func(t *testing.T) {
		var name, before, after string
		count := func(to *string) {
			if err := root.QueryRow("SHOW GLOBAL STATUS LIKE 'Aborted_clients'").Scan(&name, to); err != nil {
				t.Fatal(err)
			}
		}
		count(&before)
		for range 5 {
			mustSucceed(t, see(patience, nil), "greeting", "auth", "query")
		}
		count(&after)
		if before != after {
			t.Errorf("the server counts %s aborted clients, before %s", after, before)
		}
	})
	var file, text string
	if err := root.QueryRow("SELECT @@pid_file").Scan(&file); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = strings.TrimSpace(string(content))
	pid, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("a server too full for anybody", func(t *testing.T) {
		mustExec(t, root, "SET GLOBAL max_connections = 10")
		var held []*sql.Conn
		db := s.Root(t, "")
		for range 40 {
			conn, err := db.Conn(context.Background())
			if err != nil {
				break
			}
			held = append(held, conn)
		}
		mustFail(t, see(patience, nil), rules.ReasonConnect, "MySQL error 1040: too many connections")
		for _, conn := range held {
			conn.Close()
		}
	})
	t.Run("a frozen server", func(t *testing.T) {
		signal(t, pid, syscall.SIGSTOP)
		defer signal(t, pid, syscall.SIGCONT)
		mustFail(t, see(soon, nil), rules.ReasonTimeout, "still waiting for the greeting")
	})
	t.Run("a stopped server", func(t *testing.T) {
		_, _ = root.Exec("SHUTDOWN")
		awaitRefusal(t, s.Addr())
		mustFail(t, see(patience, nil), rules.ReasonConnect, "refused")
	})
}

func TestARealPostgreSQL(t *testing.T) {
	t.Parallel()
	s := servertest.Postgres(t)
	s.Exec(t, `CREATE TABLE orders (id INT); CREATE TABLE cards (secret TEXT);
		CREATE USER watcher PASSWORD 'watcher-s3cret'; GRANT SELECT ON orders TO watcher;
		CREATE USER barred PASSWORD 'watcher-s3cret' NOLOGIN; CREATE USER single PASSWORD 'watcher-s3cret' CONNECTION LIMIT 0`)
	see := func(timeout time.Duration, change func(*exporter.Database)) exporter.Reading {
		return look(postgresModule(func(d *exporter.Database) {
			d.Password, d.Name = "watcher-s3cret", s.Database
			if change != nil {
				change(d)
			}
		}), s.Addr, timeout)
	}
	mustSucceed(t, see(patience, nil), "auth", "query")
	mustSucceed(t, see(patience, func(d *exporter.Database) { d.Query = "SELECT COUNT(*) FROM orders" }), "auth", "query")
	mustSucceed(t, see(patience, func(d *exporter.Database) { d.Query = "SELECT generate_series(1, 1000000)" }), "auth", "query")

	secure := see(patience, func(d *exporter.Database) { d.TLS = trusting(s.Authority.File) })
	mustSucceed(t, secure, "tls", "auth", "query")
	if _, ok := value(secure, &rules.ProbeSSLExpiry); !ok {
		t.Error("the certificate is not told")
	}
	for name, c := range map[string]struct {
		change func(*exporter.Database)
		reason rules.Reason
		detail string
	}{
		"a wrong password":       {func(d *exporter.Database) { d.Password = canary }, rules.ReasonAuth, "28P01: wrong user or password"},
		"no password":            {func(d *exporter.Database) { d.Password = "" }, rules.ReasonAuth, "28P01"},
		"a user of no name":      {func(d *exporter.Database) { d.User = "gone" }, rules.ReasonAuth, "28P01"},
		"a user who may not":     {func(d *exporter.Database) { d.User = "barred" }, rules.ReasonAuth, "28000"},
		"a user with too many":   {func(d *exporter.Database) { d.User = "single" }, rules.ReasonConnect, "53300: too many connections"},
		"a database of no name":  {func(d *exporter.Database) { d.Name = "gone" }, rules.ReasonQuery, "3D000: there is no such database"},
		"a forbidden table":      {func(d *exporter.Database) { d.Query = "SELECT * FROM cards" }, rules.ReasonAuth, "42501"},
		"a missing table":        {func(d *exporter.Database) { d.Query = "SELECT * FROM gone" }, rules.ReasonQuery, "42P01"},
		"no row":                 {func(d *exporter.Database) { d.Query = "SELECT * FROM orders" }, rules.ReasonQuery, "the query gave no row"},
		"a statement":            {func(d *exporter.Database) { d.Query = "SET work_mem = '1MB'" }, rules.ReasonQuery, "the query gave no row"},
		"two statements":         {func(d *exporter.Database) { d.Query = "SELECT 1; SELECT 1" }, rules.ReasonQuery, "42601"},
		"an error after a while": {func(d *exporter.Database) { d.Query = "SELECT 1/(2-2)" }, rules.ReasonQuery, "22012 to the query"},
		"a row too long":         {func(d *exporter.Database) { d.Query = "SELECT repeat('x', 2000000)" }, rules.ReasonQuery, "more than a look reads"},
		"a stranger's server":    {func(d *exporter.Database) { d.TLS = new(config.TLSConfig) }, rules.ReasonCertificate, "unknown authority"},
		"copying out":            {func(d *exporter.Database) { d.Query = "COPY orders TO STDOUT" }, rules.ReasonQuery, ""},
	} {
		t.Run(name, func(t *testing.T) { mustFail(t, see(patience, c.change), c.reason, c.detail) })
	}
	t.Run("a query that takes too long", func(t *testing.T) {
		mustFail(t, see(soon, func(d *exporter.Database) { d.Query = "SELECT pg_sleep(60)" }), rules.ReasonTimeout, "still waiting for the query's answer")
	})
	t.Run("a frozen server", func(t *testing.T) {
		s.Freeze(t)
		defer s.Thaw(t)
		mustFail(t, see(soon, nil), rules.ReasonTimeout, "still logging in")
	})
	t.Run("a stopped server", func(t *testing.T) {
		s.Stop()
		mustFail(t, see(patience, nil), rules.ReasonConnect, "refused")
	})
}

func TestARealRedis(t *testing.T) {
	t.Parallel()
	s := servertest.Redis(t)
	see := func(timeout time.Duration, target string, change func(*exporter.Redis)) exporter.Reading {
		return look(redisModule(func(r *exporter.Redis) {
			r.Password = s.Password
			if change != nil {
				change(r)
			}
		}), target, timeout)
	}
	watcher := func(r *exporter.Redis) { r.User, r.Password = s.User, s.UserPassword }
	mustSucceed(t, see(patience, s.Addr, nil), "auth", "query")
	mustSucceed(t, see(patience, s.Addr, watcher), "auth", "query")
	mustSucceed(t, see(patience, s.Addr, func(r *exporter.Redis) { r.Database = 3 }), "auth", "query")
	mustSucceed(t, see(patience, s.TLSAddr, func(r *exporter.Redis) { r.TLS = trusting(s.Authority.File) }), "tls", "auth", "query")
	for name, c := range map[string]struct {
		change func(*exporter.Redis)
		reason rules.Reason
		detail string
	}{
		"a wrong password":      {func(r *exporter.Redis) { r.Password = canary }, rules.ReasonAuth, "WRONGPASS"},
		"a wrong user":          {func(r *exporter.Redis) { r.User = "gone" }, rules.ReasonAuth, "WRONGPASS"},
		"no password":           {func(r *exporter.Redis) { r.Password = "" }, rules.ReasonAuth, "NOAUTH"},
		"a user without right":  {func(r *exporter.Redis) { r.User, r.Password = s.Forbidden, s.ForbiddenPW }, rules.ReasonAuth, "NOPERM"},
		"a database of no name": {func(r *exporter.Redis) { r.Database = 99 }, rules.ReasonQuery, "there is no such database"},
	} {
		t.Run(name, func(t *testing.T) { mustFail(t, see(patience, s.Addr, c.change), c.reason, c.detail) })
	}
	t.Run("a stranger's server", func(t *testing.T) {
		mustFail(t, see(patience, s.TLSAddr, func(r *exporter.Redis) { r.TLS = new(config.TLSConfig) }), rules.ReasonCertificate, "unknown authority")
	})
	t.Run("TLS that isn't there", func(t *testing.T) { // the server waits for the end of the line
		mustFail(t, see(soon, s.Addr, func(r *exporter.Redis) { r.TLS = new(config.TLSConfig) }), rules.ReasonTimeout, "still in the TLS handshake")
	})
	t.Run("a server that speaks another protocol", func(t *testing.T) {
		for kind, module := range map[string]exporter.Module{"mysql": mysqlModule(nil), "postgres": postgresModule(nil), "smtp": smtpModule(nil)} {
			if reading := look(module, s.Addr, soon); reading.Success || reading.Reason == rules.ReasonAuth {
				t.Errorf("%s: success %v, %s %q", kind, reading.Success, reading.Reason, reading.Detail)
			}
		}
	})
	t.Run("a server too full for anybody", func(t *testing.T) {
		if answer := s.Do(t, "CONFIG SET maxclients 1"); answer != "+OK\r\n" {
			t.Fatal(answer)
		}
		conn, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		mustFail(t, see(patience, s.Addr, nil), rules.ReasonConnect, "")
		conn.Close()
	})
	t.Run("a frozen server", func(t *testing.T) {
		s.Freeze(t)
		defer s.Thaw(t)
		mustFail(t, see(soon, s.Addr, nil), rules.ReasonTimeout, "still logging in")
	})
	t.Run("a stopped server", func(t *testing.T) {
		s.Stop()
		mustFail(t, see(patience, s.Addr, nil), rules.ReasonConnect, "refused")
	})
}

// mailbox is a mail server that knows one password and takes no mail.
type mailbox struct{}

func (mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return mailSession{}, nil }

type mailSession struct{}

func (mailSession) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }
func (mailSession) Auth(mechanism string) (sasl.Server, error) {
	check := func(user, password string) error {
		if user != "watcher" || password != "watcher-s3cret" {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "not " + password}
		}
		return nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}
func (mailSession) Reset()                               {}
func (mailSession) Logout() error                        { return nil }
func (mailSession) Mail(string, *smtp.MailOptions) error { return errors.New("a look sends no mail") }
func (mailSession) Rcpt(string, *smtp.RcptOptions) error { return errors.New("a look sends no mail") }
func (mailSession) Data(io.Reader) error {
	return errors.New("a look sends no mail")
}

func TestARealMailServer(t *testing.T) {
	t.Parallel()
	authority := servertest.NewAuthority(t)
	_, _, certificate := authority.Issue(t, time.Now().Add(time.Hour))
	serve := func(change func(*smtp.Server, net.Listener) net.Listener) string {
		s := smtp.NewServer(mailbox{})
		s.Domain = "mail.example"
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := listener.Addr().String()
		listener = change(s, listener)
		go func() { _ = s.Serve(listener) }()
		t.Cleanup(func() { s.Close() })
		return address
	}
	starttls := serve(func(_ *smtp.Server, l net.Listener) net.Listener { return l })
	implicit := serve(func(s *smtp.Server, l net.Listener) net.Listener { return tls.NewListener(l, s.TLSConfig) })
	plain := serve(func(s *smtp.Server, l net.Listener) net.Listener {
		s.TLSConfig, s.AllowInsecureAuth = nil, true
		return l
	})
	module := func(encryption exporter.Encryption, user, password string) exporter.Module {
		return smtpModule(func(o *exporter.SMTP) {
			o.Encryption, o.User, o.Password, o.TLS = encryption, user, password, *trusting(authority.File)
		})
	}
	for name, c := range map[string]struct {
		target     string
		encryption exporter.Encryption
		phases     []string
	}{
		"starttls": {starttls, exporter.EncryptionSTARTTLS, []string{"tls", "greeting", "auth"}},
		"implicit": {implicit, exporter.EncryptionImplicit, []string{"tls", "greeting", "auth"}},
		"plain":    {plain, exporter.EncryptionNone, []string{"greeting", "auth"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mustSucceed(t, look(module(c.encryption, "watcher", "watcher-s3cret"), c.target, patience), c.phases...)
			mustFail(t, look(module(c.encryption, "watcher", canary), c.target, patience), rules.ReasonAuth, "SMTP code 535 to the login: wrong user or password")
			mustSucceed(t, look(module(c.encryption, "", ""), c.target, patience), c.phases[:len(c.phases)-1]...)
		})
	}
	t.Run("STARTTLS must be offered", func(t *testing.T) {
		t.Parallel()
		mustFail(t, look(module(exporter.EncryptionSTARTTLS, "", ""), plain, patience), rules.ReasonTLS, "doesn't offer STARTTLS")
	})
	t.Run("a login that is offered under TLS only", func(t *testing.T) {
		t.Parallel()
		mustFail(t, look(module(exporter.EncryptionNone, "watcher", "watcher-s3cret"), starttls, patience), rules.ReasonAuth, "offers neither")
	})
}

func mustExec(t *testing.T, db *sql.DB, statements string) {
	t.Helper()
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
}

func signal(t *testing.T, pid int, signal syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, signal); err != nil {
		t.Fatal(fmt.Errorf("signal %v to %d: %w", signal, pid, err))
	}
}

// awaitRefusal waits until nobody listens any more.
func awaitRefusal(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("the server doesn't stop")
		}
	}
}
