package servertest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// FreePort is a port of loopback that nobody listens on, and that is the test's
// own until it ends: a server may be started on it late, or stopped and started
// again. Systems give no port below 32768 to those who ask for any (Linux:
// ip_local_port_range; elsewhere from 49152), so no connection has it by chance,
// and two tests that run at once get two ports, also in two processes.
func FreePort(t testing.TB) int {
	t.Helper()
	const first, last, tries = 20000, 32767, 1000 // below 20000 is the demo shop
	var err error
	for range tries {
		port := first + rand.IntN(last-first+1)
		// A name of Linux's abstract namespace: one holder, gone with its process.
		var claim net.Listener
		if claim, err = net.Listen("unix", fmt.Sprintf("@shopwatch-test-port-%d", port)); err != nil {
			continue
		}
		if err = unheard(port); err != nil {
			claim.Close()
			continue
		}
		t.Cleanup(func() { claim.Close() })
		return port
	}
	t.Fatalf("find a free port between %d and %d: after %d tries: %v", first, last, tries, err)
	return 0
}

// FreeAddress is 127.0.0.1 with a free port.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(FreePort(t)))
}

// unheard is nil if a server could listen on the port at every address.
func unheard(port int) error {
	listener, err := net.Listen("tcp", ":"+strconv.Itoa(port))
	if err != nil {
		return err
	}
	return listener.Close()
}
