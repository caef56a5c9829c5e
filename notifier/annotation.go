package notifier

import (
	"strconv"
	"time"
)

// latest is the last moment that an annotation may name, the year 3000: JSON
// knows no time beyond the year 9999.
const latest = 32_503_680_000

// unixAnnotation reads Unix seconds as a rule's template prints them: "1.7e+09", "1700000000", "1700000000.5".
func unixAnnotation(value string) (time.Time, bool) {
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil || !(seconds > 0 && seconds < latest) {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(seconds * 1000)), true
}

// secondsAnnotation reads a duration in seconds.
func secondsAnnotation(value string) (time.Duration, bool) {
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil || !(seconds >= 0 && seconds < 1<<30) {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}
