package acgfaka_test

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
	s.run(t, "INSERT INTO plan_order (trade_no,amount,commodity_id,card_num,pay_id,create_time,create_ip,create_device,pay_time,status,delivery_status)"+
		" SELECT 900000000000000000+seq,10,1,1,2,"+wall(ledgertest.Now)+",'192.0.2.1',0,"+wall(ledgertest.Now)+",seq%2,seq%2 FROM seq_1_to_2000",
		"INSERT INTO plan_card (commodity_id,secret,create_time,purchase_time,order_id,status)"+
			" SELECT 1,'S',create_time,pay_time,id,1 FROM plan_order WHERE status=1 AND id>100",
		"ANALYZE TABLE plan_order, plan_card")
	d := checked(t, s.Ledger())
	root := server.Root(t, s.database)
	run(t, root, "SET GLOBAL log_output='TABLE'; SET GLOBAL general_log=1")
	ids := make([]int64, ledger.MaxBatch)
	for i := range ids {
		ids[i] = int64(4 * i)
	}
	ask := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := d.Last(t.Context())
	ask(err)
	_, err = d.At(t.Context(), 1000)
	ask(err)
	for _, from := range []int64{0, 1000, 2000} {
		_, err = d.After(t.Context(), from, ledger.MaxBatch)
		ask(err)
	}
	for _, some := range [][]int64{{1500}, ids} {
		_, err = d.ByID(t.Context(), some)
		ask(err)
		_, err = d.Numbers(t.Context(), some)
		ask(err)
	}
	_, err = d.Find(t.Context(), "900000000000001001")
	ask(err)
	_, _, err = d.Stock(t.Context())
	ask(err)
	run(t, root, "SET GLOBAL general_log=0")

	heard := statements(t, root)
	const kinds = 14 // the calls above, and what they ask of other tables
	if len(heard) < kinds {
		t.Fatalf("the server heard %d statements, want at least %d:\n%s", len(heard), kinds, strings.Join(heard, "\n"))
	}
	for _, statement := range heard {
		for _, step := range explain(t, root, statement) {
			switch {
			case step.table != "plan_order" && step.table != "plan_card":
			case step.access == "ALL", step.access == "index" && step.rows > 1:
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

func TestNumbersAreEighteenDigits(t *testing.T) {
	t.Parallel()
	form := driver(t, (&shop{server: &ledgertest.Server{}, database: "x"}).Ledger()).Traits().Number
	for number, want := range map[string]bool{
		"101261122061000001": true, "10126112206100000": false, "1012611220610000010": false,
		"10126112206100000a": false, "101261122061000001\n": false, "１０１２６１１２２０６１０００００１": false, "": false,
	} {
		if form.MatchString(number) != want {
			t.Errorf("%q matches %s: %v, want %v", number, form, !want, want)
		}
	}
}

func TestShortagesEndAndNumbersAreGuessable(t *testing.T) {
	t.Parallel()
	traits := driver(t, (&shop{server: &ledgertest.Server{}, database: "x"}).Ledger()).Traits()
	if traits.ShortageEnds != 24*time.Hour || !traits.Guessable {
		t.Errorf("traits = %+v", traits)
	}
}
