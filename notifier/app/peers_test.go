package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"shopwatch/internal/configfile"
	"shopwatch/internal/servertest"
	"shopwatch/notifier"
	"shopwatch/notifier/config"
	"shopwatch/rules"
)

// crowd is how many are told in each comparison.
const crowd = 200

// farSide counts whom it took a message for, and who came too early.
type farSide struct {
	mu      sync.Mutex
	took    map[string]bool
	early   int
	refuses string      // a mail address
	window  []time.Time // of the messages that it took
	blocked time.Time
}

func newFarSide() *farSide { return &farSide{took: map[string]bool{}} }

func (f *farSide) told() (people, early int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.took), f.early
}

// ServeHTTP is a Bot API that takes 30 messages in any second. Who comes sooner
// waits three seconds, and anew for every try amid them.
func (f *farSide) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:] {
	case "sendMessage":
	case "getUpdates":
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Second):
		}
		fmt.Fprint(w, `{"ok":true,"result":[]}`)
		return
	case "getMe":
		fmt.Fprint(w, `{"ok":true,"result":{"id":1,"is_bot":true,"first_name":"shop","username":"shop_bot"}}`)
		return
	default:
		fmt.Fprint(w, `{"ok":true,"result":true}`)
		return
	}
	var message struct {
		Chat string `json:"chat_id"`
	}
	if json.Unmarshal(body, &message) != nil || message.Chat == "" {
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		message.Chat = r.FormValue("chat_id")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	const limit, punishment = 30, 3 * time.Second
	now := time.Now()
	if now.Before(f.blocked) || len(f.window) >= limit && now.Sub(f.window[len(f.window)-limit]) < time.Second {
		f.early++
		f.blocked = now.Add(punishment)
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprintf(w, `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 3","parameters":{"retry_after":3}}`)
		return
	}
	f.window = append(f.window, now)
	f.took[message.Chat] = true
	fmt.Fprintf(w, `{"ok":true,"result":{"message_id":%d,"date":%d,"chat":{"id":1,"type":"private"}}}`, len(f.window), now.Unix())
}

// NewSession is a mail server's.
func (f *farSide) NewSession(*smtp.Conn) (smtp.Session, error) { return &farMail{far: f}, nil }

type farMail struct {
	far *farSide
	to  []string
}

func (m *farMail) Mail(string, *smtp.MailOptions) error { m.to = nil; return nil }

func (m *farMail) Rcpt(to string, _ *smtp.RcptOptions) error {
	if to == m.far.refuses {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	}
	m.to = append(m.to, to)
	return nil
}

func (m *farMail) Data(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	m.far.mu.Lock()
	defer m.far.mu.Unlock()
	for _, to := range m.to {
		m.far.took[to] = true
	}
	return nil
}

func (m *farMail) Reset()        { m.to = nil }
func (m *farMail) Logout() error { return nil }

// mail serves at a port from some moment on.
func (f *farSide) mail(b *testing.B, port int, after time.Duration) {
	server := smtp.NewServer(f)
	server.Domain, server.MaxRecipients = "far.example", 2*crowd
	b.Cleanup(func() { server.Close() })
	start := func() {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			b.Errorf("the mail server did not come back: %v", err)
			return
		}
		go server.Serve(listener)
	}
	if after == 0 {
		start()
		return
	}
	time.AfterFunc(after, start)
}

// alertmanager starts Debian's with one receiver, and gives its URL.
func alertmanager(b *testing.B, receiver string) string {
	b.Helper()
	program, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		servertest.Skip(b, "Debian's prometheus-alertmanager is not installed")
	}
	dir := b.TempDir()
	file, address := filepath.Join(dir, "alertmanager.yml"), fmt.Sprintf("127.0.0.1:%d", servertest.FreePort(b))
	text := "route: {receiver: all, group_wait: 1s, group_interval: 30s}\nreceivers:\n- name: all\n" + receiver
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	process := exec.CommandContext(b.Context(), program, "--config.file="+file, "--storage.path="+dir, "--web.listen-address="+address, "--cluster.listen-address=")
	if err := process.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { process.Process.Kill(); process.Wait() })
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		answer, err := http.Get("http://" + address + "/-/ready")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return "http://" + address
			}
		}
		if time.Now().After(deadline) {
			b.Fatalf("Alertmanager does not come up: %v", err)
		}
	}
}

func mailReader(i int) string { return fmt.Sprintf("r%d@d%d.example", i, i%20) }

// byMail and byTelegram are receivers of Alertmanager.
func byMail(port int) string {
	var to []string
	for i := range crowd {
		to = append(to, mailReader(i))
	}
	return fmt.Sprintf("  email_configs: [{to: %q, from: a@shop.example, smarthost: '127.0.0.1:%d', require_tls: false, hello: shop.example}]\n", strings.Join(to, ", "), port)
}

