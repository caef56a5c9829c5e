package web_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"
	"github.com/prometheus/common/config"

	"shopwatch/exporter"
	"shopwatch/exporter/web"
	"shopwatch/rules"
)

// modules are named by what they are.
func modules(name string) (exporter.Module, bool) {
	password := config.BasicAuth{Username: "owner", Password: "s3cret-password"}
	known := map[string]exporter.Module{
		"http_2xx": exporter.HTTPModule(nil),
		"http_basic": exporter.HTTPModule(func(p *blackbox.HTTPProbe) {
			p.HTTPClientConfig.BasicAuth = &password
		}),
		"http_key":  exporter.HTTPModule(func(p *blackbox.HTTPProbe) { p.Headers = map[string]string{"x-api-key": "s3cret-key"} }),
		"http_lang": exporter.HTTPModule(func(p *blackbox.HTTPProbe) { p.Headers = map[string]string{"accept-language": "zh"} }),
		"http_body": exporter.HTTPModule(func(p *blackbox.HTTPProbe) { p.Body = "s3cret-body" }),
		"http_host": exporter.HTTPModule(func(p *blackbox.HTTPProbe) { p.Headers = map[string]string{"host": "shop.example"} }),
		"http_proxy": exporter.HTTPModule(func(p *blackbox.HTTPProbe) {
			p.HTTPClientConfig.ProxyFromEnvironment = true
		}),
		"tcp_connect": exporter.TCPModule(nil),
		"tcp_pass": exporter.TCPModule(func(p *blackbox.TCPProbe) {
			p.QueryResponse = []blackbox.QueryResponse{{Send: "PASS s3cret-line"}}
		}),
		"mysql":       {Kind: exporter.KindMySQL, MySQL: &exporter.Database{User: "root", Password: "s3cret-db"}},
		"grpc":        {Kind: exporter.KindGRPC, Blackbox: &blackbox.Module{}},
		"mysql_open":  {Kind: exporter.KindMySQL, MySQL: &exporter.Database{}},
		"journey":     {Kind: exporter.KindJourney, Journey: &exporter.Journey{}},
		"push":        {Kind: exporter.KindPush, Push: &exporter.Push{}},
		"uptimerobot": {Kind: exporter.KindUptimeRobot, UptimeRobot: &exporter.UptimeRobot{}},
		"unix":        {Kind: exporter.KindUnix, Blackbox: &blackbox.Module{}},
		"strange":     {Kind: "stranger"},
	}
	module, ok := known[name]
	module.Name = name
	return module, ok
}

