package email_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/notifier/channel/channeltest"
)

// server is an SMTP server that keeps every message and answers as it is told.
type server struct {
	// replies replaces the usual answer to a verb: EHLO, AUTH, MAIL, RCPT, DATA,
	// RSET, or "." for the end of the data, or "CONNECT". LINE stands for the
	// client's line. An empty answer hangs up.
	replies map[string]string
	tls     *tls.Config // offers STARTTLS
	tlsOnly bool        // speaks TLS from the first byte
	auth    string      // the AUTH mechanisms that are offered
	utf8    bool        // offers SMTPUTF8
	each    int         // messages that one connection may carry; 0: as many as come

	mu       sync.Mutex
	messages []string
	lines    []string
	conns    int
}

// start returns the server's host:port.
func (s *server) start(t *testing.T) string {
	return channeltest.TCP(t, func(conn net.Conn) {
		if s.tlsOnly {
			conn = tls.Server(conn, s.tls)
		}
		s.mu.Lock()
		s.conns++
		s.mu.Unlock()
		s.talk(conn)
	})
}

func (s *server) talk(conn net.Conn) {
	lines := bufio.NewReader(conn)
	carried := 0
	reply := func(verb, line, usual string) bool {
		answer, told := s.replies[verb]
		if !told {
			answer = usual
		}
		if answer == "" {
			return false
		}
		_, err := fmt.Fprintf(conn, "%s\r\n", strings.ReplaceAll(answer, "LINE", line))
		return err == nil
	}
	if !reply("CONNECT", "", "220 mx.example ESMTP") {
		return
	}
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		s.mu.Lock()
		s.lines = append(s.lines, line)
		s.mu.Unlock()
		verb := strings.ToUpper(strings.SplitN(line, " ", 2)[0])
		usual := "250 2.0.0 fine"
		switch verb {
		case "EHLO":
			usual = "250-mx.example"
			if _, encrypted := conn.(*tls.Conn); s.tls != nil && !encrypted {
				usual += "\r\n250-STARTTLS"
			}
			if s.auth != "" {
				usual += "\r\n250-AUTH " + s.auth
			}
			if s.utf8 {
				usual += "\r\n250-SMTPUTF8"
			}
			usual += "\r\n250 8BITMIME"
		case "STARTTLS":
			if !reply(verb, line, "220 2.0.0 go") {
				return
			}
			conn = tls.Server(conn, s.tls)
			lines = bufio.NewReader(conn)
			continue
		case "AUTH":
			usual = "235 2.7.0 welcome"
			if line == "AUTH LOGIN" {
				fmt.Fprint(conn, "334 VXNlcm5hbWU6\r\n")
				user, _ := lines.ReadString('\n')
				fmt.Fprint(conn, "334 UGFzc3dvcmQ6\r\n")
				password, _ := lines.ReadString('\n')
				s.mu.Lock()
				s.lines = append(s.lines, strings.TrimSpace(user), strings.TrimSpace(password))
				s.mu.Unlock()
			}
		case "MAIL":
			if carried++; s.each > 0 && carried > s.each {
				usual = "450 MI:DMC too many mails in this connection"
			}
		case "DATA":
			if s.replies["DATA"] == "" {
				if !s.take(conn, lines, reply) {
					return
				}
				continue
			}
		case "QUIT":
			reply(verb, line, "221 2.0.0 bye")
			return
		}
		if !reply(verb, line, usual) {
			return
		}
	}
}

func (s *server) take(conn net.Conn, lines *bufio.Reader, reply func(verb, line, usual string) bool) bool {
	fmt.Fprint(conn, "354 go on\r\n")
	var message strings.Builder
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		message.WriteString(strings.TrimPrefix(line, "."))
	}
	if _, refused := s.replies["."]; !refused {
		s.mu.Lock()
		s.messages = append(s.messages, message.String())
		s.mu.Unlock()
	}
	return reply(".", "", "250 2.0.0 queued")
}

func (s *server) taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.messages)
}

func (s *server) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

// said returns the client's lines, joined.
func (s *server) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

// selfSigned makes a certificate for 127.0.0.1 and the pool that trusts it.
func selfSigned(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}
