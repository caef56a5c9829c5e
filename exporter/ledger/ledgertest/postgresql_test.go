package ledgertest_test

import (
	"database/sql"
	"testing"

	"shopwatch/exporter/ledger/ledgertest"
)

func TestAPostgreSQLServerHasDatabasesAndAccountsOfTheTest(t *testing.T) {
	t.Parallel()
	server := ledgertest.PostgreSQL(t)
	root := server.NewDatabase(t, "shop")
	if _, err := root.Exec("CREATE TABLE cards (id int, secret text); INSERT INTO cards VALUES (1, 'S')"); err != nil {
		t.Fatal(err)
	}
	server.NewRole(t, "watcher", "p@ss:w/rd")
	if _, err := root.Exec("GRANT SELECT (id) ON cards TO watcher"); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", server.DSN("watcher", "p@ss:w/rd", "shop"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var id int
	if err := db.QueryRow("SELECT id FROM cards").Scan(&id); err != nil || id != 1 {
		t.Errorf("id = %d, %v", id, err)
	}
	if err := db.QueryRow("SELECT secret FROM cards").Scan(new(string)); err == nil {
		t.Error("the account reads what it wasn't granted")
	}
	var zone string
	if err := db.QueryRow("SHOW timezone").Scan(&zone); err != nil || zone != "UTC" {
		t.Errorf("zone = %s, %v", zone, err)
	}
}
