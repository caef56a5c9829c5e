package config

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"shopwatch/exporter"
	"shopwatch/internal/configfile"
)

// mostTargets bounds a service: each target is a set of series.
const mostTargets = 50

// form is what a kind's targets look like.
type form struct {
	want string
	ok   func(target string) bool
	// none says that a service of the kind may do without a target.
	none bool
	// only says that it must.
	only bool
}

const (
	wantURL     = "http://… or https://… with a host"
	wantAddress = "host:port such as 127.0.0.1:3306"
	wantHost    = "a host name or an address"
)

// formOf is what targets of a module look like. Of what blackbox_exporter has
// too, a module by name takes what is taken there.
func formOf(module exporter.Module) form {
	byName := module.Name != ""
	switch module.Kind {
	case exporter.KindHTTP:
		if byName { // there http:// is put before what has no scheme
			return form{want: wantURL + ", or host[:port][/path]", ok: func(t string) bool { return isURL(t) || !strings.Contains(t, "://") && isURL("http://"+t) }}
		}
		return form{want: wantURL, ok: isURL}
	case exporter.KindJourney:
		return form{want: wantURL, ok: isURL}
	case exporter.KindICMP:
		return form{want: wantHost, ok: isHost}
	case exporter.KindDNS:
		return form{want: wantHost + " of a name server, with or without :port", ok: func(t string) bool { return isHost(t) || isAddress(t) }}
	case exporter.KindGRPC:
		return form{want: "host:port, a host, or a URL", ok: func(t string) bool { return isHost(t) || isAddress(t) || isURL(t) }}
	case exporter.KindUnix:
		return form{want: "the path of a socket", ok: func(t string) bool { return strings.HasPrefix(t, "/") || strings.HasPrefix(t, "@") }}
	case exporter.KindPush, exporter.KindUptimeRobot:
		return form{none: true, only: true}
	case exporter.KindSMS:
		return form{want: wantURL, ok: isURL, none: true}
	case exporter.KindPayment:
		if module.Payment == nil {
			return form{none: true}
		}
		known, ok := gateways[module.Payment.Gateway]
		return form{want: wantURL, ok: isURL, none: known.single || !ok} // that it is unknown is a mistake already
	default:
		return form{want: wantAddress, ok: isAddress}
	}
}

// kindOf is the kind of a service that says neither module nor block.
func kindOf(targets []string) (exporter.Kind, bool) {
	switch {
	case len(targets) > 0 && !slices.ContainsFunc(targets, func(t string) bool { return !hasHTTPScheme(t) }):
		return exporter.KindHTTP, true
	case len(targets) > 0 && !slices.ContainsFunc(targets, func(t string) bool { return !isAddress(t) }):
		return exporter.KindTCP, true
	}
	return "", false
}

// targets checks where a service looks, and gives what to look at: one empty
// target for a kind that has none.
func (b builder) targets(path string, fields serviceFields, module exporter.Module) []string {
	targets, at := fields.Targets, configfile.Field(path, "targets")
	single := fields.Target != "" || fields.Targets == nil && b.problems.Has(configfile.Field(path, "target"))
	if single {
		targets, at = []string{fields.Target}, configfile.Field(path, "target")
		if b.problems.Has(configfile.Field(path, "targets")) {
			b.add(path, "targets", configfile.Phrase("both target and targets"), "one of the two")
			return targets
		}
	}
	form := formOf(module)
	switch {
	case len(targets) > 0 && form.only:
		b.problems.Add(at, configfile.Phrase("a target"), "none: "+string(module.Kind)+" has no target of its own")
	case len(targets) == 0 && form.none:
		targets = []string{""}
	case len(targets) == 0:
		want := form.want
		if module.Kind == "" {
			want = wantKind
		}
		b.add(path, "target", configfile.Phrase("nothing"), want)
	case len(targets) > mostTargets:
		b.problems.Add(at, configfile.Phrase(strconv.Itoa(len(targets))+" targets"), "at most "+strconv.Itoa(mostTargets))
	case module.Kind != "":
		for i, target := range targets {
			where := at
			if !single {
				where = configfile.Item(at, i)
			}
			b.target(where, target, form)
			if first := slices.Index(targets, target); first < i {
				b.problems.Add(where, configfile.Phrase("the target of "+configfile.Item("targets", first)+" a second time"), "each once")
			}
		}
	}
	b.answers(path, fields, len(targets))
	return targets
}

