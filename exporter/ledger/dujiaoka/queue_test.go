package dujiaoka_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/dujiaoka"
	"shopwatch/internal/servertest"
	"shopwatch/rules"
)

// noDatabase is a driver whose shop's database nobody answers for, and whose
// queue is another matter.
func noDatabase(t *testing.T, queue string) *dujiaoka.Driver {
	t.Helper()
	return driver(t, exporter.Ledger{DSN: "u:p@tcp(127.0.0.1:1)/shop", Queue: queue})
}

func redisURL(user, password, address, rest string) string {
	return (&url.URL{Scheme: "redis", User: url.UserPassword(user, password), Host: address}).String() + rest
}

func TestAQueueOfRedisIsCounted(t *testing.T) {
	t.Parallel()
	redis := servertest.Redis(t)
	queue := func(rest string) *dujiaoka.Driver {
		return noDatabase(t, redisURL("", redis.Password, redis.Addr, rest))
	}
	for _, command := range []string{
		"RPUSH shop_database_queues:default a b c", "ZADD shop_database_queues:default:delayed 1 a 2 b", "ZADD shop_database_queues:default:reserved 1 a",
		"RPUSH shop_database_queues:emails a", "RPUSH elsewhere_queues:default a b", "MOVE elsewhere_queues:default 3", "SET wrong_queues:default a",
		"RPUSH _database_queues:default a b c d",
	} {
		redis.Do(t, command)
	}
	for _, c := range []struct {
		name, rest string
		want       []exporter.Queue
	}{
		{"the default queue", "?prefix=shop_database_", []exporter.Queue{{Name: "default", Ready: 3, Delayed: 2, Reserved: 1}}},
		{"two queues", "/0?prefix=shop_database_&queue=emails,default", []exporter.Queue{{Name: "emails", Ready: 1}, {Name: "default", Ready: 3, Delayed: 2, Reserved: 1}}},
		{"another database", "/3?prefix=elsewhere_", []exporter.Queue{{Name: "default", Ready: 2}}},
		{"a shop whose title has no Latin letter", "?prefix=_database_", []exporter.Queue{{Name: "default", Ready: 4}}},
		{"nothing there", "?prefix=", []exporter.Queue{{Name: "default"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			queues, failed, err := queue(c.rest).Jobs(t.Context())
			if err != nil || failed != -1 || !slices.Equal(queues, c.want) {
				t.Errorf("Jobs = %v, %d, %v, want %v", queues, failed, err, c.want)
			}
		})
	}
	for _, c := range []struct {
		name, url string
		reason    rules.LedgerReason
		words     string
	}{
		{"a wrong password", redisURL("", "wr0ng", redis.Addr, "?prefix=p_"), rules.LedgerAccess, "wrong user or password"},
		{"a wrong password of a user", redisURL("nobody", "wr0ng", redis.Addr, "?prefix=p_"), rules.LedgerAccess, "wrong user or password"},
		{"no password", "redis://" + redis.Addr + "?prefix=p_", rules.LedgerAccess, "a password is needed"},
		{"a user without rights", redisURL(redis.User, redis.UserPassword, redis.Addr, "?prefix=p_"), rules.LedgerAccess, "may not LLEN"},
		{"no such database", redisURL("", redis.Password, redis.Addr, "/99?prefix=p_"), rules.LedgerSchema, "no database of this number"},
		{"keys of another kind", redisURL("", redis.Password, redis.Addr, "?prefix=wrong_"), rules.LedgerSchema, "check prefix and queue"},
		{"nobody there", redisURL("", "wr0ng", "127.0.0.1:1", "?prefix=p_"), rules.LedgerAway, "refused"},
		{"no TLS there", strings.Replace(redisURL("", "wr0ng", redis.Addr, "?prefix=p_"), "redis:", "rediss:", 1), rules.LedgerAway, "the shop's queue"},
		{"a certificate that nobody trusts", strings.Replace(redisURL("", "wr0ng", redis.TLSAddr, "?prefix=p_"), "redis:", "rediss:", 1), rules.LedgerAway, "certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := noDatabase(t, c.url).Jobs(t.Context())
			if ledger.Reason(err) != c.reason || err == nil || !strings.Contains(err.Error(), c.words) || errors.Is(err, ledger.ErrUnfit) {
				t.Fatalf("Jobs = %q: %v", ledger.Reason(err), err)
			}
			for _, secret := range []string{redis.Password, redis.UserPassword, "wr0ng"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%v quotes a password", err)
				}
			}
		})
	}
}

