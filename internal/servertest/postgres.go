package servertest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// PostgresServer is a private PostgreSQL server with one user and database of
// its own. It takes TLS and plain connections, and passwords by SCRAM.
type PostgresServer struct {
	*process
	Addr           string
	User, Password string // of a superuser
	Database       string
	Authority      *Authority // of its certificate
}

// Postgres starts a private PostgreSQL server that ends with the test. It takes
// about three seconds, so let one test start it and give it to its subtests.
func Postgres(t testing.TB) *PostgresServer {
	t.Helper()
	const debian = "postgresql"
	initdb := program(t, debian, "/usr/lib/postgresql/*/bin/initdb", "initdb")
	daemon := program(t, debian, filepath.Join(filepath.Dir(initdb), "postgres"), "postgres")
	uid, gid := unprivileged(t)
	dir := directory(t, uid, gid)
	s := &PostgresServer{
		User: "owner", Password: "owner-s3cret", Database: "postgres", Authority: NewAuthority(t),
	}
	certificate, key, _ := s.Authority.Issue(t, time.Now().Add(30*24*time.Hour))
	write(t, filepath.Join(dir, "cert.pem"), certificate, uid, gid)
	write(t, filepath.Join(dir, "key.pem"), key, uid, gid)
	password := write(t, filepath.Join(dir, "password"), []byte(s.Password+"\n"), uid, gid)
	data := filepath.Join(dir, "data")

	install := as(uid, gid, dir, initdb, "--pgdata="+data, "--username="+s.User, "--pwfile="+password,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("install a private PostgreSQL: %v\n%s", err, out)
	}
	port := FreePort(t)
	s.Addr = fmt.Sprintf("127.0.0.1:%d", port)
	s.process = start(t, as(uid, gid, dir, daemon, "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-k", dir,
		"-c", "fsync=off", "-c", "ssl=on", "-c", "ssl_cert_file="+filepath.Join(dir, "cert.pem"),
		"-c", "ssl_key_file="+filepath.Join(dir, "key.pem"), "-c", "shared_buffers=16MB", "-c", "max_connections=200"),
		syscall.SIGQUIT)
	s.ready(t)
	return s
}

// conninfo is how the superuser connects without TLS.
func (s *PostgresServer) conninfo() string {
	host, port, _ := net.SplitHostPort(s.Addr)
	return fmt.Sprintf("host=%s port=%s user=%s password=%s dbname=%s sslmode=disable", host, port, s.User, s.Password, s.Database)
}

func (s *PostgresServer) connect(ctx context.Context) (*pgconn.PgConn, error) {
	return pgconn.Connect(ctx, s.conninfo())
}

// Exec runs SQL statements as the superuser.
func (s *PostgresServer) Exec(t testing.TB, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := s.connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql).ReadAll(); err != nil {
		t.Fatal(err)
	}
}

// unprivileged is the user that a server runs as: PostgreSQL refuses root.
func unprivileged(t testing.TB) (uid, gid int) {
	t.Helper()
	if os.Geteuid() != 0 {
		return os.Geteuid(), os.Getegid()
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(found.Uid)
		gid, gidErr := strconv.Atoi(found.Gid)
		if uidErr == nil && gidErr == nil {
			return uid, gid
		}
	}
	Skip(t, "PostgreSQL refuses root, and there is neither user postgres nor nobody")
	return 0, 0
}

// as is a command that a user runs in a directory.
func as(uid, gid int, dir, name string, arguments ...string) *exec.Cmd {
	command := exec.Command(name, arguments...)
	command.Dir = dir
	if os.Geteuid() == 0 && uid != 0 {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	return command
}
