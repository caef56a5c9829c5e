package app_test

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"shopwatch/exporter"
	"shopwatch/exporter/config"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/acgfaka"
	"shopwatch/exporter/ledger/database"
	"shopwatch/exporter/ledger/dujiaoka"
	"shopwatch/exporter/ledger/dujiaonext"
	"shopwatch/exporter/ledger/fakabot"
	"shopwatch/exporter/ledger/kamifaka"
	"shopwatch/exporter/ledger/qsfaka"
	"shopwatch/exporter/ledger/sql"
	"shopwatch/exporter/ledger/zfaka"
	"shopwatch/internal/configfile"
)

var update = flag.Bool("update", false, "write the GRANTs into docs/shops.*.md")

// granted are the accounts that docs/shops.*.md tells how to make, by heading.
var granted = []struct {
	software string
	grants   []string
}{
	{"dujiaoka", onMySQL(dujiaoka.Book, "")},
	{"acgfaka", onMySQL(acgfaka.Book, acgfaka.Prefix)},
	{"zfaka", onMySQL(zfaka.Book, zfaka.Prefix)},
	{"qsfaka", onMySQL(qsfaka.Book, "")},
	{"dujiaonext", onPostgreSQL(dujiaonext.Book)},
	{"kamifaka", onPostgreSQL(kamifaka.Book)},
	{"fakabot", onPostgreSQL(fakabot.Book)},
}

func onMySQL(book database.Book, prefix string) []string {
	return book.Grants(database.MySQL, "shop", prefix, "'shopwatch'@'127.0.0.1'")
}

func onPostgreSQL(book database.Book) []string {
	return book.Grants(database.PostgreSQL, "shop", "", "shopwatch")
}

