package store_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"shopwatch/internal/servertest"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
)

// deafProxy hands on what is said to a server. Once armed, it hands on a COMMIT
// and breaks the connection before the answer.
type deafProxy struct {
	addr  string
	armed atomic.Bool
}

func newDeafProxy(t *testing.T, server string) *deafProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	p := &deafProxy{addr: listener.Addr().String()}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(client, server)
		}
	}()
	return p
}

func (p *deafProxy) serve(client net.Conn, server string) {
	defer client.Close()
	far, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer far.Close()
	var deaf atomic.Bool
	go func() {
		defer client.Close()
		answer := make([]byte, 4096)
		for {
			n, err := far.Read(answer)
			if err != nil || deaf.Load() {
				return
			}
			client.Write(answer[:n])
		}
	}()
	said := make([]byte, 4096)
	for {
		n, err := client.Read(said)
		if err != nil {
			return
		}
		if bytes.Contains(bytes.ToLower(said[:n]), []byte("commit")) && p.armed.CompareAndSwap(true, false) {
			deaf.Store(true)
			far.Write(said[:n])
			io.Copy(io.Discard, client) // until the answer came and was thrown away
			return
		}
		far.Write(said[:n])
	}
}

func TestCommitWhoseAnswerIsLostIsNotDoneAgain(t *testing.T) {
	t.Parallel()
	place := storetest.Postgres(t)
	addr := servertest.SharedPostgres(t).Addr
	proxy := newDeafProxy(t, addr)
	behind := place
	behind.PostgresDSN = strings.Replace(place.PostgresDSN, addr, proxy.addr, 1)
	s := behind.Open(t)
	runs := 0
	proxy.armed.Store(true)
	err := s.Change(t.Context(), func(tx *store.Tx) error {
		runs++
		return tx.Save(incident("i1"), nil)
	})
	if err == nil || !strings.Contains(err.Error(), "commit") || runs != 1 {
		t.Errorf("after %d runs: %v, want one run and an error of the commit", runs, err)
	}
	if open, err := s.OpenIncidents(t.Context()); err != nil || len(open) != 1 {
		t.Errorf("%d incidents (%v): the commit did happen", len(open), err)
	}
}
