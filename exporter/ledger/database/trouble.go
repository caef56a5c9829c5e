package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"regexp"

	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

// missing is what stands in the way of reading a column.
type missing int

const (
	nothing missing = iota
	theTable
	theColumn
	theRight
)

// lack is an error of a server's that names what is missing.
type lack struct {
	error
	of missing
}

func (l *lack) Unwrap() error { return l.error }

func lacks(err error) missing {
	if l, ok := errors.AsType[*lack](err); ok {
		return l.of
	}
	return nothing
}

// unfit is trouble that waiting doesn't cure.
func unfit(reason rules.LedgerReason, form string, arguments ...any) error {
	return &ledger.Error{Reason: reason, Err: fmt.Errorf("%w: "+form, append([]any{ledger.ErrUnfit}, arguments...)...)}
}

// because says in our words what an error means, and then the error's own.
func because(reason rules.LedgerReason, what string, err error) error {
	return &ledger.Error{Reason: reason, Err: fmt.Errorf("%s: %w", what, err)}
}

// explain gives an error its reason. A caller who gave up hears just that,
// whatever a library made of it, since it says nothing about the database.
func (d *DB) explain(caller context.Context, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(caller.Err(), context.Canceled) {
		return context.Canceled
	}
	if _, told := errors.AsType[*ledger.Error](err); told {
		return err
	}
	return d.engine.explain(err, d.book.Software)
}

// away gives the reason of an error that came from no server.
func away(err error) error {
	network, ofNetwork := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), ofNetwork && network.Timeout():
		return because(rules.LedgerAway, "the database doesn't answer in time", err)
	case ofNetwork, errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone):
		return because(rules.LedgerAway, "no connection to the database", err)
	}
	return &ledger.Error{Reason: rules.LedgerOther, Err: err}
}

var ofScan = regexp.MustCompile(`^sql: Scan error on column index \d+, name ("[^"]*")`)

// unread is a row's error. That of a value which isn't what the driver expects
// quotes the value, which may be a buyer's.
func unread(err error) error {
	if found := ofScan.FindStringSubmatch(err.Error()); found != nil {
		return &ledger.Error{Reason: rules.LedgerSchema, Err: fmt.Errorf("a row holds in %s what the driver can't read", found[1])}
	}
	return err
}
