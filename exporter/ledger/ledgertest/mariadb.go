package ledgertest

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"shopwatch/internal/servertest"
)

// Server is a private MariaDB server. Its own zone is UTC, wherever the shop is.
type Server struct {
	dir       string
	port      int
	arguments []string // mariadbd and its own
	process   *os.Process
	ended     chan struct{}
	said      *bytes.Buffer // may be read when ended is closed
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
	// In the system's tmpdir two servers delete each other's tables.
	out, err := exec.Command(install, "--no-defaults", "--user="+me.Username, "--datadir="+filepath.Join(dir, "data"),
		"--auth-root-authentication-method=normal", "--skip-test-db", "--tmpdir="+dir).CombinedOutput()
	if err != nil {
		t.Fatalf("install a private MariaDB: %v\n%s", err, out)
	}
	s := &Server{dir: dir, port: servertest.FreePort(t)}
	s.arguments = append([]string{daemon, "--no-defaults", "--user=" + me.Username, "--datadir=" + filepath.Join(dir, "data"),
		"--tmpdir=" + dir, "--socket=" + s.socket(), "--pid-file=" + filepath.Join(dir, "pid"), "--bind-address=127.0.0.1", fmt.Sprintf("--port=%d", s.port),
		"--default-time-zone=+00:00", "--skip-name-resolve", "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M",
		"--innodb-flush-log-at-trx-commit=0", "--performance-schema=OFF", "--max-connections=60"}, flags...)
	s.Start(t)
	return s
}

// Start starts the server, also again after Stop, on its port and data.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	command := exec.Command(s.arguments[0], s.arguments[1:]...)
	ended := make(chan struct{})
	s.said, s.ended = new(bytes.Buffer), ended
	command.Stderr = s.said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	s.process = command.Process
	go func() {
		defer close(ended)
		_ = command.Wait()
	}()
	t.Cleanup(s.Stop)
	root := s.Root(t, "")
	for deadline := time.Now().Add(60 * time.Second); root.Ping() != nil; {
		select {
		case <-ended:
			t.Fatalf("the private MariaDB ended: %s", s.said)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("the private MariaDB doesn't answer after a minute")
		}
	}
}

// Stop kills the server, as a crash would. It may be called twice.
func (s *Server) Stop() {
	_ = s.process.Kill()
	<-s.ended
}

// Freeze stops the server amid whatever it does: connections to it are still
// taken by the system, and nothing answers.
func (s *Server) Freeze(t testing.TB) { s.signal(t, syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw(t testing.TB) { s.signal(t, syscall.SIGCONT) }

func (s *Server) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := s.process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) socket() string { return filepath.Join(s.dir, "sock") }

// PID is the process that serves now.
func (s *Server) PID() int { return s.process.Pid }

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
