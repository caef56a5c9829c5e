package database

import (
	"database/sql"
	"strings"
	"time"
)

// Instant gives the expression by which a column that knows its zone is read
// into a text for Moment: timestamptz of PostgreSQL, text with an offset in
// SQLite. MySQL has no such column: there it is the shop's wall time.
func (d *DB) Instant(column string) string {
	switch d.Engine() {
	case PostgreSQL:
		return "to_char(" + column + ` AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
	case SQLite:
		return "CAST(" + column + " AS TEXT)"
	}
	return column
}

// Wall gives the expression by which a column that holds the shop's wall time is
// read into a text for Moment.
func (d *DB) Wall(column string) string {
	switch d.Engine() {
	case PostgreSQL:
		return "to_char(" + column + ", 'YYYY-MM-DD HH24:MI:SS.US')"
	case SQLite:
		return "CAST(" + column + " AS TEXT)"
	}
	return column
}

// instants are the forms in which programs write a moment with its zone. A shop
// may mix zones, so the text must be parsed and never compared.
var instants = []string{
	"2006-01-02 15:04:05.999999999-07:00",
	"2006-01-02T15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999 -0700 MST",
}

// Moment reads a text as Instant or Wall give it. Where it names no zone, it is
// wall time of the shop; one that the end of summer time makes ambiguous is the
// later of the two. NULL, a zero date and what isn't a time are the zero time:
// one odd row must not hide all others.
func (d *DB) Moment(text sql.NullString) time.Time {
	if !text.Valid || text.String == "" {
		return time.Time{}
	}
	value, _, _ := strings.Cut(text.String, " m=") // Go's monotonic clock
	for _, layout := range []string{"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999"} {
		if t, err := time.ParseInLocation(layout, value, d.zone); err == nil {
			return later(t).UTC()
		}
	}
	for _, layout := range instants {
		if t, err := time.Parse(layout, value); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// later gives the last moment at which the clock on the wall shows the same.
func later(t time.Time) time.Time {
	for _, ahead := range []time.Duration{2 * time.Hour, time.Hour, 30 * time.Minute} {
		if u := t.Add(ahead); u.Format(time.DateTime) == t.Format(time.DateTime) {
			return u
		}
	}
	return t
}

// Unix gives the moment of a count of seconds. NULL and 0 are the zero time.
func Unix(seconds sql.NullInt64) time.Time {
	if seconds.Int64 <= 0 {
		return time.Time{}
	}
	return time.Unix(seconds.Int64, 0).UTC()
}
