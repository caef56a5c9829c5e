package dujiaoka_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/dujiaoka/dujiaokatest"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/internal/servertest"
	"shopwatch/rules"
)

// rowsEnv names the sizes of the order table that are measured, in rows,
// ascending: docs/books.sh sets it.
const rowsEnv = "SHOPWATCH_MEASURE_ROWS"

const (
	measuredOpen  = 1000
	measuredPolls = 200
	measuredCards = 300_000
	pollInterval  = 15 * time.Second
	apart         = 9500 * time.Millisecond // between orders: ten million of them in three years
)

// BenchmarkFollowing prints what following costs the database, beside
// sql_exporter with the queries that come to mind, on one table that grows.
// Nothing here is a promise that a test could hold on a noisy machine.
func BenchmarkFollowing(b *testing.B) {
	sizes := strings.FieldsFunc(os.Getenv(rowsEnv), func(r rune) bool { return r == ',' || r == ' ' })
	if len(sizes) == 0 {
		b.Skip(rowsEnv + " names no sizes: docs/books.sh does")
	}
	server := ledgertest.MariaDB(b, "--innodb-buffer-pool-size=512M", "--innodb-log-file-size=256M", "--max-statement-time=0")
	f := &farm{t: b, server: server, shop: dujiaokatest.New(b, server, ledgertest.Now)}
	f.exec("TRUNCATE orders")
	f.cards()
	rows := 0
	for _, size := range sizes {
		n, err := strconv.Atoi(size)
		if err != nil || n < 20*measuredOpen || n <= rows {
			b.Fatalf("%s: got %q, want ascending numbers of at least %d rows", rowsEnv, size, 20*measuredOpen)
		}
		f.grow(rows, n)
		rows = n
		f.measure()
		f.peer()
	}
	f.storm()
}

// farm is a shop that is measured.
type farm struct {
	t      testing.TB
	server *ledgertest.Server
	shop   *dujiaokatest.Shop
	rows   int
	now    time.Time // a little after the newest order
}

func (f *farm) exec(statement string, arguments ...any) {
	f.t.Helper()
	if _, err := f.shop.DB().Exec(statement, arguments...); err != nil {
		f.t.Fatal(err)
	}
}

func (f *farm) say(form string, arguments ...any) { fmt.Printf(form+"\n", arguments...) }

// cards fills the card table.
func (f *farm) cards() {
	f.exec("INSERT INTO carmis (goods_id,status,is_loop,carmi) SELECT 1+seq%3, IF(seq%3=0,1,2), 0, MD5(seq) FROM seq_1_to_" + strconv.Itoa(measuredCards))
}

// grow adds rows as a shop has them: most delivered, every seventh never paid.
// The newest have open orders among them, and earlier open ones are closed.
func (f *farm) grow(from, to int) {
	began := time.Now()
	first := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) // ten million orders later is still in the past
	f.exec("UPDATE orders SET status=4 WHERE status IN (1,2,3,6)")
	f.exec("ALTER TABLE orders DROP KEY idx_order_sn, DROP KEY idx_goods_id, DROP KEY idex_email")
	f.exec(fmt.Sprintf(`INSERT INTO orders (id,order_sn,goods_id,title,type,actual_price,email,pay_id,buy_ip,info,status,created_at,updated_at)
		SELECT seq, UPPER(LEFT(MD5(seq),16)), 1+seq%%3, 'a title of ordinary length', 1, 10+seq%%90, CONCAT('buyer',seq%%50000,'@example.com'), 1+seq%%2, '192.0.2.1',
			REPEAT('K',60), IF(seq%%7=0 AND seq<%d,-1,4), @at := '%s' + INTERVAL seq*%d MICROSECOND, @at + INTERVAL 40 SECOND FROM seq_%d_to_%d`,
		to-20*measuredOpen, first.Format(time.DateTime), apart.Microseconds(), from+1, to))
	f.exec("ALTER TABLE orders ADD UNIQUE KEY idx_order_sn (order_sn), ADD KEY idx_goods_id (goods_id), ADD KEY idex_email (email)")
	// Of the open ones half wait for cards, three tenths for a person, and a fifth for their buyers' money.
	const step = 20
	f.exec(fmt.Sprintf("UPDATE orders SET type=IF(id/%d%%10<3,2,1), status=IF(id/%d%%10<3,2,6) WHERE id>%d AND id%%%d=0", step, step, to-step*measuredOpen*8/10, step))
	f.exec(fmt.Sprintf("UPDATE orders SET status=1, type=1 WHERE id>%d AND id%%%d<>0 LIMIT %d", to-measuredOpen/4, step, measuredOpen*2/10))
	f.exec("ANALYZE TABLE orders")
	f.rows = to
	wall := first.Add(time.Duration(to) * apart)
	f.now = time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second()+5, 0, f.shop.Ledger().Zone)
	f.say("\n%d orders (made in %s)", to, time.Since(began).Round(time.Second))
}

