package main_test

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// maintenance is the command about planned work, asked of the demo.
func (d *demonstration) maintenance(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return shopwatch(t, append(append([]string{"maintenance"}, args...), "--data.dir="+d.dir, "--private.listen-address="+strings.TrimPrefix(d.private, "http://"))...)
}

// outages gives those who were told that Alipay is down.
func (d *demonstration) outages() (told []string, err error) {
	messages, err := d.messages()
	for _, m := range messages {
		if strings.Contains(m.Text, "支付宝暂时无法支付") || strings.Contains(m.Text, "Alipay payments are failing") {
			told = append(told, m.To)
		}
	}
	return told, err
}

func TestPlannedWorkPagesNobodyUntilItIsOver(t *testing.T) {
	compressed(t)
	const ops, moving = "-1001000000001", "更换支付网关"
	d := demonstrate(t, t.TempDir(), "127.0.0.1:0", "127.0.0.1:0")
	d.eventually(t, "the page is green", showing(d.page, "green", "一切正常", "All systems operational"))
	_, stderr, code := finished(t, d.maintenance(t, "schedule", "--title-zh="+moving, "--service=demo/alipai", "--for=30m"))
	if code != 1 || !strings.Contains(stderr, "demo/alipay") {
		t.Errorf("a slip in the service is answered %d: %s", code, stderr)
	}
	said := printed(t, d.maintenance(t, "schedule", "--by=小王", "--title-zh="+moving, "--zh=期间请用微信支付。", "--service=demo/alipay", "--for=30m"))
	id := regexp.MustCompile(`^maintenance (\w+) \(更换支付网关\) is in_progress, from `).FindStringSubmatch(said)
	if id == nil {
		t.Fatalf("maintenance schedule says %q", said)
	}
	told := func() error {
		messages, err := d.messages()
		if err != nil {
			return err
		}
		for _, m := range messages {
			if m.To == ops && strings.Contains(m.Text, moving) && strings.Contains(m.Text, "期间请用微信支付。") {
				return nil
			}
		}
		return fmt.Errorf("not among %d messages", len(messages))
	}
	d.eventually(t, "operations are told that it begins", told)
	d.eventually(t, "the page is blue", showing(d.page, "blue", "正在维护：支付宝", "Under maintenance: Alipay"))
	d.turn(t, "break", "alipay")
	d.eventually(t, "Prometheus sees the outage", firing(d.prometheus(), "ServiceDown"))
	d.eventually(t, "Alertmanager keeps it still", func() error {
		var alerts []struct {
			Labels map[string]string
			Status struct{ State string }
		}
		if err := decode(d.private+"/alertmanager/api/v2/alerts", &alerts); err != nil {
			return err
		}
		for _, a := range alerts {
			if a.Labels["alertname"] == "ServiceDown" && a.Labels["service"] == "alipay" && a.Status.State == "suppressed" {
				return nil
			}
		}
		return fmt.Errorf("it lists %v", alerts)
	})
	if list, err := d.outages(); err != nil || len(list) > 0 {
		t.Errorf("%v were paged amid planned work (%v)", list, err)
	}
	if said := printed(t, d.maintenance(t, "list")); !strings.Contains(said, id[1]) || !strings.Contains(said, "in_progress") {
		t.Errorf("maintenance list says\n%s", said)
	}
	printed(t, d.maintenance(t, "complete", id[1]))
	d.eventually(t, "the outage that outlives the work is told", func() error {
		list, err := d.outages()
		if err == nil && len(list) == 0 {
			err = errors.New("nobody is")
		}
		return err
	})
	d.stop(t)
}
