package statuspage_test

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier"
)

func TestFeedsChangeOnlyWithIncidents(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	v := full()
	v.Incidents = append(v.Incidents, incident("open", alipay, both("支付宝暂时无法支付", "Alipay payments are failing"), time.Minute))
	s.Set(v)
	for _, path := range []string{"/history.atom?lang=zh", "/history.rss?lang=en"} {
		before := s.get(path)
		s.clock.advance(30 * time.Hour)
		s.Set(v)
		if s.get(path) != before {
			t.Errorf("%s changed though nothing happened", path)
		}
		response, _ := s.do("GET", path, "If-Modified-Since: "+noon.Format(http.TimeFormat))
		if response.StatusCode != http.StatusNotModified {
			t.Errorf("%s if modified since: got %s, want 304", path, response.Status)
		}
	}
}

func TestTheAtomFeedIsValid(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	v := full()
	v.Incidents[0].Updates = []notifier.Update{
		{At: noon.Add(-50 * time.Minute), Status: notifier.Investigating, Text: both("<b>在查</b>", "<b>looking</b>")},
		{At: noon.Add(-40 * time.Minute), Status: notifier.Resolved, Text: both("好了", "fixed")},
	}
	s.Set(v)
	var feed struct {
		XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
		Lang    string   `xml:"http://www.w3.org/XML/1998/namespace lang,attr"`
		ID      string   `xml:"id"`
		Title   string   `xml:"title"`
		Updated string   `xml:"updated"`
		Author  string   `xml:"author>name"`
		Links   []struct {
			Rel  string `xml:"rel,attr"`
			Href string `xml:"href,attr"`
		} `xml:"link"`
		Entries []struct {
			ID        string `xml:"id"`
			Title     string `xml:"title"`
			Published string `xml:"published"`
			Updated   string `xml:"updated"`
			Link      struct {
				Href string `xml:"href,attr"`
			} `xml:"link"`
			Content struct {
				Type string `xml:"type,attr"`
				Body string `xml:",chardata"`
			} `xml:"content"`
		} `xml:"entry"`
	}
	response, body := s.do("GET", "/history.atom?lang=en")
	if err := xml.Unmarshal([]byte(body), &feed); err != nil || response.Header.Get("Content-Type") != "application/atom+xml; charset=utf-8" {
		t.Fatalf("%v, %v", err, response.Header)
	}
	if feed.Lang != "en" || feed.ID != "tag:status.example.com,2025-01-01:history" || feed.Title == "" || feed.Author == "" || len(feed.Links) != 2 || feed.Links[0].Rel != "self" {
		t.Errorf("got feed %+v", feed)
	}
	if len(feed.Entries) != 1 {
		t.Fatalf("got %d entries, want 1", len(feed.Entries))
	}
	e := feed.Entries[0]
	if e.ID != "tag:status.example.com,2025-01-01:incidents/old" || e.Link.Href != "https://status.example.com/incidents/old?lang=en" || e.Published != "2026-07-01T03:01:00Z" || e.Updated != "2026-07-01T03:20:00Z" || feed.Updated != e.Updated {
		t.Errorf("got entry %+v", e)
	}
	if e.Content.Type != "html" || strings.Contains(e.Content.Body, "<b>looking") || strings.Index(e.Content.Body, "fixed") > strings.Index(e.Content.Body, "&lt;b&gt;looking") {
		t.Errorf("got content %q, want escaped updates, newest first", e.Content.Body)
	}
}

func TestTheRSSFeedIsValid(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	var feed struct {
		Version string `xml:"version,attr"`
		Channel struct {
			Title, Description, Language string
			Links                        []string `xml:"link"`
			LastBuildDate                string   `xml:"lastBuildDate"`
			Items                        []struct {
				Title   string `xml:"title"`
				GUID    string `xml:"guid"`
				PubDate string `xml:"pubDate"`
			} `xml:"item"`
		} `xml:"channel"`
	}
	if err := xml.Unmarshal([]byte(s.get("/history.rss")), &feed); err != nil || len(feed.Channel.Items) != 0 {
		t.Fatalf("an empty feed: %v, %+v", err, feed)
	}
	s.Set(full())
	if err := xml.Unmarshal([]byte(s.get("/history.rss")), &feed); err != nil {
		t.Fatal(err)
	}
	items := feed.Channel.Items
	if feed.Version != "2.0" || len(items) != 1 || items[0].GUID != "https://status.example.com/incidents/old" || items[0].PubDate != "Wed, 01 Jul 2026 11:01:00 +0800" {
		t.Errorf("got %+v", feed)
	}
	if _, err := time.Parse(time.RFC1123Z, feed.Channel.LastBuildDate); err != nil {
		t.Error(err)
	}
	if u, err := url.Parse(feed.Channel.Links[0]); err != nil || u.Host != "status.example.com" {
		t.Errorf("got link %q", feed.Channel.Links[0])
	}
}
