package message_test

import (
	"fmt"
	"html"
	"reflect"
	"strings"
	"sync"
	"testing"

	"shopwatch/notifier"
	"shopwatch/notifier/message"
	"shopwatch/rules"
)

// same words a delivery as one of many, and as the only one: a notice without an
// ID is worded anew each time.
func same(t *testing.T, w *message.Writer, d notifier.Delivery) notifier.Message {
	t.Helper()
	got, err := w.Compose(d)
	if err != nil {
		t.Fatal(err)
	}
	alone := d
	alone.Notice.ID = 0
	want, err := w.Compose(alone)
	if err != nil {
		t.Fatal(err)
	}
	want.ID = d.Identity()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s to %d by %s: got\n%+v\nwant\n%+v", d.Notice.Event, d.Recipient.ID, d.Recipient.Channel, got, want)
	}
	return got
}

func TestANoticeThatWasWordedBeforeReadsAsIfItWereNot(t *testing.T) {
	t.Parallel()
	w := writer(t)
	for range 2 {
		for _, channel := range message.Channels {
			for _, language := range []notifier.Language{notifier.Chinese, notifier.English} {
				for audience, notices := range told {
					for i, notice := range notices {
						if !tells(channel, notice.event) {
							continue
						}
						d := delivery(channel, language, audience, notice.event)
						if notice.with != nil {
							notice.with(&d)
						}
						d.Notice.ID = int64(i + 1)
						same(t, w, d)
					}
				}
			}
		}
	}
}

func TestEachSubscriberFindsTheirOwnLinks(t *testing.T) {
	t.Parallel()
	w := writer(t)
	d := delivery(message.Email, notifier.English, rules.Subscribers, notifier.EventDown)
	for id := int64(1); id < 4; id++ {
		d.Recipient.ID = id
		m := same(t, w, d)
		for _, link := range []string{links{}.Leave(d.Recipient), links{}.Manage(d.Recipient)} {
			if !strings.Contains(m.Text, link) || !strings.Contains(m.HTML, `href="`+html.EscapeString(link)+`"`) {
				t.Errorf("%d does not find %s in\n%s\n%s", id, link, m.Text, m.HTML)
			}
		}
		if m.Leave != (links{}).Leave(d.Recipient) || m.ID != fmt.Sprintf("n12-r%d", id) {
			t.Errorf("%d got %s of %s", id, m.Leave, m.ID)
		}
	}
}

func TestPeopleOnCallAreAskedToLeaveNothing(t *testing.T) {
	t.Parallel()
	m, err := writer(t).Compose(delivery(message.Email, notifier.English, rules.Ops, notifier.EventDown))
	if err != nil {
		t.Fatal(err)
	}
	if m.Leave != "" || strings.Contains(m.Text+m.HTML, "leave") {
		t.Errorf("they are:\n%+v", m)
	}
}

func TestManySendersWordOneNoticeAtOnce(t *testing.T) {
	t.Parallel()
	w := writer(t)
	var senders sync.WaitGroup
	for sender := range 8 {
		senders.Go(func() {
			for id := range 50 {
				d := delivery(message.Email, notifier.Chinese, rules.Subscribers, notifier.EventDown)
				d.Recipient.ID = int64(1000*sender + id)
				m, err := w.Compose(d)
				if err != nil || !strings.Contains(m.Text, links{}.Leave(d.Recipient)) {
					t.Errorf("%d got %q, %v", d.Recipient.ID, m.Text, err)
				}
			}
		})
	}
	senders.Wait()
}

// budget is the most allocations of a public notice that was worded before.
const budget = 4

func TestANoticeThatWasWordedBeforeCostsFewAllocations(t *testing.T) {
	w := writer(t)
	d := delivery(message.Telegram, notifier.Chinese, rules.Subscribers, notifier.EventDown)
	d.Notice.ID, d.Recipient.ID = 123456, 654321
	if n := testing.AllocsPerRun(100, func() {
		if _, err := w.Compose(d); err != nil {
			t.Fatal(err)
		}
	}); n > budget {
		t.Errorf("got %v allocations, want at most %d", n, budget)
	}
}

func BenchmarkCompose(b *testing.B) {
	for name, d := range map[string]notifier.Delivery{
		"telegram, worded before": delivery(message.Telegram, notifier.Chinese, rules.Subscribers, notifier.EventDown),
		"email, worded before":    delivery(message.Email, notifier.Chinese, rules.Subscribers, notifier.EventDown),
		"telegram, new":           delivery(message.Telegram, notifier.Chinese, rules.Subscribers, notifier.EventDown),
		"email, new":              delivery(message.Email, notifier.Chinese, rules.Subscribers, notifier.EventDown),
	} {
		b.Run(name, func(b *testing.B) {
			w := writer(b)
			b.ReportAllocs()
			for b.Loop() {
				if d.Recipient.ID++; strings.HasSuffix(name, "new") {
					d.Notice.ID++
				}
				if _, err := w.Compose(d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
