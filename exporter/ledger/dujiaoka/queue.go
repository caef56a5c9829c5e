package dujiaoka

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger"
	"shopwatch/rules"
)

// queueForm is how the shop's Redis is written down. The prefix has no default:
// Laravel makes it of the shop's title, and under a wrong one there is nothing,
// which looks like a queue that is empty.
const queueForm = "redis://[:password@]host:port/database?prefix=…&queue=default, where prefix is the shop's REDIS_PREFIX" +
	" or else its APP_NAME in small letters a–z and digits, with _ for blanks, and _database_ (a title of Chinese characters alone gives _database_)"

const (
	queueLimit = 5 * time.Second // for all questions at once
	maxQueues  = 10
	maxReply   = 1 << 10 // bytes; the replies that are asked for are of a dozen
)

var queueName = regexp.MustCompile(`^[\w.:-]{1,64}$`)

// queue is Laravel's queue in Redis: a list of what is ready, and two sorted sets
// of what is delayed and of what a worker has taken.
//
// The few commands that this takes are written here: client libraries allocate
// what a server announces, and ask much more than this.
type queue struct {
	address        string
	secure         *tls.Config // nil: a plain connection
	user, password string
	database       int
	prefix         string
	names          []string
}

// parseQueue reads a URL, and never quotes it.
func parseQueue(raw string) (*queue, error) {
	wrong := errors.New("queue: want " + queueForm)
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || u.Hostname() == "" || u.Fragment != "" {
		return nil, wrong
	}
	options, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(options["prefix"]) != 1 || len(options["queue"]) > 1 {
		return nil, wrong
	}
	for name := range options {
		if name != "prefix" && name != "queue" {
			return nil, wrong
		}
	}
	q := &queue{prefix: options.Get("prefix"), names: []string{"default"}, user: u.User.Username()}
	q.password, _ = u.User.Password()
	if len(q.prefix) > 200 {
		return nil, errors.New("queue: the prefix is longer than 200 bytes")
	}
	if options.Has("queue") {
		q.names = strings.Split(options.Get("queue"), ",")
	}
	if len(q.names) > maxQueues {
		return nil, fmt.Errorf("queue: got %d names, want at most %d", len(q.names), maxQueues)
	}
	for _, name := range q.names {
		if !queueName.MatchString(name) {
			return nil, errors.New("queue: a queue's name is of at most 64 letters, digits, and . : _ -")
		}
	}
	if path := strings.Trim(u.Path, "/"); path != "" {
		if q.database, err = strconv.Atoi(path); err != nil || q.database < 0 {
			return nil, errors.New("queue: the database of Redis is a number")
		}
	}
	port := u.Port()
	if port == "" {
		port = "6379"
	}
	q.address = net.JoinHostPort(u.Hostname(), port)
	if u.Scheme == "rediss" {
		q.secure = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	return q, nil
}

// command is what is asked for, and what kind of reply fits.
type command struct {
	words []string
	want  byte // '+' or ':'
}

// read counts the jobs of all queues in one round trip.
func (q *queue) read(caller context.Context) ([]exporter.Queue, error) {
	ctx, cancel := context.WithTimeout(caller, queueLimit)
	defer cancel()
	queues, err := q.ask(ctx)
	_, told := errors.AsType[*ledger.Error](err)
	switch network, ok := errors.AsType[net.Error](err); {
	case err == nil:
		return queues, nil
	case errors.Is(caller.Err(), context.Canceled):
		return nil, context.Canceled
	case ctx.Err() != nil, ok && network.Timeout():
		return nil, trouble(rules.LedgerAway, "Redis doesn't answer in time")
	case !told:
		return nil, &ledger.Error{Reason: rules.LedgerAway, Err: fmt.Errorf("the shop's queue: %w", err)}
	}
	return nil, err
}

func trouble(reason rules.LedgerReason, what string) error {
	return &ledger.Error{Reason: reason, Err: errors.New("the shop's queue: " + what)}
}

func (q *queue) ask(ctx context.Context) ([]exporter.Queue, error) {
	conn, err := q.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// What ends the questions ends the connection; the farewell of TLS would wait.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()

	var greetings []command
	switch {
	case q.user != "":
		greetings = append(greetings, command{[]string{"AUTH", q.user, q.password}, '+'})
	case q.password != "": // the only form before Redis 6
		greetings = append(greetings, command{[]string{"AUTH", q.password}, '+'})
	}
	if q.database != 0 {
		greetings = append(greetings, command{[]string{"SELECT", strconv.Itoa(q.database)}, '+'})
	}
	questions := greetings
	for _, name := range q.names {
		key := q.prefix + "queues:" + name
		questions = append(questions, command{[]string{"LLEN", key}, ':'},
			command{[]string{"ZCARD", key + ":delayed"}, ':'}, command{[]string{"ZCARD", key + ":reserved"}, ':'})
	}
	var b strings.Builder
	for _, c := range questions {
		fmt.Fprintf(&b, "*%d\r\n", len(c.words))
		for _, word := range c.words {
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(word), word)
		}
	}
	// A server that is full says so and closes before it reads anything: a failed
	// write is not the end, but what the reply then lacks.
	_, _ = conn.Write([]byte(b.String()))
	reader := bufio.NewReaderSize(conn, maxReply)
	var counts []int
	for _, c := range questions {
		count, err := reply(reader, c)
		if err != nil {
			return nil, err
		}
		if c.want == ':' {
			counts = append(counts, count)
		}
	}
	queues := make([]exporter.Queue, len(q.names))
	for i, name := range q.names {
		queues[i] = exporter.Queue{Name: name, Ready: counts[3*i], Delayed: counts[3*i+1], Reserved: counts[3*i+2]}
	}
	return queues, nil
}

