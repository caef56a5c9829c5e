package email_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/channeltest"
	"shopwatch/notifier/channel/email"
)

const (
	address  = "Alice.Example@reader.example"
	password = "hunter2-app-password"
)

var message = notifier.Message{
	ID: "n12-r34", Thread: "i7", Language: notifier.English,
	Subject: "Alipay payments are failing",
	Text:    "Alipay payments are failing\n.since 10:00",
	HTML:    "<p>Alipay payments are failing</p>",
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.FixedZone("CST", 8*3600))

// config is a channel to a server on this machine.
func config(t *testing.T, hostport string) email.Config {
	t.Helper()
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return email.Config{
		Host: host, Port: number, TLS: email.NoTLS, ListID: "status.shop.example",
		From: "小明卡铺 <status@shop.example>", Now: func() time.Time { return noon },
		Timeout: 2 * time.Minute,
	}
}

func connect(t *testing.T, cfg email.Config) *email.Channel {
	t.Helper()
	c, err := email.New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// leaveToken is as long as those of links that end a subscription.
const leaveToken = "AAAAAAAAAAEAAAAAq83vEjRWeJCrze8SNFZ4kA"

func answering(verb, reply string) func(*testing.T) string {
	return func(t *testing.T) string {
		return (&server{auth: "PLAIN", replies: map[string]string{verb: reply}}).start(t)
	}
}

func TestChannel(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, channeltest.Subject{
		Name: "email",
		Connect: func(t *testing.T, hostport string) channeltest.Channel {
			cfg := config(t, hostport)
			cfg.Username, cfg.Password = "status@shop.example", password
			return connect(t, cfg)
		},
		Address: address,
		Invalid: []string{
			"", "alice", "Alice <alice@reader.example>", "a@b@c.example", "alice@reader.example\r\nBcc: all@reader.example",
			"alice@reader.example, bob@reader.example", "ali ce@reader.example", strings.Repeat("a", 250) + "@reader.example",
		},
		Private: []string{
			password, address, "Alice.Example", leaveToken,
			base64.StdEncoding.EncodeToString([]byte(password)), base64.StdEncoding.EncodeToString([]byte("\x00status@shop.example\x00" + password)),
		},
		Message: message,
		Accepting: func(t *testing.T) (string, func() int) {
			s := &server{auth: "PLAIN"}
			return s.start(t), s.taken
		},
		Answers: []channeltest.Answer{
			{Name: "the mailbox does not exist", Serve: answering("RCPT", "550 5.1.1 <ALICE.example@reader.example>: no such user (LINE)"), Want: channeltest.Permanent, Says: "550 5.1.1"},
			{Name: "the mailbox does not exist, said without an enhanced code", Serve: answering("RCPT", "550 alice.example unknown"), Want: channeltest.Permanent},
			{Name: "the mailbox is disabled", Serve: answering("RCPT", "550 5.2.1 disabled"), Want: channeltest.Permanent},
			{Name: "Exchange knows no such address", Serve: answering("RCPT", "550 5.4.1 Recipient address rejected: Access denied"), Want: channeltest.Permanent},
			{Name: "the mailbox is full", Serve: answering("RCPT", "552 5.2.2 over quota"), Want: channeltest.Temporary},
			{Name: "the mailbox is full, and may be emptied in a minute", Serve: answering("RCPT", "452 4.2.2 over quota"), Want: channeltest.WaitRecipient, After: time.Minute},
			{Name: "the mailbox gets more than it may", Serve: answering("RCPT", "450 4.2.1 The user is receiving mail at a rate that prevents it, too many messages"), Want: channeltest.WaitRecipient, After: time.Minute},
			{Name: "we may not relay", Serve: answering("RCPT", "554 5.7.1 <Alice.Example@reader.example>: Relay access denied"), Want: channeltest.WaitChannel, After: 5 * time.Minute, Says: "Relay access denied"},
			{Name: "our daily quota is used up", Serve: answering("RCPT", "550 5.4.5 Daily user sending limit exceeded"), Want: channeltest.WaitChannel, After: 15 * time.Minute},
			{Name: "NetEase's quota of a quarter of an hour is used up", Serve: answering("MAIL", "451 MI:SFQ smtp5,1,x http://mail.163.com/help/help_spam_16.htm"), Want: channeltest.WaitChannel, After: 15 * time.Minute},
			{Name: "NetEase wants the sender to be who logged in", Serve: answering("MAIL", "553 Mail from must equal authorized user"), Want: channeltest.WaitChannel, After: 5 * time.Minute, Says: "from must be a mailbox"},
			{Name: "QQ is asked too often", Serve: answering("RCPT", "550 Sender frequency limited. http://service.mail.qq.com"), Want: channeltest.WaitChannel, After: time.Minute},
			{Name: "QQ wants a word of its own for a password", Serve: answering("AUTH", "535 Login Fail. Please enter your authorization code to login"), Want: channeltest.WaitChannel, After: 5 * time.Minute, Says: "授权码"},
			{Name: "163 has SMTP switched off", Serve: answering("AUTH", "550 User has no permission"), Want: channeltest.WaitChannel, After: 5 * time.Minute},
			{Name: "QQ refuses the content", Serve: answering(".", "550 Mail content denied. http://service.mail.qq.com"), Want: channeltest.Unsendable},
			{Name: "NetEase calls it spam", Serve: answering(".", "554 DT:SPM 163 smtp8,x http://mail.163.com/help/help_spam_16.htm"), Want: channeltest.Unsendable},
			{Name: "the recipient's server lists ours", Serve: answering("RCPT", "554 5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org"), Want: channeltest.Unsendable},
			{Name: "a policy refuses the mail for this recipient", Serve: answering("RCPT", "550 5.7.1 LINE not permitted by policy"), Want: channeltest.Unsendable},
			{Name: "the message is too large", Serve: answering(".", "552 5.3.4 message size exceeds fixed limit"), Want: channeltest.Unsendable},
			{Name: "the address turns out unknown after the message", Serve: answering(".", "550 5.1.1 no such user"), Want: channeltest.Permanent},
			{Name: "their system has a problem", Serve: answering(".", "554 5.3.0 internal error"), Want: channeltest.Temporary},
			{Name: "the server wants a login first", Serve: answering("RCPT", "530 5.7.0 Authentication required"), Want: channeltest.WaitChannel, After: 5 * time.Minute},
			{Name: "greylisting", Serve: answering("RCPT", "451 4.7.1 greylisted, LINE"), Want: channeltest.WaitRecipient, After: time.Minute, Says: "451"},
			{Name: "greylisting that says for how long", Serve: answering("RCPT", "450 4.2.0 <alice.example@reader.example>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/, try again in 300 seconds"), Want: channeltest.WaitRecipient, After: 5 * time.Minute},
			{Name: "a wait of days is cut to an hour", Serve: answering("RCPT", "451 4.3.0 try again in 99999 minutes"), Want: channeltest.WaitRecipient, After: time.Hour},
			{Name: "the server asks to be asked less", Serve: answering("RCPT", "450 4.7.0 sending too fast"), Want: channeltest.WaitChannel, After: time.Minute},
			{Name: "the words that a reader chose for an address decide nothing", Serve: answering("RCPT", "451 4.3.0 <daily.sending.limit@reader.example> <relay@reader.example>: local trouble"), Want: channeltest.Temporary},
			{Name: "the sender is refused", Serve: answering("MAIL", "553 5.1.8 sender rejected: LINE"), Want: channeltest.WaitChannel, After: 5 * time.Minute, Says: "MAIL FROM"},
			{Name: "a new connection is closed at once", Serve: answering("MAIL", "421 4.7.0 too many connections"), Want: channeltest.Temporary, Says: "MAIL FROM: 421"},
			{Name: "the content is refused", Serve: answering(".", "554 5.6.0 looks odd"), Want: channeltest.Unsendable, Says: "DATA"},
			{Name: "a link of ours is said back", Serve: answering(".", "554 5.6.0 odd: List-Unsubscribe: <https://status.shop.example/subscribe/leave/"+leaveToken+"?lang=en> see http://mail.163.com/help/help_spam_16.htm"), Want: channeltest.Unsendable, Says: "help_spam_16"},
			{Name: "the data is refused", Serve: answering("DATA", "452 4.3.1 no space"), Want: channeltest.Temporary},
			{Name: "the answer to the message is lost", Serve: answering(".", ""), Want: channeltest.Temporary, Says: "DATA"},
			{Name: "the password is wrong", Serve: answering("AUTH", "535 5.7.8 LINE rejected"), Want: channeltest.WaitChannel, After: 5 * time.Minute, Says: "password"},
			{Name: "the login is impossible for the moment", Serve: answering("AUTH", "454 4.7.0 later"), Want: channeltest.Temporary},
			{Name: "the server is closing", Serve: answering("CONNECT", "421 4.3.2 closing"), Want: channeltest.Temporary},
			{Name: "the server does not want us", Serve: answering("CONNECT", "554 no SMTP service here"), Want: channeltest.Temporary, Says: "connect"},
		},
	})
}