func TestWhoMayProbeWhat(t *testing.T) {
	t.Parallel()
	handler := made(t, web.Config{Module: modules, Token: token},
		"shop.example", "api.example:443", "*.cdn.example", "10.0.0.0/8:3306", "192.168.1.9", "db.internal:3306", "kiosk.example", "bücher.example")
	const bearer = "Bearer " + token
	for _, c := range []struct {
		about, query, authorization string
		want                        int
	}{
		{"a listed host", "target=https://shop.example/x", "", 200},
		{"a listed host, whatever its case and dot", "target=https://SHOP.example./x", "", 200},
		{"a listed host as it stands on the wire", "target=https://xn--bcher-kva.example/", "", 200},
		{"a host whose lower case looks listed", "target=https://\u212Aiosk.example/", "", 403},
		{"a listed host without scheme", "target=shop.example", "", 200},
		{"a listed host at another port", "target=http://shop.example:8080/", "", 200},
		{"a host that only looks listed", "target=https://shop.example.evil.test/", "", 403},
		{"a listed host as user info", "target=https://shop.example@evil.test/", "", 403},
		{"a listed host behind what gRPC takes for the host", "module=grpc&target=evil.test://shop.example/", "", 403},
		{"a listed host as gRPC has it", "module=grpc&target=shop.example", "", 200},
		{"a listed port that isn't gRPC's", "module=grpc&target=https://api.example", "", 403},
		{"a listed host in the query", "target=https://evil.test/?shop.example", "", 403},
		{"a listed host and port", "target=https://api.example/", "", 200},
		{"a listed host at a port that isn't", "target=http://api.example/", "", 403},
		{"a host below a listed domain", "target=https://a.b.cdn.example/", "", 200},
		{"the domain itself", "target=https://cdn.example/", "", 403},
		{"an ending that is no domain", "target=https://xcdn.example/", "", 403},
		{"an address of a listed network", "module=tcp_connect&target=10.1.2.3:3306", "", 200},
		{"its other ports", "module=tcp_connect&target=10.1.2.3:22", "", 403},
		{"a listed address", "target=http://192.168.1.9:99/", "", 200},
		{"the same, mapped", "target=http://[::ffff:192.168.1.9]/", "", 200},
		{"an unlisted host", "target=https://evil.test/", "", 403},
		{"an unlisted host with the token", "target=https://evil.test/", bearer, 200},
		{"the token in lower-case words", "target=https://evil.test/", "bearer " + token, 200},
		{"a wrong token", "target=https://evil.test/", bearer + "x", 403},
		{"an empty token", "target=https://evil.test/", "Bearer ", 403},
		{"another scheme", "target=https://evil.test/", "Basic " + token, 403},
		{"a broken URL", "target=http://%25zz/", "", 403},

		{"a password for a listed host", "module=http_basic&target=https://shop.example/", "", 200},
		{"a password for the token's holder", "module=http_basic&target=https://evil.test/", bearer, 403},
		{"a key for the token's holder", "module=http_key&target=https://evil.test/", bearer, 403},
		{"a body for the token's holder", "module=http_body&target=https://evil.test/", bearer, 403},
		{"a harmless header for the token's holder", "module=http_lang&target=https://evil.test/", bearer, 200},
		{"a line for the token's holder", "module=tcp_pass&target=evil.test:1", bearer, 403},
		{"a login for the token's holder", "module=mysql&target=evil.test:3306", bearer, 403},
		{"a login for a listed database", "module=mysql&target=db.internal:3306", "", 200},
		{"no login for the token's holder", "module=mysql_open&target=evil.test:3306", bearer, 200},
		{"a journey for the token's holder", "module=journey&target=https://evil.test/", bearer, 403},
		{"a password for another name of a listed server", "module=http_basic&target=https://shop.example/&hostname=evil.test", bearer, 403},
		{"a password for another listed name", "module=http_basic&target=https://192.168.1.9/&hostname=shop.example", "", 200},
		{"another name without a password", "target=https://shop.example/&hostname=evil.test", "", 200},
		{"a proxy for the token's holder", "module=http_proxy&target=https://evil.test/", bearer, 403},
		{"a proxy that follows redirects", "module=http_proxy&target=https://shop.example/", bearer, 403},

		{"no target", "module=http_2xx", bearer, 400},
		{"an unknown module", "module=nothing&target=https://shop.example/", bearer, 400},
		{"an unknown prober", "module=strange&target=https://shop.example/", bearer, 400},
		{"a heartbeat", "module=push&target=x", bearer, 400},
		{"a robot", "module=uptimerobot&target=x", bearer, 400},
		{"a socket", "module=unix&target=/run/docker.sock", bearer, 400},
		{"two hosts", "module=http_host&target=https://shop.example/&hostname=other.example", bearer, 400},
		{"one host twice", "module=http_host&target=https://shop.example/&hostname=shop.example", bearer, 200},
		{"an endless query", "target=https://shop.example/" + strings.Repeat("x", 9000), bearer, 400},
	} {
		answer := get(handler, "/probe?"+c.query, "Authorization", c.authorization)
		if answer.Code != c.want {
			t.Errorf("%s: got %d, want %d: %s", c.about, answer.Code, c.want, answer.Body)
		}
		if c.want == 403 && !strings.Contains(answer.Body.String(), "exporter.probe.targets") {
			t.Errorf("%s: doesn't say what to configure: %s", c.about, answer.Body)
		}
		if strings.Contains(answer.Body.String(), "s3cret") {
			t.Errorf("%s: tells a secret: %s", c.about, answer.Body)
		}
	}
	if got := get(handler, "/probe?target=evil.test", "Authorization", "Basic b3duZXI6eA==", "X-Shopwatch-Token", token).Code; got != 200 {
		t.Errorf("the token beside a basic login: got %d", got)
	}
	if got := get(made(t, web.Config{}), "/probe?target=evil.test", "Authorization", "Bearer ").Code; got != 403 {
		t.Errorf("no token is configured: got %d", got)
	}
	post := httptest.NewRecorder()
	handler.ServeHTTP(post, httptest.NewRequest(http.MethodPost, "/probe?target=shop.example", nil))
	if post.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: got %d", post.Code)
	}
}

