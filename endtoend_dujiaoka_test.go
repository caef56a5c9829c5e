package main_test

import (
	"bufio"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"shopwatch/exporter/ledger/dujiaoka/dujiaokatest"
	"shopwatch/exporter/ledger/ledgertest"
	"shopwatch/internal/servertest"
	"shopwatch/notifier/sandbox"
)

const (
	dujiaokaExample  = "examples/dujiaoka.yml"
	dujiaokaPassword = "s3cret-of-the-shop"
	watchPassword    = "s3cret-of-the-watch"
	workerToken      = "s3cret-of-the-worker"
)

var (
	// The two order alerts of old orders fire together; the first one that
	// arrives gives the incident its title.
	ordersLateZH = regexp.MustCompile(`自动发货延迟，有订单超时未发|自动发货卡住，有订单长时间未发`)
	ordersLateEN = regexp.MustCompile(`Deliveries are delayed|Deliveries are stuck`)
)

func TestDujiaokaExampleCountsTellsAndCannotReadCardKeys(t *testing.T) {
	t.Parallel()
	server := ledgertest.MariaDB(t)
	began := time.Now()
	fixture := dujiaokatest.New(t, server, began)
	dsn := accountOfExample(t, server, fixture)
	cannotReadSecrets(t, dsn)
	queue := servertest.Redis(t)
	behind := behindTheShop{dsn: dsn, database: server.Addr(), redis: queue.Addr, redisPassword: queue.Password}
	if _, err := fixture.DB().Exec("CREATE USER 'watch'@'127.0.0.1' IDENTIFIED BY '" + watchPassword + "'"); err != nil {
		t.Fatal(err)
	}
	box := mailbox(t)

	file := "--config.file=" + dujiaokaExample
	if said := printed(t, dujiaokaShop(t, box, behind, "check", file)); said != dujiaokaExample+": no mistakes\n" {
		t.Errorf("check says %q", said)
	}
	up := start(t, "shopwatch", dujiaokaShop(t, box, behind, "up", file, "--data.dir="+t.TempDir(),
		"--web.listen-address=127.0.0.1:0", "--private.listen-address=127.0.0.1:0"))
	page, private := up.says(t, saysPage)[1], up.says(t, saysConsole)[1]
	eventually(t, "the books are read", exposes(private, `shopwatch_ledger_up{shop="main"} 1`), up)
	for _, series := range []string{
		`shopwatch_orders_waiting{age="lt5m",kind="automatic",shop="main"} 1`,
		`shopwatch_orders_waiting{age="5to30m",kind="automatic",shop="main"} 1`,
		`shopwatch_orders_waiting{age="gt30m",kind="automatic",shop="main"} 1`,
		`shopwatch_orders_waiting{age="lt5m",kind="manual",shop="main"} 0`,
		`shopwatch_orders_waiting{age="5to30m",kind="manual",shop="main"} 0`,
		`shopwatch_orders_waiting{age="gt30m",kind="manual",shop="main"} 2`,
		`shopwatch_orders_short_of_stock{shop="main"} 3`,
		`shopwatch_stock_cards{product="1",shop="main"} 2`,
		`shopwatch_stock_cards{product="3",shop="main"} 40`,
	} {
		if err := exposes(private, series)(); err != nil {
			t.Error(err)
		}
	}
	if got := answers(t, http.StatusOK, http.MethodGet, private+"/push/"+workerToken, ""); got != "ok\n" {
		t.Errorf("the worker's call was answered %q", got)
	}
	for _, service := range []string{"storefront", "orders", "alipay", "database", "redis", "worker"} {
		eventually(t, service+" is looked at", exposes(private, `shopwatch_service_status{service="`+service+`",shop="main",status="operational"} 1`), up)
	}
	if age := time.Since(began); age > 3*time.Minute {
		t.Fatalf("the machine is too busy: the fixture's youngest order was 2 minutes old %s ago", age)
	}
	metrics := answers(t, http.StatusOK, http.MethodGet, private+"/metrics", "")
	for _, absent := range []string{`shopwatch_stock_cards{product="2"`, "x.example", "192.0.2.1", "AAAAAAAAAAAAAA"} {
		if strings.Contains(metrics, absent) {
			t.Errorf("the metrics hold %s", absent)
		}
	}

	for _, alert := range []string{"OrdersDelayed", "OrdersStuck"} {
		eventually(t, alert+" fires", firing(private+"/prometheus", alert), up)
	}
	everybody := map[string]*regexp.Regexp{
		"-100777": ordersLateZH, "ops@kiosk.example": ordersLateZH, "-100888": ordersLateZH, "boss@kiosk.example": ordersLateEN,
	}
	eventually(t, "operations and management are told of late orders", heard(box, everybody), up)
	eventually(t, "the page counts them", func() error {
		p, err := read(page, "en")
		if err == nil && !strings.Contains(p.text, "Paid orders waiting for automatic delivery: 3.") {
			err = fmt.Errorf("the page does not: %s", p.text)
		}
		return err
	}, up)

	up.keeps(t, dujiaokaPassword, watchPassword, workerToken, queue.Password, box.Credentials().TelegramToken, box.Credentials().SMTPPassword)
	up.stop(t)
	if err := heard(box, everybody)(); err != nil {
		t.Errorf("in the end: %v", err)
	}
}

