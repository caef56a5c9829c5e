package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"shopwatch/notifier/sandbox"
)

// reader is somebody who is told, with the title that an incident has in his language.
type reader struct{ channel, address, title string }

func (r reader) String() string { return r.channel + " " + r.address }

// readers gives several of one language the same title.
func readers(title string, addresses ...[2]string) []reader {
	var list []reader
	for _, a := range addresses {
		list = append(list, reader{a[0], a[1], title})
	}
	return list
}

// journal reads the messages that the sandbox of a demo has taken. The last
// line may be half written.
func journal(path string) ([]sandbox.Message, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var messages []sandbox.Message
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, len(content)+1)
	for lines.Scan() {
		var m sandbox.Message
		if json.Unmarshal(lines.Bytes(), &m) != nil {
			continue
		}
		if i := slices.IndexFunc(messages, func(old sandbox.Message) bool { return old.ID == m.ID }); i >= 0 {
			messages[i] = m // its buttons were pressed
			continue
		}
		messages = append(messages, m)
	}
	return messages, err
}

// over tells a recovery from the news of an outage: by mark and word, for a
// text message by its sentence.
func over(m sandbox.Message) bool {
	return strings.Contains(m.Subject+m.Text, "✅") || m.Channel == sandbox.SMS && strings.Contains(m.Text, "现已恢复")
}

// got is what a reader got of an incident: news of the outage, and recoveries.
func got(messages []sandbox.Message, r reader) (down, recovered []sandbox.Message) {
	for _, m := range messages {
		switch {
		case m.Channel != r.channel || m.To != r.address || !strings.Contains(m.Subject+m.Text, r.title):
		case over(m):
			recovered = append(recovered, m)
		default:
			down = append(down, m)
		}
	}
	return down, recovered
}

// counted objects unless every reader got so much news of an outage and so many recoveries.
func counted(messages func() ([]sandbox.Message, error), down, recovered int, groups ...[]reader) func() error {
	return func() error {
		all, err := messages()
		if err != nil {
			return err
		}
		var objections []error
		for _, group := range groups {
			for _, r := range group {
				if d, o := got(all, r); len(d) != down || len(o) != recovered {
					objections = append(objections, fmt.Errorf("%s has %d times the news of %q, want %d, and %d recoveries, want %d",
						r, len(d), r.title, down, len(o), recovered))
				}
			}
		}
		return errors.Join(objections...)
	}
}

var (
	lasted = regexp.MustCompile(`(?:持续：|历时|Lasted: )(.*)`)
	length = regexp.MustCompile(`(\d+) ?(小时|分钟|分|秒|h|min|s)`)
	units  = map[string]time.Duration{
		"小时": time.Hour, "h": time.Hour, "分钟": time.Minute, "分": time.Minute, "min": time.Minute, "秒": time.Second, "s": time.Second,
	}
)

// saysLasted holds that a recovery tells how long the outage lasted, to the second.
func saysLasted(t testing.TB, m sandbox.Message, want time.Duration) {
	t.Helper()
	var said time.Duration
	if sentence := lasted.FindStringSubmatch(m.Text); sentence != nil {
		for _, part := range length.FindAllStringSubmatch(sentence[1], -1) {
			n, err := strconv.Atoi(part[1])
			if err != nil {
				t.Fatal(err)
			}
			said += time.Duration(n) * units[part[2]]
		}
	}
	if off := said - want; off < -time.Second || off > time.Second {
		t.Errorf("%s to %s says that it lasted %s, want %s:\n%s", m.Channel, m.To, said, want, m.Text)
	}
}
