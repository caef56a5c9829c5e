package servertest_test

import (
	"net"
	"strconv"
	"testing"

	"shopwatch/internal/servertest"
)

func TestAFreePortIsOneTestsOwnUntilTheTestEnds(t *testing.T) {
	t.Parallel()
	const ports = 500
	given := map[int]bool{}
	for range ports {
		port := servertest.FreePort(t)
		if given[port] {
			t.Fatalf("port %d was given twice", port)
		}
		given[port] = true
		if port >= 32768 {
			t.Errorf("port %d is among those that connections get by chance", port)
		}
		claim, err := net.Listen("unix", "@shopwatch-test-port-"+strconv.Itoa(port))
		if err == nil {
			claim.Close()
			t.Errorf("port %d is nobody's while its test runs", port)
		}
	}
	var port int
	t.Run("a test that ends", func(t *testing.T) { port = servertest.FreePort(t) })
	claim, err := net.Listen("unix", "@shopwatch-test-port-"+strconv.Itoa(port))
	if err != nil {
		t.Fatalf("port %d is kept by a test that has ended: %v", port, err)
	}
	claim.Close()
}

func TestAFreeAddressCanBeListenedAtAgainAndAgain(t *testing.T) {
	t.Parallel()
	address := servertest.FreeAddress(t)
	for range 3 {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		listener.Close()
	}
}
