package servertest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RedisServer is a private Redis server whose default user has a password, and
// with a user who may do little.
type RedisServer struct {
	*process
	Addr                   string
	TLSAddr                string // of the same server
	Password               string // of the default user
	User, UserPassword     string // may do AUTH, SELECT and PING
	Forbidden, ForbiddenPW string // a user who may not even PING
	Authority              *Authority
}

// Redis starts a private Redis server that ends with the test. It takes about a
// tenth of a second.
func Redis(t testing.TB) *RedisServer {
	t.Helper()
	daemon := program(t, "redis-server", "redis-server", "/usr/bin/redis-server")
	dir := directory(t, os.Geteuid(), os.Getegid())
	port, secure := FreePort(t), FreePort(t)
	s := &RedisServer{
		Addr: fmt.Sprintf("127.0.0.1:%d", port), TLSAddr: fmt.Sprintf("127.0.0.1:%d", secure),
		Password: "default-s3cret", User: "watcher", UserPassword: "watcher-s3cret",
		Forbidden: "stranger", ForbiddenPW: "stranger-s3cret", Authority: NewAuthority(t),
	}
	certificate, key, _ := s.Authority.Issue(t, time.Now().Add(30*24*time.Hour))
	write(t, filepath.Join(dir, "cert.pem"), certificate, os.Geteuid(), os.Getegid())
	write(t, filepath.Join(dir, "key.pem"), key, os.Geteuid(), os.Getegid())
	options := strings.Join([]string{
		"bind 127.0.0.1", fmt.Sprintf("port %d", port), fmt.Sprintf("tls-port %d", secure), "dir " + dir, `save ""`, "appendonly no",
		"tls-cert-file " + filepath.Join(dir, "cert.pem"), "tls-key-file " + filepath.Join(dir, "key.pem"),
		"tls-ca-cert-file " + s.Authority.File, "tls-auth-clients no",
		"requirepass " + s.Password,
		fmt.Sprintf("user %s on >%s ~* -@all +ping +select", s.User, s.UserPassword),
		fmt.Sprintf("user %s on >%s ~* -@all +get", s.Forbidden, s.ForbiddenPW),
	}, "\n")
	command := exec.Command(daemon, write(t, filepath.Join(dir, "redis.conf"), []byte(options+"\n"), os.Geteuid(), os.Getegid()))
	s.process = start(t, command, syscall.SIGTERM)
	s.await(t, func() error {
		_, err := s.inline("PING")
		return err
	})
	return s
}

// Do runs one command as the default user and gives the first line of the answer.
func (s *RedisServer) Do(t testing.TB, command string) string {
	t.Helper()
	answer, err := s.inline(command)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// inline speaks Redis's inline form.
func (s *RedisServer) inline(command string) (string, error) {
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "AUTH %s\r\n%s\r\n", s.Password, command); err != nil {
		return "", err
	}
	reader := bufio.NewReader(conn)
	if _, err := reader.ReadString('\n'); err != nil {
		return "", err
	}
	return reader.ReadString('\n')
}