// part is one body of a message.
type part struct{ kind, text string }

// read takes a message apart with the standard library.
func read(t *testing.T, wire string) (mail.Header, []part) {
	t.Helper()
	letter, err := mail.ReadMessage(strings.NewReader(wire))
	if err != nil {
		t.Fatalf("read the message: %v\n%s", err, wire)
	}
	decode := func(encoding string, body io.Reader) string {
		switch encoding {
		case "quoted-printable":
			body = quotedprintable.NewReader(body)
		case "base64":
			body = base64.NewDecoder(base64.StdEncoding, body)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatalf("decode: %v", err)
		}
		return string(text)
	}
	kind, params, err := mime.ParseMediaType(letter.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(kind, "multipart/") {
		return letter.Header, []part{{kind, decode(letter.Header.Get("Content-Transfer-Encoding"), letter.Body)}}
	}
	var parts []part
	for reader := multipart.NewReader(letter.Body, params["boundary"]); ; {
		next, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return letter.Header, append([]part{{kind: kind}}, parts...)
		}
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part{next.Header.Get("Content-Type"), decode(next.Header.Get("Content-Transfer-Encoding"), next)})
	}
}

func TestAMessageIsWhatMailProgramsWant(t *testing.T) {
	t.Parallel()
	s := &server{}
	chinese := message
	chinese.Language, chinese.Subject = notifier.Chinese, "🔴 支付宝暂时无法支付，自 03:12:05 起，已持续 5 分 4 秒，我们正在处理"
	chinese.Text = "支付宝暂时无法支付\n我们正在处理"
	if err := connect(t, config(t, s.start(t))).Send(t.Context(), address, chinese); err != nil {
		t.Fatalf("Send: %v", err)
	}
	header, parts := read(t, s.messages[0])
	words := new(mime.WordDecoder)
	for name, want := range map[string]string{
		"From":           "小明卡铺 <status@shop.example>",
		"To":             address,
		"Subject":        chinese.Subject,
		"Date":           "Wed, 04 Mar 2026 12:00:00 +0800",
		"Message-Id":     "<n12-r34.i7@shop.example>",
		"In-Reply-To":    "<i7@shop.example>",
		"References":     "<i7@shop.example>",
		"List-Id":        "<status.shop.example>",
		"Auto-Submitted": "auto-generated",
		"Mime-Version":   "1.0",
	} {
		if got, err := words.DecodeHeader(header.Get(name)); err != nil || got != want {
			t.Errorf("%s: %q (%v), want %q", name, got, err, want)
		}
	}
	want := []part{
		{kind: "multipart/alternative"},
		{"text/plain; charset=UTF-8", "支付宝暂时无法支付\r\n我们正在处理"},
		{"text/html; charset=UTF-8", message.HTML},
	}
	if fmt.Sprint(parts) != fmt.Sprint(want) {
		t.Errorf("parts %q\nwant %q", parts, want)
	}
	for line := range strings.Lines(s.messages[0]) {
		if len(strings.TrimRight(line, "\r\n")) > 78 || strings.ContainsFunc(line, func(r rune) bool { return r > 0x7e }) {
			t.Errorf("line %q, want at most 78 ASCII characters", line)
		}
	}
}

