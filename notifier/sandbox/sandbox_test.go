package sandbox_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/channeltest"
	"shopwatch/notifier/channel/email"
	"shopwatch/notifier/channel/sms"
	"shopwatch/notifier/channel/telegram"
	"shopwatch/notifier/sandbox"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.FixedZone("CST", 8*3600))

// open runs a sandbox until the test ends.
func open(t *testing.T, cfg sandbox.Config) *sandbox.Sandbox {
	t.Helper()
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return noon }
	}
	s, err := sandbox.New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(context.Background()) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s
}

// channels are the product's own, wired to the sandbox as an app wires them.
func channels(t *testing.T, s *sandbox.Sandbox) map[string]channeltest.Channel {
	t.Helper()
	expected := s.Credentials()
	bot, err := telegram.New(telegram.Config{
		Token: func() (string, error) { return expected.TelegramToken, nil }, APIURL: s.TelegramURL(),
	})
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(s.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	mail, err := email.New(email.Config{
		Host: host, Port: number, Username: expected.SMTPUsername, Password: expected.SMTPPassword,
		From: "小明卡铺 <status@shop.example>", TLS: email.OptionalSTARTTLS, RootCAs: s.RootCAs(), Now: func() time.Time { return noon },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mail.Close() })
	aliyun, err := sms.NewAliyun(sms.AliyunConfig{
		AccessKeyID: expected.SMSAccessKeyID, AccessKeySecret: expected.SMSAccessKeySecret, SignName: expected.SMSSignName,
		Endpoint: "http://" + s.SMSEndpoint(), Templates: s.SMSTemplates(), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	texts, err := sms.New(sms.Config{Providers: []sms.Provider{aliyun}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]channeltest.Channel{sandbox.Telegram: bot, sandbox.Email: mail, sandbox.SMS: texts}
}

// addresses are a good reader on each channel.
var addresses = map[string]string{
	sandbox.Telegram: "-1001234567890:45", sandbox.Email: "alice@reader.example", sandbox.SMS: "+8613800138000",
}

// notice is a message in the form of each channel.
func notice(channel string) notifier.Message {
	m := notifier.Message{ID: "n12-r34", Thread: "i7", Language: notifier.Chinese, Subject: "🔴 支付宝暂时无法支付", Text: "支付宝暂时无法支付\n我们正在处理"}
	switch channel {
	case sandbox.Telegram:
		m.HTML = "<b>支付宝暂时无法支付</b>\n我们正在处理 &lt;3"
	case sandbox.Email:
		m.HTML = "<!doctype html><html><head><title>x</title></head><body><p>支付宝暂时无法支付</p></body></html>"
	case sandbox.SMS:
		m.Template = "down"
		m.Params = []notifier.Param{{Name: "title", Value: "支付宝暂时无法支付"}, {Name: "since", Value: "03:12:05"}, {Name: "lasted", Value: "5 分 4 秒"}}
	}
	return m
}

func TestEveryChannelsMessageArrivesAsItsReaderReadsIt(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{SignName: "小明卡铺"})
	for channel, c := range channels(t, s) {
		if err := c.Send(t.Context(), addresses[channel], notice(channel)); err != nil {
			t.Fatalf("%s: %v", channel, err)
		}
	}
	want := map[string]sandbox.Message{
		sandbox.Telegram: {From: "@shopwatch_sandbox_bot", Text: "支付宝暂时无法支付\n我们正在处理 <3", HTML: notice(sandbox.Telegram).HTML},
		sandbox.Email: {
			From: "小明卡铺 <status@shop.example>", Subject: "🔴 支付宝暂时无法支付",
			Text: "支付宝暂时无法支付\n我们正在处理", HTML: notice(sandbox.Email).HTML,
		},
		sandbox.SMS: {From: "小明卡铺", Text: "【小明卡铺】服务通知：支付宝暂时无法支付，开始于03:12:05，已持续5 分 4 秒。恢复后会再通知您。"},
	}
	messages := s.Messages()
	if len(messages) != 3 {
		t.Fatalf("%d messages, want 3", len(messages))
	}
	for i, got := range messages {
		w := want[got.Channel]
		if got.ID != int64(i+1) || !got.At.Equal(noon) || got.To != addresses[got.Channel] || got.Raw == "" {
			t.Errorf("%s: id %d, at %s, to %q, raw %q", got.Channel, got.ID, got.At, got.To, got.Raw)
		}
		if got.From != w.From || got.Subject != w.Subject || strings.TrimSpace(got.Text) != w.Text || strings.TrimSpace(got.HTML) != w.HTML {
			t.Errorf("%s: got %+v\nwant %+v", got.Channel, got, w)
		}
	}
}

func TestEveryFaultIsUnderstoodByTheChannel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		channel string
		fault   sandbox.Fault
		want    channeltest.Outcome
		after   time.Duration
		taken   int
	}{
		{"Telegram limits the chat", sandbox.Telegram, sandbox.Fault{RetryAfter: 17 * time.Second}, channeltest.WaitRecipient, 17 * time.Second, 0},
		{"Telegram's reader blocked the bot", sandbox.Telegram, sandbox.Fault{Status: 403, Text: "Forbidden: bot was blocked by the user"}, channeltest.Permanent, 0, 0},
		{"Telegram moved the group", sandbox.Telegram, sandbox.Fault{MigrateTo: -1009}, channeltest.Moved, 0, 0},
		{"Telegram is broken", sandbox.Telegram, sandbox.Fault{}, channeltest.Temporary, 0, 0},
		{"Telegram hangs up", sandbox.Telegram, sandbox.Fault{Drop: true}, channeltest.Temporary, 0, 0},
		{"Telegram takes the message and hangs up", sandbox.Telegram, sandbox.Fault{Drop: true, Taken: true}, channeltest.Temporary, 0, 1},
		{"Telegram never answers", sandbox.Telegram, sandbox.Fault{Silent: true}, channeltest.Temporary, 0, 0},
		{"the mailbox does not exist", sandbox.Email, sandbox.Fault{Status: 550, Text: "no such user"}, channeltest.Permanent, 0, 0},
		{"the mail server greylists", sandbox.Email, sandbox.Fault{}, channeltest.Temporary, 0, 0},
		{"the mail's content is refused", sandbox.Email, sandbox.Fault{Status: 554, AtData: true}, channeltest.Unsendable, 0, 0},
		{"the mail server hangs up", sandbox.Email, sandbox.Fault{Drop: true}, channeltest.Temporary, 0, 0},
		{"the mail server takes the mail and hangs up", sandbox.Email, sandbox.Fault{Drop: true, Taken: true}, channeltest.Temporary, 0, 1},
		{"the mail server never answers", sandbox.Email, sandbox.Fault{Silent: true, AtData: true}, channeltest.Temporary, 0, 0},
		{"the number's hour is full", sandbox.SMS, sandbox.Fault{Code: "isv.BUSINESS_LIMIT_CONTROL", Text: "触发小时级流控Permits:5"}, channeltest.WaitRecipient, time.Hour, 0},
		{"the account has no money", sandbox.SMS, sandbox.Fault{Code: "isv.AMOUNT_NOT_ENOUGH"}, channeltest.WaitChannel, 5 * time.Minute, 0},
		{"Aliyun is asked too often", sandbox.SMS, sandbox.Fault{Status: 429}, channeltest.WaitChannel, time.Minute, 0},
		{"Aliyun is broken", sandbox.SMS, sandbox.Fault{}, channeltest.Temporary, 0, 0},
		{"Aliyun takes the message and hangs up", sandbox.SMS, sandbox.Fault{Drop: true, Taken: true}, channeltest.Temporary, 0, 1},
		{"Aliyun never answers", sandbox.SMS, sandbox.Fault{Silent: true}, channeltest.Temporary, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, sandbox.Config{})
			sender := channels(t, s)[c.channel]
			s.Fail(c.channel, c.fault)
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if c.fault.Silent {
				ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
			}
			defer cancel()
			err := sender.Send(ctx, addresses[c.channel], notice(c.channel))
			if got, after := channeltest.Understand(err); got != c.want || after != c.after {
				t.Errorf("understood as %q after %s, want %q after %s (%v)", got, after, c.want, c.after, err)
			}
			if n := len(s.Messages()); n != c.taken {
				t.Errorf("%d messages were taken, want %d", n, c.taken)
			}
			if err := sender.Send(t.Context(), addresses[c.channel], notice(c.channel)); err != nil {
				t.Errorf("the message after the fault: %v", err)
			}
		})
	}
}

