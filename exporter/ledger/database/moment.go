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

// walls are the forms of wall time.
var walls = []string{"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999"}

// Moment reads a text as Instant or Wall give it. Where it names no zone, it is
// wall time of the shop; one that the end of summer time makes ambiguous is the
// later of the two, and one that its beginning skips is as much later as the
// clock was put forward. NULL, a zero date and what isn't a time are the zero
// time: one odd row must not hide all others.
func (d *DB) Moment(text sql.NullString) time.Time {
	if !text.Valid || text.String == "" {
		return time.Time{}
	}
	value, _, _ := strings.Cut(text.String, " m=") // Go's monotonic clock
	for _, layout := range walls {
		if wall, err := time.Parse(layout, value); err == nil {
			return at(wall, d.zone).UTC()
		}
	}
	for _, layout := range instants {
		if t, err := time.Parse(layout, value); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// at gives the moment at which the clocks of a zone show wall, as Moment says.
func at(wall time.Time, zone *time.Location) time.Time {
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), zone)
	_, offset := t.Zone()
	if skipped := wall.Sub(t) - time.Duration(offset)*time.Second; skipped > 0 {
		return t.Add(skipped) // time.Date takes either of the two offsets, by its own lights
	}
	_, end := t.ZoneBounds()
	if end.IsZero() {
		return t
	}
	_, next := end.Zone()
	if again := t.Add(time.Duration(offset-next) * time.Second); offset > next && !again.Before(end) {
		return again
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