func (b builder) answers(path string, fields serviceFields, targets int) {
	if fields.Answers != nil && (*fields.Answers < 1 || *fields.Answers > targets) && targets > 0 {
		b.add(path, "answers", *fields.Answers, "1–"+strconv.Itoa(targets)+", as many as there are targets")
	}
}

// userinfo matches what may be a password in a URL, well-formed or not.
var userinfo = regexp.MustCompile(`//[^/]*@`)

// target checks one target. It becomes label target, which everybody who reads
// the metrics sees, so that it must hold no password.
func (b builder) target(at, target string, form form) {
	switch {
	case userinfo.MatchString(target):
		b.problems.Add(at, configfile.Phrase("a URL with a user name or password"),
			"one without: it is shown in metrics; put them into headers")
	case form.ok == nil || form.ok(target):
	case hasHTTPScheme(target) && badPort(target):
		b.problems.Add(at, target, "a port of 1–65535")
	default:
		b.problems.Add(at, target, form.want)
	}
}

func badPort(target string) bool {
	parsed, err := url.Parse(target)
	return err == nil && parsed.Port() != "" && !portForm(parsed.Port())
}

func hasHTTPScheme(target string) bool {
	lower := strings.ToLower(target)
	return strings.HasPrefix(lower, "http://") || strings.HasPrefix(lower, "https://")
}

func isURL(target string) bool {
	parsed, err := url.Parse(target)
	return err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https") && parsed.Hostname() != "" &&
		(parsed.Port() == "" || portForm(parsed.Port())) && oneWord(target)
}

func isAddress(target string) bool {
	host, port, err := net.SplitHostPort(target)
	return err == nil && host != "" && portForm(port) && isHost(host)
}

// hostForm matches host names as they are looked up: underscores are used,
// names of other scripts are written in Punycode or as they are.
var hostForm = regexp.MustCompile(`^[\pL\pN_]([\pL\pN_.-]{0,252}[\pL\pN_])?\.?$`)

func isHost(target string) bool {
	if _, err := netip.ParseAddr(strings.Trim(target, "[]")); err == nil {
		return true
	}
	return hostForm.MatchString(target)
}

func oneWord(target string) bool {
	return !strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

func portForm(port string) bool {
	number, err := strconv.ParseUint(port, 10, 16)
	return err == nil && number > 0
}

// outward reports whether a service is beyond our own connection to the world,
// as far as its kind and targets tell: one target beyond it is enough.
func outward(module exporter.Module, targets []string) bool {
	switch module.Kind {
	case exporter.KindPush, exporter.KindUnix:
		return false
	}
	return slices.ContainsFunc(targets, func(target string) bool { return target == "" || !isNear(hostOf(target)) })
}

// hostOf is the host of a URL, of host:port, or of a bare host.
func hostOf(target string) string {
	if strings.Contains(target, "://") {
		if parsed, err := url.Parse(target); err == nil {
			return parsed.Hostname()
		}
		return ""
	}
	target, _, _ = strings.Cut(target, "/")
	if host, _, err := net.SplitHostPort(target); err == nil {
		return host
	}
	return strings.Trim(target, "[]")
}

// isNear reports whether a host is in our own machine or network by what it is
// called: nothing is looked up.
func isNear(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if address, err := netip.ParseAddr(host); err == nil {
		address = address.Unmap()
		return address.IsLoopback() || address.IsPrivate() || address.IsLinkLocalUnicast() || address.IsUnspecified()
	}
	for _, suffix := range []string{".localhost", ".local", ".internal"} {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return !strings.Contains(host, ".") // one label: localhost, a container, a host of the search domain
}