func TestALookTakesNoLongerThanTheScraperAndTheModuleSay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		header string
		own    time.Duration
		want   time.Duration
	}{
		{"", 0, 119500 * time.Millisecond},
		{"", 5 * time.Second, 5 * time.Second},
		{"10", 0, 9500 * time.Millisecond},
		{"10", 5 * time.Second, 5 * time.Second},
		{"10", 30 * time.Second, 9500 * time.Millisecond},
		{"0", 0, 119500 * time.Millisecond},
		{"0.3", 5 * time.Second, 5 * time.Second},
		{"0.3", 0, 300 * time.Millisecond},
		{"1e9", 0, 119500 * time.Millisecond},
		{"+Inf", 0, 119500 * time.Millisecond},
		{"x", 0, 0}, {"NaN", 0, 0}, {"-1", 0, 0}, {"10s", 0, 0},
	} {
		var got exporter.Service
		var left time.Duration
		handler := made(t, web.Config{
			Module: func(string) (exporter.Module, bool) {
				m := exporter.HTTPModule(nil)
				m.Timeout = c.own
				return m, true
			},
			Look: func(ctx context.Context, service exporter.Service, target string) exporter.Reading {
				got = service
				deadline, _ := ctx.Deadline()
				left = time.Until(deadline)
				return succeed(ctx, service, target)
			},
		}, "shop.example")
		answer := get(handler, "/probe?target=shop.example", "X-Prometheus-Scrape-Timeout-Seconds", c.header)
		if c.want == 0 {
			if answer.Code != http.StatusBadRequest {
				t.Errorf("header %q: got %d, want 400", c.header, answer.Code)
			}
			continue
		}
		if answer.Code != 200 || got.Timeout != c.want || left > c.want {
			t.Errorf("header %q, module %s: got %d, timeout %s and %s left, want %s", c.header, c.own, answer.Code, got.Timeout, left, c.want)
		}
	}
}

func TestMoreLooksThanPlacesAreTurnedAway(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}), make(chan struct{})
	handler := made(t, web.Config{Concurrency: 2, Look: func(ctx context.Context, s exporter.Service, target string) exporter.Reading {
		begun <- struct{}{}
		<-release
		return succeed(ctx, s, target)
	}}, "shop.example")
	codes := make(chan int, 2)
	for range 2 {
		go func() { codes <- get(handler, "/probe?target=shop.example").Code }()
		<-begun
	}
	answer := get(handler, "/probe?target=shop.example")
	if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %v", answer.Code, answer.Header())
	}
	close(release)
	for range 2 {
		if code := <-codes; code != 200 {
			t.Errorf("one that had a place got %d", code)
		}
	}
	go func() { <-begun }()
	if got := get(handler, "/probe?target=shop.example").Code; got != 200 {
		t.Errorf("afterwards: got %d", got)
	}
}

func TestAScraperThatLeavesEndsItsLook(t *testing.T) {
	t.Parallel()
	begun, ended := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(made(t, web.Config{Look: func(ctx context.Context, _ exporter.Service, _ string) exporter.Reading {
		close(begun)
		<-ctx.Done()
		close(ended)
		return exporter.Reading{Reason: rules.ReasonVantage}
	}}, "shop.example"))
	defer server.Close()
	ctx, leave := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/probe?target=shop.example", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-begun
		leave()
	}()
	if response, err := http.DefaultClient.Do(request); err == nil {
		response.Body.Close()
		t.Error("it was answered")
	}
	<-ended
}

