package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// maxLine bounds a line that a Redis server answers.
const maxLine = 1 << 10

// Redis logs in to a Redis server (or one that speaks as it does: Valkey,
// KeyDB, Dragonfly) as the module says, selects its database, and asks PING.
//
// The few commands that this takes are written here: a client library would
// allocate what a server announces (go-redis ends the process at a reply of
// twenty bytes that announces a terabyte), sends the password twice where it is
// wrong, and asks much more than this.
func Redis(ctx context.Context, l *probe.Look) error { return looked(ctx, l, "Redis", lookRedis) }

func lookRedis(ctx context.Context, t *talk) error {
	wanted := t.look.Module().Redis
	secure, err := t.secure(wanted.TLS)
	if err != nil {
		return err
	}
	if err := t.connect(ctx, secure, maxTalk); err != nil {
		return err
	}
	r := &redisTalk{talk: t, reader: bufio.NewReaderSize(t.wire, maxLine)}

	if wanted.Password != "" || wanted.User != "" {
		end := t.begin("auth", "logging in")
		command := []string{"AUTH", wanted.User, wanted.Password}
		if wanted.User == "" { // the only form before Redis 6, and the default user's after
			command = []string{"AUTH", wanted.Password}
		}
		if err := r.ask(ctx, rules.ReasonAuth, "OK", command...); err != nil {
			return err
		}
		end()
	}
	end := t.begin("query", "waiting for the answer to PING")
	if wanted.Database != 0 {
		if err := r.ask(ctx, rules.ReasonQuery, "OK", "SELECT", strconv.Itoa(wanted.Database)); err != nil {
			return err
		}
	}
	if err := r.ask(ctx, rules.ReasonQuery, "PONG", "PING"); err != nil {
		return err
	}
	end()
	return nil
}

// redisTalk speaks RESP 2, of which a look needs one-line replies only.
type redisTalk struct {
	*talk
	reader *bufio.Reader
}

// ask sends a command and wants one answer to it. Reason is that of an error
// whose word isn't known.
func (r *redisTalk) ask(ctx context.Context, reason rules.Reason, want string, command ...string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(command))
	for _, word := range command {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(word), word)
	}
	// A server that is full says so and closes before it reads anything: a
	// failed write is not the end, but what the answer then lacks.
	_, _ = r.wire.Write([]byte(b.String()))
	line, err := r.reader.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return r.foreign()
	}
	if err != nil {
		return r.broken(ctx, err, reason)
	}
	answer := strings.TrimSuffix(string(line), "\r\n")
	switch {
	case answer == "+"+want:
		return nil
	case strings.HasPrefix(answer, "-"):
		return redisProblem(answer[1:], command[0], reason)
	}
	return r.foreign()
}

// redisErrors are the errors that tell something. The first whose beginning
// fits counts.
var redisErrors = []struct {
	beginning string
	reason    rules.Reason
	words     string
}{
	{"WRONGPASS", rules.ReasonAuth, "WRONGPASS: wrong user or password"},
	{"NOAUTH", rules.ReasonAuth, "NOAUTH: a password is needed"},
	{"NOPERM", rules.ReasonAuth, "NOPERM: the user has no right to it"},
	{"DENIED", rules.ReasonAuth, "DENIED: protected mode lets only loopback in"},
	{"ERR invalid password", rules.ReasonAuth, "ERR: wrong password"},
	{"ERR invalid username-password", rules.ReasonAuth, "ERR: wrong user or password"},
	{"ERR AUTH <password> called without", rules.ReasonAuth, "ERR: the server has no password, but the module does"},
	{"ERR Client sent AUTH, but no password", rules.ReasonAuth, "ERR: the server has no password, but the module does"},
	{"ERR max number of clients", rules.ReasonConnect, "ERR: too many clients are connected"},
	{"LOADING", rules.ReasonConnect, "LOADING: the server is starting and reads its data"},
	{"MASTERDOWN", rules.ReasonQuery, "MASTERDOWN: the replica has lost its master"},
	{"MISCONF", rules.ReasonQuery, "MISCONF: the server can't save its data"},
	{"BUSY", rules.ReasonQuery, "BUSY: a script holds the server up"},
	{"READONLY", rules.ReasonQuery, "READONLY: the server is a replica"},
	{"OOM", rules.ReasonQuery, "OOM: the server is out of memory"},
	{"ERR DB index is out of range", rules.ReasonQuery, "ERR: there is no such database"},
	{"ERR SELECT is not allowed in cluster mode", rules.ReasonQuery, "ERR: a cluster has database 0 only"},
}

func redisProblem(said, command string, reason rules.Reason) error {
	for _, known := range redisErrors {
		if strings.HasPrefix(said, known.beginning) {
			return probe.Problem(known.reason, "Redis error "+known.words)
		}
	}
	return probe.Problem(reason, "Redis answered "+command+" with an error")
}