func TestWhatAnswersInPlaceOfRedisIsNotBelieved(t *testing.T) {
	t.Parallel()
	const secret = "p4ssw0rd"
	for _, c := range []struct {
		name, answer string
		words        string
	}{
		{"a text without end", "endless", "isn't Redis"},
		{"a reply of a terabyte", "$1099511627776\r\n", "isn't Redis"},
		{"an array of a billion", "*1000000000\r\n", "isn't Redis"},
		{"a count beyond all numbers", "+OK\r\n:99999999999999999999\r\n", "isn't Redis"},
		{"a count below 0", "+OK\r\n:-1\r\n", "isn't Redis"},
		{"a text in place of a count", "+OK\r\n+OK\r\n", "isn't Redis"},
		{"another protocol", "HTTP/1.1 400 Bad Request\r\n\r\n", "isn't Redis"},
		{"an error that quotes the question", "-ERR unknown command 'AUTH', with args beginning with: '" + secret + "'\r\n", "answers AUTH with an error"},
		{"an end amid the replies", "+OK\r\n:3\r\n", "no reply to ZCARD"},
		{"an end at once", "", "no reply to AUTH"},
		{"too many clients", "-ERR max number of clients reached\r\n", "too many clients"},
		{"the replica of a master that is gone", "+OK\r\n-MASTERDOWN Link with MASTER is down\r\n", "lost its master"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			address := answering(t, func(conn net.Conn) {
				if c.answer != "endless" {
					fmt.Fprint(conn, c.answer)
					return
				}
				for text := strings.Repeat("x", 1<<16); ; {
					if _, err := fmt.Fprint(conn, text); err != nil {
						return
					}
				}
			})
			queues, _, err := noDatabase(t, redisURL("", secret, address, "?prefix=p_")).Jobs(t.Context())
			if err == nil || len(queues) > 0 || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), secret) {
				t.Errorf("Jobs = %v, %v, want %q", queues, err, c.words)
			}
		})
	}
}

// answering is the address of what answers a first packet.
func answering(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := bufio.NewReader(conn).ReadByte(); err == nil {
					answer(conn)
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func TestARedisThatSaysNothingIsAway(t *testing.T) {
	t.Parallel()
	redis := servertest.Redis(t)
	d := noDatabase(t, redisURL("", redis.Password, redis.Addr, "?prefix=p_"))
	if _, _, err := d.Jobs(t.Context()); err != nil {
		t.Fatal(err)
	}
	redis.Freeze(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, _, err := d.Jobs(ctx); ledger.Reason(err) != rules.LedgerAway || !strings.Contains(err.Error(), "in time") {
		t.Errorf("frozen: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	address := answering(t, func(conn net.Conn) {
		cancel()
		_, _ = bufio.NewReader(conn).ReadString('~') // until the other side goes
	})
	if _, _, err := noDatabase(t, redisURL("", "p", address, "?prefix=p_")).Jobs(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	redis.Thaw(t)
	if _, _, err := d.Jobs(t.Context()); err != nil {
		t.Errorf("thawed: %v", err)
	}
}

func TestOpenRefusesAQueueThatItCannotReadAndNeverQuotesIt(t *testing.T) {
	t.Parallel()
	const secret = "p4ssw0rd"
	for _, c := range []struct{ name, queue, want string }{
		{"another scheme", "http://:" + secret + "@h:6379/0?prefix=p", "want redis://"},
		{"no host", "redis://:" + secret + "@/0?prefix=p", "want redis://"},
		{"no URL", secret, "want redis://"},
		{"a bad escape", "redis://:%zz" + secret + "@h/0?prefix=p", "want redis://"},
		{"no prefix", "redis://:" + secret + "@h:6379/0", "REDIS_PREFIX"},
		{"two prefixes", "redis://:" + secret + "@h/0?prefix=a&prefix=b", "want redis://"},
		{"an unknown setting", "redis://:" + secret + "@h/0?prefix=a&" + secret + "=1", "want redis://"},
		{"a queue without a name", "redis://:" + secret + "@h/0?prefix=a&queue=", "queue's name"},
		{"a queue named with a blank", "redis://:" + secret + "@h/0?prefix=a&queue=a%20b", "queue's name"},
		{"eleven queues", "redis://:" + secret + "@h/0?prefix=a&queue=" + strings.TrimSuffix(strings.Repeat("a,", 11), ","), "at most 10"},
		{"a database with a name", "redis://:" + secret + "@h/db?prefix=a", "number"},
		{"a prefix without end", "redis://:" + secret + "@h/0?prefix=" + strings.Repeat("a", 201), "200"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := dujiaoka.Open(exporter.Ledger{DSN: "u:p@tcp(h:1)/db", Queue: c.queue})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("Open = %v, want it to say %q and not the password", err, c.want)
			}
		})
	}
}
