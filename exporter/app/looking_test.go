package app

import (
	"net"
	"testing"

	"github.com/miekg/dns"
)

// nameServer answers questions over TCP as the handler says.
func nameServer(t *testing.T, handler dns.HandlerFunc) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{Listener: listener, Handler: handler}
	go func() { _ = server.ActivateAndServe() }()
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}

func TestAResolverMustAnswerAndAnyOtherAnchorTakeAConnection(t *testing.T) {
	t.Parallel()
	honest := nameServer(t, func(w dns.ResponseWriter, question *dns.Msg) {
		answer := new(dns.Msg).SetReply(question)
		if question.Question[0].Name == "." && question.Question[0].Qtype == dns.TypeNS {
			record, err := dns.NewRR(". 3600 IN NS a.root-servers.net.")
			if err != nil {
				t.Error(err)
			}
			answer.Answer = append(answer.Answer, record)
		}
		_ = w.WriteMsg(answer)
	})
	if err := ask(t.Context(), honest); err != nil {
		t.Errorf("a resolver that answers is not reached: %v", err)
	}
	gateway, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer gateway.Close()
	go func() {
		for {
			conn, err := gateway.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	if err := ask(t.Context(), gateway.Addr().String()); err == nil {
		t.Error("a gateway that takes every connection passes for a resolver")
	}
	if err := reach(t.Context(), gateway.Addr().String()); err != nil {
		t.Errorf("an anchor that takes connections is not reached: %v", err)
	}
	gateway.Close()
	if err := reach(t.Context(), gateway.Addr().String()); err == nil {
		t.Error("an anchor that is gone is reached")
	}
}
