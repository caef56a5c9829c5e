package main

import (
	"fmt"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"
)

// length is a flag's length of time, read as the configuration file's are ("90s",
// "1h30m", "2d") or with a fraction ("1.5h"); none is below zero.
type length struct {
	flag string
	into *time.Duration
}

// lengthFlag has a flag give a length of time.
func lengthFlag(clause *kingpin.FlagClause, into *time.Duration) {
	clause.SetValue(length{clause.Model().Name, into})
}

// Set implements [kingpin.Value].
func (l length) Set(typed string) error {
	d, err := readLength(typed)
	if err != nil {
		return fmt.Errorf("--%s %q: want a length of time as 90s, 30m, 2h or 1d", l.flag, typed)
	}
	*l.into = d
	return nil
}

// String implements [kingpin.Value].
func (l length) String() string { return l.into.String() }

func readLength(typed string) (time.Duration, error) {
	if d, err := model.ParseDuration(typed); err == nil {
		return time.Duration(d), nil
	}
	d, err := time.ParseDuration(typed)
	if err == nil && d < 0 {
		err = fmt.Errorf("%s is below zero", typed)
	}
	return d, err
}

// readMoment reads a moment as people type it, in this machine's zone, or as RFC
// 3339 has it; the zero moment where nothing was typed.
func readMoment(flag, typed string) (time.Time, error) {
	if typed == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, typed); err == nil {
		return at, nil
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", typed, time.Local)
	if err != nil {
		return at, fmt.Errorf(`--%s %q: want a time as "2026-11-23 02:00" or 2026-11-23T02:00:00+08:00`, flag, typed)
	}
	return at, nil
}

// readAhead reads a moment to come, or in how long it comes.
func readAhead(flag, typed string) (time.Time, error) {
	if d, err := readLength(typed); err == nil && d > 0 {
		return clock().Add(d), nil
	}
	at, err := readMoment(flag, typed)
	switch {
	case err != nil:
		return at, fmt.Errorf(`--%s %q: want in how long, as 30m or 2h, or when, as "2026-11-23 02:00"`, flag, typed)
	case !at.IsZero() && !at.After(clock()):
		return at, fmt.Errorf("--%s %q has passed; want a time to come", flag, typed)
	}
	return at, nil
}
