package probe_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	targets "shopwatch/exporter/probe/farm"
	"shopwatch/rules"
)

// talk looks at a target by a tcp module with these query_response entries.
func talk(t testing.TB, target, entries string) exporter.Reading {
	t.Helper()
	module := blackboxModule(t, `{prober: tcp, tcp: {query_response: [`+entries+`]}}`)
	return probe.New(probe.Config{}).Look(context.Background(), exporter.Service{Module: module, Timeout: time.Minute}, target)
}

// expectInfo gives the labels of probe_expect_info as name=value, "" if there is none.
func expectInfo(reading exporter.Reading) []string {
	var found []string
	for _, sample := range reading.Samples {
		if sample.Metric.Name != rules.ProbeExpectInfo.Name {
			continue
		}
		var pairs []string
		for i, name := range sample.Metric.Labels[len(rules.ProbeSuccess.Labels):] {
			pairs = append(pairs, name+"="+sample.Labels[i])
		}
		found = append(found, strings.Join(pairs, " "))
	}
	return found
}

func TestWhatAModuleExtractsBecomesLabelsThatCanBeShown(t *testing.T) {
	t.Parallel()
	server := speak(t, "tcp", "127.0.0.1:0", says("v1 "+strings.Repeat("很", 2000)+"\nraw \xff\xfe\nraw \xff\xfe\n"))

	reading := talk(t, server, `{expect: "^(v.) (.*)$", labels: [{name: version, value: "$1"}, {name: rest, value: "$2"}]}`)
	mustSucceed(t, reading)
	if got := expectInfo(reading); len(got) != 1 || !strings.HasPrefix(got[0], "version=v1 rest=很很") || strings.Count(got[0], "很") != 999 {
		t.Errorf("a long value gives %.80q", got)
	}
	reading = talk(t, server, `{expect: "^raw (.*)$", labels: [{name: target, value: "$1"}]}`)
	mustSucceed(t, reading)
	if got := expectInfo(reading); len(got) != 1 || got[0] != "exported_target=\uFFFD" {
		t.Errorf("a name that is ours, and a value that is no text, give %q", got)
	}
	reading = talk(t, server, `{expect: "^raw", labels: [{name: a, value: b}]}, {expect: "^raw", labels: [{name: a, value: b}]}`)
	mustSucceed(t, reading)
	if got := expectInfo(reading); len(got) != 1 {
		t.Errorf("the same series twice gives %q", got)
	}
	for _, labels := range []string{`{name: "a-b", value: x}`, `{name: a, value: x}, {name: a, value: y}`} {
		mustFail(t, talk(t, server, `{expect: "^raw", labels: [`+labels+`]}`), rules.ReasonOther)
	}
	if rules.ProbeExpectInfo.Labels[len(rules.ProbeExpectInfo.Labels)-1] != rules.LabelTarget {
		t.Error("a look changed the treaty")
	}
}

func TestTalkWithoutEndIsHeardOnlySoFar(t *testing.T) {
	t.Parallel()
	g := newGrounds(t)
	reading := talk(t, g.at(t, targets.Chatter), `{expect: "^never said"}`)
	mustFail(t, reading, rules.ReasonBody)
	if !strings.Contains(reading.Detail, "more came than is heard") || strings.Contains(reading.Detail, "goes on") {
		t.Errorf("detail is %q", reading.Detail)
	}
	if value(t, reading, rules.ProbeFailedRegex) != 0 {
		t.Error("talk without end counts as an end without a match")
	}
	reading = talk(t, g.at(t, targets.Flood), `{expect: "^0"}`)
	mustFail(t, reading, rules.ReasonBody)
	if !strings.Contains(reading.Detail, "a line is too long") {
		t.Errorf("detail is %q", reading.Detail)
	}
	long := strings.Repeat("x", 64<<10-1)
	mustSucceed(t, talk(t, speak(t, "tcp", "127.0.0.1:0", says(long+"\n")), `{expect: "^x+$"}`))
	mustFail(t, talk(t, speak(t, "tcp", "127.0.0.1:0", says(long+"x\n")), `{expect: "^x+$"}`), rules.ReasonBody)
}

func TestBytesMayComeInPiecesAndBehindALine(t *testing.T) {
	t.Parallel()
	// blackbox_exporter reads once, and loses what came in one piece with a line.
	pieces := speak(t, "tcp", "127.0.0.1:0", func(conn net.Conn) {
		_, _ = io.WriteString(conn, "hello\r\n\x01\x02")
		_, _ = io.ReadFull(conn, make([]byte, len("go on\n")))
		_, _ = io.WriteString(conn, "\x03")
		_, _ = io.ReadFull(conn, make([]byte, len("go on\n")))
		_, _ = io.WriteString(conn, "\x04")
		_, _ = io.Copy(io.Discard, conn)
	})
	mustSucceed(t, talk(t, pieces, `{expect: "^hello$", send: "go on"}, {expect_bytes: "\x01\x02\x03", send: "go on"}, {expect_bytes: "\x04"}`))
}

func TestWhatWasSaidBeforeTLSIsNotHeardInIt(t *testing.T) {
	t.Parallel()
	g := newGrounds(t)
	// An attacker on the way puts an answer behind the last one in plain text.
	server := speak(t, "tcp", "127.0.0.1:0", func(conn net.Conn) {
		_, _ = io.WriteString(conn, "220 go ahead\r\n250 injected\r\n")
		serveSilentTLS(conn, g)
	})
	module := blackboxModule(t, `{prober: tcp, tcp: {query_response: [{expect: "^220"}, {starttls: true}, {expect: "^250"}], tls_config: {ca_file: "`+g.ca+`"}}}`)
	reading := probe.New(probe.Config{}).Look(context.Background(), exporter.Service{Module: module, Timeout: time.Minute}, server)
	mustFail(t, reading, rules.ReasonBody)
	if value(t, reading, rules.ProbeFailedRegex) != 1 || !has(reading, rules.ProbeSSLInfo) {
		t.Errorf("samples are %v", reading.Samples)
	}
}

func TestALookThatIsCalledOffEndsItsDialogue(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	server := speak(t, "tcp", "127.0.0.1:0", func(conn net.Conn) {
		_, _ = io.ReadFull(conn, make([]byte, 6))
		cancel()
		_, _ = io.Copy(io.Discard, conn)
	})
	module := blackboxModule(t, `{prober: tcp, tcp: {query_response: [{send: hello}, {expect: never}]}}`)
	reading := probe.New(probe.Config{}).Look(ctx, exporter.Service{Module: module, Timeout: time.Hour}, server)
	mustFail(t, reading, rules.ReasonVantage)
}

// serveSilentTLS shakes hands, says nothing and closes as TLS wants it.
func serveSilentTLS(conn net.Conn, g grounds) {
	session := tls.Server(conn, g.ServerTLS())
	if session.Handshake() == nil {
		session.Close()
	}
}
