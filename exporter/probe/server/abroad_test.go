package server_test

import (
	"context"
	"net"
	"testing"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/exporter/probe/server"
)

// elsewhere is a connection to loopback that says it leads elsewhere.
type elsewhere struct{ net.Conn }

func (elsewhere) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(203, 0, 113, 7), Port: 25} }

// lookAbroad looks at a target that seems to be on another machine.
func lookAbroad(t *testing.T, module exporter.Module, target string) exporter.Reading {
	t.Helper()
	p := probe.New(probe.Config{
		Kinds: map[exporter.Kind]probe.Kind{exporter.KindSMTP: server.SMTP, exporter.KindPostgres: server.Postgres},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return elsewhere{conn}, nil
		},
	})
	return p.Look(context.Background(), exporter.Service{Module: module, Timeout: hour}, target)
}