func (q *queue) connect(ctx context.Context) (net.Conn, error) {
	if q.secure != nil {
		return (&tls.Dialer{Config: q.secure}).DialContext(ctx, "tcp", q.address)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", q.address)
}

// reply reads one line, which is all that any of the commands is answered with.
func reply(reader *bufio.Reader, c command) (int, error) {
	line, err := reader.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return 0, trouble(rules.LedgerOther, "what answers there isn't Redis")
	}
	if err != nil {
		return 0, fmt.Errorf("no reply to %s: %w", c.words[0], err)
	}
	text := strings.TrimSuffix(string(line), "\r\n")
	switch {
	case strings.HasPrefix(text, "-"):
		return 0, refused(text[1:], c.words[0])
	case text == "+OK" && c.want == '+':
		return 0, nil
	case strings.HasPrefix(text, ":") && c.want == ':':
		if count, err := strconv.Atoi(text[1:]); err == nil && count >= 0 {
			return count, nil
		}
	}
	return 0, trouble(rules.LedgerOther, "what answers there isn't Redis")
}

// refusals are the errors that tell something. The first whose beginning fits
// counts. Others aren't quoted: some servers repeat what they didn't understand.
var refusals = []struct {
	beginning string
	reason    rules.LedgerReason
	words     string
}{
	{"WRONGPASS", rules.LedgerAccess, "wrong user or password"},
	{"NOAUTH", rules.LedgerAccess, "a password is needed"},
	{"NOPERM", rules.LedgerAccess, "the user may not LLEN and ZCARD the keys with this prefix"},
	{"DENIED", rules.LedgerAccess, "protected mode lets only loopback in"},
	{"ERR invalid password", rules.LedgerAccess, "wrong password"},
	{"ERR invalid username-password", rules.LedgerAccess, "wrong user or password"},
	{"ERR AUTH <password> called without", rules.LedgerAccess, "the server has no password, but the URL does"},
	{"ERR Client sent AUTH, but no password", rules.LedgerAccess, "the server has no password, but the URL does"},
	{"ERR max number of clients", rules.LedgerConnections, "too many clients are connected"},
	{"ERR DB index is out of range", rules.LedgerSchema, "there is no database of this number"},
	{"WRONGTYPE", rules.LedgerSchema, "the keys aren't those of a queue: check prefix and queue"},
	{"MOVED", rules.LedgerSchema, "the queue is on another server of a cluster"},
	{"LOADING", rules.LedgerAway, "the server is starting and reads its data"},
	{"MASTERDOWN", rules.LedgerReplica, "the replica has lost its master"},
	{"BUSY", rules.LedgerSlow, "a script holds the server up"},
}

func refused(said, command string) error {
	for _, known := range refusals {
		if strings.HasPrefix(said, known.beginning) {
			return trouble(known.reason, "Redis says "+known.words)
		}
	}
	return trouble(rules.LedgerOther, "Redis answers "+command+" with an error")
}
