package database_test

import (
	"strings"
	"testing"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger/database"
)

func TestADSNsFormTellsItsEngine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dsn  string
		want database.Engine
	}{
		{"postgres://u:p@h:5432/d", database.PostgreSQL},
		{"postgresql://u:p@h/d?sslmode=disable", database.PostgreSQL},
		{"u:p@tcp(h:3306)/d", database.MySQL},
		{"u:p@unix(/run/mysqld.sock)/d", database.MySQL},
		{"/srv/shop/data.db", database.SQLite},
		{"shop #1 50%.db", database.SQLite},
		{`C:\shop\data.db`, database.SQLite},
		{"C:/shop/data.db", database.SQLite},
	} {
		if got, found := database.EngineOf(c.dsn); !found || got != c.want {
			t.Errorf("EngineOf(%q) = %q, %v, want %q", c.dsn, got, found, c.want)
		}
	}
}

func TestOpenRefusesADSNOfAnotherFormAndNeverQuotesIt(t *testing.T) {
	t.Parallel()
	const secret = "p4ssw0rd"
	for _, c := range []struct{ name, dsn, want string }{
		{"nothing", "", "user:password@tcp(host:3306)/database"},
		{"keywords of PostgreSQL", "host=h user=u password=" + secret + " dbname=d", "postgres://"},
		{"keywords with blanks", "host = h password = " + secret, "postgres://"},
		{"keywords of ADO", "Server=h;Uid=u;Pwd=" + secret, "postgres://"},
		{"PostgreSQL with a slash in the password", "postgres://u:12/" + secret + "@h/d", "postgres://user:password@host:5432/database"},
		{"a URL of MySQL", "mysql://u:" + secret + "@h/d", "tcp(host:3306)"},
		{"MySQL without a host", "u:" + secret + "/d", "tcp(host:3306)"},
		{"MySQL without a database", "u:" + secret + "@tcp(h:1)/", "tcp(host:3306)"},
		{"MySQL without a user", ":" + secret + "@tcp(h:1)/d", "tcp(host:3306)"},
		{"MySQL without a slash", "u:" + secret + "@tcp(h:1)", "tcp(host:3306)"},
		{"MySQL with a slash in the settings", "u:" + secret + "@tcp(h:1)/d?x=/" + secret, "tcp(host:3306)"},
		{"MySQL with an unknown TLS setting", "u:" + secret + "@tcp(h:1)/d?tls=" + secret, "tcp(host:3306)"},
		{"MySQL with a zone of the connection", "u:" + secret + "@tcp(h:1)/d?time_zone=%27%2B08%3A00%27", "remove it"},
		{"PostgreSQL without a database", "postgres://u:" + secret + "@h", "postgres://user:password@host:5432/database"},
		{"PostgreSQL with a bad port", "postgres://u:" + secret + "@h:x" + secret + "/d", "postgres://user:password@host:5432/database"},
		{"PostgreSQL with a bad escape", "postgres://u:%zz" + secret + "@h/d", "postgres://user:password@host:5432/database"},
		{"PostgreSQL with an unknown TLS mode", "postgres://u:" + secret + "@h/d?sslmode=" + secret, "postgres://user:password@host:5432/database"},
		{"SQLite as a URL", "file:/srv/" + secret, "the path of the shop's SQLite file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := database.Open(book, exporter.Ledger{DSN: c.dsn})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("Open = %v, want it to say %q and not the password", err, c.want)
			}
		})
	}
}

func TestOpenRefusesAnEngineThatTheSoftwareDoesNotRunOn(t *testing.T) {
	t.Parallel()
	onlySQLite := database.Book{Software: "bot", Engines: []database.Engine{database.SQLite}}
	_, err := database.Open(onlySQLite, exporter.Ledger{DSN: "u:p4ssw0rd@tcp(h:1)/d"})
	if err == nil || err.Error() != "dsn: want the path of the shop's SQLite file" {
		t.Errorf("Open = %v", err)
	}
}

func TestAPrefixIsPartOfAName(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"a`b", "a b", "a-b", `a"`, strings.Repeat("a", 33)} {
		if _, err := database.Open(book, exporter.Ledger{DSN: "u:p@tcp(h:1)/d", Prefix: prefix}); err == nil || !strings.Contains(err.Error(), "prefix") {
			t.Errorf("prefix %q: %v", prefix, err)
		}
	}
	without := book
	without.Prefixed = false
	if _, err := database.Open(without, exporter.Ledger{DSN: "u:p@tcp(h:1)/d", Prefix: "s_"}); err == nil || !strings.Contains(err.Error(), "have none") {
		t.Errorf("a prefix where there is none: %v", err)
	}
	d, err := database.Open(book, exporter.Ledger{DSN: "u:p@tcp(h:1)/d", Prefix: "s_"})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if got := d.Table("orders"); got != "`s_orders`" {
		t.Errorf("Table = %s", got)
	}
}