func TestShopwatchStartsThoughTheShopsDatabaseDoesNotAnswer(t *testing.T) {
	t.Parallel()
	box := mailbox(t)
	database := servertest.FreeAddress(t)
	behind := behindTheShop{
		dsn: "shopwatch:" + dujiaokaPassword + "@tcp(" + database + ")/dujiaoka", database: database, redis: servertest.FreeAddress(t),
	}
	up := start(t, "shopwatch", dujiaokaShop(t, box, behind, "up", "--config.file="+dujiaokaExample, "--data.dir="+t.TempDir(),
		"--web.listen-address=127.0.0.1:0", "--private.listen-address=127.0.0.1:0"))
	page, private := up.says(t, saysPage)[1], up.says(t, saysConsole)[1]
	eventually(t, "the books are known as unread", exposes(private, `shopwatch_ledger_up{shop="main"} 0`), up)
	eventually(t, "what needs no books is watched", exposes(private, `shopwatch_service_status{service="alipay",shop="main",status="operational"} 1`), up)
	eventually(t, "the page says that the books can't be read", func() error {
		p, err := read(page, "en")
		if err == nil && !strings.Contains(p.text, "We can't read the shop's order book now") {
			err = fmt.Errorf("the page does not: %s", p.text)
		}
		return err
	}, up)
	up.keeps(t, dujiaokaPassword)
	up.stop(t)
}

// behindTheShop is what stands behind a shop's pages.
type behindTheShop struct{ dsn, database, redis, redisPassword string }

// dujiaokaShop is the program on the example's configuration: the tiers of
// production, all other clocks 5 times faster, told through the sandbox.
func dujiaokaShop(t *testing.T, box *sandbox.Sandbox, behind behindTheShop, args ...string) *exec.Cmd {
	t.Helper()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gateway" { // as Alipay's answers who doesn't say who asks
			fmt.Fprint(w, `{"error_response":{"code":"40001","msg":"Missing Required Arguments","sub_code":"isv.missing-app-id"}}`)
		}
	}))
	t.Cleanup(front.Close)
	_, port, err := net.SplitHostPort(box.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	command, credentials := shopwatch(t, args...), box.Credentials()
	set := map[string]string{
		"TELL_OPS_AFTER": "5m", "TELL_MANAGEMENT_AFTER": "30m", "PACE": "0.2", "LOOK_INTERVAL": "1s",
		"SHOP_URL": front.URL, "ALIPAY_URL": front.URL + "/gateway", "STATUS_URL": "https://status.example.com",
		"DATABASE_ADDRESS": behind.database, "DATABASE_USER": "watch", "DATABASE_PASSWORD": watchPassword, "DUJIAOKA_DSN": behind.dsn,
		"REDIS_ADDRESS": behind.redis, "REDIS_PASSWORD": behind.redisPassword, "WORKER_TOKEN": workerToken,
		"TELEGRAM_TOKEN": credentials.TelegramToken, "TELEGRAM_API_URL": box.TelegramURL(), "OPS_CHAT": "-100777", "MANAGEMENT_CHAT": "-100888",
		"SMTP_HOST": "127.0.0.1", "SMTP_PORT": port, "SMTP_TLS": "none", "SMTP_USERNAME": credentials.SMTPUsername, "SMTP_PASSWORD": credentials.SMTPPassword,
		"MAIL_FROM": "My shop <alerts@kiosk.example>", "OPS_EMAIL": "ops@kiosk.example", "MANAGEMENT_EMAIL": "boss@kiosk.example",
	}
	for _, name := range variablesOfExample(t) {
		value, known := set[name]
		if !known {
			t.Errorf("the example has a variable %s that this test does not set", name)
		}
		command.Env = append(command.Env, name+"="+value)
	}
	return command
}

