package ledgertest

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Logged is the flag of a private MariaDB whose Statements and Scans are asked for.
const Logged = "--general-log"

var (
	logLine = regexp.MustCompile(`(\d+) (Connect|Query)\t(.*)$`)
	limited = regexp.MustCompile(`SELECT /\*\+ MAX_EXECUTION_TIME\(\d+\) \*/ *(.*)$`)
)

// Statements gives the limited SELECTs that an account sent, each once. Give
// every shop an account of its own.
func (s *Server) Statements(t testing.TB, user string) []string {
	t.Helper()
	var data, name string
	if err := s.Root(t, "").QueryRow("SELECT @@datadir, @@general_log_file").Scan(&data, &name); err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(data, name)
	}
	log, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	mine := map[string]bool{} // connections
	var statements []string
	for line := range strings.Lines(string(log)) {
		part := logLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if part == nil {
			continue
		}
		if part[2] == "Connect" {
			mine[part[1]] = strings.HasPrefix(part[3], user+"@")
			continue
		}
		if query := limited.FindStringSubmatch(part[3]); query != nil && mine[part[1]] {
			statements = append(statements, "SELECT "+query[1])
		}
	}
	slices.Sort(statements)
	return slices.Compact(statements)
}

// Scans asks the server how it would answer what an account sent, and gives the
// statements for which it would read a whole table other than the small ones.
// It means something only where the other tables are large and were analyzed.
func (s *Server) Scans(t testing.TB, database, user string, small ...string) []string {
	t.Helper()
	db := s.Root(t, database)
	statements := s.Statements(t, user)
	if len(statements) == 0 {
		t.Fatalf("nothing was logged of account %q: does the server run with %s?", user, Logged)
	}
	var scans []string
	for _, statement := range statements {
		plan, err := db.Query("EXPLAIN " + statement)
		if err != nil {
			t.Fatal(statement, err)
		}
		for plan.Next() {
			var table, access sql.NullString
			var rows sql.NullInt64
			var skip any
			if err := plan.Scan(&skip, &skip, &table, &access, &skip, &skip, &skip, &skip, &rows, &skip); err != nil {
				t.Fatal(err)
			}
			// An index is walked whole too, unless the statement takes its first row.
			whole := access.String == "ALL" || access.String == "index" && rows.Int64 > 1
			if whole && !strings.HasPrefix(table.String, "<") && !slices.Contains(small, table.String) {
				scans = append(scans, fmt.Sprintf("%s of table %s, %d rows: %s", access.String, table.String, rows.Int64, statement))
			}
		}
		if err := plan.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return scans
}