// cpu is what the server's process has used so far.
func (f *farm) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", f.server.PID()))
	if err != nil {
		f.t.Skip("no /proc to measure with: ", err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100 wherever Go runs
}

// settle waits until the server has written out what the growing left behind.
func (f *farm) settle() {
	f.exec("SET GLOBAL innodb_max_dirty_pages_pct=0, innodb_max_dirty_pages_pct_lwm=0")
	for range 60 {
		before := f.cpu()
		time.Sleep(2 * time.Second)
		if f.cpu()-before <= 20*time.Millisecond {
			return
		}
	}
}

func (f *farm) follower(now func() time.Time) (*ledger.Follower, ledger.Driver) {
	f.t.Helper()
	l := ledgertest.Ledger(f.shop.Ledger())
	l.Interval = pollInterval
	d, err := f.shop.Open(l)
	if err != nil {
		f.t.Fatal(err)
	}
	follower, err := ledger.New(ledger.Config{Shop: "shop", Ledger: l, Driver: d, Dir: f.t.TempDir(), Now: now})
	if err != nil {
		f.t.Fatal(err)
	}
	return follower, d
}

// measure follows the table as it is.
func (f *farm) measure() {
	f.settle()
	now := f.now
	follower, driver := f.follower(func() time.Time { return now })
	defer follower.Close()
	poll := func() {
		if err := follower.Poll(f.t.Context()); err != nil {
			f.t.Fatal(err)
		}
	}
	cost := func(n int, do func()) (cpu, wall time.Duration) {
		before, began := f.cpu(), time.Now()
		for range n {
			do()
		}
		wall = time.Since(began)
		return (f.cpu() - before) / time.Duration(n), wall / time.Duration(n)
	}
	cpu, wall := cost(1, poll)
	f.say("  cold start                %8.2f s  (%.2f s of database CPU)   aim <= 2 s", wall.Seconds(), cpu.Seconds())
	cpu, wall = cost(measuredPolls, func() { now = now.Add(pollInterval); poll() })
	f.say("  a poll, %d open         %8.2f ms of database CPU (%.2f ms)   aim <= 5 ms", follower.Books().Open, ms(cpu), ms(wall))
	cpu, wall = cost(5, func() {
		if _, _, err := driver.Stock(f.t.Context()); err != nil {
			f.t.Fatal(err)
		}
	})
	every := max(5*time.Minute, 500*wall)
	f.say("  a count of %d cards   %8.2f ms of database CPU, every %s: %.3f %% of a core   aim <= 0.2 %%",
		measuredCards, ms(cpu), every.Round(time.Second), 100*cpu.Seconds()/every.Seconds())
	var number string
	if err := f.shop.DB().QueryRow("SELECT order_sn FROM orders WHERE id=?", f.rows/2).Scan(&number); err != nil {
		f.t.Fatal(err)
	}
	cpu, wall = cost(500, func() {
		if o, err := driver.Find(f.t.Context(), number); err != nil || o.ID == 0 {
			f.t.Fatal(o, err)
		}
	})
	f.say("  a look-up                 %8.2f ms of database CPU (%.2f ms)", ms(cpu), ms(wall))
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }

// obvious are the queries that an owner writes for a general exporter.
const obvious = `jobs:
- name: shop
  interval: '0s'
  connections: ['mysql://%s:%s@tcp(%s)/%s']
  queries:
  - {name: orders_by_status, help: Orders by status, labels: [status], values: [n],
     query: "SELECT CAST(status AS CHAR) AS status, COUNT(*) AS n FROM orders WHERE deleted_at IS NULL GROUP BY status"}
  - {name: orders_waiting, help: Paid and not delivered by age, labels: [type], values: [lt5m, to30m, gt30m],
     query: "SELECT CAST(type AS CHAR) AS type, SUM(a<300) AS lt5m, SUM(a>=300 AND a<1800) AS to30m, SUM(a>=1800) AS gt30m FROM (SELECT type, TIMESTAMPDIFF(SECOND, updated_at, '%[5]s') a FROM orders WHERE deleted_at IS NULL AND status IN (2,3,6)) t GROUP BY type"}
  - {name: payments_last_hour, help: Orders by payment method, labels: [pay_id], values: [n, paid],
     query: "SELECT CAST(pay_id AS CHAR) AS pay_id, COUNT(*) AS n, SUM(status IN (2,3,4,5,6)) AS paid FROM orders WHERE created_at >= '%[6]s' GROUP BY pay_id"}
`

// peer lets sql_exporter ask the obvious, if it is installed.
func (f *farm) peer() {
	program, err := exec.LookPath("prometheus-sql-exporter")
	if err != nil {
		f.say("  sql_exporter isn't installed (package prometheus-sql-exporter)")
		return
	}
	zone := f.shop.Ledger().Zone
	config := filepath.Join(f.t.TempDir(), "sql_exporter.yml")
	database := f.shop.DSN()[strings.LastIndexByte(f.shop.DSN(), '/')+1:]
	text := fmt.Sprintf(obvious, dujiaokatest.User, dujiaokatest.Password, f.server.Addr(), database,
		f.now.In(zone).Format(time.DateTime), f.now.Add(-time.Hour).In(zone).Format(time.DateTime))
	text = strings.Replace(text, "'0s'", "'1h'", 1) // it asks once at its start: that is what is measured
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	listen := fmt.Sprintf("127.0.0.1:%d", servertest.FreePort(f.t))
	ctx, stop := context.WithCancel(f.t.Context())
	command := exec.CommandContext(ctx, program, "-config.file", config, "-web.listen-address", listen)
	before, began := f.cpu(), time.Now()
	if err := command.Start(); err != nil {
		f.t.Fatal(err)
	}
	defer func() { stop(); _ = command.Wait() }()
	for time.Since(began) < 2*time.Minute {
		if page := get("http://" + listen + "/metrics"); strings.Contains(page, "sql_orders_by_status{") &&
			strings.Contains(page, "sql_orders_waiting{") && strings.Contains(page, "sql_payments_last_hour{") {
			f.say("  sql_exporter, once        %8.2f ms of database CPU, %.1f s until its metrics are there", ms(f.cpu()-before), time.Since(began).Seconds())
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	f.say("  sql_exporter gave nothing within 2 min")
}

func get(url string) string {
	response, err := http.Get(url)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	page, _ := io.ReadAll(response.Body)
	return string(page)
}

// storm books 500 orders a second for two minutes, of which 70 % are paid and
// delivered within seconds, and follows them at the ordinary interval.
func (f *farm) storm() {
	const rate, lasting = 500, 2 * time.Minute
	follower, _ := f.follower(time.Now)
	defer follower.Close()
	// The clock is the real one now, and the table's newest rows are of another day.
	if err := follower.Poll(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	var booking sync.WaitGroup
	ctx, stop := context.WithTimeout(f.t.Context(), lasting)
	defer stop()
	booked := 0
	booking.Go(func() { booked = book(ctx, f.shop.DB(), rate) })
	before, began := f.cpu(), time.Now()
	var longest time.Duration
	polls := 0
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(pollInterval):
		}
		start := time.Now()
		if err := follower.Poll(f.t.Context()); err != nil {
			f.t.Fatal(err)
		}
		longest = max(longest, time.Since(start))
		polls++
	}
	booking.Wait()
	if err := follower.Poll(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	created := uint64(0)
	for key, n := range follower.Books().Orders {
		if key.Event == rules.OrderCreated {
			created += n
		}
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	f.say("\n%d orders a second for %s, booked one by one", rate, lasting)
	f.say("  booked, and counted       %d, %d", booked, created)
	f.say("  the longest poll          %8.2f s of an interval of %s (%d polls, %d open at the end)", longest.Seconds(), pollInterval, polls, follower.Books().Open)
	f.say("  the server, booking too   %8.1f %% of a core", 100*(f.cpu()-before).Seconds()/time.Since(began).Seconds())
}

// book writes orders at a rate until ctx ends: each is created, and two thirds
// of them are paid and delivered a second later.
func book(ctx context.Context, db *sql.DB, rate int) (booked int) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	zone := time.FixedZone("", 8*60*60)
	var earlier []int64
	for {
		select {
		case <-ctx.Done():
			return booked
		case <-tick.C:
		}
		now := time.Now().In(zone).Format(time.DateTime)
		var fresh []int64
		for range rate / 10 {
			result, err := db.Exec("INSERT INTO orders (order_sn,goods_id,title,type,actual_price,email,pay_id,buy_ip,status,created_at,updated_at) VALUES (UPPER(LEFT(MD5(UUID()),16)),1,'t',1,10.00,'e@x.example',1,'192.0.2.1',1,?,?)", now, now)
			if err != nil {
				continue
			}
			id, _ := result.LastInsertId()
			fresh = append(fresh, id)
			booked++
		}
		for _, id := range earlier {
			if id%10 < 7 {
				_, _ = db.Exec("UPDATE orders SET status=4, updated_at=? WHERE id=?", now, id)
			}
		}
		earlier = fresh
	}
}
