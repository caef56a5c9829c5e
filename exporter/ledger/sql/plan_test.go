package sql_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/database"
	"shopwatch/exporter/ledger/ledgertest"
)

// many rows are in the tables of a large shop: so many that a server which guesses
// from a few pages takes them for many too.
const many = 100_000

// large makes a shop with many trades, each with a line, and a note that no index finds.
func (s servers) large(t *testing.T, engine database.Engine) *shop {
	t.Helper()
	made := s.stocked(t, engine, ledgertest.Now)
	series := ""
	switch engine {
	case database.MySQL:
		series = fmt.Sprintf("SELECT seq AS n FROM seq_101_to_%d", many+100)
	case database.PostgreSQL:
		series = fmt.Sprintf("SELECT n FROM generate_series(101, %d) n", many+100)
	default:
		series = fmt.Sprintf("WITH RECURSIVE s(n) AS (SELECT 101 UNION ALL SELECT n + 1 FROM s WHERE n < %d) SELECT n FROM s", many+100)
	}
	text := "'TX' || SUBSTR('0000000000' || CAST(n AS TEXT), -10)"
	switch engine {
	case database.MySQL:
		text = "CONCAT('TX', LPAD(n, 10, '0'))"
	case database.PostgreSQL:
		text = "'TX' || LPAD(n::text, 10, '0')"
	}
	insert := func(into, values string) {
		run(t, made.db, "INSERT INTO "+into+" SELECT "+values+" FROM ("+series+") s")
	}
	insert("trade (id,serial,no,status,kind,pay_way,total,cur,made_at,touched)", "n,n,"+text+",'sent','auto','alipay',10,'CNY',"+
		made.made(ledgertest.Now)+","+made.touched(ledgertest.Now))
	insert("line (trade_id,sku,n)", "n,'A-1',1")
	run(t, made.db, "CREATE TABLE note (id INT PRIMARY KEY, no VARCHAR(20), word VARCHAR(20))")
	insert("note (id,no,word)", "n,"+text+",'w'")
	switch engine {
	case database.MySQL:
		run(t, made.db, "GRANT SELECT ON note TO 'shopwatch'@'127.0.0.1'; ANALYZE TABLE trade, line, note")
	case database.PostgreSQL:
		run(t, made.db, "GRANT SELECT ON note TO public; ANALYZE")
	}
	return made
}

// plans are changes of the queries, and what the self-check of a large shop says of them.
var plans = []struct {
	name   string
	change func(*exporter.Queries)
	want   string // "": nothing
}{
	{"what goes by keys passes", func(*exporter.Queries) {}, ""},
	{"without a condition too", func(q *exporter.Queries) { q.Where = "" }, ""},
	{"a small table may be read as it likes", func(q *exporter.Queries) {
		q.Orders = strings.Replace(q.Orders, "LEFT JOIN line", "LEFT JOIN article a ON a.open = (t.total > 0) AND a.sku = 'B' LEFT JOIN line", 1)
	}, ""},
	{"a table is joined by what has no index", func(q *exporter.Queries) {
		q.Orders = strings.Replace(q.Orders, "LEFT JOIN line", "LEFT JOIN note m ON m.no = t.no LEFT JOIN line", 1)
	}, "queries.orders: each poll would read the whole of table m: it lacks an index on the columns by which it is joined"},
	{"a sub-select has no index to go by", func(q *exporter.Queries) {
		q.Orders = strings.Replace(q.Orders, "t.total AS amount", "(SELECT SUM(m.id) FROM note m WHERE m.word = t.no) AS amount", 1)
	}, "would read the whole of table m"},
	{"the key has no index", func(q *exporter.Queries) {
		q.Orders, q.Key = strings.Replace(q.Orders, "t.id AS id", "t.serial AS id", 1), "t.serial"
	}, "queries.key: each poll would read the whole of table trade: t.serial has no index; name its primary key"},
	{"the number has no index", func(q *exporter.Queries) { q.Number = "t.pay_way" },
		"queries.number: a look-up would read the whole of table t: t.pay_way has no index that serves"},
	{"the number is more than a column", func(q *exporter.Queries) { q.Number = "LOWER(t.no)" },
		"queries.number: a look-up would read the whole of table t: LOWER(t.no) has no index that serves"},
}

func plansAreJudged(t *testing.T, s servers, engine database.Engine) {
	large, small := s.large(t, engine), s.stocked(t, engine, ledgertest.Now)
	for _, c := range plans {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := large.Ledger()
			c.change(l.Queries)
			doubts, err := driver(t, l).Check(t.Context())
			switch {
			case c.want == "" && (err != nil || len(doubts) > 0):
				t.Errorf("Check = %q, %v", doubts, err)
			case c.want != "" && (!errors.Is(err, ledger.ErrUnfit) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("Check = %v, want %q", err, c.want)
			}
			if c.want == "" || strings.Contains(c.want, "table m") {
				return
			}
			l.DSN = small.dsn
			if doubts, err := driver(t, l).Check(t.Context()); err != nil || len(doubts) > 0 {
				t.Errorf("of a small table, Check = %q, %v", doubts, err)
			}
		})
	}
}
