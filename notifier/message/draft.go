package message

import (
	"fmt"
	"slices"
	"strings"

	"shopwatch/notifier"
)

// View is what the templates of the forms see: telegram.html, email.html,
// text.txt and robot.txt.
type View struct {
	Event    notifier.Event
	Language notifier.Language
	Public   bool   // for subscribers
	Mark     string // shape and colour of the state: never colour alone
	Colour   string // #rrggbb
	Colon    string // as the language writes it
	Shop     string
	Headline string // what is wrong
	Subject  string // whose shop, and what is wrong

	Blocks     []Block
	Links      []Link
	Small      []string // why one is told
	SmallLinks []Link   // how not to be told
}

// Block is one part of a notice: facts, items or lines of text.
type Block struct {
	Facts []Fact
	Items []string
	Lines []string
	Note  bool // the lines are small print
}

// Fact is one line of a table.
type Fact struct{ Label, Value string }

// Link is a link, or a button that opens one.
type Link struct{ Text, URL string }

// Control characters mark what the functions of the words print; the facts hold none.
const (
	markFact = "\x01"
	markItem = "\x02"
	markNote = "\x03"
	markLink = "\x04"
	markPart = "\x05" // between a label and its value
	markLine = "\x06" // a line break within
)

// wordFuncs are the functions of the words, as told at their head.
var wordFuncs = map[string]any{
	"fact": func(label, value string) string {
		if value == "" {
			return ""
		}
		return "\n" + markFact + label + markPart + oneLine(value) + "\n"
	},
	"item": func(text string) string {
		if text == "" {
			return ""
		}
		return "\n" + markItem + oneLine(text) + "\n"
	},
	"note": func(text string) string {
		if text == "" {
			return ""
		}
		return "\n" + markNote + strings.ReplaceAll(text, "\n", markLine) + "\n"
	},
	"link": func(text, url string) string {
		if url == "" {
			return ""
		}
		return "\n" + markLink + text + markPart + url + "\n"
	},
}

// draft is what the words say, before it has a form.
type draft struct {
	headline string
	blocks   []Block
	links    []Link
}

// read takes apart what a block of the words printed. The headline is its first
// line, where it has one.
func read(printed string, headline bool) (d draft) {
	paragraph := false
	for line := range strings.SplitSeq(printed, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			paragraph = false
			continue
		}
		if headline {
			if headline = false; line[0] > markLine[0] { // the last of the marks: it is text
				d.headline = line
				continue
			}
		}
		paragraph = d.line(line, paragraph)
	}
	return d
}

// line adds a line and reports whether it is one of a paragraph.
func (d *draft) line(line string, paragraph bool) bool {
	label, value, _ := strings.Cut(line[1:], markPart)
	last := len(d.blocks) - 1
	switch line[:1] {
	case markFact:
		if last < 0 || d.blocks[last].Facts == nil {
			d.blocks, last = append(d.blocks, Block{}), last+1
		}
		d.blocks[last].Facts = append(d.blocks[last].Facts, Fact{Label: label, Value: value})
	case markItem:
		if last < 0 || d.blocks[last].Items == nil {
			d.blocks, last = append(d.blocks, Block{}), last+1
		}
		d.blocks[last].Items = append(d.blocks[last].Items, label)
	case markNote:
		d.blocks = append(d.blocks, Block{Note: true, Lines: nonEmpty(strings.Split(label, markLine))})
	case markLink:
		d.links = append(d.links, Link{Text: label, URL: value})
	default:
		if !paragraph {
			d.blocks, last = append(d.blocks, Block{}), last+1
		}
		d.blocks[last].Lines = append(d.blocks[last].Lines, line)
		return true
	}
	return false
}

func nonEmpty(lines []string) []string {
	return slices.DeleteFunc(lines, func(line string) bool { return strings.TrimSpace(line) == "" })
}

// view gives what was said to the forms.
func (w *Writer) view(f Facts, said said) View {
	say := wordsOf[f.Language]
	mark := markOf(f.Event)
	v := View{
		Event: f.Event, Language: f.Language, Public: f.OnCall == nil, Mark: mark.sign, Colour: mark.colour, Colon: say.colon,
		Shop: f.Shop, Headline: said.body.headline, Subject: said.body.headline,
		Blocks: said.body.blocks, Links: said.body.links, SmallLinks: said.footer.links,
	}
	if f.Shop != "" {
		v.Subject = fmt.Sprintf(say.shop, f.Shop) + v.Headline
	}
	for _, block := range said.footer.blocks {
		v.Small = append(v.Small, block.Lines...)
	}
	return v
}

// markdown is the view with every text in it made harmless to a reader of
// Markdown, which no robot lets one escape: characters that would begin a link,
// a mention or an emphasis give way to their wide likes.
func (v View) markdown() View {
	blocks := make([]Block, 0, len(v.Blocks))
	for _, block := range v.Blocks {
		safe := Block{Note: block.Note}
		for _, fact := range block.Facts {
			safe.Facts = append(safe.Facts, Fact{Label: plain(fact.Label), Value: plain(fact.Value)})
		}
		for _, item := range block.Items {
			safe.Items = append(safe.Items, plain(item))
		}
		for _, line := range block.Lines {
			safe.Lines = append(safe.Lines, plain(line))
		}
		blocks = append(blocks, safe)
	}
	v.Blocks = blocks
	return v
}

var wide = strings.NewReplacer("<", "＜", ">", "＞", "[", "［", "]", "］", "*", "＊", "`", "｀", "~", "～", "__", "＿＿", "|", "｜", "\\", "＼", "@", "＠")

// plain is a line without the signs of Markdown.
func plain(line string) string {
	line = wide.Replace(line)
	switch {
	case strings.HasPrefix(line, "#"):
		return "＃" + line[1:]
	case strings.HasPrefix(line, "- "), strings.HasPrefix(line, "+ "), strings.HasPrefix(line, "_"):
		return " " + line
	}
	return line
}

// linkButtons are the links as buttons, one a row.
func linkButtons(links []Link) (rows [][]notifier.Button) {
	for _, link := range links {
		rows = append(rows, []notifier.Button{{Text: link.Text, URL: link.URL}})
	}
	return rows
}

// deedButtons are what those on call can do about trouble that runs, right from
// the message.
func deedButtons(d notifier.Delivery, f Facts) [][]notifier.Button {
	switch f.Event {
	case notifier.EventDown, notifier.EventProlonged, notifier.EventJoined, notifier.EventReopened:
		if f.OnCall != nil && d.Notice.Incident != "" {
			say := wordsOf[f.Language]
			return [][]notifier.Button{{
				{Text: say.acknowledge, Data: "ack:" + d.Notice.Incident},
				{Text: say.mute, Data: "mute:" + d.Notice.Incident},
			}}
		}
	}
	return nil
}
