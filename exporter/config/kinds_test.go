package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	promconfig "github.com/prometheus/common/config"

	"shopwatch/exporter"
	"shopwatch/exporter/config"
	"shopwatch/internal/configfile"
)

// kinds are the services of testdata/kinds.yml by their ids.
func kinds(t *testing.T) map[string]exporter.Service {
	t.Helper()
	loaded, err := config.Load(read(t, "testdata/kinds.yml", environment))
	if err != nil {
		t.Fatal(err)
	}
	services := make(map[string]exporter.Service)
	for _, service := range loaded.Shops[0].Services {
		services[service.ID] = service
	}
	return services
}

func TestEveryKindsWordsBecomeItsModule(t *testing.T) {
	t.Parallel()
	got := kinds(t)
	for id, want := range map[string]exporter.Module{
		"mysql": {Kind: exporter.KindMySQL, MySQL: &exporter.Database{
			User: "shopwatch", Password: token, Name: "shop", Query: "SELECT 2",
			TLS: &promconfig.TLSConfig{ServerName: "db.example.com", CAFile: "testdata/pki/ca.pem"},
		}},
		"postgres": {Kind: exporter.KindPostgres, Postgres: &exporter.Database{
			User: "shopwatch", Password: "hunter2-of-a-file", Query: "SELECT 1", TLS: &promconfig.TLSConfig{},
		}},
		"redis": {Kind: exporter.KindRedis, Redis: &exporter.Redis{}},
		"own-by-name": {
			Name: "mine", Kind: exporter.KindRedis, Timeout: 2 * time.Second,
			Redis: &exporter.Redis{Password: token, Database: 3},
		},
		"smtp": {Kind: exporter.KindSMTP, SMTP: &exporter.SMTP{
			Encryption: exporter.EncryptionSTARTTLS, User: "alerts", Password: token, HELO: "shop.example.com",
			TLS: promconfig.TLSConfig{InsecureSkipVerify: true},
		}},
		"tls": {Kind: exporter.KindTLS, TLS: &exporter.TLS{TimeLeft: 14 * 24 * time.Hour}},
		"journey": {Kind: exporter.KindJourney, Journey: &exporter.Journey{Budget: 8 * time.Second, Steps: []exporter.Step{{
			Name: "home", Method: "GET", URL: "/", Contains: []string{"Welcome"}, NotContains: []string{"Whoops"},
			Extract:         []exporter.Extraction{{Name: "product", Regexp: `href="/buy/([0-9]+)"`}, {Name: "csrf", Header: "X-Token"}},
			FollowRedirects: true, Budget: 2 * time.Second,
		}, {
			Name: "order", Method: "POST", URL: "https://shop.example.com/order/${product}", Body: "id=${product}",
			Headers:     map[string]string{"X-Token": "${csrf}", "X-Key": token},
			ValidStatus: []int{200, 302}, Extract: []exporter.Extraction{{Name: "pay", JSON: "data.pay.0"}},
		}}}},
		"robot": {Kind: exporter.KindUptimeRobot, UptimeRobot: &exporter.UptimeRobot{
			API: "v3", URL: "https://api.uptimerobot.com", Key: token, Monitors: []string{"7001"},
		}},
		"worker": {Kind: exporter.KindPush, Push: &exporter.Push{Token: token, Within: 10 * time.Minute}},
		"alipay": {Kind: exporter.KindPayment, Payment: &exporter.Payment{Gateway: "alipay", Skew: 5 * time.Minute}},
		"epay": {Kind: exporter.KindPayment, Payment: &exporter.Payment{
			Gateway: "epay", Merchant: "1000", Key: token, Skew: time.Minute,
		}},
		"texts": {Kind: exporter.KindSMS, SMS: &exporter.SMS{
			Provider: "aliyun", KeyID: "id", KeySecret: token, SignName: "小店", LeastBalance: 50.5,
		}},
	} {
		module := got[id].Module
		if module.Fingerprint == "" {
			t.Errorf("%s has no fingerprint", id)
		}
		module.Fingerprint = ""
		if !reflect.DeepEqual(module, want) {
			t.Errorf("%s: got a module other than was said: %+v", id, reflect.ValueOf(module))
			t.Logf("got  %+v %+v %+v %+v %+v", module.MySQL, module.Redis, module.SMTP, module.Journey, module.Payment)
		}
	}
	byName := got["by-name"]
	if byName.Module.Name != "http_post" || byName.Module.Blackbox.HTTP.Method != "POST" || byName.Module.Blackbox.HTTP.IPProtocol != "ip4" {
		t.Errorf("got %+v for a module of merged parts", byName.Module.Blackbox)
	}
}

func TestTheLeastOfThreeIsTheTimeout(t *testing.T) {
	t.Parallel()
	got := kinds(t)
	for id, want := range map[string]time.Duration{"by-name": 5 * time.Second, "own-by-name": 2 * time.Second, "redis": 10 * time.Second} {
		if got[id].Timeout != want {
			t.Errorf("%s: got %v, want %v", id, got[id].Timeout, want)
		}
	}
}

func TestAServiceWithoutTargetHasAnEmptyOne(t *testing.T) {
	t.Parallel()
	for id, service := range kinds(t) {
		want := id == "robot" || id == "worker" || id == "alipay" || id == "texts"
		if got := len(service.Targets) == 1 && service.Targets[0] == ""; got != want {
			t.Errorf("%s: got targets %q", id, service.Targets)
		}
	}
}