func TestEverySubjectArrivesAsItWas(t *testing.T) {
	t.Parallel()
	s := &server{}
	c := connect(t, config(t, s.start(t)))
	subjects := []string{
		"", "Alipay payments are failing", strings.Repeat("a rather long subject ", 12) + "end",
		"🔴 " + strings.Repeat("plain words behind an emoji ", 6) + "end", "恢复：" + strings.Repeat("支付宝", 40),
	}
	for i, subject := range subjects {
		m := message
		m.Subject = subject
		if err := c.Send(t.Context(), address, m); err != nil {
			t.Fatalf("Send: %v", err)
		}
		header, _ := read(t, s.messages[i])
		if got, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject")); err != nil || got != subject {
			t.Errorf("subject %q (%v), want %q", got, err, subject)
		}
	}
}

func TestAMessageInOneFormHasOnePart(t *testing.T) {
	t.Parallel()
	s := &server{}
	c := connect(t, config(t, s.start(t)))
	for _, m := range []notifier.Message{{ID: "n1-r1", Text: message.Text}, {ID: "n2-r1", HTML: message.HTML}} {
		if err := c.Send(t.Context(), address, m); err != nil {
			t.Fatalf("Send: %v", err)
		}
	}
	for i, want := range []part{{"text/plain", "Alipay payments are failing\r\n.since 10:00"}, {"text/html", message.HTML}} {
		header, parts := read(t, s.messages[i])
		if len(parts) != 1 || parts[0].kind != want.kind || strings.TrimSpace(parts[0].text) != want.text {
			t.Errorf("message %d: parts %q, want %q", i, parts, want)
		}
		if header.Get("References") != "" {
			t.Errorf("message %d without a thread refers to %q", i, header.Get("References"))
		}
	}
}

func TestNothingInAMessageStartsAHeaderOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, subject := range []string{"down\r\nBcc: all@reader.example", "down\nBcc: all@reader.example", "故障\r\n\r\nbody\u2028x\u0085y"} {
		s := &server{}
		m := message
		m.Subject, m.ID, m.Thread = subject, "n1\r\nBcc: x@y.example", "i7>\r\nBcc: <x@y.example"
		if err := connect(t, config(t, s.start(t))).Send(t.Context(), address, m); err != nil {
			t.Fatalf("Send: %v", err)
		}
		header, _ := read(t, s.messages[0])
		decoded, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
		if err != nil || header.Get("Bcc") != "" || strings.ContainsAny(decoded, "\r\n\u2028\u0085") {
			t.Errorf("subject %q, Bcc %q (%v)", decoded, header.Get("Bcc"), err)
		}
		if id := header.Get("Message-Id"); id != "<n1-Bcc-x-y.example.i7-Bcc-x-y.example@shop.example>" {
			t.Errorf("Message-ID %q", id)
		}
	}
}

func TestAMessageWithoutIDOrTextIsAnError(t *testing.T) {
	t.Parallel()
	s := &server{}
	c := connect(t, config(t, s.start(t)))
	for _, m := range []notifier.Message{{Text: "x"}, {ID: "n1-r1", Text: " ", HTML: "\n"}, {ID: "n1-r1", Text: strings.Repeat("x", 1<<20)}} {
		if got, _ := channeltest.Understand(c.Send(t.Context(), address, m)); got != channeltest.Unsendable {
			t.Errorf("understood as %q, want %q", got, channeltest.Unsendable)
		}
	}
	if s.taken() != 0 {
		t.Errorf("the server took %d messages", s.taken())
	}
}

// one is the config for one connection at a time.
func one(cfg email.Config) email.Config {
	cfg.Connections = 1
	return cfg
}
