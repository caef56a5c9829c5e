package sql

import (
	"database/sql"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"shopwatch/exporter"
)

// text is a value as a text; NULL is the empty one.
func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []byte:
		if len(v) == 1 && v[0] < 2 { // a BIT(1) of MySQL
			return strconv.Itoa(int(v[0]))
		}
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case float32:
		return strconv.FormatFloat(float64(v), 'f', -1, 32)
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	return ""
}

// whole is a value as a whole number, and whether it is one.
func whole(value any) (int64, bool) {
	t := strings.TrimSpace(text(value))
	if n, err := strconv.ParseInt(t, 10, 64); err == nil {
		return n, true
	}
	f, ok := decimal(t)
	return int64(f), ok && f == math.Trunc(f) && math.Abs(f) < 1<<53
}

// decimal is a text as a number, and whether it is one.
func decimal(text string) (float64, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// truth is a value as yes or no; known is false for any other.
func truth(value any) (yes, known bool) {
	switch strings.ToLower(strings.TrimSpace(text(value))) {
	case "1", "t", "true", "y", "yes", "on", "auto", "automatic":
		return true, true
	case "0", "f", "false", "n", "no", "off", "manual":
		return false, true
	}
	return false, false
}

// mostLabel is how long a label's value is, in bytes.
const mostLabel = 64

// label is a value as a label may hold it: letters and digits of any script, and
// ".", "-" and "_", which also stands for every other sign.
func label(value any) string {
	clean := strings.Map(func(r rune) rune {
		if r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-", r)) {
			return r
		}
		return '_'
	}, strings.TrimSpace(text(value)))
	for len(clean) > mostLabel {
		_, size := utf8.DecodeLastRuneInString(clean)
		clean = clean[:len(clean)-size]
	}
	return clean
}

// moment is a value as a point in time: a type that knows its zone, a text with
// an offset, a count of seconds, milli-, micro- or nanoseconds since 1970, or else
// wall time of the shop. NULL, 0 and a zero date are none; read is false for what
// can't be understood.
func (d *Driver) moment(value any, kind *sql.ColumnType) (at time.Time, read bool) {
	if t, is := value.(time.Time); is {
		switch kind.DatabaseTypeName() {
		case "TIMESTAMP", "DATE": // without a zone
			return d.Moment(sql.NullString{String: t.Format("2006-01-02 15:04:05.999999999"), Valid: true}), true
		}
		return t.UTC(), true
	}
	t := strings.TrimSpace(text(value))
	if t == "" || strings.HasPrefix(t, "0000-00-00") {
		return time.Time{}, true
	}
	if count, ok := decimal(t); ok {
		return since1970(count), count >= 0
	}
	at = d.Moment(sql.NullString{String: t, Valid: true})
	return at, !at.IsZero()
}

// since1970 tells the unit by the size: seconds stay below 1e11 until the year 5138.
func since1970(count float64) time.Time {
	if count <= 0 {
		return time.Time{}
	}
	for _, unit := range []struct{ above, nanoseconds float64 }{{1e17, 1}, {1e14, 1e3}, {1e11, 1e6}} {
		if count >= unit.above {
			return time.Unix(0, int64(count*unit.nanoseconds)).UTC()
		}
	}
	seconds, rest := math.Modf(count)
	return time.Unix(int64(seconds), int64(rest*1e9)).UTC()
}

// follow makes the waiting words follow column automatic, so that one value for
// "paid" may stand for both kinds.
func follow(state exporter.OrderState, automatic bool) exporter.OrderState {
	switch {
	case !automatic && (state == exporter.PaidAutoWaiting || state == exporter.FailedShortOfStock):
		return exporter.ManualWaiting
	case automatic && (state == exporter.ManualWaiting || state == exporter.ManualWorking):
		return exporter.PaidAutoWaiting
	}
	return state
}

// currency is that of a shop whose queries name none.
const currency = "CNY"
