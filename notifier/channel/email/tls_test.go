package email_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"net"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier/channel/channeltest"
	"shopwatch/notifier/channel/email"
)

func TestThePasswordTravelsInTLSAlone(t *testing.T) {
	t.Parallel()
	certificate, trusted := selfSigned(t)
	plain := base64.StdEncoding.EncodeToString([]byte("\x00user\x00" + password))
	login := base64.StdEncoding.EncodeToString([]byte("user")) + "\n" + base64.StdEncoding.EncodeToString([]byte(password))
	for _, c := range []struct {
		name   string
		server *server
		mode   email.TLS
		trust  bool
		host   string // instead of 127.0.0.1
		want   channeltest.Outcome
		login  string // what the server must have heard
	}{
		{"STARTTLS and PLAIN", &server{tls: certificate, auth: "LOGIN PLAIN"}, email.STARTTLS, true, "", channeltest.Accepted, "AUTH PLAIN " + plain},
		{"STARTTLS and LOGIN", &server{tls: certificate, auth: "LOGIN"}, email.STARTTLS, true, "", channeltest.Accepted, "AUTH LOGIN\n" + login},
		{"TLS from the first byte", &server{tls: certificate, tlsOnly: true, auth: "PLAIN"}, email.ImplicitTLS, true, "", channeltest.Accepted, "AUTH PLAIN " + plain},
		{"optional STARTTLS that is offered", &server{tls: certificate, auth: "PLAIN"}, email.OptionalSTARTTLS, true, "", channeltest.Accepted, "AUTH PLAIN " + plain},
		{"in the clear to this machine", &server{auth: "PLAIN"}, email.NoTLS, false, "", channeltest.Accepted, "AUTH PLAIN " + plain},
		{"required STARTTLS that is not offered", &server{auth: "PLAIN"}, email.STARTTLS, true, "", channeltest.Temporary, ""},
		{"optional STARTTLS that is not offered by another machine", &server{auth: "PLAIN"}, email.OptionalSTARTTLS, true, "mx.example", channeltest.WaitChannel, ""},
		{"a certificate that nobody trusts", &server{tls: certificate, auth: "PLAIN"}, email.STARTTLS, false, "", channeltest.Temporary, ""},
		{"a certificate for another name", &server{tls: certificate, auth: "PLAIN"}, email.STARTTLS, true, "mx.example", channeltest.Temporary, ""},
		{"no login that we know", &server{tls: certificate, auth: "GSSAPI"}, email.STARTTLS, true, "", channeltest.Temporary, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hostport := c.server.start(t)
			cfg := config(t, hostport)
			cfg.TLS, cfg.Username, cfg.Password = c.mode, "user", password
			if c.trust {
				cfg.RootCAs = trusted
			}
			if c.host != "" {
				cfg.Host = c.host
				cfg.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, hostport)
				}
			}
			err := connect(t, cfg).Send(t.Context(), address, message)
			if got, _ := channeltest.Understand(err); got != c.want {
				t.Errorf("understood as %q, want %q (%v)", got, c.want, err)
			}
			if said := c.server.said(); !strings.Contains(said, c.login) || (c.login == "" && strings.Contains(said, "AUTH")) {
				t.Errorf("the server heard\n%s\nwant %q", said, c.login)
			}
		})
	}
}

func TestASilentHandshakeObeysTheDeadline(t *testing.T) {
	t.Parallel()
	for _, mode := range []email.TLS{email.STARTTLS, email.ImplicitTLS} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			s := &server{tls: &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
				<-t.Context().Done()
				return nil, nil
			}}, tlsOnly: mode == email.ImplicitTLS}
			cfg := config(t, s.start(t))
			cfg.TLS = mode
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			err := connect(t, cfg).Send(ctx, address, message)
			if got, _ := channeltest.Understand(err); got != channeltest.Temporary || ctx.Err() == nil {
				t.Errorf("understood as %q (%v), want %q at the deadline", got, err, channeltest.Temporary)
			}
		})
	}
}

func TestNewRefusesAWrongConfigAndNamesEveryMistake(t *testing.T) {
	t.Parallel()
	good := email.Config{Host: "mx.example", Port: 587, From: "status@shop.example", Now: time.Now}
	if _, err := email.New(good); err != nil {
		t.Fatalf("New refused a good config: %v", err)
	}
	for mistake, spoil := range map[string]func(*email.Config){
		"host:":       func(c *email.Config) { c.Host = "" },
		"port:":       func(c *email.Config) { c.Port = 65536 },
		"from:":       func(c *email.Config) { c.From = "status" },
		"tls: got":    func(c *email.Config) { c.TLS = "ssl" },
		"tls: none":   func(c *email.Config) { c.TLS, c.Username = email.NoTLS, "user" },
		"local name:": func(c *email.Config) { c.LocalName = "a b" },
		"list id:":    func(c *email.Config) { c.ListID = "a>\r\nBcc: x" },
		"no clock":    func(c *email.Config) { c.Now = nil },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := email.New(cfg); err == nil || !strings.Contains(err.Error(), "email: "+mistake) {
			t.Errorf("error %v, want one that says %q", err, mistake)
		}
	}
	_, err := email.New(email.Config{Password: password})
	if err == nil || strings.Count(err.Error(), "email: ") != 4 || channeltest.Leaked(err, password) != "" {
		t.Errorf("error %v, want four mistakes and no password", err)
	}
}
