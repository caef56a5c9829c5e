package sandbox_test

import (
	"fmt"
	"net"
	"net/smtp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/notifier/channel/channeltest"
	"shopwatch/notifier/channel/email"
	"shopwatch/notifier/sandbox"
)

// mail sends wire over a plain connection, logged in, and returns the error.
func mail(t *testing.T, s *sandbox.Sandbox, password, wire string) error {
	t.Helper()
	host, _, err := net.SplitHostPort(s.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	var login smtp.Auth
	if password != "" {
		login = smtp.PlainAuth("", s.Credentials().SMTPUsername, password, host)
	}
	return smtp.SendMail(s.SMTPAddr(), login, "status@shop.example", []string{"alice@reader.example", "bob@reader.example"}, []byte(wire))
}

func TestMailIsTakenAfterTheRightLoginAlone(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	for password, want := range map[string]string{"": "530", "wrong": "535"} {
		if err := mail(t, s, password, "Subject: x\r\n\r\nx"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("password %q: %v, want %s", password, err, want)
		}
	}
	if n := len(s.Messages()); n != 0 {
		t.Errorf("%d messages were taken", n)
	}
}

func TestMailIsReadAsAMailProgramReadsIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ wire, subject, text, html string }{
		"plain": {"Subject: hello\r\nFrom: a@b.example\r\n\r\nline\r\n..dot\r\n", "hello", "line\n..dot\n", ""},
		"nested parts": {
			"Subject: =?UTF-8?B?5pWF6Zqc?=\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n" +
				"--i\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n5pWF6Zqc\r\n--i\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>=E6=95=85</p>\r\n--i--\r\n" +
				"--o\r\nContent-Type: text/plain\r\n\r\nattachment\r\n--o--\r\n",
			"故障", "故障", "<p>故</p>",
		},
		"broken characters": {"Subject: x\r\n\r\n\xff\xfe\r\n", "x", "�\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, sandbox.Config{})
			if err := mail(t, s, s.Credentials().SMTPPassword, c.wire); err != nil {
				t.Fatalf("refused: %v", err)
			}
			messages := s.Messages()
			if len(messages) != 2 || messages[0].To != "alice@reader.example" || messages[1].To != "bob@reader.example" {
				t.Fatalf("took %+v, want one message for each of two readers", messages)
			}
			if m := messages[0]; m.Subject != c.subject || m.Text != c.text || m.HTML != c.html || m.From == "" {
				t.Errorf("read as %+v", m)
			}
		})
	}
}

func TestMalformedMailIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	deep := ""
	for depth := range 9 {
		deep += fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", depth, depth)
	}
	for name, wire := range map[string]string{
		"no header":            "no header at all",
		"parts within parts":   deep,
		"a part without end":   "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nx",
		"base64 that is none":  "Content-Transfer-Encoding: base64\r\n\r\n!!!!",
		"more than half a MiB": "Subject: x\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 10_000),
	} {
		if err := mail(t, s, s.Credentials().SMTPPassword, wire); err == nil || !strings.HasPrefix(err.Error(), "55") {
			t.Errorf("%s: %v, want a 55x", name, err)
		}
	}
}

func TestGreylistingServerPutsEachRecipientOffUntilTheDelayAfterTheFirstTry(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	begin := time.Now()
	s := open(t, sandbox.Config{Now: func() time.Time { return begin.Add(time.Duration(ahead.Load())) }})
	s.Greylist(5 * time.Minute)
	for _, c := range []struct {
		at   time.Duration
		want string
	}{
		{0, "450 \"4.7.1 <alice@"}, {299 * time.Second, "450 \"4.7.1 <alice@"},
		{300 * time.Second, "450 \"4.7.1 <bob@"}, // alice is taken, and this client has only now come to him
		{600 * time.Second, ""},
	} {
		ahead.Store(int64(c.at))
		err := mail(t, s, s.Credentials().SMTPPassword, "Subject: x\r\n\r\nx")
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("after %s: %v, want %s", c.at, err, c.want)
		}
	}
	got := s.Greeted()
	alice, bob := sandbox.Greeted{First: begin, Tries: 4}, sandbox.Greeted{First: begin.Add(300 * time.Second), Tries: 2}
	if got["alice@reader.example"] != alice || got["bob@reader.example"] != bob {
		t.Errorf("tried were %+v, want alice %+v and bob %+v", got, alice, bob)
	}
	s.Greylist(0)
	if err := mail(t, s, s.Credentials().SMTPPassword, "Subject: x\r\n\r\nx"); err != nil {
		t.Errorf("not greylisted: %v", err)
	}
}

func TestSTARTTLSIsRequiredForALoginWhereItIsOffered(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{STARTTLS: true})
	sender := channels(t, s)[sandbox.Email].(*email.Channel)
	if err := sender.Send(t.Context(), addresses[sandbox.Email], notice(sandbox.Email)); err != nil {
		t.Errorf("over TLS: %v", err)
	}
	host, _, _ := net.SplitHostPort(s.SMTPAddr())
	client, err := smtp.Dial(s.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Auth(smtp.PlainAuth("", s.Credentials().SMTPUsername, s.Credentials().SMTPPassword, host)); err == nil {
		t.Error("a login in the clear was taken")
	}
	if got := len(s.Messages()); got != 1 {
		t.Errorf("%d messages, want 1", got)
	}
}

func TestARefusedRecipientIsQuotedAndStillNotInTheChannelsError(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	s.Fail(sandbox.Email, sandbox.Fault{Status: 550, Text: "alice is not here"})
	err := channels(t, s)[sandbox.Email].Send(t.Context(), addresses[sandbox.Email], notice(sandbox.Email))
	if got, _ := channeltest.Understand(err); got != channeltest.Permanent {
		t.Errorf("understood as %q (%v)", got, err)
	}
	if leaked := channeltest.Leaked(err, "alice"); leaked != "" {
		t.Errorf("the error holds %q: %v", leaked, err)
	}
}
