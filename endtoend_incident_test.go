package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"shopwatch/notifier/sandbox"
)

// incident is the command about incidents, asked of the demo.
func (d *demonstration) incident(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return shopwatch(t, append(append([]string{"incident"}, args...), "--data.dir="+d.dir, "--private.listen-address="+strings.TrimPrefix(d.private, "http://"))...)
}

// takenInHand acknowledges Alipay's incident from the command line.
func (d *demonstration) takenInHand(t *testing.T) {
	t.Helper()
	var list struct{ Incidents []struct{ ID, Key string } }
	said, id := printed(t, d.incident(t, "list", "--format=json")), ""
	if err := json.Unmarshal([]byte(said), &list); err != nil {
		t.Fatalf("incident list says %s: %v", said, err)
	}
	for _, i := range list.Incidents {
		if i.Key == "demo/alipay" {
			id = i.ID
		}
	}
	if id == "" {
		t.Fatalf("incident list doesn't know of demo/alipay: %s", said)
	}
	for _, name := range []string{"夜班小王", "somebody else"} { // who comes first stays
		if said := printed(t, d.incident(t, "ack", id, "--by="+name)); !strings.Contains(said, "in hand of 夜班小王 since ") {
			t.Errorf("incident ack by %s says %q", name, said)
		}
	}
	if said := printed(t, d.incident(t, "list")); !strings.Contains(said, id) || !strings.Contains(said, "夜班小王, ") {
		t.Errorf("incident list says\n%s", said)
	}
	d.saysHowItStands(t, id)
	_, stderr, code := finished(t, d.incident(t, "ack", "nosuch"))
	if code != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, `"nosuch"`) || !strings.Contains(stderr, "incident list") {
		t.Errorf("incident ack nosuch: exit code %d, want 1 and one line that says where to look: %s", code, stderr)
	}
}

// saysHowItStands tells of Alipay's incident from the command line, on the page
// alone, and holds that the page and the record say so.
func (d *demonstration) saysHowItStands(t *testing.T, id string) {
	t.Helper()
	said := printed(t, d.incident(t, "update", id, "--by=夜班小王", "--silent", "--status=identified", "--zh=网关证书过期，正在更换。", "--scope-zh=所有买家", "--scope-en=all buyers", "--eta=3h"))
	if !strings.Contains(said, "): identified, expected over at ") {
		t.Errorf("incident update says %q", said)
	}
	d.eventually(t, "the page says how it stands", func() error {
		p, err := read(strings.TrimSuffix(d.page, "/")+"/incidents/"+id, "zh")
		for _, want := range []string{"网关证书过期，正在更换。", "所有买家", "预计 "} {
			if err == nil && !strings.Contains(p.text, want) {
				err = fmt.Errorf("the page lacks %q", want)
			}
		}
		if err == nil && strings.Contains(p.text, "夜班小王") {
			err = errors.New("the page says who works on it")
		}
		return err
	})
	for verb, want := range map[string]string{"hold": "is public", "resolve": "still fire"} { // and neither happens
		_, stderr, code := finished(t, d.incident(t, verb, id))
		if code != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
			t.Errorf("incident %s: exit code %d, want 1 and one line with %q: %s", verb, code, want, stderr)
		}
	}
	if said := printed(t, d.incident(t, "show", id)); !strings.Contains(said, "夜班小王 update identified, page only") || !strings.Contains(said, "all buyers / 所有买家") || !strings.Contains(said, "ops by telegram: 1 sent") {
		t.Errorf("incident show says\n%s", said)
	}
	private := []string{"--data.dir=" + d.dir, "--private.listen-address=" + strings.TrimPrefix(d.private, "http://")}
	if said := printed(t, shopwatch(t, append([]string{"audit", "--subject=incident " + id}, private...)...)); strings.Count(said, "\n") != 3 || !strings.Contains(said, "acknowledge") {
		t.Errorf("audit says\n%s", said)
	}
	if said := printed(t, shopwatch(t, append([]string{"outbox", "list"}, private...)...)); !strings.Contains(said, "GIVEN UP") {
		t.Errorf("outbox list says\n%s", said)
	}
}

// saysInWhoseHand holds that management hears who has the outage in hand, in
// every language and on every channel that has words for it.
func (d *demonstration) saysInWhoseHand(t *testing.T) {
	t.Helper()
	messages, err := d.messages()
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for _, m := range messages {
		inHand := strings.Contains(m.Text+m.HTML, "夜班小王")
		if inHand {
			said[m.To] = true
		}
		if inHand && !strings.Contains(m.Text+m.HTML, "接手：夜班小王") && !strings.Contains(m.Text+m.HTML, "Acknowledged by 夜班小王") {
			t.Errorf("%s was told in the wrong words: %s", m.To, m.Text)
		}
	}
	for _, r := range demoManagement {
		if !said[r.address] {
			t.Errorf("%s doesn't hear who has it in hand", r.address)
		}
	}
	for _, r := range demoSubscribers {
		if said[r.address] && r.channel != sandbox.SMS {
			t.Errorf("buyer %s was told who works on it", r.address)
		}
	}
}