func byTelegram(url string) string {
	text := "  telegram_configs:\n"
	for i := range crowd {
		text += fmt.Sprintf("  - {api_url: '%s', bot_token: '1:secret', chat_id: %d, message: down, parse_mode: ''}\n", url, 1000+i)
	}
	return text
}

// ours is the notifier with the crowd on call, and where its webhook is.
func ours(b *testing.B, channel string, edit func(*config.Config)) (w *bench, url string) {
	b.Helper()
	w = newBenchWith(b, func(w *bench) {
		w.edit = func(cfg *config.Config) {
			var people []notifier.Recipient
			for i := range crowd {
				address := mailReader(i)
				if channel == config.Telegram {
					address = fmt.Sprint(1000 + i)
				}
				people = append(people, notifier.Recipient{Audience: rules.Ops, Channel: channel, Address: address, Language: notifier.English})
			}
			cfg.Audiences = map[rules.Audience][]notifier.Recipient{rules.Ops: people}
			cfg.Escalation.Ops, cfg.Escalation.Management = 5*time.Minute, 30*time.Minute
			edit(cfg)
		}
	})
	private := httptest.NewServer(w.app.Private())
	b.Cleanup(private.Close)
	return w, private.URL
}

func mailAt(port int) func(*config.Config) {
	return func(cfg *config.Config) {
		cfg.Email = &config.EmailConfig{Host: "127.0.0.1", Port: port, From: "Shop <a@shop.example>", TLS: config.TLSNone}
	}
}

func botAt(url string) func(*config.Config) {
	return func(cfg *config.Config) {
		cfg.Telegram = &config.TelegramConfig{Token: configfile.NewSecret("1:AAHsecretsecretsecretsecretsecretsec"), APIURL: url}
	}
}

// post tells an Alertmanager of an alert that lasts so long.
func post(b *testing.B, to string, lasts time.Duration) {
	b.Helper()
	ends := time.Now().Add(lasts).Format(time.RFC3339Nano)
	answer, err := http.Post(to+"/api/v2/alerts", "application/json", strings.NewReader(`[{"labels":{"alertname":"ServiceDown"},"endsAt":"`+ends+`"}]`))
	if err != nil {
		b.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		b.Fatalf("Alertmanager answered %s", answer.Status)
	}
}

// BenchmarkPeers tells 200 people by Debian's Alertmanager and by us, each beside
// far sides of its own that behave alike and do the counting: one address is
// refused; a Bot API bears 30 a second and punishes who comes early; the mail
// server is away for 40 s, and the alert lasts 20.
func BenchmarkPeers(b *testing.B) {
	const away, lasts, atMost = 40 * time.Second, 20 * time.Second, 110 * time.Second
	var sides [6]*farSide // theirs and ours, three times
	var ports [6]int
	for i := range sides {
		sides[i], ports[i] = newFarSide(), servertest.FreePort(b)
	}
	sides[0].refuses, sides[1].refuses = mailReader(17), mailReader(17)
	var bots [2]string
	for i := range bots {
		server := httptest.NewServer(sides[2+i])
		b.Cleanup(server.Close)
		bots[i] = server.URL
	}
	theirs := [3]string{alertmanager(b, byMail(ports[0])), alertmanager(b, byTelegram(bots[0])), alertmanager(b, byMail(ports[4]))}
	_, refused := ours(b, config.Email, mailAt(ports[1]))
	_, limited := ours(b, config.Telegram, botAt(bots[1]))
	patient, gone := ours(b, config.Email, mailAt(ports[5]))
	for i, after := range map[int]time.Duration{0: 0, 1: 0, 4: away, 5: away} {
		sides[i].mail(b, ports[i], after)
	}
	for b.Loop() {
		began := time.Now()
		post(b, theirs[0], time.Hour)
		post(b, theirs[1], time.Hour)
		post(b, theirs[2], lasts)
		for _, url := range []string{refused, limited, gone} {
			if status := patient.fires(url, "alipay"); status != http.StatusOK {
				b.Fatalf("the webhook answered %d", status)
			}
		}
		over := false
		for time.Since(began) < atMost {
			if !over && time.Since(began) > lasts {
				over = true
				if status := patient.ends(gone, "alipay", began); status != http.StatusOK {
					b.Fatalf("the webhook answered %d", status)
				}
			}
			time.Sleep(100 * time.Millisecond)
		}
		for i, what := range []string{"refused", "limited", "away"} {
			people, early := sides[2*i].told()
			b.ReportMetric(float64(people), what+"_alertmanager")
			if what == "limited" {
				b.ReportMetric(float64(early), "early_alertmanager")
			}
			people, early = sides[2*i+1].told()
			b.ReportMetric(float64(people), what+"_ours")
			if what == "limited" {
				b.ReportMetric(float64(early), "early_ours")
			}
		}
		b.ReportMetric(0, "ns/op")
	}
}
