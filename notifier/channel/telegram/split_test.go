package telegram_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"

	"pgregory.net/rapid"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/telegram"
)

var anyTag = regexp.MustCompile(`</?[a-z][^>]*>`)

// parts sends the message and returns the texts that arrived.
func parts(t *testing.T, m notifier.Message) []string {
	t.Helper()
	var far recording
	if err := connect(t, telegram.Config{APIURL: "http://" + far.start(t)}).Send(t.Context(), chat, m); err != nil {
		t.Fatalf("Send: %v", err)
	}
	return far.texts()
}

func units(s string) int { return len(utf16.Encode([]rune(s))) }

func TestALongMessageIsSplitAtTheEndOfALine(t *testing.T) {
	t.Parallel()
	line := strings.Repeat("字", 1999)
	got := parts(t, notifier.Message{ID: "n1-r1", Text: line + "\n" + line + "\n" + line})
	if len(got) != 2 || got[0] != line+"\n"+line || got[1] != line {
		t.Errorf("got %d parts, the first of %d units; want two lines and one", len(got), units(got[0]))
	}
}

func TestTagsAreClosedBeforeACutAndOpenedBehindIt(t *testing.T) {
	t.Parallel()
	line := strings.Repeat("x", 4000)
	got := parts(t, notifier.Message{ID: "n1-r1", HTML: `<b>a <a href="https://shop.example/?a=1&amp;b=&gt;">` + line + "\n" + line + `</a></b> end`})
	if len(got) != 2 {
		t.Fatalf("got %d parts, want 2", len(got))
	}
	if want := `<b>a <a href="https://shop.example/?a=1&amp;b=&gt;">` + line + "</a></b>"; got[0] != want {
		t.Errorf("first part ends in %q", got[0][len(got[0])-40:])
	}
	if want := `<b><a href="https://shop.example/?a=1&amp;b=&gt;">` + line + "</a></b> end"; got[1] != want {
		t.Errorf("second part %q", got[1][:80])
	}
}

func TestAnEmojiCountsTwiceAndIsNeverCut(t *testing.T) {
	t.Parallel()
	got := parts(t, notifier.Message{ID: "n1-r1", Text: "x" + strings.Repeat("🔥", 2048)})
	if len(got) != 2 || units(got[0]) != 4095 || got[1] != "🔥" {
		t.Errorf("got %d parts of %d and %d units", len(got), units(got[0]), units(got[len(got)-1]))
	}
}

func TestAReferenceCountsOnceAndIsNeverCut(t *testing.T) {
	t.Parallel()
	got := parts(t, notifier.Message{ID: "n1-r1", HTML: strings.Repeat("&amp;", 4096)})
	if len(got) != 1 {
		t.Errorf("got %d parts, want 1: the limit counts what the reader sees", len(got))
	}
	got = parts(t, notifier.Message{ID: "n1-r1", HTML: strings.Repeat("&amp;", 4097)})
	if len(got) != 2 || got[1] != "&amp;" {
		t.Errorf("got %d parts, want 4096 references and one", len(got))
	}
}

func TestAnEndlessMessageIsCutOff(t *testing.T) {
	t.Parallel()
	got := parts(t, notifier.Message{ID: "n1-r1", HTML: "<i>" + strings.Repeat("x", 100_000) + "</i>"})
	if len(got) != 4 || !strings.HasSuffix(got[3], "x…</i>") {
		t.Errorf("got %d parts, want 4 of which the last ends in an ellipsis", len(got))
	}
	if n := units(anyTag.ReplaceAllString(got[3], "")); n != 4096 {
		t.Errorf("the last part has %d units, want 4096", n)
	}
}

func TestNoSplitLosesTextOrBreaksTags(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
			"<b>", "</b>", "<i>", "</i>", `<a href="https://x/">`, "</a>", "&lt;", "🔥", "\n", " ",
			strings.Repeat("word ", 150), strings.Repeat("字", 500), strings.Repeat("line\n", 100),
		}), 1, 16).Draw(r, "pieces")
		html := balanced(pieces) + "."
		var seen strings.Builder
		for _, part := range parts(t, notifier.Message{ID: "n1-r1", HTML: html}) {
			visible := anyTag.ReplaceAllString(part, "")
			if n := units(strings.ReplaceAll(visible, "&lt;", "<")); n > 4096 {
				r.Fatalf("a part has %d units", n)
			}
			if balanced(anyTag.FindAllString(part, -1)) != strings.Join(anyTag.FindAllString(part, -1), "") {
				r.Fatalf("a part's tags are not balanced: %q", part)
			}
			seen.WriteString(visible)
		}
		unspaced := func(s string) string { return strings.Join(strings.Fields(s), "") }
		if unspaced(seen.String()) != unspaced(anyTag.ReplaceAllString(html, "")) {
			r.Fatalf("text was lost or doubled in %q", html)
		}
	})
}

// balanced joins the pieces, leaves out closing tags that close nothing and
// closes what stays open.
func balanced(pieces []string) string {
	var (
		joined strings.Builder
		open   []string
	)
	for _, piece := range pieces {
		switch {
		case strings.HasPrefix(piece, "</"):
			if len(open) == 0 || open[len(open)-1] != piece {
				continue
			}
			open = open[:len(open)-1]
		case strings.HasPrefix(piece, "<"):
			open = append(open, "</"+piece[1:2]+">")
		}
		joined.WriteString(piece)
	}
	for len(open) > 0 {
		joined.WriteString(open[len(open)-1])
		open = open[:len(open)-1]
	}
	return joined.String()
}
