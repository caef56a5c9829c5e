package server_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/config"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/exporter/probe/server"
	"shopwatch/internal/servertest"
	"shopwatch/rules"
)

// canary is the password of every look at a fake: it must appear nowhere.
const canary = "canary-pa55word"

// hour is the timeout of looks that are meant to end by themselves.
const hour = time.Hour

var prober = probe.New(probe.Config{Kinds: map[exporter.Kind]probe.Kind{
	exporter.KindMySQL: server.MySQL, exporter.KindPostgres: server.Postgres, exporter.KindRedis: server.Redis,
	exporter.KindSMTP: server.SMTP, exporter.KindTLS: server.TLS,
}})

// look looks once at a target.
func look(module exporter.Module, target string, timeout time.Duration) exporter.Reading {
	return prober.Look(context.Background(), exporter.Service{Shop: "card", ID: "db", Module: module, Timeout: timeout}, target)
}

func mysqlModule(change func(*exporter.Database)) exporter.Module {
	options := &exporter.Database{User: "watcher", Password: canary}
	if change != nil {
		change(options)
	}
	return exporter.Module{Kind: exporter.KindMySQL, MySQL: options}
}

func postgresModule(change func(*exporter.Database)) exporter.Module {
	options := &exporter.Database{User: "watcher", Password: canary}
	if change != nil {
		change(options)
	}
	return exporter.Module{Kind: exporter.KindPostgres, Postgres: options}
}

func redisModule(change func(*exporter.Redis)) exporter.Module {
	options := &exporter.Redis{Password: canary}
	if change != nil {
		change(options)
	}
	return exporter.Module{Kind: exporter.KindRedis, Redis: options}
}

func smtpModule(change func(*exporter.SMTP)) exporter.Module {
	options := &exporter.SMTP{Encryption: exporter.EncryptionNone, User: "watcher", Password: canary}
	if change != nil {
		change(options)
	}
	return exporter.Module{Kind: exporter.KindSMTP, SMTP: options}
}

func tlsModule(change func(*exporter.TLS)) exporter.Module {
	options := new(exporter.TLS)
	if change != nil {
		change(options)
	}
	return exporter.Module{Kind: exporter.KindTLS, TLS: options}
}

// trusting is TLS that trusts an authority's file.
func trusting(file string) *config.TLSConfig { return &config.TLSConfig{CAFile: file} }

func mustSucceed(t *testing.T, reading exporter.Reading, phases ...string) {
	t.Helper()
	if !reading.Success {
		t.Fatalf("failed: %s: %s", reading.Reason, reading.Detail)
	}
	mustHavePhases(t, reading, phases...)
}

