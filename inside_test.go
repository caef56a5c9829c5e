package main

import (
	"context"
	"errors"
	"net"
	"testing"
)

func TestInsideReachesThePrivateAddressInMemoryAndOthersByTheNetwork(t *testing.T) {
	t.Parallel()
	network, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer network.Close()
	i := newInside("127.0.0.1:1") // nothing listens there
	accepted := make(chan string, 1)
	go func() {
		conn, err := i.Accept()
		if err != nil {
			accepted <- err.Error()
			return
		}
		buffer := make([]byte, 5)
		_, err = conn.Read(buffer)
		accepted <- string(buffer)
		if err != nil {
			t.Error(err)
		}
	}()
	conn, err := i.Dial(context.Background(), "tcp", "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if got := <-accepted; got != "hello" {
		t.Errorf("the private address heard %q", got)
	}
	other, err := i.Dial(context.Background(), "tcp", network.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other.Close()

	i.Close()
	i.Close()
	if _, err := i.Dial(context.Background(), "tcp", "127.0.0.1:1"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed one was dialled with %v", err)
	}
	if _, err := i.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed one accepted with %v", err)
	}
	ended, stop := context.WithCancel(context.Background())
	stop()
	if _, err := newInside("a:1").Dial(ended, "tcp", "a:1"); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody accepts, and the caller left: got %v", err)
	}
}
