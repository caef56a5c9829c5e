package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"shopwatch/exporter"
)

const (
	// defaultModule and timeoutOffset are blackbox_exporter's: what a scraper
	// that names no module means, and how much earlier than the scrape a look ends.
	defaultModule = "http_2xx"
	timeoutOffset = 500 * time.Millisecond
	// longest bounds a look whatever the scraper says; also its default, as
	// blackbox_exporter has it.
	longest = 120 * time.Second
	// answerWithin is how long whoever asked may take to read the answer.
	answerWithin = 10 * time.Second
	// maxQuery bounds the query of a request, in bytes.
	maxQuery = 8 << 10
)

// refusal is why a request gets no look.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func badRequest(format string, values ...any) error {
	return &refusal{http.StatusBadRequest, fmt.Sprintf(format, values...)}
}

func forbidden(format string, values ...any) error {
	return &refusal{http.StatusForbidden, fmt.Sprintf(format, values...)}
}

// asked is a look that a request asks for.
type asked struct {
	name         string // of the module
	module       exporter.Module
	target, host string // host: the parameter hostname
	timeout      time.Duration
	debug        bool
}

// probe answers GET /probe?target=&module=&hostname=&debug= as
// blackbox_exporter 0.28 does: 200 also for a look that failed, whose
// probe_success is 0; 400 for bad parameters, to which it counts a scrape
// timeout that is no number (blackbox_exporter: 500). What it adds is 403 for
// targets that are not open to whoever asks, and 503 when too many look.
func (w *Web) probe(out http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		out.Header().Set("Allow", http.MethodGet)
		http.Error(out, "only GET", http.StatusMethodNotAllowed)
		return
	}
	look, err := w.read(r)
	if err == nil {
		err = w.permit(r, look)
	}
	if err != nil {
		status := http.StatusBadRequest
		if refused, ok := errors.AsType[*refusal](err); ok {
			status = refused.status
		}
		http.Error(out, err.Error(), status)
		return
	}
	select {
	case w.places <- struct{}{}:
		defer func() { <-w.places }()
	default:
		out.Header().Set("Retry-After", "1")
		http.Error(out, fmt.Sprintf("%d looks are under way; try again later", cap(w.places)), http.StatusServiceUnavailable)
		return
	}
	w.grant(out, look.timeout)
	ctx, cancel := context.WithTimeout(r.Context(), look.timeout)
	defer cancel()
	reading := w.Look(ctx, exporter.Service{
		ID: "probe", Module: look.module, Targets: []string{look.target}, Outward: true,
		Interval: look.timeout, Timeout: look.timeout, FailureThreshold: 1, SuccessThreshold: 1,
	}, look.target)
	if r.Context().Err() != nil {
		return // nobody is there to be told
	}
	answer(out, r, look, reading)
}

// grant lets a request take as long as its look may, whatever the server gives
// to others: its reading has ended, but a deadline of that would call it off too.
func (w *Web) grant(out http.ResponseWriter, timeout time.Duration) {
	control := http.NewResponseController(out)
	deadline := time.Now().Add(timeout + answerWithin) // of the machine's clock, as connections have it
	for _, set := range []func(time.Time) error{control.SetReadDeadline, control.SetWriteDeadline} {
		if err := set(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
			w.Logger.Debug("a look of /probe may be cut short", "err", err)
		}
	}
}

// read takes the parameters of a request.
func (w *Web) read(r *http.Request) (asked, error) {
	if len(r.URL.RawQuery) > maxQuery {
		return asked{}, badRequest("the query is longer than %d bytes", maxQuery)
	}
	params := r.URL.Query()
	look := asked{name: params.Get("module"), target: params.Get("target"), host: params.Get("hostname"), debug: params.Get("debug") == "true"}
	if look.name == "" {
		look.name = defaultModule
	}
	var known bool
	if look.module, known = w.Module(look.name); !known {
		return asked{}, badRequest("Unknown module %q", look.name)
	}
	var err error
	if look.timeout, err = timeout(r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds"), look.module); err != nil {
		return asked{}, err
	}
	if look.target == "" {
		return asked{}, badRequest("Target parameter is missing")
	}
	switch look.module.Kind {
	case exporter.KindHTTP:
		if !strings.HasPrefix(look.target, "http://") && !strings.HasPrefix(look.target, "https://") {
			look.target = "http://" + look.target
		}
	case exporter.KindTCP, exporter.KindICMP, exporter.KindDNS, exporter.KindGRPC,
		exporter.KindMySQL, exporter.KindPostgres, exporter.KindRedis, exporter.KindSMTP, exporter.KindTLS,
		exporter.KindJourney, exporter.KindPayment, exporter.KindSMS:
	case exporter.KindPush, exporter.KindUptimeRobot, exporter.KindUnix:
		return asked{}, badRequest("Module %q is of kind %s, which has no target to probe from here", look.name, look.module.Kind)
	default:
		return asked{}, badRequest("Unknown prober %q", look.module.Kind)
	}
	look.module, err = hosted(look.module, look.host)
	return look, err
}

