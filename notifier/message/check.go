package message

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// The longest text messages that a template may make of ordinary facts: four
// segments. A segment has 67 UTF-16 code units, or 153 where all of them are ASCII.
const (
	maxTextUnits = 4 * 67
	maxTextASCII = 4 * 153
)

// enough is how many samples of a channel may fail by its form before the others
// are left untried: most mistakes of a form fail in every one.
const enough = 3

// Check words sample notices of every event, form, language and audience with
// the templates of a folder. Its error joins every mistake, each beginning with
// its file, and its line where there is one: "templates/words.zh.txt:12: …".
func Check(dir string) error {
	_, err := checked(dir)
	return err
}

func checked(dir string) (templates, error) {
	given, problems := readOverrides(dir)
	parsed, wrong := parse(given)
	problems = append(problems, wrong...)
	if len(problems) == 0 { // else the samples would say the same again
		problems = try(parsed)
	}
	told := map[string]bool{}
	var mistakes []error
	for _, problem := range problems {
		if text := problem.Error(); !told[text] {
			told[text] = true
			mistakes = append(mistakes, fmt.Errorf("%s/%s", strings.TrimSuffix(dir, "/"), text))
		}
	}
	return parsed, errors.Join(mistakes...)
}

// try words every sample.
func try(parsed templates) (problems []error) {
	w := &Writer{cfg: Config{Page: rules.Text{ZH: "示例店铺", EN: "Sample shop"}, Zone: time.UTC, Links: sampleLinks{}, Logger: slog.New(slog.DiscardHandler)}}
	failed := map[string]int{} // samples, by channel
	for _, sample := range samples() {
		channel := sample.Recipient.Channel
		if failed[channel] >= enough {
			continue
		}
		m, err := w.wordBy(parsed, sample, w.linksOf(sample))
		if err == nil {
			err = acceptable(m, sample)
		}
		if err != nil {
			problems = append(problems, err)
			if !strings.HasPrefix(err.Error(), "words.") && !strings.HasPrefix(err.Error(), "sms.") {
				failed[channel]++
			}
		}
	}
	return problems
}

// acceptable reports what a channel would not take.
func acceptable(m notifier.Message, d notifier.Delivery) error {
	words := "words." + string(d.Recipient.Language) + ".txt"
	of := fmt.Sprintf("for event %q in %q to %s", d.Notice.Event, d.Recipient.Language, d.Notice.Audience)
	empty := func(s string) bool { return strings.TrimSpace(s) == "" }
	_, headline, _ := strings.Cut(m.Subject, sampleShop(d.Recipient.Language))
	channel := d.Recipient.Channel
	switch {
	case channel == SMS && empty(m.Text):
		return fmt.Errorf("sms.%s.txt: got nothing %s, want a sentence", d.Recipient.Language, of)
	case channel == SMS:
		return shortEnough(m.Text, "sms."+string(d.Recipient.Language)+".txt", of)
	case empty(strings.TrimLeft(headline, "】– ")):
		return fmt.Errorf("%s: got no headline %s, want one in the block's first line", words, of)
	case slices.Contains(robots, channel) && empty(m.Text):
		return fmt.Errorf("robot.txt: got nothing %s, want a text", of)
	case empty(m.Text):
		return fmt.Errorf("text.txt: got nothing %s, want a text", of)
	case channel == Email && empty(m.HTML):
		return fmt.Errorf("email.html: got nothing %s, want a page", of)
	case channel == Telegram && empty(m.HTML):
		return fmt.Errorf("telegram.html: got nothing %s, want a text", of)
	case channel == Telegram:
		if trouble := telegramHTML(m.HTML); trouble != "" {
			return fmt.Errorf("telegram.html: got %s %s, want what Telegram's HTML knows", trouble, of)
		}
	}
	return nil
}

func shortEnough(text, file, of string) error {
	most, units := maxTextASCII, len(utf16.Encode([]rune(text)))
	if strings.ContainsFunc(text, func(r rune) bool { return r > 127 }) {
		most = maxTextUnits
	}
	if units > most {
		return fmt.Errorf("%s: got %d characters %s, want at most %d, which are four text messages", file, units, of, most)
	}
	return nil
}

// telegramTag is a tag with its attributes as Telegram's server takes them.
var telegramTag = regexp.MustCompile(`^<(/?)([a-z-]+)((?:\s+[a-z-]+(?:="[^"<>]*")?)*)\s*>`)

// telegramTags are the tags that Telegram knows.
var telegramTags = strings.Fields("b strong i em u ins s strike del a code pre blockquote tg-spoiler span tg-emoji")

// telegramHTML says what Telegram's server would not parse, and nothing where it would.
func telegramHTML(text string) string {
	var open []string
	for at := strings.IndexByte(text, '<'); at >= 0; at = strings.IndexByte(text, '<') {
		text = text[at:]
		tag := telegramTag.FindStringSubmatch(text)
		switch {
		case tag == nil:
			return fmt.Sprintf("%q, which is no tag,", clamp(oneLine(text), 30, "…"))
		case !slices.Contains(telegramTags, tag[2]):
			return fmt.Sprintf("the tag <%s>", tag[2])
		case tag[2] == "span" && tag[1] == "" && !strings.Contains(tag[3], `class="tg-spoiler"`):
			return `a <span> without class="tg-spoiler"`
		case tag[1] == "":
			open = append(open, tag[2])
		case len(open) == 0 || open[len(open)-1] != tag[2]:
			return fmt.Sprintf("a </%s> that ends nothing", tag[2])
		default:
			open = open[:len(open)-1]
		}
		text = text[len(tag[0]):]
	}
	if len(open) > 0 {
		return fmt.Sprintf("a <%s> without its end", open[len(open)-1])
	}
	return ""
}
