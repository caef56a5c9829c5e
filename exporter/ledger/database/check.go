package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

// Check reads no row of each table, which the server answers with what is
// missing or forbidden. All faults are joined; doubts name the optional columns
// and tables that can't be read.
func (d *DB) Check(ctx context.Context) (doubts []string, err error) {
	has := map[string]bool{}
	var faults []error
	for _, t := range d.book.Tables {
		missing, fault, err := d.checkTable(ctx, t, has)
		if err != nil {
			return nil, err
		}
		doubts = append(doubts, missing...)
		faults = append(faults, fault...)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.has = has
	return doubts, nil
}

// checkTable asks for the columns at once, and for each alone only where that
// fails, so that every fault of a table is named.
func (d *DB) checkTable(ctx context.Context, t Table, has map[string]bool) (doubts []string, faults []error, err error) {
	ask := func(columns ...string) error { return d.ask(ctx, t.Name, columns) }
	all := slices.Concat(t.Columns, t.Optional)
	err = ask(all...)
	if err != nil && !errors.Is(err, ledger.ErrUnfit) {
		return nil, nil, err
	}
	if err == nil {
		for _, column := range t.Optional {
			has[t.Name+"."+column] = true
		}
		has[t.Name] = true
		return nil, nil, nil
	}
	if whole, ok := errors.AsType[*ledger.Error](err); ok && whole.Reason == rules.LedgerAccess && len(all) > 1 || errors.Is(err, errNoTable) {
		// The table as a whole, not a column of it, unless one can be read.
		if errors.Is(err, errNoTable) {
			if t.Missable {
				return []string{fmt.Sprintf("table %s isn't there: %v", d.prefix+t.Name, err)}, nil, nil
			}
			return nil, []error{err}, nil
		}
	}
	readable := 0
	for _, column := range all {
		err := ask(column)
		switch optional := slices.Contains(t.Optional, column); {
		case err == nil:
			readable++
			if optional {
				has[t.Name+"."+column] = true
			}
		case !errors.Is(err, ledger.ErrUnfit):
			return nil, nil, err
		case optional:
			doubts = append(doubts, err.Error())
		case t.Missable:
			doubts = append(doubts, err.Error())
		default:
			faults = append(faults, err)
		}
	}
	if readable == len(all) { // each alone, but not together: a view, or something as strange
		return nil, []error{err}, nil
	}
	if t.Missable && len(doubts) > 0 {
		return doubts, nil, nil
	}
	has[t.Name] = len(faults) == 0
	return doubts, faults, nil
}

func (d *DB) ask(ctx context.Context, table string, columns []string) error {
	quoted := make([]string, len(columns))
	for i, column := range columns {
		quoted[i] = d.engine.quote(column)
	}
	return d.Each(ctx, Short, "SELECT "+strings.Join(quoted, ", ")+" FROM "+d.Table(table)+" LIMIT 0", nil,
		func(*sql.Rows) error { return nil })
}

// Has reports whether an optional column, or a table that may be missing, can be
// read. It knows after the first Check that passed; before, nothing optional can.
func (d *DB) Has(table, column string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if column == "" {
		return d.has[table]
	}
	return d.has[table+"."+column]
}

// Grants gives the statements that let an account read what the book needs and
// nothing else. SQLite knows no accounts.
func (b Book) Grants(engine Engine, database, prefix, account string) []string {
	if engine == SQLite {
		return nil
	}
	var statements []string
	for _, t := range b.Tables {
		columns := strings.Join(slices.Concat(t.Columns, t.Optional), ", ")
		table := fmt.Sprintf("`%s`.`%s`", database, prefix+t.Name)
		if engine == PostgreSQL {
			table = fmt.Sprintf("%q", prefix+t.Name)
		}
		statements = append(statements, fmt.Sprintf("GRANT SELECT (%s) ON %s TO %s", columns, table, account))
	}
	return statements
}
