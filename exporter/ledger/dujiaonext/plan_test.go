package dujiaonext_test

import (
	"database/sql"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"shopwatch/exporter/ledger/database"
	"shopwatch/exporter/ledger/dujiaonext"
	"shopwatch/exporter/ledger/ledgertest"
)

const filled = 3000 // purchases

// fill books purchases of one product, all of them delivered.
func (s *shop) fill(t *testing.T) {
	t.Helper()
	numbers := fmt.Sprintf("(WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM g WHERE n < %d) SELECT n FROM g) g", filled)
	if s.engine == database.MySQL {
		numbers = fmt.Sprintf("(SELECT seq AS n FROM seq_1_to_%d) g", filled)
	}
	at := s.automatic(written)
	for child, parent := range []string{"NULL", "1000+2*n"} {
		s.run(t, `INSERT INTO orders (id,order_no,parent_id,user_id,status,currency,total_amount,paid_at,created_at,updated_at)
			SELECT 1000+2*n+%d, CONCAT('DJ',n,'-',%[1]d), %s, 0, 'completed', 'CNY', 10, %s, %[3]s, %[3]s FROM %s`, child, parent, at, numbers)
	}
	for _, statement := range []string{
		`INSERT INTO order_items (order_id,product_id,title_json,quantity,fulfillment_type) SELECT id,1,'{}',1,'auto' FROM orders WHERE id>1000 AND parent_id IS NOT NULL`,
		`INSERT INTO fulfillments (order_id,type,status,payload,delivered_at) SELECT id,'auto','delivered','K',created_at FROM orders WHERE id>1000 AND parent_id IS NOT NULL`,
		`INSERT INTO payments (order_id,channel_id,provider_type,channel_type,amount,status) SELECT id,1,'epay','alipay',10,'success' FROM orders WHERE id>1000 AND parent_id IS NULL`,
	} {
		s.run(t, statement)
	}
}

// questionsGoByKey looks that no question reads a table as a whole, though the
// database hasn't looked yet what is in it.
func questionsGoByKey(t *testing.T, open opener) {
	s := open(t, ledgertest.Now)
	if s.engine == database.PostgreSQL {
		for _, table := range []string{"orders", "order_items", "fulfillments", "payments"} {
			s.run(t, "ALTER TABLE "+table+" SET (autovacuum_enabled = false)")
		}
	}
	s.fill(t)
	d := driver(t, s)
	if s.engine == database.PostgreSQL {
		s.countsFewRows(t, d)
		return
	}
	number := "id = (SELECT COALESCE(n.parent_id, n.id) FROM orders n WHERE n.order_no = 'DJ')"
	for _, which := range []string{"id > 5 ORDER BY id LIMIT 500", "id > 5000 ORDER BY id LIMIT 500", "id IN (1,2,3,1001,2001,3001,4001)", number} {
		if which == number && s.engine == database.MySQL {
			continue // its unique index can't be read by: see Find
		}
		if plan := s.plan(t, d.Statement(which)); scans.MatchString(plan) || plan == "" {
			t.Errorf("%.40s scans:\n%s", which, plan)
		}
	}
}

// countsFewRows asks PostgreSQL how many rows the driver's questions had it read.
func (s *shop) countsFewRows(t *testing.T, d *dujiaonext.Driver) {
	t.Helper()
	read := func() (rows int) {
		t.Helper()
		// The driver's own session tells its counts before it answers this.
		err := d.Each(t.Context(), database.Short, "SELECT pg_stat_force_next_flush()", nil, func(*sql.Rows) error { return nil })
		if err == nil {
			err = s.db.QueryRow("SELECT sum(coalesce(seq_tup_read,0) + coalesce(idx_tup_fetch,0)) FROM pg_stat_user_tables").Scan(&rows)
		}
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	var keys []int64
	for key := int64(1002); len(keys) < 500; key += 12 {
		keys = append(keys, key)
	}
	// A purchase is a parent and one each of child, item, delivery and payment; a
	// page skips as many children as it gives parents.
	for _, c := range []struct {
		name string
		ask  func() (int, error)
		most int
	}{
		{"a page from the beginning", func() (int, error) { orders, err := d.After(t.Context(), 31, 500); return len(orders), err }, 500 * 6},
		{"a page near the end", func() (int, error) {
			orders, err := d.After(t.Context(), 1000+2*(filled-500)+1, 500)
			return len(orders), err
		}, 500 * 6},
		{"the open orders", func() (int, error) { orders, err := d.ByID(t.Context(), keys); return len(orders), err }, 500 * 6},
		{"a place", func() (int, error) { place, err := d.At(t.Context(), 3001); return min(1, int(place.ID)), err }, 5},
		{"the newest", func() (int, error) { place, err := d.Last(t.Context()); return min(1, int(place.ID)), err }, 5},
	} {
		before := read()
		found, err := c.ask()
		if err != nil {
			t.Fatal(err)
		}
		if rows := read() - before; rows > c.most || rows < found || found == 0 {
			t.Errorf("%s: %d rows were read for %d orders, want at most %d", c.name, rows, found, c.most)
		}
	}
}

// scans finds the step of a plan that reads a table as a whole, or along an
// index that nearly all its rows share.
var scans = regexp.MustCompile(`(?m)^SCAN (?:orders|[nycif])\b|USING INDEX \w+_deleted_at|\|(?:orders|[nycif])\|(?:ALL|index)\||_deleted_at\|\d+\|`)

// plan is how SQLite or MariaDB would answer a statement: one step a line, its
// columns between bars.
func (s *shop) plan(t *testing.T, statement string) string {
	t.Helper()
	explain := "EXPLAIN "
	if s.engine == database.SQLite {
		explain = "EXPLAIN QUERY PLAN "
	}
	rows, err := s.db.Query(explain + statement)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values, targets := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	var steps []string
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		step := make([]string, len(values))
		for i, value := range values {
			step[i] = value.String
		}
		if s.engine == database.SQLite {
			step = step[3:]
		}
		steps = append(steps, strings.Join(step, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(steps, "\n")
}
