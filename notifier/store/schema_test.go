package store_test

import (
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
	"shopwatch/rules"
)

var update = flag.Bool("update", false, "write testdata/schema of the newest schema, which no release has yet")

// open the database of a place beside the store.
func beside(t *testing.T, place storetest.Place) *sql.DB {
	t.Helper()
	driver, source := "sqlite", place.Path
	if place.PostgresDSN != "" {
		driver, source = "pgx", place.PostgresDSN+"&default_query_exec_mode=simple_protocol"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func engineOf(place storetest.Place) string {
	if place.PostgresDSN != "" {
		return "postgres"
	}
	return "sqlite"
}

// texts are the rows of a statement, its columns joined.
func texts(t *testing.T, db *sql.DB, statement string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		list = append(list, text)
	}
	return list
}

// schema is all that the database knows of its tables.
func schema(t *testing.T, place storetest.Place) string {
	t.Helper()
	db := beside(t, place)
	if engineOf(place) == "sqlite" {
		return strings.Join(texts(t, db, `SELECT name || ': ' || sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name`), "\n")
	}
	return strings.Join(slices.Concat(
		texts(t, db, `SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '')
			FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position`),
		texts(t, db, `SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname`),
		texts(t, db, `SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY conname`),
		texts(t, db, `SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname`),
	), "\n")
}

// furnish writes some of everything.
func furnish(t *testing.T, place storetest.Place) {
	t.Helper()
	writeKey(t, place.KeyFile, 1)
	s := place.Open(t)
	if err := s.SyncPeople(t.Context(), people("42"), nil); err != nil {
		t.Fatal(err)
	}
	reader := subscriber("buyer@x.example")
	reader.State = notifier.Active
	reader.Wants = notifier.Wants{}
	i := incident("i1")
	change(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.KeepSubscriber(&reader), tx.SetMark("watchdog", "1"),
			tx.Save(i, []notifier.Notice{notice(i, rules.Ops, notifier.EventDown)}),
			tx.Audit(notifier.AuditEntry{At: now, By: "小王", Way: "cli", Deed: "acknowledge", Subject: "incident i1"}))
	})
	expand(t, s)
	s.Close()
}

// dump is the database as statements.
func dump(t *testing.T, place storetest.Place) string {
	t.Helper()
	if engineOf(place) == "postgres" {
		found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pg_dump")
		if err != nil || len(found) == 0 {
			t.Fatal("pg_dump isn't installed (package postgresql-client)")
		}
		out, err := exec.Command(found[0], "--inserts", "--no-owner", "--no-privileges", "--dbname="+place.PostgresDSN).Output()
		if err != nil {
			t.Fatal(err)
		}
		lines := slices.DeleteFunc(strings.Split(string(out), "\n"), func(line string) bool {
			return line == "" || strings.HasPrefix(line, "--") || strings.HasPrefix(line, `\`) // of psql alone
		})
		return strings.Join(lines, "\n") + "\n"
	}
	db := beside(t, place)
	lines := texts(t, db, `SELECT sql || ';' FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rootpage`)
	for _, table := range texts(t, db, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rootpage`) {
		columns := texts(t, db, `SELECT 'quote("' || name || '")' FROM pragma_table_info('`+table+`')`)
		lines = append(lines, texts(t, db, `SELECT 'INSERT INTO `+table+` VALUES (' || `+strings.Join(columns, " || ', ' || ")+` || ');' FROM `+table)...)
	}
	lines = append(lines, texts(t, db, `SELECT sql || ';' FROM sqlite_master WHERE type <> 'table' AND sql IS NOT NULL ORDER BY name`)...)
	return strings.Join(lines, "\n") + "\n"
}

func TestEverySchemaThatWasReleasedIsCarriedForward(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, fresh storetest.Place) {
		folder := filepath.Join("testdata", "schema", engineOf(fresh))
		furnish(t, fresh)
		migrations, err := filepath.Glob(filepath.Join("migrations", engineOf(fresh), "*.sql"))
		if err != nil || len(migrations) == 0 {
			t.Fatalf("no migrations (%v)", err)
		}
		newest, _, _ := strings.Cut(filepath.Base(slices.Max(migrations)), "_")
		newest = filepath.Join(folder, newest+".sql")
		if *update {
			if err := os.WriteFile(newest, []byte(dump(t, fresh)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := os.Stat(newest); err != nil {
			t.Errorf("%v: go test ./notifier/store -run Schema -update writes it", err)
		}
		want := schema(t, fresh)
		fixtures, err := filepath.Glob(filepath.Join(folder, "*.sql"))
		if err != nil {
			t.Fatal(err)
		}
		for _, fixture := range fixtures {
			t.Run(filepath.Base(fixture), func(t *testing.T) {
				place := storetest.SQLite(t)
				if fresh.PostgresDSN != "" {
					place = storetest.Postgres(t)
				}
				carriedForward(t, place, fixture, want)
			})
		}
	})
}

// carriedForward holds that a database of an old schema has today's, and all that was in it.
func carriedForward(t *testing.T, place storetest.Place, fixture, want string) {
	t.Helper()
	statements, err := os.ReadFile(fixture)
	if err != nil {
		t.Fatal(err)
	}
	db := beside(t, place)
	if _, err := db.ExecContext(t.Context(), string(statements)); err != nil {
		t.Fatal(err)
	}
	db.Close()
	writeKey(t, place.KeyFile, 1)
	s := place.Open(t)
	if got := schema(t, place); got != want {
		t.Fatalf("the schema differs from that of a new database: mend the migrations; or, if no release has this schema yet, go test ./notifier/store -run Schema -update\nonly in the old\n%s\nonly in the new\n%s",
			linesOnlyIn(got, want), linesOnlyIn(want, got))
	}
	if got := addresses(t, s); got != "buyer@x.example" {
		t.Errorf("subscribers %s", got)
	}
	open, err := s.OpenIncidents(t.Context())
	if err != nil || len(open) != 1 || open[0].Title.ZH != incident("i1").Title.ZH {
		t.Errorf("incidents %+v, %v", open, err)
	}
	if list := claim(t, s, "telegram", now); len(list) != 1 || list[0].Recipient.Address != "42" {
		t.Errorf("due %+v", list)
	}
	if log, err := s.AuditLog(t.Context(), "incident i1", 0, 10); err != nil || len(log) != 1 || log[0].By != "小王" {
		t.Errorf("audit log %+v, %v", log, err)
	}
	if value, err := s.Mark(t.Context(), "watchdog"); err != nil || value != "1" {
		t.Errorf("mark %q, %v", value, err)
	}
}

func linesOnlyIn(a, b string) string {
	known := strings.Split(b, "\n")
	return strings.Join(slices.DeleteFunc(strings.Split(a, "\n"), func(line string) bool { return slices.Contains(known, line) }), "\n")
}

func TestSchemaOfANewerVersionIsRefusedAndLeftAsItWas(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		furnish(t, place)
		db := beside(t, place)
		if _, err := db.ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (4711, '1')`); err != nil {
			t.Fatal(err)
		}
		before := fmt.Sprint(texts(t, db, `SELECT id || state FROM recipients`), schema(t, place))
		if _, err := store.Open(t.Context(), place.Config); err == nil || !strings.Contains(err.Error(), "a newer shopwatch wrote it (schema 4711") {
			t.Errorf("got %v", err)
		}
		if after := fmt.Sprint(texts(t, db, `SELECT id || state FROM recipients`), schema(t, place)); after != before {
			t.Errorf("changed to %s", after)
		}
	})
}
