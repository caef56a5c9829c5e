package sandbox

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// PageReader is who presses and speaks in groups on the page: an administrator of each.
const PageReader = 4000000001

// longestSaid is how much somebody may say on the page, in bytes.
const longestSaid = 4096

// reader is who somebody on the page is in a chat: its owner, or one of a group.
func (p page) reader(address string) Reader {
	chat, _ := placeOf(address)
	id, err := strconv.ParseInt(chat, 10, 64)
	if err != nil || id <= 0 {
		id = PageReader
	}
	return Reader{ID: id, Name: p.You, Language: p.Lang}
}

// servePress presses the button that a form names.
func (s *Sandbox) servePress(w http.ResponseWriter, r *http.Request) {
	m, ok := s.find(w, r)
	if !ok {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, requestLimit)
	p := s.page(r)
	if err := s.Press(p.reader(m.To), m.ID, r.PostFormValue("data")); err != nil {
		http.Error(w, "this message has no such button", http.StatusConflict)
		return
	}
	s.back(w, r, m.ID)
}

// serveSay says what a form holds in a chat.
func (s *Sandbox) serveSay(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, requestLimit)
	address, text := strings.TrimSpace(r.PostFormValue("chat")), strings.TrimSpace(r.PostFormValue("text"))
	chat, _ := placeOf(address)
	if !chatShape.MatchString(chat) || text == "" || len(text) > longestSaid {
		http.Error(w, "want a chat's number and something to say", http.StatusUnprocessableEntity)
		return
	}
	s.SayIn(s.page(r).reader(address), address, text)
	s.back(w, r, 0)
}

// back shows the page again, as it was chosen.
func (s *Sandbox) back(w http.ResponseWriter, r *http.Request, message int64) {
	target := url.URL{Path: s.cfg.Prefix + "/", RawQuery: r.URL.RawQuery}
	if message > 0 {
		target.Fragment = "m" + strconv.FormatInt(message, 10)
	}
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
}