// An owner who copies the GRANTs gives each driver what it reads, and no more.
func TestTheGrantsOfTheReferenceAreThoseOfTheDrivers(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"en", "zh-CN"} {
		name := "../../docs/shops." + language + ".md"
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		document := string(raw)
		for _, g := range granted {
			block := regexp.MustCompile("(?s)(\n### " + g.software + "\n.*?```sql\n)(.*?)(```)")
			found := block.FindStringSubmatchIndex(document)
			if found == nil || strings.Count(document[found[2]:found[3]], "\n### ") != 1 {
				t.Errorf("%s: no GRANT under ### %s", language, g.software)
				continue
			}
			want := strings.Join(g.grants, ";\n") + ";\n"
			if got := document[found[4]:found[5]]; got != want && !*update {
				t.Errorf("%s: of %s got\n%swant\n%s", language, g.software, got, want)
			}
			document = document[:found[4]] + want + document[found[5]:]
		}
		if *update {
			if err := os.WriteFile(name, []byte(document), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// openers are the drivers by their software.
var openers = map[string]func(exporter.Ledger) (ledger.Driver, error){
	"dujiaoka":   func(l exporter.Ledger) (ledger.Driver, error) { return dujiaoka.Open(l) },
	"acgfaka":    func(l exporter.Ledger) (ledger.Driver, error) { return acgfaka.Open(l) },
	"zfaka":      func(l exporter.Ledger) (ledger.Driver, error) { return zfaka.Open(l) },
	"qsfaka":     func(l exporter.Ledger) (ledger.Driver, error) { return qsfaka.Open(l) },
	"dujiaonext": func(l exporter.Ledger) (ledger.Driver, error) { return dujiaonext.Open(l) },
	"kamifaka":   func(l exporter.Ledger) (ledger.Driver, error) { return kamifaka.Open(l) },
	"fakabot":    func(l exporter.Ledger) (ledger.Driver, error) { return fakabot.Open(l) },
	"sql":        func(l exporter.Ledger) (ledger.Driver, error) { return sql.Open(l) },
}

// ledgerOf reads a ledger as it stands in a file, its lines at any depth.
func ledgerOf(t *testing.T, ledger string) (config.Config, error) {
	t.Helper()
	text := "exporter:\n  shops:\n    - id: main\n      " + strings.ReplaceAll(strings.TrimSpace(ledger), "\n", "\n      ") + "\n"
	doc, err := configfile.Parse("test.yml", []byte(text), func(string) (string, bool) { return "p4ssw0rd", true })
	if err != nil {
		t.Fatal(err)
	}
	return config.Load(doc)
}

// What the file's grammar takes, the driver takes, and nothing else: the two know
// of each other by this test alone.
func TestTheGrammarAndTheDriversTakeTheSameLedgers(t *testing.T) {
	t.Parallel()
	const queries = ", queries: {orders: 'SELECT o.id, o.state, o.created FROM orders o', key: o.id, states: {'1': delivered}}"
	for software, open := range openers {
		for _, dsn := range []string{
			"u:p@tcp(127.0.0.1:3306)/shop", "u:p@unix(/run/mysqld.sock)/shop?tls=true", "postgres://u:p@127.0.0.1:5432/shop", "postgresql://u:p@db/shop?sslmode=disable",
			"/srv/shop.db", "data/shop.db", "mysql://u:p@db/shop", "u:p@tcp(db)/", "u:p@db/shop", "file:shop.db", "shop.db?mode=rw", "host=db user=u password=p dbname=shop",
		} {
			for _, prefix := range []string{"", "x_", "x`"} {
				text := "ledger: {software: " + software + ", dsn: '" + dsn + "', table_prefix: '" + prefix + "'"
				if software == "sql" {
					text += queries
				}
				loaded, err := ledgerOf(t, text+"}")
				l := exporter.Ledger{Software: software, DSN: dsn, Prefix: prefix}
				if software == "sql" {
					l.Queries = &exporter.Queries{Orders: "SELECT o.id, o.state, o.created FROM orders o", Key: "o.id",
						States: map[string]exporter.OrderState{"1": exporter.Delivered}}
				}
				if err == nil {
					l = *loaded.Shops[0].Ledger
				}
				d, refused := open(l)
				if refused == nil {
					d.Close()
				}
				if (err == nil) != (refused == nil) {
					t.Errorf("%s with %s and prefix %q: the grammar says %v, the driver %v", software, dsn, prefix, err, refused)
				}
			}
		}
	}
}

var ledgerExample = regexp.MustCompile("(?ms)^```yaml\n(ledger:.*?)^```$")

func TestEveryLedgerOfTheReferenceCanBeOpened(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"en", "zh-CN"} {
		raw, err := os.ReadFile("../../docs/shops." + language + ".md")
		if err != nil {
			t.Fatal(err)
		}
		found := ledgerExample.FindAllStringSubmatch(string(raw), -1)
		if len(found) < 3 {
			t.Errorf("%s: got %d ledgers", language, len(found))
		}
		for _, example := range found {
			loaded, err := ledgerOf(t, example[1])
			if err != nil {
				t.Fatal(err)
			}
			l := *loaded.Shops[0].Ledger
			d, err := openers[l.Software](l)
			if err != nil {
				t.Errorf("%s: %v\n%s", language, err, example[1])
				continue
			}
			d.Close()
		}
	}
}

func TestBuyersNameTheAmountWhereTheReferenceSaysSo(t *testing.T) {
	t.Parallel()
	for software, l := range map[string]exporter.Ledger{
		"dujiaoka": {DSN: "u:p@tcp(db)/shop"}, "acgfaka": {DSN: "u:p@tcp(db)/shop"}, "zfaka": {DSN: "u:p@tcp(db)/shop"}, "qsfaka": {DSN: "u:p@tcp(db)/shop"},
		"dujiaonext": {DSN: "shop.db"}, "kamifaka": {DSN: "shop.db"}, "fakabot": {DSN: "postgres://u:p@db/shop"},
	} {
		d, err := openers[software](l)
		if err != nil {
			t.Fatal(err)
		}
		guessable := software == "acgfaka" || software == "zfaka" || software == "dujiaonext"
		if got := d.Traits().Guessable; got != guessable {
			t.Errorf("%s: guessable %v, and docs/shops.*.md say %v", software, got, guessable)
		}
		d.Close()
	}
}
