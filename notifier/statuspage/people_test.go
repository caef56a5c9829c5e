package statuspage_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shopwatch/notifier"
	"shopwatch/notifier/statuspage"
	"shopwatch/rules"
)

// told is Alipay's outage with what people made known of it.
func told(change func(*notifier.Incident)) statuspage.Snapshot {
	i := incident("open", alipay, both("支付宝暂时无法支付", "Alipay payments are failing"), 20*time.Minute)
	change(&i)
	return with(full(), i)
}

func TestAPromiseIsToldWithWhatWasPromisedBefore(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for _, c := range []struct {
		eta    notifier.ETA
		zh, en string
	}{
		{notifier.ETA{At: noon.Add(40 * time.Minute)}, "预计 12:40 恢复", "Expected to be over by 12:40"},
		{notifier.ETA{At: noon.Add(40 * time.Minute), Earlier: []time.Time{noon.Add(5 * time.Minute)}}, "预计 12:40 恢复，原先预计 12:05", "Expected to be over by 12:40; before that, by 12:05"},
		{notifier.ETA{At: noon.Add(13 * time.Hour)}, "预计 7月2日 01:00 恢复", "Expected to be over by Jul 2, 01:00"},
		{notifier.ETA{At: noon.Add(-5 * time.Minute)}, "原先预计 11:55 恢复，现在还没有恢复", "It was expected to be over by 11:55, and is not yet"},
	} {
		s.Set(told(func(i *notifier.Incident) { i.ETA = c.eta }))
		for lang, want := range map[string]string{"zh": c.zh, "en": c.en} {
			for _, path := range []string{"/", "/incidents/open"} {
				if page := s.get(path + "?lang=" + lang); !strings.Contains(page, want) {
					t.Errorf("%s lacks %q", path, want)
				}
			}
		}
	}
	s.Set(told(func(i *notifier.Incident) {
		i.ETA = notifier.ETA{At: noon.Add(40 * time.Minute)}
		*i = over(*i, time.Minute)
	}))
	if page := s.get("/incidents/open?lang=en"); strings.Contains(page, "Expected") {
		t.Error("what is over is still expected to end")
	}
}

func TestWordsOfTheOtherLanguageAreShownAndNamed(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.Set(told(func(i *notifier.Incident) {
		i.Scope = rules.Text{ZH: "所有买家"}
		i.Updates = append(i.Updates, notifier.Update{At: noon, Status: notifier.Identified, Text: rules.Text{ZH: "网关坏了。\n正在更换。"}, Scope: i.Scope})
	}))
	english, chinese := s.get("/incidents/open?lang=en"), s.get("/incidents/open?lang=zh")
	for _, want := range []string{`<p><span lang="zh-CN">网关坏了。<br>正在更换。</span> <small>(written in Chinese)</small></p>`, `<span lang="zh-CN">所有买家</span>`, "(written in Chinese)"} {
		if !strings.Contains(english, want) {
			t.Errorf("the English page lacks %q", want)
		}
	}
	if !strings.Contains(chinese, "<p>网关坏了。<br>正在更换。</p>") || strings.Contains(chinese, "原文为") {
		t.Error("the Chinese page calls its own language another")
	}
}

func TestProgramsAndFeedsGetWhatPeopleMadeKnown(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	eta := noon.Add(40 * time.Minute)
	s.Set(told(func(i *notifier.Incident) {
		i.Status, i.Scope, i.Workaround = notifier.Monitoring, both("所有买家", "All buyers"), rules.Text{EN: "Use WeChat"}
		i.ETA = notifier.ETA{At: eta, Earlier: []time.Time{noon.Add(5 * time.Minute)}}
		i.Updates = append(i.Updates, notifier.Update{At: noon, Status: notifier.Monitoring, ETA: eta, By: "小王"})
	}))
	var answer struct {
		Incidents []struct {
			MonitoringAt string `json:"monitoring_at"`
			Updates      []struct {
				Body      string
				Shopwatch struct {
					ETA  string
					Text *rules.Text
				}
			} `json:"incident_updates"`
			Shopwatch struct {
				Scope, Workaround *rules.Text
				ETA               string
				EarlierETAs       []string `json:"earlier_etas"`
			}
		}
	}
	if err := json.Unmarshal([]byte(s.get("/api/v2/incidents/unresolved.json?lang=en")), &answer); err != nil || len(answer.Incidents) != 1 {
		t.Fatalf("answered %+v, %v", answer, err)
	}
	i := answer.Incidents[0]
	if i.Shopwatch.ETA != "2026-07-01T04:40:00.000Z" || len(i.Shopwatch.EarlierETAs) != 1 || i.Shopwatch.Scope.EN != "All buyers" || i.Shopwatch.Workaround.ZH != "" || i.MonitoringAt == "" {
		t.Errorf("the incident tells %+v", i)
	}
	if u := i.Updates[0]; u.Body != "Expected to be over by 12:40" || u.Shopwatch.ETA != i.Shopwatch.ETA || u.Shopwatch.Text != nil {
		t.Errorf("its update tells %+v", u)
	}
	for _, feed := range []string{"/history.atom", "/history.rss"} {
		if content := s.get(feed + "?lang=en"); !strings.Contains(content, "12:40") || strings.Contains(content, "小王") {
			t.Errorf("%s tells %s", feed, content)
		}
	}
}

func TestWhoWroteAnUpdateIsToldNowhere(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *statuspage.Config) { c.Demo = new(statuspage.Demo) })
	rapid.Check(t, func(rt *rapid.T) {
		words := func(label string) rules.Text {
			return rules.Text{ZH: rapid.String().Draw(rt, label), EN: rapid.StringOf(rapid.RuneFrom([]rune("<>&\"'\n a王http://"))).Draw(rt, label)}
		}
		status := rapid.SampledFrom([]notifier.IncidentStatus{notifier.Investigating, notifier.Identified, notifier.Monitoring, notifier.Postmortem})
		v := told(func(i *notifier.Incident) {
			i.Acknowledged = notifier.Acknowledgement{By: "SECRETname", At: noon}
			i.Acts = []notifier.Act{{At: noon, By: "SECRETname", Deed: notifier.DeedUpdate, Detail: "SECRETname"}}
			i.Scope, i.Workaround, i.ETA.At = words("scope"), words("workaround"), noon.Add(time.Hour)
			i.Held = &notifier.Facts{Description: both("SECRETname", "SECRETname")}
			for range rapid.IntRange(1, 3).Draw(rt, "updates") {
				i.Updates = append(i.Updates, notifier.Update{At: noon, By: "SECRETname", Status: status.Draw(rt, "status"), Text: words("text"), Scope: i.Scope, Workaround: i.Workaround, ETA: i.ETA.At})
			}
		})
		v.Maintenances = works(words("work"), "star/alipay")
		s.Set(v)
		for _, path := range rapid.SliceOfNDistinct(rapid.SampledFrom(documents), 3, 3, rapid.ID).Draw(rt, "documents") {
			if path == "/incidents/old" { // of which the snapshot knows nothing
				continue
			}
			body := s.get(path)
			if strings.Contains(body, "SECRET") {
				rt.Fatalf("%s tells who wrote it", path)
			}
			if strings.HasPrefix(path, "/api/") && !json.Valid([]byte(body)) {
				rt.Fatalf("%s is no JSON", path)
			}
			if path[1] == '?' && strings.Count(body, "</main>") != 1 {
				rt.Fatalf("%s is no whole page", path)
			}
		}
	})
}
