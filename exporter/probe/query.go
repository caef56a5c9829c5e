package probe

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"
	"github.com/prometheus/common/model"

	"shopwatch/rules"
)

const (
	// maxLine is how long a line may be that an expectation is tried on;
	// blackbox_exporter's number, which is bufio.Scanner's.
	maxLine = 64 << 10
	// maxHeard bounds what is heard in one dialogue. A far side that talks
	// without end as fast as it can would otherwise cost us a whole processor
	// until the timeout.
	maxHeard = 1 << 20
	// maxLabel is how many characters of what the far side said become a label's value.
	maxLabel = 1000
)

var (
	errLongLine = errors.New("a line is too long")
	errTooMuch  = errors.New("more came than is heard")
)

// dialogue is what a module says and expects on one connection, line by line.
// Of what the far side said nothing gets into a detail, only into the labels
// that the module asks for.
type dialogue struct {
	look   *Look
	conn   net.Conn
	reader *bufio.Reader
	secure func() (*tls.Config, error) // for STARTTLS
	text   []byte                      // the line that was heard last
	heard  int

	badPattern, badBytes bool // what decided against success
}

// converse holds the dialogue on an open connection and gives the samples of
// what decided against success. The connection's deadline must be set.
func (l *Look) converse(ctx context.Context, conn net.Conn, script []blackbox.QueryResponse, secure func() (*tls.Config, error)) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	d := &dialogue{look: l, conn: conn, secure: secure}
	err := d.hold(ctx, script)
	l.Sample(&rules.ProbeFailedRegex, truth(d.badPattern))
	l.Sample(&rules.ProbeFailedBytes, truth(d.badBytes))
	return err
}

func (d *dialogue) hold(ctx context.Context, script []blackbox.QueryResponse) error {
	if len(script) == 0 {
		return nil
	}
	defer d.look.Phase("query")()
	d.reader = bufio.NewReader(d.conn)
	for i := range script {
		if err := d.turn(ctx, &script[i]); err != nil {
			return err
		}
	}
	return nil
}

// turn is one entry of the script: expect, answer, change to TLS.
func (d *dialogue) turn(ctx context.Context, entry *blackbox.QueryResponse) error {
	send := entry.Send
	if entry.Expect.Regexp != nil {
		match, err := d.expect(ctx, entry.Expect)
		if err != nil {
			return err
		}
		send = string(entry.Expect.Expand(nil, []byte(send), d.text, match))
		if err := d.tell(entry, match); err != nil {
			return err
		}
	}
	if entry.ExpectBytes != "" {
		if err := d.expectBytes(ctx, []byte(entry.ExpectBytes)); err != nil {
			return err
		}
	}
	if send != "" {
		d.look.Step("sending")
		if _, err := io.WriteString(d.conn, send+"\n"); err != nil {
			return d.look.Blame(ctx, err, rules.ReasonConnect, SafeText(err))
		}
	}
	if entry.StartTLS {
		return d.startTLS(ctx)
	}
	return nil
}

// expect hears lines until one matches; it stays in text.
func (d *dialogue) expect(ctx context.Context, pattern blackbox.Regexp) ([]int, error) {
	shown := clip(pattern.String(), maxQuote)
	d.look.Step(fmt.Sprintf("waiting for a line that matches %q", shown))
	for {
		err := d.line()
		switch {
		case errors.Is(err, io.EOF):
			d.badPattern = true
			return nil, Problem(rules.ReasonBody, fmt.Sprintf("the far side closed the connection and no line had matched %q", shown))
		case errors.Is(err, errLongLine), errors.Is(err, errTooMuch):
			return nil, Problem(rules.ReasonBody, fmt.Sprintf("%s, and none matched %q", err, shown))
		case err != nil:
			return nil, d.look.Blame(ctx, err, rules.ReasonConnect, SafeText(err))
		}
		if match := pattern.FindSubmatchIndex(d.text); match != nil {
			return match, nil
		}
	}
}

// line hears one line into text, without its end. The last one needs none.
func (d *dialogue) line() error {
	d.text = d.text[:0]
	for {
		part, err := d.reader.ReadSlice('\n')
		d.text = append(d.text, part...)
		d.heard += len(part)
		switch {
		case len(d.text) > maxLine:
			return errLongLine
		case d.heard > maxHeard:
			return errTooMuch
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == nil, errors.Is(err, io.EOF) && len(d.text) > 0:
			d.text = bytes.TrimSuffix(bytes.TrimSuffix(d.text, []byte("\n")), []byte("\r"))
			return nil
		}
		return err
	}
}

// expectBytes hears as many bytes as are expected. They may come in pieces,
// which blackbox_exporter takes for a failure.
func (d *dialogue) expectBytes(ctx context.Context, want []byte) error {
	d.look.Step("waiting for the expected bytes")
	got := make([]byte, len(want))
	if n, err := io.ReadFull(d.reader, got); err != nil {
		if closed(err) {
			return Problem(rules.ReasonBody, fmt.Sprintf("the far side closed the connection after %d of %d expected bytes", n, len(want)))
		}
		return d.look.Blame(ctx, err, rules.ReasonConnect, SafeText(err))
	}
	if !bytes.Equal(want, got) {
		d.badBytes = true
		return Problem(rules.ReasonBody, "other bytes came than were expected")
	}
	return nil
}

// startTLS changes to TLS. What the far side said in plain text and nobody has
// heard yet is dropped: it must not pass for something said in secret.
func (d *dialogue) startTLS(ctx context.Context) error {
	session, err := d.look.secureBy(ctx, d.conn, d.secure)
	if err != nil {
		return err
	}
	d.conn = session
	d.reader.Reset(session)
	return nil
}

// tell gives what the line matched as the labels that the module names. Two
// entries that come to the same series give it once.
func (d *dialogue) tell(entry *blackbox.QueryResponse, match []int) error {
	if entry.Labels == nil {
		return nil
	}
	metric := rules.ProbeExpectInfo
	metric.Labels = slices.Clone(metric.Labels)
	values := make([]string, 0, len(entry.Labels))
	for _, label := range entry.Labels {
		name := label.Name
		if slices.Contains(rules.ProbeExpectInfo.Labels, name) {
			name = model.ExportedLabelPrefix + name // as Prometheus does with a label that it has already
		}
		if !model.LegacyValidation.IsValidLabelName(name) || slices.Contains(metric.Labels, name) {
			return Problem(rules.ReasonOther, fmt.Sprintf("query_response can't have a label %q, or not twice", clip(label.Name, maxQuote)))
		}
		value := entry.Expect.Expand(nil, []byte(label.Value), d.text, match)
		metric.Labels = append(metric.Labels, name)
		values = append(values, clip(strings.ToValidUTF8(string(value), "\uFFFD"), maxLabel))
	}
	for _, sample := range d.look.samples {
		if sample.Metric.Name == metric.Name && slices.Equal(sample.Metric.Labels, metric.Labels) && slices.Equal(sample.Labels, values) {
			return nil
		}
	}
	d.look.Sample(&metric, 1, values...)
	return nil
}
