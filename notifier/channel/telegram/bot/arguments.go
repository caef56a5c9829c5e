package bot

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// What people write behind a command. They type as their keyboards do: signs of
// full width, hours of one digit, dashes of every length.

// misread stands before what is expected.
var misread = rules.Text{ZH: "没看懂您写的，请从下面选。", EN: "I couldn't read that; please choose below."}

// asking is a question, after what was written behind the command made no sense.
func (w words) asking(e event, question string) string {
	if e.kind != said || e.args == "" {
		return question
	}
	return w.in(misread) + "\n" + question
}

// narrow gives signs of full width as those of half.
func narrow(text string) string { return strings.TrimSpace(norm.NFKC.String(text)) }

// one reports whether what was written is one of some words.
func one(text string, of ...string) bool {
	return slices.ContainsFunc(of, func(word string) bool { return strings.EqualFold(narrow(text), word) })
}

// Words for all, or for nothing.
var (
	wordsForAll  = []string{all, "any", "every", "everything", "全部", "所有", "全部服务", "所有故障"}
	wordsForNone = []string{never, "none", "no", "关", "关闭", "无", "不设置"}
)

func readSeverity(text string) (notifier.Impact, bool) {
	switch {
	case one(text, wordsForAll...):
		return "", true
	case one(text, "major", "严重", "只要严重故障"):
		return notifier.ImpactMajor, true
	}
	return "", false
}

func readLanguage(text string) (notifier.Language, bool) {
	switch {
	case one(text, "zh", "中文", "chinese"):
		return notifier.Chinese, true
	case one(text, "en", "english", "英文"):
		return notifier.English, true
	}
	return "", false
}

// readServices gives the keys of services that are named by id, key or name, one
// or several; nil stands for all.
func readServices(text string, services []notifier.Service) ([]string, bool) {
	if one(text, wordsForAll...) {
		return nil, true
	}
	find := func(name string) string {
		for _, s := range services {
			if one(name, s.ID, s.Key(), narrow(s.Name.ZH), narrow(s.Name.EN)) {
				return s.Key()
			}
		}
		return ""
	}
	if key := find(text); text != "" && key != "" { // whose name may hold blanks
		return []string{key}, true
	}
	comma := func(r rune) bool { return strings.ContainsRune(",、;", r) }
	names := strings.FieldsFunc(narrow(text), comma)
	if len(names) == 1 {
		names = strings.Fields(names[0])
	}
	var keys []string
	for _, name := range names {
		key := find(name)
		if key == "" {
			return nil, false
		}
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys, len(keys) > 0
}

var quietShape = regexp.MustCompile(`^([0-9]{1,2})(?::?([0-5][0-9]))?\s*[-–—―−~至到]\s*([0-9]{1,2})(?::?([0-5][0-9]))?$`)

// never is the word for no quiet hours in a button's data.
const never = "off"

// parseQuiet reads "23:00-08:00", "23:00–8:00", "2300-0800", "23-8", or a word
// for none.
func parseQuiet(text string) (notifier.Quiet, bool) {
	if one(text, wordsForNone...) {
		return notifier.Quiet{}, true
	}
	found := quietShape.FindStringSubmatch(narrow(text))
	if found == nil {
		return notifier.Quiet{}, false
	}
	number := func(i int) int { n, _ := strconv.Atoi(found[i]); return n } // two digits at most, or none
	from, to := number(1)*60+number(2), number(3)*60+number(4)
	const day = 24 * 60
	if from > day || to > day {
		return notifier.Quiet{}, false
	}
	q := notifier.Quiet{From: from % day, To: to % day} // 24:00 is midnight
	return q, q.From != q.To
}
