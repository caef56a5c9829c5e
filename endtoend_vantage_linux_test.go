package main_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"

	"github.com/miekg/dns"

	"shopwatch/rules"
)

// An anchor that shopwatch asks by default, and a shop beyond our own network,
// as they are called in a network of the test's own.
const (
	anAnchor       = "223.5.5.5"
	shopsHost      = "203.0.113.80"
	shopsPort      = "80"
	storefrontName = "商店首页"
)

// inNetworkOfItsOwn runs the test once more in a network that has nothing but
// loopback, where it may give itself any address, and reports whether it is there.
func inNetworkOfItsOwn(t *testing.T) bool {
	t.Helper()
	there := inNamespaceOfItsOwn(t, "network", syscall.CLONE_NEWNET)
	if there {
		turn(t, "lo", true)
	}
	return there
}

// control asks the kernel to change an interface: the request of ioctl and
// what follows the name.
func control(t *testing.T, request uintptr, name string, value []byte) {
	t.Helper()
	var ifreq [40]byte
	copy(ifreq[:16], name)
	copy(ifreq[16:], value)
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(socket)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(socket), request, uintptr(unsafe.Pointer(&ifreq))); errno != 0 {
		t.Fatalf("interface %s: %v", name, errno)
	}
}

// turn raises an interface or takes it down; a second name of loopback loses its
// address with that.
func turn(t *testing.T, name string, up bool) {
	t.Helper()
	var flags uint16
	if up {
		flags = syscall.IFF_UP | syscall.IFF_RUNNING
	}
	control(t, syscall.SIOCSIFFLAGS, name, binary.NativeEndian.AppendUint16(nil, flags))
}

// give gives a name of loopback an address.
func give(t *testing.T, name, address string) {
	t.Helper()
	raw := netip.MustParseAddr(address).As4()
	sockaddr := append(binary.NativeEndian.AppendUint16(nil, syscall.AF_INET), 0, 0) // no port
	control(t, syscall.SIOCSIFADDR, name, append(sockaddr, raw[:]...))
}

// serveAt serves at an address until the test ends.
func serveAt(t *testing.T, address string, handler http.HandlerFunc) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler}}
	server.Start()
	t.Cleanup(server.Close)
}

