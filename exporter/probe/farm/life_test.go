package farm_test

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"shopwatch/exporter/probe/farm"
)

func TestEveryBehaviourHasAPlaceAndUnknownOnesHaveNone(t *testing.T) {
	t.Parallel()
	f := start(t, farm.Config{})
	seen := map[string]farm.Behaviour{}
	for _, behaviour := range farm.Behaviours() {
		address := must(t)(f.Address(behaviour))
		if again := must(t)(f.Address(behaviour)); again != address {
			t.Errorf("%s is at %s and at %s", behaviour, address, again)
		}
		if other, taken := seen[address]; taken {
			t.Errorf("%s and %s are both at %s", behaviour, other, address)
		}
		seen[address] = behaviour
		must(t)(f.URL(behaviour))
	}
	for _, find := range []func(farm.Behaviour) (string, error){f.URL, f.SecureURL, f.Address} {
		if _, err := find("dance"); err == nil {
			t.Error("an unknown behaviour has a place")
		}
	}
	if _, err := farm.New(farm.Config{Key: "DSA"}); err == nil {
		t.Error("an unknown key is made")
	}
}

func TestCloseEndsEveryBehaviour(t *testing.T) {
	t.Parallel()
	f := start(t, farm.Config{Pace: time.Hour})
	var conns []net.Conn
	for _, behaviour := range farm.Behaviours() {
		if behaviour == farm.Refuse || behaviour == farm.Reset {
			continue // nothing to hold on to
		}
		conn := dial(t, must(t)(f.Address(behaviour)))
		_, _ = io.WriteString(conn, "GET /after/1h HTTP/1.1\r\nHost: farm\r\n\r\n")
		conns = append(conns, conn)
	}
	f.Close() // waits for all of them: the test hangs where one goes on
	for _, conn := range conns {
		if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
	}
	if _, err := f.Address(farm.Drip); err != nil {
		t.Errorf("a place that was known is forgotten: %v", err)
	}
	g := start(t, farm.Config{})
	g.Close()
	if _, err := g.Address(farm.Drip); err == nil {
		t.Error("a closed farm starts a listener")
	}
}

func TestEveryBehaviourIsListedOnce(t *testing.T) {
	t.Parallel()
	listed := farm.Behaviours()
	slices.Sort(listed)
	if len(slices.Compact(slices.Clone(listed))) != len(listed) {
		t.Error("a behaviour is listed twice")
	}
}

func BenchmarkAnswer(b *testing.B) {
	f := start(b, farm.Config{})
	address := strings.TrimPrefix(strings.Split(f.Targets(1, farm.Answer, false)[0], "/answer")[0], "http://")
	request := []byte("GET /answer/1 HTTP/1.1\r\nHost: farm\r\nConnection: close\r\n\r\n")
	b.ReportAllocs()
	for b.Loop() {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = conn.Write(request)
		_, _ = io.Copy(io.Discard, conn)
		conn.Close()
	}
}