// mustHavePhases wants the phases in their order after the connection's, and a
// sample of each.
func mustHavePhases(t *testing.T, reading exporter.Reading, phases ...string) {
	t.Helper()
	phases = append([]string{"resolve", "connect"}, phases...)
	var got, sampled []string
	for _, phase := range reading.Phases {
		got = append(got, phase.Name)
	}
	for _, sample := range reading.Samples {
		if sample.Metric == &rules.LookPhase {
			sampled = append(sampled, sample.Labels[0])
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(phases) || fmt.Sprint(sampled) != fmt.Sprint(phases) {
		t.Errorf("phases are %v, sampled %v, want %v", got, sampled, phases)
	}
}

func mustFail(t *testing.T, reading exporter.Reading, reason rules.Reason, detail string) {
	t.Helper()
	if reading.Success || reading.Reason != reason || !strings.Contains(reading.Detail, detail) {
		t.Errorf("success %v, %s: %q; want %s: %q", reading.Success, reading.Reason, reading.Detail, reason, detail)
	}
	mustBeSilent(t, reading, canary)
}

// mustBeSilent wants a secret to be nowhere in a reading.
func mustBeSilent(t *testing.T, reading exporter.Reading, secret string) {
	t.Helper()
	if text := fmt.Sprintf("%+v", reading); strings.Contains(text, secret) {
		t.Errorf("the reading holds the password: %s", text)
	}
}

func value(reading exporter.Reading, metric *rules.Metric) (float64, bool) {
	for _, sample := range reading.Samples {
		if sample.Metric == metric {
			return sample.Value, true
		}
	}
	return 0, false
}

// fake is a server of a behaviour; each connection is closed when it returns,
// and with the test.
func fake(t testing.TB, behave func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over, stop := context.WithCancel(context.Background())
	t.Cleanup(func() { stop(); listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				defer context.AfterFunc(over, func() { conn.Close() })()
				behave(conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// hang reads until the far side is gone.
func hang(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// endlessly says the same until the far side is gone.
func endlessly(conn net.Conn, text string) {
	for {
		if _, err := io.WriteString(conn, text); err != nil {
			return
		}
	}
}

// trickle says a byte now and then, until the far side is gone.
func trickle(conn net.Conn, text string) {
	for i := 0; ; i++ {
		if _, err := conn.Write([]byte{text[i%len(text)]}); err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond) // the behaviour itself, nothing waits for it
	}
}

// script is a behaviour that says one step, waits to be spoken to, says the
// next, and in the end does something.
func script(then func(net.Conn), steps ...string) func(net.Conn) {
	return func(conn net.Conn) {
		buffer := make([]byte, 64<<10)
		for i, step := range steps {
			if i > 0 {
				if _, err := conn.Read(buffer); err != nil {
					return
				}
			}
			if _, err := io.WriteString(conn, step); err != nil {
				return
			}
		}
		then(conn)
	}
}

// bye closes.
func bye(net.Conn) {}

// kinds are the modules of every kind, without TLS where it is an option.
func kinds() map[string]exporter.Module {
	return map[string]exporter.Module{
		"mysql": mysqlModule(nil), "postgres": postgresModule(nil), "redis": redisModule(nil), "smtp": smtpModule(nil),
		"tls":          tlsModule(nil),
		"mysql+tls":    mysqlModule(func(d *exporter.Database) { d.TLS = new(config.TLSConfig) }),
		"postgres+tls": postgresModule(func(d *exporter.Database) { d.TLS = new(config.TLSConfig) }),
		"redis+tls":    redisModule(func(r *exporter.Redis) { r.TLS = new(config.TLSConfig) }),
		"smtps":        smtpModule(func(s *exporter.SMTP) { s.Encryption = exporter.EncryptionImplicit }),
		"smtp+tls":     smtpModule(func(s *exporter.SMTP) { s.Encryption = exporter.EncryptionSTARTTLS }),
	}
}

func TestAServerThatIsDownIsAFailedConnection(t *testing.T) {
	t.Parallel()
	for name, module := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mustFail(t, look(module, servertest.FreeAddress(t), hour), rules.ReasonConnect, "refused")
			mustFail(t, look(module, "no-port", hour), rules.ReasonOther, "host:port")
		})
	}
}

func TestAServerThatIsSilentCostsTheTimeout(t *testing.T) {
	t.Parallel()
	for name, module := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mustFail(t, look(module, fake(t, hang), 100*time.Millisecond), rules.ReasonTimeout, "not done within 100ms, still")
		})
	}
}

func TestALookThatIsCalledOffEndsAndSaysNothing(t *testing.T) {
	t.Parallel()
	for name, module := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(context.Background())
			target := fake(t, func(conn net.Conn) { cancel(); hang(conn) })
			service := exporter.Service{Module: module, Timeout: hour}
			mustFail(t, prober.Look(ctx, service, target), rules.ReasonVantage, "called off")
		})
	}
}

func TestOurOwnTroubleIsNotTheServers(t *testing.T) {
	t.Parallel()
	poor := probe.New(probe.Config{
		Kinds: map[exporter.Kind]probe.Kind{exporter.KindRedis: server.Redis},
		Dial:  func(context.Context, string, string) (net.Conn, error) { return nil, errNoFiles },
	})
	reading := poor.Look(context.Background(), exporter.Service{Module: redisModule(nil), Timeout: hour}, "127.0.0.1:6379")
	mustFail(t, reading, rules.ReasonVantage, "")
}