func TestDebugShowsTheLookAndNoSecret(t *testing.T) {
	t.Parallel()
	all := exporter.HTTPModule(func(p *blackbox.HTTPProbe) {
		p.HTTPClientConfig.BasicAuth = &config.BasicAuth{Username: "owner", Password: "s3cret-1"}
		p.HTTPClientConfig.OAuth2 = &config.OAuth2{ClientSecret: "s3cret-2", EndpointParams: map[string]string{"k": "s3cret-3"}}
		p.HTTPClientConfig.HTTPHeaders = &config.Headers{Headers: map[string]config.Header{"X": {Values: []string{"s3cret-4"}}}}
		p.Headers = map[string]string{"Authorization": "s3cret-5", "User-Agent": "looker/1"}
		p.Body = "s3cret-6"
		p.FailIfBodyMatchesRegexp = []blackbox.Regexp{blackbox.MustNewRegexp("Fatal error")}
	})
	all.Blackbox.TCP.QueryResponse = []blackbox.QueryResponse{{Send: "s3cret-7"}}
	all.Blackbox.Unix.QueryResponse = all.Blackbox.TCP.QueryResponse
	all.Blackbox.GRPC.Metadata = map[string][]string{"k": {"s3cret-8"}}
	handler := made(t, web.Config{
		Module: func(name string) (exporter.Module, bool) {
			if name == "mysql" {
				return modules(name)
			}
			return all, true
		},
		Look: func(_ context.Context, _ exporter.Service, target string) exporter.Reading {
			return exporter.Reading{
				Target: target, Start: noon, End: noon.Add(time.Second), Reason: rules.ReasonStatus, Detail: "got 502",
				Samples: []exporter.Sample{{Metric: &rules.ProbeSuccess, Value: 0}},
				Phases:  []exporter.Phase{{Name: "resolve", Took: 3 * time.Millisecond}},
			}
		},
	}, "shop.example")
	answer := get(handler, "/probe?target=shop.example&debug=true")
	body := answer.Body.String()
	for _, want := range []string{
		"Logs for the probe:", "phase=resolve took=3ms", `reason=status detail="got 502"`, "Metrics that would have been returned:", "\nprobe_success 0\n",
		"Module configuration:", "prober: http", "looker/1", "Authorization: <secret>", "Fatal error", "username: owner", "password: <secret>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not there:\n%s", want, body)
		}
	}
	if strings.Contains(body, "s3cret") {
		t.Errorf("a secret is shown:\n%s", body)
	}
	if all.Blackbox.HTTP.Headers["Authorization"] != "s3cret-5" || all.Blackbox.TCP.QueryResponse[0].Send != "s3cret-7" {
		t.Error("the module itself was changed")
	}
	body = get(handler, "/probe?target=shop.example&debug=true&module=mysql").Body.String()
	if !strings.Contains(body, "mysql (mysql)") || strings.Contains(body, "s3cret") {
		t.Errorf("a module of our own is shown as\n%s", body)
	}
}

func TestTheAnswerKnowsNoShop(t *testing.T) {
	t.Parallel()
	handler := made(t, web.Config{Look: func(_ context.Context, _ exporter.Service, target string) exporter.Reading {
		own := rules.ProbeExpectInfo
		own.Labels = append(own.Labels[:3:3], "zone", "banner")
		return exporter.Reading{Target: target, Samples: []exporter.Sample{
			{Metric: &rules.ProbeSuccess, Value: 1}, {Metric: &rules.ProbeSuccess, Value: 0},
			{Metric: &rules.ProbeHTTPDuration, Labels: []string{"tls"}, Value: 0.5}, {Metric: &rules.ProbeHTTPDuration, Value: 0.5},
			{Metric: &own, Labels: []string{"a", "b\xff"}, Value: 1},
		}}
	}}, "shop.example")
	var got []string
	for line := range strings.SplitSeq(get(handler, "/probe?target=shop.example").Body.String(), "\n") {
		if line != "" && line[0] != '#' {
			got = append(got, line)
		}
	}
	want := "probe_expect_info{banner=\"b\uFFFD\",zone=\"a\"} 1;probe_http_duration_seconds{phase=\"tls\"} 0.5;probe_success 1"
	if strings.Join(got, ";") != want {
		t.Errorf("got %s, want %s", strings.Join(got, ";"), want)
	}
	protobuf := get(handler, "/probe?target=shop.example", "Accept", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	if !strings.Contains(protobuf.Header().Get("Content-Type"), "protobuf") {
		t.Errorf("protobuf was asked for, got %s", protobuf.Header())
	}
}

func TestALookMayTakeLongerThanItsServerGivesToOthers(t *testing.T) {
	t.Parallel()
	handler := made(t, web.Config{Module: modules, Look: func(ctx context.Context, service exporter.Service, target string) exporter.Reading {
		select { // much longer than the server's deadlines; cut short where they end it
		case <-ctx.Done():
		case <-time.After(300 * time.Millisecond):
		}
		return succeed(ctx, service, target)
	}}, "shop.example")
	server := httptest.NewUnstartedServer(handler)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 50*time.Millisecond, 100*time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	response, err := http.Get(server.URL + "/probe?target=shop.example")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || !strings.Contains(string(body), "probe_success 1") {
		t.Errorf("got %d %q (%v)", response.StatusCode, body, err)
	}
}
