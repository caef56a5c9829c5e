package zfaka_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/ledgertest"
)

// plansAreBounded lets the driver ask all that it ever asks, takes down what the
// server heard, and has the server say how it goes about each.
func plansAreBounded(t *testing.T, server *ledgertest.Server) {
	s := newShopOf(t, server, ledgertest.Now, "plan_") // by which its statements are known in the server's log
	begun := ledgertest.Now.Add(time.Minute)
	s.fill(t, 1000, begun, 2000, 1)
	s.run(t, "UPDATE plan_order SET status=id%4", "ANALYZE TABLE plan_order, plan_products, plan_products_card")
	d := checked(t, s.Ledger())
	root := server.Root(t, s.database)
	run(t, root, "SET GLOBAL log_output='TABLE'; SET GLOBAL general_log=1")
	ids := make([]int64, ledger.MaxBatch)
	for i := range ids {
		ids[i] = int64(1000 + 4*i)
	}
	ask := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := d.Last(t.Context())
	ask(err)
	_, err = d.At(t.Context(), 1500)
	ask(err)
	for _, from := range []int64{0, 2000, 2900} {
		_, err = d.After(t.Context(), from, ledger.MaxBatch)
		ask(err)
	}
	for _, some := range [][]int64{{1500}, ids} {
		_, err = d.ByID(t.Context(), some)
		ask(err)
		_, err = d.Numbers(t.Context(), some)
		ask(err)
	}
	_, _, err = d.Stock(t.Context())
	ask(err)

	there := begun.Add(1234 * time.Second).In(shanghai)
	s.run(t, "UPDATE plan_order SET orderid='"+numbered(there, 1)+"' WHERE id=2234")
	asked := func(number string, want int64) int {
		t.Helper()
		already := len(statements(t, root))
		o, err := d.Find(t.Context(), number)
		if err != nil || o.ID != want {
			t.Errorf("Find = order %d, %v, want %d", o.ID, err, want)
		}
		return len(statements(t, root)) - already
	}
	found := asked(numbered(there, 1), 2234)
	for name, number := range map[string]string{
		"of that second": numbered(there, 2), "of another": numbered(there.Add(-10*time.Minute), 1), "of another year": numbered(there.AddDate(1, 0, 0), 1),
	} {
		if missed := asked(number, 0); missed != found || found < 2 || found > 4 {
			t.Errorf("an order was found by %d statements, and none %s by %d; want 2–4, and as many", found, name, missed)
		}
	}
	run(t, root, "SET GLOBAL general_log=0")

	heard := statements(t, root)
	const kinds = 20 // the calls above, and what they ask of other tables
	if len(heard) < kinds {
		t.Fatalf("the server heard %d statements, want at least %d:\n%s", len(heard), kinds, strings.Join(heard, "\n"))
	}
	for _, statement := range heard {
		for _, step := range explain(t, root, statement) {
			if step.table == "plan_order" && (step.access == "ALL" || step.access == "index" && step.rows > 1) {
				t.Errorf("reads the whole of %s (%s, %d rows): %.200s", step.table, step.access, step.rows, statement)
			}
		}
	}
}

// statements are those of the account that the server wrote down.
func statements(t *testing.T, root *sql.DB) []string {
	t.Helper()
	rows, err := root.Query("SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log" +
		" WHERE command_type = 'Query' AND user_host LIKE '%" + user + "%' AND argument LIKE '%`plan\\_%'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var statement string
		if err := rows.Scan(&statement); err != nil {
			t.Fatal(err)
		}
		// In front of it stands the limit that the server enforces.
		list = append(list, statement[strings.Index(statement, "SELECT"):])
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// step is one line of a plan.
type step struct {
	table, access string
	rows          int64
}

func explain(t *testing.T, root *sql.DB, statement string) []step {
	t.Helper()
	rows, err := root.Query("EXPLAIN " + statement)
	if err != nil {
		t.Fatalf("EXPLAIN %s: %v", statement, err)
	}
	defer rows.Close()
	var plan []step
	for rows.Next() {
		var table, access sql.NullString
		var count sql.NullInt64
		var skip sql.RawBytes
		if err := rows.Scan(&skip, &skip, &table, &access, &skip, &skip, &skip, &skip, &count, &skip); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, step{table.String, access.String, count.Int64})
	}
	if err := rows.Err(); err != nil || len(plan) == 0 {
		t.Fatalf("EXPLAIN %s: %d steps, %v", statement, len(plan), err)
	}
	return plan
}
