package message

import (
	"fmt"
	"strings"
	"time"

	"shopwatch/notifier"
)

// clock tells times as they read at the moment of a notice.
type clock struct {
	zone     *time.Location
	now      time.Time
	language notifier.Language
	brief    bool // for a text message, where each character counts
}

// moment tells a time, with its date only where that isn't today's.
func (c clock) moment(at time.Time) string { return c.tell(at, time.TimeOnly) }

// zoned is moment with the zone's distance from UTC, where a reader of the
// language may live in another: China has one.
func (c clock) zoned(at time.Time) string {
	return c.moment(at) + c.offset(at)
}

// offset is the zone's distance from UTC, " UTC+8", and "" where zoned leaves it out.
func (c clock) offset(at time.Time) string {
	_, east := at.In(c.zone).Zone()
	if c.brief || c.language == notifier.Chinese && east == 8*3600 {
		return ""
	}
	sign, minutes := "+", east/60
	if minutes < 0 {
		sign, minutes = "-", -minutes
	}
	offset := fmt.Sprint(" UTC", sign, minutes/60)
	switch {
	case minutes == 0:
		offset = " UTC"
	case minutes%60 != 0:
		offset += fmt.Sprintf(":%02d", minutes%60)
	}
	return offset
}

// duration tells a length of time.
func (c clock) duration(d time.Duration) string {
	told := Duration(d, string(c.language))
	if c.brief && c.language == notifier.Chinese {
		return strings.ReplaceAll(told, " ", "")
	}
	return told
}

// expected tells when trouble should be over, what was said before, and whether
// that moment has passed: "原先预计 03:20，现在预计 04:00".
func (c clock) expected(eta notifier.ETA) string {
	if eta.At.IsZero() {
		return ""
	}
	say, at := wordsOf[c.language], c.tell(eta.At, "15:04")+c.offset(eta.At)
	if len(eta.Earlier) > 0 {
		earlier := make([]string, 0, len(eta.Earlier))
		for _, before := range eta.Earlier[max(0, len(eta.Earlier)-maxNews):] {
			earlier = append(earlier, c.tell(before, "15:04"))
		}
		at = fmt.Sprintf(say.revised, strings.Join(earlier, say.comma), at)
	}
	if eta.At.Before(c.now) {
		at += say.passed
	}
	return at
}

func (c clock) tell(at time.Time, form string) string {
	at, now := at.In(c.zone), c.now.In(c.zone)
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format(form)
	}
	if c.language == notifier.Chinese {
		return at.Format("1月2日 " + form)
	}
	return at.Format("2 Jan " + form)
}

// Duration tells a length of time in words: "3 分 20 秒", "3 min 20 s". It names
// the two largest units, and seconds only below an hour.
func Duration(d time.Duration, language string) string {
	if d < 0 {
		d = 0
	}
	d = d.Round(time.Second)
	days, hours := int(d.Hours())/24, int(d.Hours())%24
	minutes, seconds := int(d.Minutes())%60, int(d.Seconds())%60
	units := [4]string{" d", " h", " min", " s"}
	if language == "zh" {
		units = [4]string{" 天", " 小时", " 分", " 秒"}
	}
	two := func(a int, au string, b int, bu string) string {
		if b == 0 {
			return fmt.Sprint(a, au)
		}
		return fmt.Sprint(a, au, " ", b, bu)
	}
	switch {
	case days > 0:
		return two(days, units[0], hours, units[1])
	case hours > 0:
		return two(hours, units[1], minutes, units[2])
	case minutes > 0:
		return two(minutes, units[2], seconds, units[3])
	}
	return fmt.Sprint(seconds, units[3])
}