// variablesOfExample are the variables of the example's environment file.
func variablesOfExample(t *testing.T) []string {
	t.Helper()
	file, err := os.Open("examples/dujiaoka.env")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var names []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, _, found := strings.Cut(lines.Text(), "="); found && !strings.HasPrefix(name, "#") {
			names = append(names, name)
		}
	}
	return names
}

var grantOfExample = regexp.MustCompile(`#\s+(GRANT SELECT \([^)]*\)) ON dujiaoka\.(\w+) TO 'shopwatch'@'127\.0\.0\.1';`)

// accountOfExample makes an account with the very grants that the example tells
// the owner to give, and returns its data source name.
func accountOfExample(t *testing.T, server *ledgertest.Server, shop *dujiaokatest.Shop) string {
	t.Helper()
	example, err := os.ReadFile(dujiaokaExample)
	if err != nil {
		t.Fatal(err)
	}
	grants := grantOfExample.FindAllStringSubmatch(string(example), -1)
	if len(grants) != 5 {
		t.Fatalf("the example grants %d tables, want 5", len(grants))
	}
	var database string
	if err := shop.DB().QueryRow("SELECT DATABASE()").Scan(&database); err != nil {
		t.Fatal(err)
	}
	statements := []string{"CREATE USER 'owner'@'127.0.0.1' IDENTIFIED BY '" + dujiaokaPassword + "'"}
	for _, grant := range grants {
		statements = append(statements, fmt.Sprintf("%s ON %s.%s TO 'owner'@'127.0.0.1'", grant[1], database, grant[2]))
	}
	for _, statement := range statements {
		if _, err := shop.DB().Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return server.DSN("owner", dujiaokaPassword, database)
}

// cannotReadSecrets holds that the account may read neither card keys nor
// buyers, and change nothing.
func cannotReadSecrets(t *testing.T, dsn string) {
	t.Helper()
	account, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer account.Close()
	if _, err := account.Exec("SELECT id, status FROM orders"); err != nil {
		t.Errorf("the account can't read what it needs: %v", err)
	}
	for _, forbidden := range []string{
		"SELECT carmi FROM carmis", "SELECT info FROM orders", "SELECT email FROM orders", "SELECT * FROM orders",
		"UPDATE orders SET status = 4", "DELETE FROM carmis", "SELECT id FROM mysql.global_priv",
	} {
		var refused *mysql.MySQLError
		if _, err := account.Exec(forbidden); !errors.As(err, &refused) {
			t.Errorf("%s: %v, want it refused", forbidden, err)
		}
	}
}

// exposes objects unless the private address's metrics hold a series with its value.
func exposes(private, series string) func() error {
	return func() error {
		_, metrics, err := ask(http.MethodGet, private+"/metrics", "")
		if err != nil {
			return err
		}
		if name, _, _ := strings.Cut(series, "{"); !strings.Contains("\n"+metrics, "\n"+series+"\n") {
			return fmt.Errorf("no %s, but %v", series, regexp.MustCompile(`(?m)^`+name+`\{.*$`).FindAllString(metrics, -1))
		}
		return nil
	}
}

// heard objects unless each address has exactly one message that fits.
func heard(box *sandbox.Sandbox, want map[string]*regexp.Regexp) func() error {
	return func() error {
		for address, sentence := range want {
			var like []string
			for _, m := range box.Messages() {
				if m.To == address && sentence.MatchString(m.Text) {
					like = append(like, m.Text)
				}
			}
			if len(like) != 1 {
				return fmt.Errorf("%s has %d messages like %s among %d in all, want 1: %q", address, len(like), sentence, len(box.Messages()), like)
			}
		}
		return nil
	}
}
