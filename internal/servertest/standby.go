package servertest

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Standby starts a server that replays what this one writes, and answers
// questions meanwhile. It ends what is in its way at once.
func (s *PostgresServer) Standby(t testing.TB) *PostgresServer {
	t.Helper()
	daemon := s.command.Path
	uid, gid := unprivileged(t)
	dir := directory(t, uid, gid)
	data := filepath.Join(dir, "data")
	backup := as(uid, gid, dir, program(t, "postgresql", filepath.Join(filepath.Dir(daemon), "pg_basebackup")),
		"--pgdata="+data, "--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--dbname="+s.conninfo())
	if out, err := backup.CombinedOutput(); err != nil {
		t.Fatalf("copy a private PostgreSQL: %v\n%s", err, out)
	}
	port := FreePort(t)
	standby := &PostgresServer{Addr: fmt.Sprintf("127.0.0.1:%d", port), User: s.User, Password: s.Password, Database: s.Database, Authority: s.Authority}
	standby.process = start(t, as(uid, gid, dir, daemon, "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-k", dir,
		"-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=200", // no fewer than its primary's
		"-c", "max_standby_streaming_delay=0", "-c", "wal_retrieve_retry_interval=100ms"), syscall.SIGQUIT)
	standby.ready(t)
	return standby
}

// Restart stops a server as a crash would, unless it was stopped, and starts it
// on its old port and data.
func (s *PostgresServer) Restart(t testing.TB) {
	t.Helper()
	s.Stop()
	old := s.command
	command := exec.Command(old.Path, old.Args[1:]...)
	command.Dir, command.SysProcAttr = old.Dir, old.SysProcAttr
	s.process = start(t, command, s.end)
	s.ready(t)
}

func (s *PostgresServer) ready(t testing.TB) {
	t.Helper()
	s.await(t, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		conn, err := s.connect(ctx)
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
}
