package sql

import (
	"cmp"
	"context"
	stdsql "database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/rules"
)

// manyRows is from where on a table is too large to be read with every poll.
// Below, planners rightly prefer it to an index.
const manyRows = 50_000

// plan is what a server says of how it would run a query, as far as it matters.
type plan struct {
	scanned []string // tables, by the names of the query, that are read in whole
	rows    float64  // that it reads, by the server's guess; 0 where it makes none
}

// judgePlans looks whether what is asked often goes by an index, at the end of
// the table, where the follower reads. An empty table has no plans.
func (d *Driver) judgePlans(ctx context.Context) (doubts []string, err error) {
	after, behind := d.keysOf(beyond{key: 1 << 30}, ledger.MaxBatch) // hardly reached, and within the smallest type of a key
	if doubts, err := d.judge(ctx, []question{{after, behind, d.pollHint}}); err != nil || doubts != nil {
		return doubts, err
	}
	last, err := d.keys(ctx, beyond{end: true, down: true}, 1)
	if err != nil || len(last) == 0 {
		return nil, err
	}
	behind[0] = last[0]
	byID, key := d.byID(last)
	doubts, err = d.judge(ctx, []question{{after, behind, d.pollHint}, {byID, key, d.pollHint}})
	if err != nil || doubts != nil || d.number == "" {
		return doubts, err
	}
	// Only now is it sure that this takes no time.
	numbers, err := d.Numbers(ctx, last)
	if err != nil {
		return nil, err
	}
	return d.judge(ctx, []question{{d.find(), []any{cmp.Or(numbers[last[0]], "0"), mostNumbered}, d.findHint}})
}

// question is a statement that is asked often, and what to do about one that
// reads a whole table; "" is none in particular.
type question struct {
	query     string
	arguments []any
	hint      func(table string) string
}

func (d *Driver) judge(ctx context.Context, questions []question) (doubts []string, err error) {
	told := map[string]bool{}
	var faults []error
	for _, q := range questions {
		p, err := d.plan(ctx, q.query, q.arguments)
		if e, is := errors.AsType[*ledger.Error](err); is && e.Reason == rules.LedgerAccess {
			return []string{"whether the queries go by an index can't be seen: the account may not EXPLAIN them (of a view that takes SHOW VIEW)"}, nil
		}
		if err != nil {
			return nil, err
		}
		for _, table := range p.tables() {
			if fault := q.hint(table); !told[fault] {
				told[fault] = true
				faults = append(faults, unfit("%s", fault))
			}
		}
	}
	return nil, errors.Join(faults...)
}

// tables are those that are read in whole; "" stands for too much of nobody knows which.
func (p plan) tables() []string {
	if len(p.scanned) == 0 && p.rows > manyRows {
		return []string{""}
	}
	return p.scanned
}

// pollHint says what to do about a poll that reads too much of a table.
func (d *Driver) pollHint(table string) string {
	switch alias, _, _ := strings.Cut(d.key, "."); {
	case table == "":
		return fmt.Sprintf("queries.orders: each poll would read more than %d rows: join by columns that have an index, and let queries.where give no reason to go by another than the key's", manyRows)
	case len(d.aliases) == 1, strings.EqualFold(table, strings.Trim(alias, "`\"")), strings.EqualFold(table, d.keyTable):
		return fmt.Sprintf("queries.key: each poll would read the whole of table %s: %s has no index; name its primary key", d.keyTable, d.key)
	}
	return fmt.Sprintf("queries.orders: each poll would read the whole of table %s: it lacks an index on the columns by which it is joined; leave it out, or add one", table)
}

func (d *Driver) findHint(table string) string {
	if table == "" {
		table = "orders"
	}
	return fmt.Sprintf("queries.number: a look-up would read the whole of table %s: %s has no index that serves; name an indexed column alone, or leave number and form out", table, d.number)
}

func (d *Driver) plan(ctx context.Context, query string, arguments []any) (plan, error) {
	switch d.Engine() {
	case database.PostgreSQL:
		return d.planPostgreSQL(ctx, query, arguments)
	case database.SQLite:
		return d.planSQLite(ctx, query, arguments)
	}
	return d.planMySQL(ctx, query, arguments)
}