func TestAFaultMeetsItsAddressAndItsNumberOfMessages(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	bot := channels(t, s)[sandbox.Telegram]
	send := func(address string) bool { return bot.Send(t.Context(), address, notice(sandbox.Telegram)) == nil }
	s.Fail(sandbox.Telegram, sandbox.Fault{To: "1", Times: 2})
	s.Fail(sandbox.Telegram, sandbox.Fault{To: "2", Times: -1})
	for i, want := range []struct {
		address string
		ok      bool
	}{{"3", true}, {"1", false}, {"2", false}, {"1", false}, {"1", true}, {"2", false}, {"2", false}} {
		if got := send(want.address); got != want.ok {
			t.Errorf("message %d to %s: accepted %t, want %t", i, want.address, got, want.ok)
		}
	}
	s.Heal(sandbox.Telegram)
	if !send("2") {
		t.Error("a message after Heal was refused")
	}
}

func TestWaitFindsOldAndNewMessagesAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Config{})
	bot := channels(t, s)[sandbox.Telegram]
	to := func(address string) func(sandbox.Message) bool {
		return func(m sandbox.Message) bool { return m.To == address }
	}
	found := make(chan error, 1)
	go func() {
		_, err := s.Wait(t.Context(), to("2"))
		found <- err
	}()
	for _, address := range []string{"1", "2"} {
		if err := bot.Send(t.Context(), address, notice(sandbox.Telegram)); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-found; err != nil {
		t.Errorf("Wait for a new message: %v", err)
	}
	if m, err := s.Wait(t.Context(), to("1")); err != nil || m.ID != 1 {
		t.Errorf("Wait for an old message: %d, %v", m.ID, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Wait(ctx, to("3")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait for no message: %v", err)
	}
}

func TestMessagesOutliveARestartAndAreBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "messages.jsonl")
	texts := func(messages []sandbox.Message) string {
		var texts []string
		for _, m := range messages {
			texts = append(texts, strconv.FormatInt(m.ID, 10)+m.Text)
		}
		return strings.Join(texts, " ")
	}
	send := func(s *sandbox.Sandbox, from, to int) {
		bot := channels(t, s)[sandbox.Telegram]
		for n := from; n <= to; n++ {
			if err := bot.Send(t.Context(), "1", notifier.Message{ID: "n1-r1", Text: "=" + strconv.Itoa(n)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	first := open(t, sandbox.Config{Path: path, Keep: 3})
	send(first, 1, 8)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(content), "\n"); n > 6 {
		t.Errorf("the file has %d lines, want at most twice what is kept", n)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v (%v), want 0600: it holds addresses", info.Mode(), err)
	}
	// A crash may cut the last line off.
	if err := os.WriteFile(path, append(content, `{"id":99,"text":"cut o`...), 0o600); err != nil {
		t.Fatal(err)
	}
	second := open(t, sandbox.Config{Path: path, Keep: 3})
	if got := texts(second.Messages()); got != "6=6 7=7 8=8" {
		t.Errorf("after the restart: %s", got)
	}
	send(second, 9, 9)
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	third := open(t, sandbox.Config{Path: path, Keep: 3})
	if got := texts(third.Messages()); got != "7=7 8=8 9=9" {
		t.Errorf("after another restart: %s", got)
	}
}

func TestNewRefusesAWrongConfig(t *testing.T) {
	t.Parallel()
	clock := func() time.Time { return noon }
	public := func() (net.Listener, error) { return net.Listen("tcp", "0.0.0.0:0") }
	for want, cfg := range map[string]sandbox.Config{
		"no clock": {},
		"prefix":   {Now: clock, Prefix: "sandbox/"},
		"loopback": {Now: clock, Listen: public},
		"messages": {Now: clock, Path: filepath.Join(t.TempDir(), "no", "such", "folder")},
		"listen: broken": {Now: clock, Listen: func() (net.Listener, error) {
			return nil, errors.New("broken")
		}},
	} {
		if _, err := sandbox.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}

func TestASandboxEndsWithItsContextAndMayBeClosedTwice(t *testing.T) {
	t.Parallel()
	s, err := sandbox.New(sandbox.Config{Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Errorf("Run: %v", err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if conn, err := net.Dial("tcp", s.SMTPAddr()); err == nil {
		_ = conn.Close()
		t.Error("the SMTP server still listens")
	}
}

func TestASandboxThatNeverRanGivesItsAddressesBack(t *testing.T) {
	t.Parallel()
	s, err := sandbox.New(sandbox.Config{Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	for _, address := range []string{s.SMTPAddr(), s.SMSEndpoint(), strings.TrimPrefix(s.TelegramURL(), "http://")} {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			t.Errorf("%s still listens", address)
		}
	}
}