// resolveAt is a resolver until the test ends, and counts what it is asked.
func resolveAt(t *testing.T, address string) *atomic.Int64 {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	resolver := &dns.Server{Listener: listener, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		asked.Add(1)
		answer := new(dns.Msg).SetReply(question)
		answer.Answer = []dns.RR{&dns.NS{
			Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 60}, Ns: "a.root-servers.net.",
		}}
		if err := w.WriteMsg(answer); err != nil {
			t.Logf("the resolver can't answer: %v", err)
		}
	})}
	ended := make(chan error, 1)
	go func() { ended <- resolver.ActivateAndServe() }()
	t.Cleanup(func() {
		if err := errors.Join(listener.Close(), <-ended); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return &asked
}

func TestNobodyIsToldThatEverythingIsDownWhenOurOwnConnectionIs(t *testing.T) {
	compressed(t)
	if !inNetworkOfItsOwn(t) {
		return
	}
	give(t, "lo:1", anAnchor)
	give(t, "lo:2", shopsHost)
	asked := resolveAt(t, net.JoinHostPort(anAnchor, "53"))
	serveAt(t, net.JoinHostPort(shopsHost, shopsPort), func(http.ResponseWriter, *http.Request) {})
	box := mailbox(t)
	up := start(t, "shopwatch", everythingOf(t, settle(t, "testdata/everything.yml"), "http://"+shopsHost, box))
	m := &measuring{process: up, private: up.says(t, saysConsole)[1]}
	prometheus := m.private + "/prometheus"
	m.eventually(t, "the storefront works", func(s series) error {
		if asked.Load() == 0 {
			return errors.New("no anchor was asked")
		}
		return s.is("storefront", rules.Operational)
	})
	eventually(t, "Prometheus sees it", holds(prometheus, `service:last_success:timestamp_seconds{service="storefront"}`), up)

	turn(t, "lo:1", false) // the anchor first: no look may fail while one answers
	turn(t, "lo:2", false)
	var looked, blind float64
	m.eventually(t, "nobody knows how the storefront is", func(s series) error {
		looked, _ = s.of(rules.ServiceLastLook.Name, "storefront", "")
		blind = s.failures("storefront", rules.ReasonVantage)
		return s.is("storefront", rules.Unknown)
	})
	if blind < 1 {
		t.Errorf("%v looks failed for vantage", blind)
	}
	eventually(t, "the tier passes", holds(prometheus, `time() - service:last_success:timestamp_seconds{service="storefront"} > 6`), up)
	m.eventually(t, "looks go on", func(s series) error {
		if now, _ := s.of(rules.ServiceLastLook.Name, "storefront", ""); now != looked {
			t.Fatalf("a look that says nothing moved the last look from %f to %f", looked, now)
		}
		if err := s.is("storefront", rules.Unknown); err != nil {
			t.Fatal(err)
		}
		if now := s.failures("storefront", rules.ReasonVantage); now <= blind {
			return fmt.Errorf("%v looks failed for vantage", now)
		}
		return nil
	})
	const alerts = `count_over_time(ALERTS{alertname=~"ServiceDown.*",service="storefront"}[10m])`
	if fired, err := query(prometheus, alerts); err != nil || len(fired) > 0 {
		t.Errorf("an outage was alerted while our own connection was gone: %v (%v)", fired, err)
	}
	for _, m := range box.Messages() {
		if strings.Contains(m.Text, storefrontName) { // where seconds stand for minutes, a busy machine is news of shopwatch itself
			t.Errorf("somebody was told while our own connection was gone: %+v", m)
		}
	}

	give(t, "lo:1", anAnchor)
	m.eventually(t, "the storefront is known to be down", func(s series) error { return s.is("storefront", rules.Outage) })
	eventually(t, "the outage is told", counted(taken(box), 1, 0, everythingOps), up)
	give(t, "lo:2", shopsHost)
	m.eventually(t, "the storefront works again", func(s series) error { return s.is("storefront", rules.Operational) })
	up.stop(t)
}

func TestTokenProbesThePublicAndNotWhatIsNear(t *testing.T) {
	t.Parallel()
	if !inNetworkOfItsOwn(t) {
		return
	}
	const public, near = "93.184.215.14", "192.168.7.7" // both are ours here
	give(t, "lo:1", public)
	give(t, "lo:2", near)
	for _, host := range []string{public, near, "127.0.0.1"} {
		serveAt(t, net.JoinHostPort(host, shopsPort), func(w http.ResponseWriter, r *http.Request) {
			if where := r.URL.Query().Get("to"); where != "" {
				http.Redirect(w, r, where, http.StatusFound)
			}
		})
	}
	box := mailbox(t)
	up := start(t, "shopwatch", everythingOf(t, settle(t, "testdata/everything.yml"), "http://"+public, box))
	private := up.says(t, saysConsole)[1]
	for _, c := range []struct{ about, target, want string }{
		{"a public target", "http://" + public + "/", "look succeeded"},
		{"a private target", "http://" + near + "/", near + " is a private address"},
		{"loopback", "http://127.0.0.1/", "127.0.0.1 is a loopback address"},
		{"loopback in other words", "http://[::ffff:127.0.0.1]/", "127.0.0.1 is a loopback address"},
		{"metadata of a cloud", "http://169.254.169.254/latest/meta-data", "a cloud's metadata address"},
		{"a redirect to the private address", "http://" + public + "/?to=http://" + near + "/", near + " is a private address"},
		{"our own address", private + "/metrics", "127.0.0.1 is a loopback address"},
	} {
		probe := private + "/probe?debug=true&target=" + url.QueryEscape(c.target)
		refused := answers(t, http.StatusForbidden, http.MethodGet, probe, "")
		if !strings.Contains(refused, "may not be probed: list it in exporter.probe.targets, or send exporter.probe.token") {
			t.Errorf("%s, without the token: %s", c.about, refused)
		}
		answers(t, http.StatusForbidden, http.MethodGet, probe, "", "Authorization", "Bearer "+everythingProbe+"x")
		said := answers(t, http.StatusOK, http.MethodGet, probe, "", "Authorization", "Bearer "+everythingProbe)
		success := fmt.Sprintf("\nprobe_success %d\n", strings.Count(c.want, "succeeded"))
		if !strings.Contains(said, c.want) || !strings.Contains(said, success) || strings.Contains(said, everythingProbe) {
			t.Errorf("%s: want %q and %q:\n%s", c.about, c.want, success, said)
		}
	}
	up.keeps(t, everythingProbe)
	up.stop(t)
}
