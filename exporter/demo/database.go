package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// maxLine bounds one question or answer at the database's door, in bytes.
const maxLine = 256 << 10

// database is the books' one door: a TCP listener that takes one JSON question
// a line and gives one JSON answer a line. Everything that the shop does with
// its books comes through it, so a closed door is a real outage. One goroutine
// (serve) does all the SQL.
//
// Breaking it closes the listener and not merely each connection: whoever only
// connects must be refused too.
type database struct {
	addr   string
	desk   desk
	logger *slog.Logger
	jobs   chan job
	ended  chan struct{} // closed when serve has ended

	mu       sync.Mutex
	serving  bool
	listener net.Listener // nil while down
	conns    map[net.Conn]struct{}
	tasks    sync.WaitGroup
}

// desk answers questions, by their name.
type desk map[string]func(context.Context, json.RawMessage) (any, error)

type job struct {
	question question
	answer   chan answer
}

type question struct {
	Op string          `json:"op"`
	In json.RawMessage `json:"in"`
}

type answer struct {
	Out     json.RawMessage `json:"out,omitempty"`
	Refusal refusal         `json:"refusal,omitempty"`
	Problem string          `json:"problem,omitempty"`
}

// refusal is the books' no: not a failure of the shop, but its answer.
type refusal string

func (r refusal) Error() string { return string(r) }

func newDatabase(books *books, listener net.Listener, logger *slog.Logger) *database {
	return &database{
		addr:     listener.Addr().String(),
		desk:     books.desk(),
		logger:   logger,
		jobs:     make(chan job),
		ended:    make(chan struct{}),
		listener: listener,
		conns:    map[net.Conn]struct{}{},
	}
}

// serve opens the door and answers until ctx ends.
func (d *database) serve(ctx context.Context) {
	d.mu.Lock()
	d.serving = true
	if d.listener != nil {
		d.accept(d.listener)
	}
	d.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
			d.mu.Lock()
			d.serving = false
			d.mu.Unlock()
			close(d.ended)
			d.down()
			d.tasks.Wait()
			return
		case job := <-d.jobs:
			job.answer <- d.answer(ctx, job.question)
		}
	}
}

// up opens the door at its old address if it is closed.
func (d *database) up() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.listener != nil || !d.serving {
		return nil
	}
	listener, err := net.Listen("tcp", d.addr)
	if err != nil {
		return err
	}
	d.listener = listener
	d.accept(listener)
	return nil
}

// down closes the door and throws out everybody inside.
func (d *database) down() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.listener != nil {
		d.listener.Close()
		d.listener = nil
	}
	for conn := range d.conns {
		conn.Close()
	}
}

// accept lets callers in until the listener is closed; d.mu is held.
func (d *database) accept(listener net.Listener) {
	d.tasks.Go(func() {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				d.logger.Debug("database takes no connection", "err", err)
				select {
				case <-d.ended:
					return
				case <-time.After(beat): // out of file handles: let others finish
				}
				continue
			}
			d.mu.Lock()
			if d.listener != listener { // closed in the meantime
				d.mu.Unlock()
				conn.Close()
				return
			}
			d.conns[conn] = struct{}{}
			d.tasks.Go(func() { d.attend(conn) })
			d.mu.Unlock()
		}
	})
}

// attend answers one caller until he leaves, is thrown out, or says something
// that is not a question (a browser, say).
func (d *database) attend(conn net.Conn) {
	defer func() {
		conn.Close()
		d.mu.Lock()
		delete(d.conns, conn)
		d.mu.Unlock()
	}()
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			return
		}
		job := job{question: asked, answer: make(chan answer, 1)}
		select {
		case d.jobs <- job:
		case <-d.ended:
			return
		}
		text, err := json.Marshal(<-job.answer)
		if err != nil {
			return
		}
		if _, err := conn.Write(append(text, '\n')); err != nil {
			return
		}
	}
}

func (d *database) answer(ctx context.Context, asked question) answer {
	do, known := d.desk[asked.Op]
	if !known {
		return answer{Problem: "unknown question"}
	}
	out, err := do(ctx, asked.In)
	var no refusal
	if errors.As(err, &no) {
		return answer{Refusal: no}
	}
	if err != nil {
		return answer{Problem: err.Error()}
	}
	text, err := json.Marshal(out)
	if err != nil {
		return answer{Problem: err.Error()}
	}
	return answer{Out: text}
}

// door is the way to the database from inside the shop: its address. Each
// question takes its own connection, so an outage and its end are felt at once.
type door string

func (d *database) door() door { return door(d.addr) }

// doorTimeout bounds one question, answer included.
const doorTimeout = 2 * time.Second

// ask puts one question to the database and decodes its answer. The error is a
// refusal when the books said no, and anything else when they couldn't be asked.
func ask[Out any](ctx context.Context, d door, op string, in any) (Out, error) {
	var out Out
	body, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	line, err := json.Marshal(question{Op: op, In: body})
	if err != nil {
		return out, err
	}
	text, err := d.exchange(ctx, append(line, '\n'))
	if err != nil {
		return out, fmt.Errorf("ask the database to %s: %w", op, err)
	}
	var got answer
	if err := json.Unmarshal(text, &got); err != nil {
		return out, fmt.Errorf("ask the database to %s: %w", op, err)
	}
	switch {
	case got.Refusal != "":
		return out, got.Refusal
	case got.Problem != "":
		return out, fmt.Errorf("ask the database to %s: %s", op, got.Problem)
	}
	return out, json.Unmarshal(got.Out, &out)
}

// exchange sends a line and reads one.
func (d door) exchange(ctx context.Context, line []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, doorTimeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", string(d))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// Whoever asks may leave (a visitor, or the whole shop at its end).
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := conn.Write(line); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, maxLine)
	if !lines.Scan() {
		if err := lines.Err(); err != nil {
			return nil, err
		}
		return nil, io.ErrUnexpectedEOF
	}
	return lines.Bytes(), nil
}