func TestAServiceIsOutwardByItsTargets(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]bool{
		"target: https://shop.example.com/":                            true,
		"target: shop.example.com:443":                                 true,
		"target: 203.0.113.7:443":                                      true,
		"target: 'http://[2001:db8::1]/'":                              true,
		"targets: ['http://127.0.0.1/', 'https://shop.example.com/']":  true,
		"target: 127.0.0.1:80":                                         false,
		"target: localhost:80":                                         false,
		"target: 'http://LOCALHOST./'":                                 false,
		"target: 10.1.2.3:80":                                          false,
		"target: 192.168.1.1:80":                                       false,
		"target: 169.254.169.254:80":                                   false,
		"target: '[::1]:80'":                                           false,
		"target: '[fe80::1]:80'":                                       false,
		"target: '[fd00::1]:80'":                                       false,
		"target: '[::ffff:10.0.0.1]:80'":                               false,
		"target: db.internal:3306":                                     false,
		"target: nas.local:80":                                         false,
		"target: http://redis:8080/x":                                  false,
		"target: 127.0.0.1:80, outward: true":                          true,
		"target: https://shop.example.com/, outward: false":            false,
		"push: {token: '${PASSWORD}', within: 1m}":                     false,
		"uptimerobot: {key: k}":                                        true,
		"payment: {gateway: wechatpay}":                                true,
		"target: 'http://127.0.0.1:8000/', payment: {gateway: epusdt}": false,
		"sms: {provider: twilio, key_id: a, key_secret: b}":            true,
		"target: /run/php.sock, module: sock":                          false,
		"target: 8.8.8.8, module: icmp":                                true,
		"target: 192.168.1.1, module: icmp":                            false,
	} {
		doc, err := configfile.Parse("test.yml", []byte("exporter:\n  modules: {sock: {prober: unix}, icmp: {prober: icmp}}\n  shops: [{id: main, services: [{id: a, "+words+"}]}]\n"), environment)
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := config.Load(doc)
		if err != nil {
			t.Errorf("%s: %v", words, err)
			continue
		}
		if got := loaded.Shops[0].Services[0].Outward; got != want {
			t.Errorf("%s: got %v, want %v", words, got, want)
		}
	}
}

func TestAFingerprintIsTheSameUntilSomethingChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	base := `  modules:
    web: {prober: http, http: {method: POST, body_file: body.txt, fail_if_body_matches_regexp: [a], basic_auth: {username: u, password: "${WORD}"}, proxy_url: "http://u:p@proxy/"}}
`
	service := "{id: a, target: 'http://127.0.0.1/', module: web}, {id: b, target: '127.0.0.1:1', mysql: {user: u, password: '${WORD}', tls: {ca_file: ca.pem}}}"
	load := func(modules, word string) (web, own string) {
		t.Helper()
		doc, err := configfile.Parse(filepath.Join(dir, "shopwatch.yml"), []byte("exporter:\n"+modules+"  shops: [{id: main, services: ["+service+"]}]\n"),
			func(string) (string, bool) { return word, true })
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := config.Load(doc)
		if err != nil {
			t.Fatal(err)
		}
		services := loaded.Shops[0].Services
		if services[0].Module.Fingerprint != loaded.Modules["web"].Fingerprint {
			t.Error("a module has two fingerprints")
		}
		return services[0].Module.Fingerprint, services[1].Module.Fingerprint
	}
	put("body.txt", "one")
	put("ca.pem", "one")
	web, own := load(base, password)
	if again, alsoOwn := load("  # a comment\n"+strings.Replace(base, "method: POST, body_file: body.txt", "body_file: 'body.txt', method: \"POST\"", 1), password); again != web || alsoOwn != own {
		t.Error("the same words in another order are another module")
	}
	if strings.Contains(web+own, password) || len(web) != 64 || web == own {
		t.Errorf("got %s, %s", web, own)
	}
	seen := map[string]string{web: "the first"}
	for name, change := range map[string][2]string{
		"a method": {"POST", "PUT"}, "a pattern": {"[a]", "[b]"}, "two patterns": {"[a]", "[a, b]"}, "a password in a URL": {"u:p@", "u:q@"},
	} {
		changed, same := load(strings.Replace(base, change[0], change[1], 1), password)
		if former, again := seen[changed]; again {
			t.Errorf("%s is not seen: the fingerprint is that of %s", name, former)
		}
		if seen[changed] = name; same != own {
			t.Errorf("%s of one module changes another's fingerprint", name)
		}
	}
	if changed, alsoOwn := load(base, "other"); changed == web || alsoOwn == own {
		t.Error("another password is not seen")
	}
	put("body.txt", "two")
	put("ca.pem", "two")
	if changed, alsoOwn := load(base, password); changed == web || alsoOwn == own {
		t.Error("another content of a file is not seen")
	}
}

func TestACauseThatIsKnownTooLateIsAWarning(t *testing.T) {
	t.Parallel()
	text := `exporter:
  shops:
    - id: main
      services:
        - {id: shop, target: "127.0.0.1:80", depends_on: [database, cache]}
        - id: database
          target: 127.0.0.1:3306
          interval: 1m
          failure_threshold: 5
        - {id: cache, target: "127.0.0.1:6379", interval: 1m, failure_threshold: 4}
        - {id: alone, target: "127.0.0.1:1", interval: 1h, failure_threshold: 9}
`
	doc, err := configfile.Parse("test.yml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(doc)
	if err != nil {
		t.Fatal(err)
	}
	want := "test.yml:9: exporter.shops[0].services[1].failure_threshold: got 5 looks of 1m and a timeout of 10s, 5m10s until an outage is known, " +
		"want at most escalation.ops, 5m: or shop, which depends on it, is told beside its cause"
	if got := loaded.Warnings.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
