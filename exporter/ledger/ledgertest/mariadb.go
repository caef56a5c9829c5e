package ledgertest

import (
	"bytes"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Server is a private MariaDB server. Its own zone is UTC, wherever the shop is.
type Server struct {
	dir  string
	port int
	pid  int
	stop func()
}

// MariaDB starts a private server that ends with the test. It takes about three
// seconds, so let one test start it and give it to its subtests. Without Debian's
// mariadb-server the test is skipped, or fails if SHOPWATCH_TEST_NO_SKIP is 1.
// Flags are mariadbd's own, after those of a small server.
func MariaDB(t testing.TB, flags ...string) *Server {
	t.Helper()
	install, daemon := program(t, "mariadb-install-db"), program(t, "mariadbd")
	// A socket's path is short by law, t.TempDir's isn't.
	dir, err := os.MkdirTemp("", "mariadb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(install, "--no-defaults", "--user="+me.Username, "--datadir="+filepath.Join(dir, "data"),
		"--auth-root-authentication-method=normal", "--skip-test-db").CombinedOutput()
	if err != nil {
		t.Fatalf("install a private MariaDB: %v\n%s", err, out)
	}
	s := &Server{dir: dir, port: FreePort(t)}
	s.start(t, daemon, me.Username, flags)
	return s
}

func (s *Server) start(t testing.TB, daemon, owner string, flags []string) {
	t.Helper()
	var said bytes.Buffer
	command := exec.Command(daemon, append([]string{"--no-defaults", "--user=" + owner, "--datadir=" + filepath.Join(s.dir, "data"),
		"--socket=" + s.socket(), "--pid-file=" + filepath.Join(s.dir, "pid"), "--bind-address=127.0.0.1", fmt.Sprintf("--port=%d", s.port),
		"--default-time-zone=+00:00", "--skip-name-resolve", "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M",
		"--innodb-flush-log-at-trx-commit=0", "--performance-schema=OFF", "--max-connections=60"}, flags...)...)
	command.Stderr = &said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	s.pid = command.Process.Pid
	s.stop = func() {
		command.Process.Kill() // its data is thrown away: no need to wait for an orderly end
		<-ended
	}
	t.Cleanup(s.stop)
	root := s.Root(t, "")
	for deadline := time.Now().Add(60 * time.Second); root.Ping() != nil; {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the private MariaDB ended: %v\n%s", err, said.String())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("the private MariaDB doesn't answer after a minute")
		}
	}
}

func (s *Server) socket() string { return filepath.Join(s.dir, "sock") }

// PID is the process that serves now.
func (s *Server) PID() int { return s.pid }

// Addr is where the server listens.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// DSN is a data source name in go-sql-driver's form.
func (s *Server) DSN(user, password, database string) string {
	return fmt.Sprintf("%s:%s@tcp(%s)/%s", user, password, s.Addr(), database)
}

// Root is a connection that may do everything, closed with the test.
func (s *Server) Root(t testing.TB, database string) *sql.DB {
	t.Helper()
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr, config.DBName = "root", "unix", s.socket(), database
	config.MultiStatements = true
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

// program finds a program of Debian's mariadb-server, also outside a user's PATH.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	reason := name + " isn't installed (package mariadb-server)"
	if os.Getenv("SHOPWATCH_TEST_NO_SKIP") == "1" {
		t.Fatal(reason)
	}
	t.Skip(reason)
	return ""
}

// FreePort is a port of 127.0.0.1 on which nobody listens now.
func FreePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
