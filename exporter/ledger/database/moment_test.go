package database_test

import (
	"database/sql"
	"testing"
	"time"
	_ "time/tzdata" // the zones of a machine that has none

	"shopwatch/exporter"
	"shopwatch/exporter/ledger/database"
)

// reader is a database of whose zone only is asked.
func reader(t *testing.T, zone string) *database.DB {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	d, err := database.Open(book, exporter.Ledger{DSN: "u:p@tcp(h:1)/d", Zone: location})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestWallTimeReadsInTheShopsZone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, zone, wall, want string }{
		{"Shanghai has no summer time", "Asia/Shanghai", "2026-11-22 07:00:00", "2026-11-21T23:00:00Z"},
		{"parts of a second", "Asia/Shanghai", "2026-11-22 07:00:00.25", "2026-11-21T23:00:00.25Z"},
		{"with a T", "Asia/Shanghai", "2026-11-22T07:00:00", "2026-11-21T23:00:00Z"},

		{"New York, an hour before the clock goes back", "America/New_York", "2026-11-01 00:59:59", "2026-11-01T04:59:59Z"},
		{"New York, the hour that comes twice", "America/New_York", "2026-11-01 01:00:00", "2026-11-01T06:00:00Z"},
		{"New York, its last second", "America/New_York", "2026-11-01 01:59:59.5", "2026-11-01T06:59:59.5Z"},
		{"New York, thereafter", "America/New_York", "2026-11-01 02:00:00", "2026-11-01T07:00:00Z"},
		{"New York, the second before the clock goes forward", "America/New_York", "2026-03-08 01:59:59", "2026-03-08T06:59:59Z"},
		{"New York, the hour that never comes", "America/New_York", "2026-03-08 02:30:00", "2026-03-08T07:30:00Z"},
		{"New York, after it", "America/New_York", "2026-03-08 03:00:00", "2026-03-08T07:00:00Z"},

		{"Berlin, before the hour that comes twice", "Europe/Berlin", "2026-10-25 01:59:59", "2026-10-24T23:59:59Z"},
		{"Berlin, the hour that comes twice", "Europe/Berlin", "2026-10-25 02:00:00", "2026-10-25T01:00:00Z"},
		{"Berlin, its last second", "Europe/Berlin", "2026-10-25 02:59:59", "2026-10-25T01:59:59Z"},
		{"Berlin, thereafter", "Europe/Berlin", "2026-10-25 03:00:00", "2026-10-25T02:00:00Z"},
		{"Berlin, the hour that never comes", "Europe/Berlin", "2026-03-29 02:30:00", "2026-03-29T01:30:00Z"},

		{"Lord Howe's clock goes back by half an hour", "Australia/Lord_Howe", "2026-04-05 01:29:59", "2026-04-04T14:29:59Z"},
		{"Lord Howe, the half hour that comes twice", "Australia/Lord_Howe", "2026-04-05 01:30:00", "2026-04-04T15:00:00Z"},
		{"Lord Howe, its last second", "Australia/Lord_Howe", "2026-04-05 01:59:59", "2026-04-04T15:29:59Z"},
		{"Lord Howe, thereafter", "Australia/Lord_Howe", "2026-04-05 02:00:00", "2026-04-04T15:30:00Z"},
		{"Lord Howe, the half hour that never comes", "Australia/Lord_Howe", "2026-10-04 02:15:00", "2026-10-03T15:45:00Z"},

		{"Troll's clock goes back by two hours", "Antarctica/Troll", "2026-10-25 01:00:00", "2026-10-25T01:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want, err := time.Parse(time.RFC3339Nano, c.want)
			if err != nil {
				t.Fatal(err)
			}
			if got := reader(t, c.zone).Moment(sql.NullString{String: c.wall, Valid: true}); !got.Equal(want) {
				t.Errorf("Moment(%s) in %s = %v, want %v", c.wall, c.zone, got, want)
			}
		})
	}
}

// What a clock showed at a moment reads as that moment, or as the later one at
// which the clock showed the same again: never as one before it.
func TestNoWallTimeReadsAsEarlierThanItWas(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "Asia/Shanghai", "UTC"} {
		d := reader(t, zone)
		year := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		twice := time.Duration(0)
		for m := year; m.Year() == 2026; m = m.Add(10 * time.Minute) {
			shown := m.In(d.Zone()).Format(time.DateTime)
			got := d.Moment(sql.NullString{String: shown, Valid: true})
			if got.Before(m) || got.In(d.Zone()).Format(time.DateTime) != shown {
				t.Fatalf("%s: %s of %v reads as %v", zone, shown, m, got)
			}
			if got.After(m) {
				twice += 10 * time.Minute
			}
		}
		want := map[string]time.Duration{"Australia/Lord_Howe": 30 * time.Minute, "Asia/Shanghai": 0, "UTC": 0}
		if hour, special := want[zone]; special && twice != hour || !special && twice != time.Hour {
			t.Errorf("%s: %v read as later than they were", zone, twice)
		}
	}
}

func TestAMomentThatNamesItsZoneIsNotTheShops(t *testing.T) {
	t.Parallel()
	d := reader(t, "Asia/Shanghai")
	want := time.Date(2026, 11, 21, 23, 0, 0, 123456000, time.UTC)
	for _, text := range []string{
		"2026-11-21T23:00:00.123456Z", "2026-11-22 07:00:00.123456+08:00", "2026-11-22T07:00:00.123456+08:00",
		"2026-11-21 18:00:00.123456 -0500 EST", "2026-11-22 07:00:00.123456 +0800 CST m=+0.012345678",
	} {
		if got := d.Moment(sql.NullString{String: text, Valid: true}); !got.Equal(want) {
			t.Errorf("Moment(%s) = %v, want %v", text, got, want)
		}
	}
}

func TestWhatIsNoMomentIsTheZeroTime(t *testing.T) {
	t.Parallel()
	d := reader(t, "Asia/Shanghai")
	for _, text := range []string{"", "0000-00-00 00:00:00", "0000-00-00 00:00:00.000000", "2026-00-00 00:00:00", "2026-02-30 00:00:00",
		"soon", "\xff\xfe", "2026-11-22 25:00:00", "infinity"} {
		if got := d.Moment(sql.NullString{String: text, Valid: true}); !got.IsZero() {
			t.Errorf("Moment(%q) = %v", text, got)
		}
	}
	if got := d.Moment(sql.NullString{}); !got.IsZero() {
		t.Errorf("Moment of NULL = %v", got)
	}
}

func TestSecondsSince1970(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[int64]time.Time{0: {}, -5: {}, 1795302000: time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC)} {
		if got := database.Unix(sql.NullInt64{Int64: seconds, Valid: true}); !got.Equal(want) {
			t.Errorf("Unix(%d) = %v, want %v", seconds, got, want)
		}
	}
	if got := database.Unix(sql.NullInt64{}); !got.IsZero() {
		t.Errorf("Unix of NULL = %v", got)
	}
}