// hostile are things that no server of any protocol should do.
var hostile = map[string]func(net.Conn){
	"closes at once":             bye,
	"says nothing":               hang,
	"sends zeros without end":    func(c net.Conn) { endlessly(c, strings.Repeat("\x00", 4096)) },
	"sends ones without end":     func(c net.Conn) { endlessly(c, strings.Repeat("\xff", 4096)) },
	"sends a line without end":   func(c net.Conn) { endlessly(c, strings.Repeat("x", 4096)) },
	"sends lines without end":    func(c net.Conn) { endlessly(c, strings.Repeat("220-x\r\n", 512)) },
	"sends a byte now and then":  func(c net.Conn) { trickle(c, "220-x\r\n") },
	"answers as a web server":    script(bye, "", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
	"repeats what it hears":      func(c net.Conn) { _, _ = io.Copy(c, c) },
	"repeats it as an error":     script(hang, "", "-"+canary+"\r\n"),
	"greets, then hangs (mysql)": script(hang, mysqlGreeting(0)),
	"greets, then closes":        script(bye, mysqlGreeting(0)),
	"greets, then garbage":       script(hang, mysqlGreeting(0), "\x03\x00\x00\x02xyz"),
	"greets with 16 MB":          script(hang, "\xff\xff\xff\x00\x0a"),
	"greets, then 16 MB":         script(hang, mysqlGreeting(0), "\xff\xff\xff\x02\x00"),
	"asks for 4 GB (postgres)":   script(hang, "", "R\xff\xff\xff\xff"),
	"asks for 2 GB (postgres)":   script(hang, "", "R\x7f\xff\xff\xff\x00\x00\x00\x00"),
	"asks for a password, hangs": script(hang, "", pgMessage('R', "\x00\x00\x00\x03")),
	"challenges without end":     func(c net.Conn) { endlessly(c, pgMessage('R', "\x00\x00\x00\x05salt")) },
	"a terabyte (redis)":         script(hang, "", "$1099511627776\r\n"),
	"a map (redis)":              script(hang, "", "%1\r\n$1099511627776\r\n"),
	"greets (smtp), hangs":       script(hang, "220 mail\r\n"),
	"greets (smtp), closes":      script(bye, "220 mail\r\n"),
	"greets (smtp), never ends":  script(func(c net.Conn) { endlessly(c, "250-SIZE 1\r\n") }, "220 mail\r\n", "250-mail\r\n"),
	"refuses TLS":                script(hang, "", "N"),
	"agrees to TLS, hangs":       script(hang, "", "S"),
	"agrees to TLS, garbage":     script(hang, "", "Sgarbage that is no TLS at all"),
	"starts TLS with an alert":   script(bye, "\x15\x03\x01\x00\x02\x02\x28"),
}

// Each hostile server costs at most the timeout and little memory, is never a
// success, gives a reason, and leaves nothing running.
func TestAHostileServerCostsATimeoutAndNothingElse(t *testing.T) {
	targets := map[string]string{}
	for name, behave := range hostile {
		targets[name] = fake(t, behave)
	}
	for name, module := range kinds() {
		for behaviour, target := range targets {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			reading := look(module, target, 50*time.Millisecond)
			runtime.ReadMemStats(&after)
			if reading.Success || reading.Reason == "" || reading.Detail == "" || reading.Reason == rules.ReasonVantage {
				t.Errorf("%s, %s: success %v, %q %q", name, behaviour, reading.Success, reading.Reason, reading.Detail)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 {
				t.Errorf("%s, %s: allocated %d bytes", name, behaviour, grown)
			}
			mustBeSilent(t, reading, canary)
		}
	}
	mustBeIdle(t)
}

// mustBeIdle waits until nothing of a look runs any more.
func mustBeIdle(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; runtime.Gosched() {
		buffer := make([]byte, 1<<20)
		stacks := string(buffer[:runtime.Stack(buffer, true)])
		busy := ""
		for _, stack := range strings.Split(stacks, "\n\n") {
			for _, frame := range []string{"go-sql-driver/mysql.", "jackc/pgx", "exporter/probe.(", "exporter/probe/server."} {
				if strings.Contains(stack, frame) && !strings.Contains(stack, "testing.tRunner") {
					busy = stack
				}
			}
		}
		if busy == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still running:\n%s", busy)
		}
	}
}