// planMySQL reads EXPLAIN's table. The rows of a SELECT's steps multiply.
func (d *Driver) planMySQL(ctx context.Context, query string, arguments []any) (plan, error) {
	var p plan
	product, first := 1.0, ""
	err := d.Explain(ctx, query, arguments, func(rows *stdsql.Rows) error {
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		values, targets := make([]stdsql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		step := map[string]string{}
		for i, column := range columns {
			step[strings.ToLower(column)] = values[i].String
		}
		n, _ := strconv.ParseFloat(step["rows"], 64) // "NULL" of a step without
		if first == "" {
			first = step["id"]
		}
		if step["id"] == first {
			product *= max(1, n)
		}
		p.rows = max(p.rows, n)
		if step["type"] == "ALL" && n > manyRows {
			p.scanned = append(p.scanned, step["table"])
		}
		return nil
	})
	p.rows = max(p.rows, product)
	return p, err
}

// node is a step of PostgreSQL's plan.
type node struct {
	Type     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Schema   string  `json:"Schema"`
	Alias    string  `json:"Alias"`
	Rows     float64 `json:"Plan Rows"`
	Cond     string  `json:"Index Cond"`
	Plans    []node  `json:"Plans"`
}

func (d *Driver) planPostgreSQL(ctx context.Context, query string, arguments []any) (plan, error) {
	var p plan
	var said string
	err := d.Explain(ctx, query, arguments, func(rows *stdsql.Rows) error { return rows.Scan(&said) })
	if err != nil {
		return p, err
	}
	var whole []struct{ Plan node }
	if err := json.Unmarshal([]byte(said), &whole); err != nil || len(whole) != 1 {
		return p, &ledger.Error{Reason: rules.LedgerOther, Err: errors.New("the server's plan isn't in a form that is read")}
	}
	var walk func(n node) error
	walk = func(n node) error {
		reads := n.Relation != ""
		if reads {
			p.rows = max(p.rows, n.Rows)
		}
		if reads && (n.Type == "Seq Scan" || strings.HasPrefix(n.Type, "Index") && n.Cond == "") {
			large, err := d.largePostgreSQL(ctx, n)
			if err != nil {
				return err
			}
			if large {
				p.scanned = append(p.scanned, n.Alias)
			}
		}
		for _, child := range n.Plans {
			if err := walk(child); err != nil {
				return err
			}
		}
		return nil
	}
	return p, walk(whole[0].Plan)
}

// largePostgreSQL asks what the server has counted, or else for the size on disk.
func (d *Driver) largePostgreSQL(ctx context.Context, n node) (large bool, err error) {
	err = d.Each(ctx, database.Short, `SELECT CASE WHEN c.reltuples >= 0 THEN c.reltuples > `+strconv.Itoa(manyRows)+` ELSE pg_relation_size(c.oid) > 4194304 END
		FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace WHERE c.relname = ? AND s.nspname = ?`,
		[]any{n.Relation, n.Schema}, func(rows *stdsql.Rows) error { return rows.Scan(&large) })
	return large, err
}

// scanSQLite is a step that goes through a table from its first row on, or builds
// an index of it for this one question.
var scanSQLite = regexp.MustCompile(`^(?:SCAN (?:TABLE )?(\S+)|SEARCH (\S+) USING AUTOMATIC )`)

func (d *Driver) planSQLite(ctx context.Context, query string, arguments []any) (plan, error) {
	var p plan
	var steps []string
	err := d.Explain(ctx, query, arguments, func(rows *stdsql.Rows) error {
		var id, parent, unused int64
		var step string
		err := rows.Scan(&id, &parent, &unused, &step)
		steps = append(steps, step)
		return err
	})
	if err != nil {
		return p, err
	}
	for _, step := range steps {
		found := scanSQLite.FindStringSubmatch(step)
		if found == nil {
			continue
		}
		alias := found[1] + found[2]
		table, known := d.inner[strings.ToLower(alias)]
		if !known {
			table = d.Table(alias) // perhaps of a view
		}
		large, err := d.largeSQLite(ctx, table)
		if err != nil && !errors.Is(err, ledger.ErrUnfit) {
			return p, err
		}
		if large {
			p.scanned = append(p.scanned, alias)
		}
	}
	return p, nil
}

// largeSQLite counts up to where a table is large: there is no guess to ask for.
func (d *Driver) largeSQLite(ctx context.Context, table string) (large bool, err error) {
	err = d.Each(ctx, database.Short, "SELECT 1 FROM "+table+" LIMIT 1 OFFSET "+strconv.Itoa(manyRows), nil, func(*stdsql.Rows) error {
		large = true
		return nil
	})
	return large, err
}
