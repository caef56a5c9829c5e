package webhook

import "strings"

// plain keeps a title's signs from being read as markup by robots whose Markdown
// knows no escapes: it must not mention everybody, nor open a link.
var plain = strings.NewReplacer("<", "＜", ">", "＞", "[", "［", "]", "］", "*", "＊", "`", "＇")

// titled is a robot's message: what it says in one line, and below it the text,
// which is Markdown already.
func titled(subject, text string) string {
	return "### " + plain.Replace(subject) + "\n\n" + strings.TrimSpace(text)
}

// link is a link in Markdown. Its text is made plain, and its URL can't end it.
func link(text, url string) string {
	return "[" + plain.Replace(text) + "](" + strings.NewReplacer("(", "%28", ")", "%29", " ", "%20").Replace(url) + ")"
}
