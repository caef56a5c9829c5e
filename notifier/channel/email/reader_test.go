package email_test

import (
	"strings"
	"sync"
	"testing"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/channeltest"
)

func TestAReaderLeavesWithOneClick(t *testing.T) {
	t.Parallel()
	long := "https://status.shop.example/leave/" + strings.Repeat("a", 800)
	for leave, want := range map[string]string{
		"https://status.shop.example/leave/Zm9v.YmFy_-": "<https://status.shop.example/leave/Zm9v.YmFy_->",
		long:                                  "<" + long + ">",
		"":                                    "",
		"http://status.shop.example/leave/x":  "", // RFC 8058: over https alone
		"mailto:leave@shop.example":           "",
		"https://shop.example/\r\nBcc: a@b.c": "",
		"https://shop.example/>, <https://x":  "",
		"https://shop.example/小店":             "",
		"https:///leave":                      "",
		"https://a.b/" + strings.Repeat("a", 999): "",
	} {
		s := &server{}
		m := message
		m.Leave = leave
		if err := connect(t, config(t, s.start(t))).Send(t.Context(), address, m); err != nil {
			t.Fatalf("Send: %v", err)
		}
		header, _ := read(t, s.messages[0])
		post := ""
		if want != "" {
			post = "List-Unsubscribe=One-Click"
		}
		if got := header.Get("List-Unsubscribe"); got != want {
			t.Errorf("for %q List-Unsubscribe is %q, want %q", leave, got, want)
		}
		if got := header.Get("List-Unsubscribe-Post"); got != post {
			t.Errorf("for %q List-Unsubscribe-Post is %q, want %q", leave, got, post)
		}
		if header.Get("List-Id") != "<status.shop.example>" || header.Get("Auto-Submitted") != "auto-generated" || header.Get("Bcc") != "" {
			t.Errorf("header %v", header)
		}
	}
}

func TestAnAddressOfAnotherScriptIsWrittenAsServersTakeIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, address string
		utf8          bool
		want          channeltest.Outcome
		line          string
	}{
		{"its domain needs no extension", "Alice@小店.example", false, channeltest.Accepted, "RCPT TO:<Alice@xn--yetu2d.example>"},
		{"its name needs SMTPUTF8", "爱丽丝@小店.example", true, channeltest.Accepted, "RCPT TO:<爱丽丝@xn--yetu2d.example>"},
		{"its name can't be carried without", "爱丽丝@reader.example", false, channeltest.Unsendable, "RSET"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &server{utf8: c.utf8}
			channel := connect(t, one(config(t, s.start(t))))
			err := channel.Send(t.Context(), c.address, message)
			if got, _ := channeltest.Understand(err); got != c.want {
				t.Errorf("understood as %q, want %q (%v)", got, c.want, err)
			}
			if !strings.Contains(s.said(), c.line) {
				t.Errorf("the server heard\n%s\nwant %q", s.said(), c.line)
			}
			if leaked := channeltest.Leaked(err, c.address, "爱丽丝"); leaked != "" {
				t.Errorf("error holds %q: %v", leaked, err)
			}
			if err := channel.Send(t.Context(), address, message); err != nil || s.connections() != 1 {
				t.Errorf("the next Send: %v over %d connections, want success over the same", err, s.connections())
			}
		})
	}
}

func TestManySendersShareFewConnectionsThatCarryOnlySoMuch(t *testing.T) {
	t.Parallel()
	const senders, each = 8, 10
	s := &server{each: 4}
	cfg := config(t, s.start(t))
	cfg.Connections = 3
	c := connect(t, cfg)
	var group sync.WaitGroup
	for range senders {
		group.Go(func() {
			for range each {
				m := message
				m.Language = notifier.Chinese
				if err := c.Send(t.Context(), address, m); err != nil {
					t.Errorf("Send: %v", err)
				}
			}
		})
	}
	group.Wait()
	// 80 messages at four a connection are 20; up to two more where a connection was left half used.
	if s.taken() != senders*each || s.connections() < 20 || s.connections() > 22 {
		t.Errorf("%d messages over %d connections, want %d over 20 to 22", s.taken(), s.connections(), senders*each)
	}
}