// timeout is how long a look may take: what the scraper says, less the offset,
// and no longer than the module's.
func timeout(header string, module exporter.Module) (time.Duration, error) {
	given := longest
	if header != "" {
		seconds, err := strconv.ParseFloat(header, 64)
		if err != nil || math.IsNaN(seconds) || seconds < 0 {
			return 0, badRequest("X-Prometheus-Scrape-Timeout-Seconds is no number of seconds")
		}
		if 0 < seconds && seconds < longest.Seconds() {
			given = time.Duration(seconds * float64(time.Second))
		}
	}
	own := module.Timeout
	if own <= 0 && module.Blackbox != nil {
		own = module.Blackbox.Timeout
	}
	most := given - timeoutOffset
	switch {
	case own > 0 && (own < most || most <= 0):
		return own, nil
	case most > 0:
		return most, nil
	}
	return given, nil // blackbox_exporter would give it no time at all
}

// hosted is a module whose requests name a host other than the target's.
func hosted(module exporter.Module, host string) (exporter.Module, error) {
	if host == "" || module.Blackbox == nil || module.Kind != exporter.KindHTTP && module.Kind != exporter.KindTCP {
		return module, nil
	}
	changed := *module.Blackbox
	module.Blackbox, module.Fingerprint = &changed, ""
	if module.Kind == exporter.KindTCP {
		if changed.TCP.TLSConfig.ServerName == "" {
			changed.TCP.TLSConfig.ServerName = host
		}
		return module, nil
	}
	headers := map[string]string{"Host": host}
	for name, value := range changed.HTTP.Headers {
		if textproto.CanonicalMIMEHeaderKey(name) == "Host" {
			if value != host {
				return module, badRequest("host header defined both in module configuration (%s) and with URL-parameter 'hostname' (%s)", value, host)
			}
			continue
		}
		headers[name] = value
	}
	changed.HTTP.Headers = headers
	return module, nil
}

// permit says whether whoever asks may have this look.
func (w *Web) permit(r *http.Request, look asked) error {
	host, port := place(look)
	listed := host != "" && w.Guard.lists(host, port)
	if !listed && !w.bears(r) {
		return forbidden("%q may not be probed: list it in exporter.probe.targets, or send exporter.probe.token as \"Authorization: Bearer …\"", clip(look.target))
	}
	if what := credentials(look.module); what != "" {
		if !listed {
			return forbidden("module %q holds %s, which only targets listed in exporter.probe.targets may be sent", look.name, what)
		}
		// One server may have many names, some of them not the owner's.
		if look.host != "" && canonical(look.host) != canonical(host) && !w.Guard.lists(look.host, port) {
			return forbidden("module %q holds %s, which only hostnames listed in exporter.probe.targets may be sent", look.name, what)
		}
	}
	if proxied(look.module) && (!listed || follows(look.module)) {
		return forbidden("module %q goes through a proxy, where nobody sees what is dialled: "+
			"it may only probe targets listed in exporter.probe.targets, with follow_redirects: false", look.name)
	}
	return nil
}

func follows(module exporter.Module) bool {
	probe := module.Blackbox.HTTP
	return probe.HTTPClientConfig.FollowRedirects && (probe.NoFollowRedirects == nil || !*probe.NoFollowRedirects)
}

// bears reports whether a request carries the token, as a bearer's or, where
// exporter-toolkit's basic_auth_users take that header, as X-Shopwatch-Token.
func (w *Web) bears(r *http.Request) bool {
	if w.Token == "" {
		return false
	}
	given := r.Header.Get("X-Shopwatch-Token")
	if scheme, bearer, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		given = strings.TrimSpace(bearer)
	}
	got, want := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(w.Token)) // of one length, to take one time
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// place is the host and port that a target names, read as its prober reads it;
// "" where it names none.
func place(look asked) (host, port string) {
	if look.module.Kind == exporter.KindGRPC {
		return placeOfGRPC(look)
	}
	if strings.Contains(look.target, "://") && ofURL(look.module.Kind) {
		parsed, err := url.Parse(look.target)
		if err != nil {
			return "", ""
		}
		port = parsed.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[parsed.Scheme]
		}
		return parsed.Hostname(), port
	}
	if host, port, err := net.SplitHostPort(look.target); err == nil {
		return host, port
	}
	if look.module.Kind == exporter.KindDNS {
		port = "53"
		if look.module.Blackbox != nil && look.module.Blackbox.DNS.DNSOverTLS {
			port = "853"
		}
	}
	return strings.Trim(look.target, "[]"), port
}

// placeOfGRPC is place for gRPC, which takes every target but http:// and
// https:// for host:port, also evil.example://shop.example; and whose port
// depends on the module alone.
func placeOfGRPC(look asked) (host, port string) {
	target := look.target
	if !strings.HasPrefix(target, "http://") && !strings.HasPrefix(target, "https://") {
		target = "http://" + target
	}
	parsed, err := url.Parse(target)
	if err != nil {
		return "", ""
	}
	if port = parsed.Port(); port == "" {
		port = "80"
		if look.module.Blackbox != nil && look.module.Blackbox.GRPC.TLS {
			port = "443"
		}
	}
	return parsed.Hostname(), port
}

// ofURL reports whether targets of a kind may be URLs.
func ofURL(kind exporter.Kind) bool {
	switch kind {
	case exporter.KindHTTP, exporter.KindJourney, exporter.KindPayment, exporter.KindSMS:
		return true
	}
	return false
}

// clip bounds what an answer repeats of a question.
func clip(text string) string {
	if len(text) > 200 {
		return strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}
