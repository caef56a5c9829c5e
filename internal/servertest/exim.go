package servertest

import (
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

// EximServer is a private Exim, a mail server that takes no mail. It offers AUTH
// (PLAIN and LOGIN) under TLS only.
type EximServer struct {
	*process
	Addr           string // STARTTLS
	TLSAddr        string // TLS from the first byte
	User, Password string
	Authority      *Authority
}

// eximConfig is Exim's configuration, in which %[1]s is the folder.
const eximConfig = `
spool_directory = %[1]s/spool
log_file_path = %[1]s/spool/%%slog
keep_environment =
primary_hostname = mail.example
daemon_smtp_ports = %[2]d : %[3]d
tls_on_connect_ports = %[3]d
local_interfaces = 127.0.0.1
tls_advertise_hosts = *
tls_certificate = %[1]s/cert.pem
tls_privatekey = %[1]s/key.pem
auth_advertise_hosts = ${if def:tls_in_cipher {*}{}}
acl_smtp_mail = refuse
begin acl
refuse:
  deny
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{%[4]s}}{eq{$auth3}{%[5]s}}}}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and{{eq{$auth1}{%[4]s}}{eq{$auth2}{%[5]s}}}}
`

// Exim starts a private Exim that ends with the test. It must be started by
// root, whom alone it lets name a configuration of its own.
func Exim(t testing.TB) *EximServer {
	t.Helper()
	daemon := program(t, "exim4-daemon-light", "exim4", "/usr/sbin/exim4")
	if os.Geteuid() != 0 {
		Skip(t, "exim takes a configuration of the test's from root alone")
	}
	uid, gid := unprivileged(t)
	dir := directory(t, uid, gid)
	s := &EximServer{User: "watcher", Password: "watcher-s3cret", Authority: NewAuthority(t)}
	port, secure := FreePort(t), FreePort(t)
	s.Addr, s.TLSAddr = fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("127.0.0.1:%d", secure)
	certificate, key, _ := s.Authority.Issue(t, time.Now().Add(30*24*time.Hour))
	write(t, filepath.Join(dir, "cert.pem"), certificate, uid, gid)
	write(t, filepath.Join(dir, "key.pem"), key, uid, gid)
	spool := filepath.Join(dir, "spool")
	if err := os.Mkdir(spool, 0o700); err != nil {
		t.Fatal(err)
	}
	own(t, spool, uid, gid)
	config := strings.TrimSpace(fmt.Sprintf(eximConfig, dir, port, secure, s.User, s.Password)) + "\n"
	config = fmt.Sprintf("exim_user = %d\nexim_group = %d\n", uid, gid) + config
	command := exec.Command(daemon, "-C", write(t, filepath.Join(dir, "exim.conf"), []byte(config), 0, 0), "-bdf")
	s.process = start(t, command, syscall.SIGTERM)
	s.await(t, func() error {
		conn, err := net.Dial("tcp", s.TLSAddr)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return s
}
