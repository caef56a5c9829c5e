package notifier

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"shopwatch/rules"
)

// longestName is the most characters of a person's name.
const longestName = 40

// PersonName checks how somebody calls themselves, since others will read it, and
// gives it without the spaces around it. One that won't do is [Invalid].
func PersonName(by string) (string, error) {
	by = strings.TrimSpace(by)
	if utf8.RuneCountInString(by) > longestName || !utf8.ValidString(by) || strings.ContainsFunc(by, misleads) {
		return "", &Error{Code: Invalid, Message: fmt.Sprintf("a name is at most %d characters in one line", longestName), Chinese: fmt.Sprintf("名字只能有一行，最多 %d 个字", longestName)}
	}
	return by, nil
}

// Written checks what a person writes for others, what names it in English, and
// gives it without the spaces around it: most characters at most, of one line or
// of several. What won't do is [Invalid].
func Written(text, what string, most int, oneLine bool) (string, error) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	lines := text
	if !oneLine {
		lines = strings.ReplaceAll(text, "\n", "")
	}
	mistake := func(zh, en string) (string, error) {
		return "", &Error{Code: Invalid, Message: en, Chinese: zh}
	}
	switch {
	case !utf8.ValidString(text):
		return mistake("有一项不是 UTF-8 文字", "the "+what+" is not UTF-8")
	case utf8.RuneCountInString(text) > most:
		return mistake(fmt.Sprintf("有一项太长：%d 个字，最多 %d 个", utf8.RuneCountInString(text), most),
			fmt.Sprintf("the %s has %d characters, want at most %d", what, utf8.RuneCountInString(text), most))
	case strings.ContainsFunc(lines, misleads) && oneLine:
		return mistake("有一项只能写一行，不能有控制字符", "the "+what+" is one line, without control characters")
	case strings.ContainsFunc(lines, misleads):
		return mistake("有一项含有控制字符或改变阅读方向的字符", "the "+what+" holds control characters, or such as turn the order of reading")
	}
	return text, nil
}

// misleads reports whether a character moves what stands around it: to another
// line, or to another order of reading.
func misleads(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// InBoth fills a language that is left out with the other: better read with a
// dictionary than not at all.
func InBoth(t rules.Text) rules.Text {
	if t.ZH == "" {
		t.ZH = t.EN
	}
	if t.EN == "" {
		t.EN = t.ZH
	}
	return t
}
