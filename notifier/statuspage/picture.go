package statuspage

import (
	"bytes"
	"net/http"
	"strings"
	"time"
)

// badgeView is a service's status as a small picture for the shop's own pages.
type badgeView struct {
	Name, Word                     string
	Colour                         colour
	Fill                           string
	Width, NameWidth, WordWidth    int
	NameMiddle, WordMiddle, Height int
}

// fills are the badge's colours, dark enough for white words (WCAG AA).
var fills = map[colour]string{green: "#1a7f45", yellow: "#8a6100", red: "#c22f2b", blue: "#2563c4", grey: "#5f6670"}

func (p *Page) routePictures(mux *http.ServeMux) {
	for _, tint := range colours {
		mux.HandleFunc("/icon/"+string(tint)+".svg", func(w http.ResponseWriter, r *http.Request) {
			var body bytes.Buffer
			if err := p.templates["en"].ExecuteTemplate(&body, "favicon.svg", map[string]any{"Colour": tint, "Fill": fills[tint]}); err != nil {
				p.send(w, r, nil, err)
				return
			}
			w.Header().Set("Content-Type", "image/svg+xml")
			p.sendForever(w, r, body.Bytes(), 24*time.Hour)
		})
	}
	mux.HandleFunc("/badge/{shop}/{file}", func(w http.ResponseWriter, r *http.Request) {
		id, svg := strings.CutSuffix(r.PathValue("file"), ".svg")
		e := p.edition()
		s := e.service(r.PathValue("shop") + "/" + id)
		if s == nil || !svg {
			p.missing(w, r)
			return
		}
		lang, chosen := languageOf(r)
		d, err := e.document(documentKey{"badge/" + s.Key(), lang, chosen}, func() (*document, error) {
			c := p.composer(e, lang, chosen)
			var body bytes.Buffer
			err := p.templates[lang].ExecuteTemplate(&body, "badge.svg", badge(c.say(s.Name), c.word(*s), colourOf(s.Status)))
			return &document{body: body.Bytes(), contentType: "image/svg+xml"}, err
		})
		p.send(w, r, d, err)
	})
}

func badge(name, word string, tint colour) badgeView {
	v := badgeView{Name: name, Word: word, Colour: tint, Fill: fills[tint], NameWidth: textWidth(name) + 12, WordWidth: textWidth(word) + 12, Height: 20}
	v.Width = v.NameWidth + v.WordWidth
	v.NameMiddle, v.WordMiddle = v.NameWidth/2, v.NameWidth+v.WordWidth/2
	return v
}

// textWidth estimates the width of text in 11 px type: Chinese characters are
// square, Latin letters about six tenths.
func textWidth(text string) int {
	tenths := 0
	for _, r := range text {
		if r >= 0x2E80 {
			tenths += 110
		} else {
			tenths += 66
		}
	}
	return (tenths + 9) / 10
}
