package statuspage

import (
	"fmt"
	"math"
	"strings"
	"time"

	"shopwatch/rules"
)

// shanghai is the zone of the trade's buyers. A fixed offset is exact (China has
// had no daylight saving since 1991) and needs no zone files on the machine.
var shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

// voice puts numbers and moments into the words of one language.
type voice struct {
	lang string // "zh" or "en"
	zone *time.Location
	now  time.Time // days before this one's are named
}

// say fills a sentence.
func (v voice) say(t rules.Text, args ...any) string {
	if len(args) == 0 {
		return t.In(v.lang)
	}
	return fmt.Sprintf(t.In(v.lang), args...)
}

// join writes sentences one after the other.
func (v voice) join(sentences ...string) string {
	if v.lang == "zh" {
		return strings.Join(sentences, "")
	}
	return strings.Join(sentences, " ")
}

// names lists services, the first three by name.
func (v voice) names(services []Component) string {
	var names []string
	for _, c := range services {
		names = append(names, c.Name.In(v.lang))
	}
	return v.list(names)
}

// comma stands between the names of a list.
var comma = text("、", ", ")

// list writes names one after the other, the first three of them.
func (v voice) list(names []string) string {
	const most = 3
	list := strings.Join(names[:min(len(names), most)], v.say(comma))
	if rest := len(names) - most; rest > 0 {
		list += v.say(text("等 %[2]d 项", " and %[1]d more"), rest, len(names))
	}
	return list
}

// unit is one unit of a length of time. Alone is its word where no smaller unit follows.
type unit struct {
	length      time.Duration
	word, alone rules.Text
}

var units = []unit{
	{24 * time.Hour, text("天", "d"), text("天", "days")},
	{time.Hour, text("小时", "h"), text("小时", "h")},
	{time.Minute, text("分", "min"), text("分钟", "min")},
	{time.Second, text("秒", "s"), text("秒", "s")},
}

// length says a duration in its two largest units: "3 分 20 秒", "3 min 20 s".
func (v voice) length(d time.Duration) string {
	if d < time.Second {
		return v.say(text("不到 1 秒", "under 1 s"))
	}
	d = d.Round(time.Second) // as messages do
	for i, u := range units {
		if d < u.length {
			continue
		}
		whole := d / u.length
		if i+1 < len(units) {
			if rest := d % u.length / units[i+1].length; rest > 0 {
				return fmt.Sprintf("%d %s %d %s", whole, u.word.In(v.lang), rest, units[i+1].word.In(v.lang))
			}
		}
		return v.whole(int64(whole), u)
	}
	return ""
}

// round says a duration in the largest unit that divides it: 90 s stay "90 秒".
// Tiers and the ranges of bars are such durations.
func (v voice) round(d time.Duration) string {
	for _, u := range units {
		if d >= u.length && d%u.length == 0 {
			return v.whole(int64(d/u.length), u)
		}
	}
	return v.length(d)
}

func (v voice) whole(n int64, u unit) string {
	word := u.alone.In(v.lang)
	if n == 1 && word == "days" {
		word = "day"
	}
	return fmt.Sprintf("%d %s", n, word)
}

// response says how long an answer takes.
func (v voice) response(d time.Duration) string {
	if d < time.Second {
		return v.say(text("%d 毫秒", "%d ms"), max(1, d.Milliseconds()))
	}
	return v.say(text("%.1f 秒", "%.1f s"), d.Seconds())
}

// percent says a share without ever rounding up to perfection.
func (v voice) percent(share float64) string {
	if share >= 1 {
		return "100%"
	}
	return fmt.Sprintf("%.2f%%", math.Floor(share*1e4)/100)
}

// clock says a moment: the time alone today, the date before it on other days.
func (v voice) clock(t time.Time) string {
	t, now := t.In(v.zone), v.now.In(v.zone)
	switch {
	case t.Year() != now.Year():
		return t.Format(v.say(text("2006年1月2日 15:04:05", "Jan 2, 2006, 15:04:05")))
	case t.YearDay() != now.YearDay():
		return v.dated(t)
	}
	return t.Format(time.TimeOnly)
}

// dated says a moment with its date, for pages that may be read on a later day.
func (v voice) dated(t time.Time) string {
	return t.In(v.zone).Format(v.say(text("1月2日 15:04:05", "Jan 2, 15:04:05")))
}

var weekdays = [...]string{"日", "一", "二", "三", "四", "五", "六"}

// day names a day.
func (v voice) day(t time.Time) string {
	t = t.In(v.zone)
	if v.lang == "zh" {
		return t.Format("2006年1月2日") + " 星期" + weekdays[t.Weekday()]
	}
	return t.Format("Monday, January 2, 2006")
}

// zoneName names the zone with its offset at this moment.
func (v voice) zoneName() string {
	now := v.now.In(v.zone)
	if name := v.zone.String(); name != shanghai.String() {
		return fmt.Sprintf("%s (UTC%s)", name, now.Format("-07:00"))
	}
	return v.say(text("北京时间（UTC+8）", "Beijing time (UTC+8)"))
}

// zoneShort names the zone where space is dear.
func (v voice) zoneShort() string {
	if v.zone.String() != shanghai.String() {
		return v.zone.String()
	}
	return v.say(text("北京时间", "Beijing time"))
}

// moment is a point in time as a page shows it.
type moment struct {
	ISO  string // for machines, "" if there is none
	Text string
}

func (v voice) moment(t time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	return moment{ISO: t.In(v.zone).Format(time.RFC3339), Text: v.clock(t)}
}
