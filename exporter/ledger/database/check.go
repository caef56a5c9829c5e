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
// missing or forbidden. All faults are joined, each one sentence about one table;
// doubts tell the optional columns and tables that can't be read.
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
// fails. An error is trouble with the whole database.
func (d *DB) checkTable(ctx context.Context, t Table, has map[string]bool) (doubts []string, faults []error, err error) {
	all := slices.Concat(t.Columns, t.Optional)
	found := map[missing][]string{}
	switch err := d.ask(ctx, t.Name, all); {
	case err == nil:
		found[nothing] = all
	case lacks(err) == nothing:
		return nil, nil, err
	case lacks(err) == theTable && t.Missable:
		return []string{fmt.Sprintf("table %q isn't there", d.prefix+t.Name)}, nil, nil
	case lacks(err) == theTable:
		return nil, []error{err}, nil
	default:
		for _, column := range all {
			err := d.ask(ctx, t.Name, []string{column})
			if err != nil && lacks(err) != theColumn && lacks(err) != theRight {
				return nil, nil, err
			}
			found[lacks(err)] = append(found[lacks(err)], column)
		}
		if len(found[nothing]) == len(all) { // each alone, but not together: a view, or something as strange
			return nil, []error{err}, nil
		}
	}
	faults = d.faults(t, found)
	if t.Missable {
		for _, fault := range faults {
			doubts = append(doubts, plain(fault))
		}
		faults = nil
		has[t.Name] = len(doubts) == 0
	} else {
		has[t.Name] = len(faults) == 0
	}
	for _, column := range t.Optional {
		has[t.Name+"."+column] = slices.Contains(found[nothing], column)
	}
	if len(found[theRight]) == len(all) {
		return doubts, faults, nil // said
	}
	words := map[missing]string{theColumn: "isn't there", theRight: "may not be read"}
	if d.Engine() == MySQL {
		words[theRight] += ", or isn't there" // MariaDB doesn't tell the two apart
	}
	for why, words := range words {
		for _, column := range found[why] {
			if slices.Contains(t.Optional, column) {
				doubts = append(doubts, fmt.Sprintf("column %q of table %q %s", column, d.prefix+t.Name, words))
			}
		}
	}
	slices.Sort(doubts)
	return doubts, faults, nil
}

// faults are sentences about the needed columns that can't be read.
func (d *DB) faults(t Table, found map[missing][]string) (faults []error) {
	needed := func(why missing) (columns []string) {
		for _, column := range found[why] {
			if slices.Contains(t.Columns, column) {
				columns = append(columns, column)
			}
		}
		return columns
	}
	table := d.prefix + t.Name
	if absent := needed(theColumn); len(absent) > 0 {
		faults = append(faults, unfit(rules.LedgerSchema, "table %q has no column %s: is the shop %s, of a version that is supported?",
			table, strings.Join(absent, ", "), d.book.Software))
	}
	denied := strings.Join(needed(theRight), ", ")
	hint := ""
	switch {
	case len(found[theRight]) == len(t.Columns)+len(t.Optional):
		if d.Engine() == MySQL {
			hint = " (to an account without rights on it, the server doesn't tell a table that isn't there: check the prefix too)"
		}
		columns := strings.Join(found[theRight], ", ")
		faults = append(faults, unfit(rules.LedgerAccess, "user %q may read nothing of table %q: grant SELECT (%s) on it%s",
			d.engine.account(), table, columns, hint))
	case denied != "":
		if d.Engine() == MySQL {
			hint = "; where there is no such column, is the shop " + d.book.Software + ", of a version that is supported?"
		}
		faults = append(faults, unfit(rules.LedgerAccess, "user %q may not read %s of table %q: grant SELECT (%s) on it%s",
			d.engine.account(), denied, table, denied, hint))
	}
	return faults
}

// plain is a fault's sentence without the words that make it one.
func plain(fault error) string {
	return strings.TrimPrefix(fault.Error(), ledger.ErrUnfit.Error()+": ")
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
// nothing else. An account is as the server writes it, quotes and all: 'name'@'host'
// of MySQL, "name" of PostgreSQL. SQLite knows none.
//
// On PostgreSQL they are said in the shop's database, by whoever owns its tables.
// Where the owner took from everybody what everybody has (CONNECT on the database,
// USAGE on the schema), the account needs these too, and where the tables are in
// another schema than public, a search_path. The rights to tell a replica's lag
// (SLAVE MONITOR of MariaDB, REPLICATION CLIENT of MySQL) aren't among them: they
// are needed on a replica only, and tell nothing of the tables.
func (b Book) Grants(engine Engine, database, prefix, account string) []string {
	quote := (*mysqlEngine)(nil).quote
	switch engine {
	case SQLite:
		return nil
	case PostgreSQL:
		quote = (*postgresEngine)(nil).quote
	}
	var statements []string
	for _, t := range b.Tables {
		columns := slices.Concat(t.Columns, t.Optional)
		for i, column := range columns {
			columns[i] = quote(column) // some shops name them after words of SQL
		}
		table := quote(prefix + t.Name)
		if engine == MySQL {
			table = quote(database) + "." + table
		}
		statements = append(statements, fmt.Sprintf("GRANT SELECT (%s) ON %s TO %s", strings.Join(columns, ", "), table, account))
	}
	return statements
}
