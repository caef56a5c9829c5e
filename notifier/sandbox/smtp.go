package sandbox

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/textproto"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

const (
	smtpUsername = "shopwatch"
	smtpPassword = "sandbox-password-that-works-nowhere-else"
	// mailLimit is the largest mail that is taken.
	mailLimit = 512 << 10
)

// newMailServer is the SMTP server. It takes mail after a login, as a
// provider's submission port does.
func (s *Sandbox) newMailServer(certificate *tls.Config) *smtp.Server {
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &mailSession{sandbox: s, conn: c}, nil
	}))
	server.Domain = "sandbox.localhost"
	server.TLSConfig = certificate
	server.AllowInsecureAuth = certificate == nil
	server.MaxMessageBytes = mailLimit
	server.MaxRecipients = 100
	server.ReadTimeout = 5 * time.Minute
	server.WriteTimeout = time.Minute
	server.ErrorLog = mailLog{s.cfg.Logger}
	return server
}

// mailLog carries the server's own complaints.
type mailLog struct{ logger *slog.Logger }

func (l mailLog) Printf(format string, args ...any) {
	l.logger.Debug("sandbox smtp", "error", fmt.Sprintf(format, args...))
}

func (l mailLog) Println(args ...any) {
	l.logger.Debug("sandbox smtp", "error", strings.TrimSpace(fmt.Sprintln(args...)))
}

// mailSession is one client's conversation.
type mailSession struct {
	sandbox  *Sandbox
	conn     *smtp.Conn
	loggedIn bool
	from     string
	to       []string
	fault    *Fault // that the message will meet
}

// AuthMechanisms are the logins that are offered.
func (m *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

// Auth checks a login.
func (m *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		user := subtle.ConstantTimeCompare([]byte(username), []byte(smtpUsername))
		if user&subtle.ConstantTimeCompare([]byte(password), []byte(smtpPassword)) != 1 {
			return smtp.ErrAuthFailed
		}
		m.loggedIn = true
		return nil
	}), nil
}

// Mail begins a message.
func (m *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	if !m.loggedIn {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	}
	m.from = from
	return nil
}

// Rcpt adds a recipient, unless it is put off or a fault meets it.
func (m *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if m.sandbox.greylist.putsOff(m.from, to, m.conn.Conn().RemoteAddr(), m.sandbox.cfg.Now()) {
		return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "<" + to + ">: Recipient address rejected: Greylisted"}
	}
	if fault, met := m.sandbox.faults.meet(Email, to); met {
		if !fault.AtData && !fault.Taken {
			return m.fail(fault, to)
		}
		m.fault = &fault
	}
	m.to = append(m.to, to)
	return nil
}

// Data takes the message, once for each recipient.
func (m *mailSession) Data(r io.Reader) error {
	wire, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if m.fault != nil && !m.fault.Taken {
		return m.fail(*m.fault, m.to[0])
	}
	message, err := readMail(wire)
	if err != nil {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "Malformed message: " + err.Error()}
	}
	if message.From == "" {
		message.From = m.from
	}
	for _, to := range m.to {
		message.To = to
		m.sandbox.take(message)
	}
	if m.fault != nil {
		return m.fail(*m.fault, m.to[0])
	}
	return nil
}

// fail keeps silent, hangs up or refuses, as the fault says. A refusal quotes
// the recipient, as real servers do.
func (m *mailSession) fail(f Fault, to string) error {
	if f.Silent {
		_, _ = io.Copy(io.Discard, m.conn.Conn()) // until the client gives up
		f.Drop = true
	}
	if f.Drop {
		_ = m.conn.Conn().Close()
		return errors.New("hung up")
	}
	if f.Status == 0 {
		f.Status = 451
	}
	if f.Text == "" {
		f.Text = "refused by the sandbox"
	}
	enhanced := smtp.EnhancedCode{f.Status / 100, 0, 0}
	if f.Status == 550 {
		enhanced = smtp.EnhancedCode{5, 1, 1}
	}
	return &smtp.SMTPError{Code: f.Status, EnhancedCode: enhanced, Message: "<" + to + ">: " + f.Text}
}

// Reset forgets the message that was begun.
func (m *mailSession) Reset() { m.from, m.to, m.fault = "", nil, nil }

// Logout ends the conversation.
func (m *mailSession) Logout() error { return nil }

// readMail reads a mail as its reader's program does.
func readMail(wire []byte) (Message, error) {
	letter, err := mail.ReadMessage(bytes.NewReader(wire))
	if err != nil {
		return Message{}, err
	}
	m := Message{
		Channel: Email, Raw: string(wire),
		From: decodeHeader(letter.Header.Get("From")), Subject: decodeHeader(letter.Header.Get("Subject")),
	}
	return m, m.readPart(textproto.MIMEHeader(letter.Header), letter.Body, 0)
}

func decodeHeader(value string) string {
	decoded, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		return value
	}
	return decoded
}

// maxNesting is how deep parts may lie within parts.
const maxNesting = 4

// readPart keeps the first plain text and the first HTML of a mail.
func (m *Message) readPart(header textproto.MIMEHeader, body io.Reader, depth int) error {
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		kind = "text/plain" // RFC 2045, 5.2
	}
	if strings.HasPrefix(kind, "multipart/") {
		if depth == maxNesting {
			return errors.New("parts are nested too deep")
		}
		for parts := multipart.NewReader(body, params["boundary"]); ; {
			part, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := m.readPart(part.Header, part, depth+1); err != nil {
				return err
			}
		}
	}
	switch strings.ToLower(header.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	text := strings.ToValidUTF8(strings.ReplaceAll(string(content), "\r\n", "\n"), "�")
	switch {
	case kind == "text/plain" && m.Text == "":
		m.Text = text
	case kind == "text/html" && m.HTML == "":
		m.HTML = text
	}
	return nil
}

// selfSigned makes a certificate for loopback, and the pool that trusts it.
func selfSigned(now time.Time) (*tls.Config, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "shopwatch sandbox"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12,
	}, roots, nil
}
