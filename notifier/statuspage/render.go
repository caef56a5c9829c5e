package statuspage

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"sync"
	"time"

	"shopwatch/rules"
)

//go:embed templates static
var files embed.FS

// tags are the values of attribute lang.
var tags = map[string]string{"zh": "zh-CN", "en": "en"}

// document is one answer, ready to be sent.
type document struct {
	body        []byte
	contentType string
	etag        string
	modified    time.Time // zero: none is said
	status      int       // 0 is 200
}

// documentKey names a document of one edition. Addresses come from a bounded
// set (pages, feeds, and ids that the edition holds), so the cache is bounded.
type documentKey struct {
	address string
	lang    string
	chosen  bool
}

// document renders once an edition, however many ask at once.
func (e *edition) document(key documentKey, render func() (*document, error)) (*document, error) {
	once, _ := e.documents.LoadOrStore(key, sync.OnceValues(func() (*document, error) {
		d, err := render()
		if err != nil {
			return nil, err
		}
		d.etag = etagOf(d.body)
		return d, nil
	}))
	return once.(func() (*document, error))()
}

func etagOf(body []byte) string { return `"` + digest(body) + `"` }

// digest is 16 hex digits that name content.
func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:8])
}

// loadTemplates parses every template once a language.
func loadTemplates() (map[string]*template.Template, error) {
	sets := make(map[string]*template.Template)
	for lang := range tags {
		set, err := template.New("").Funcs(template.FuncMap{
			"say": func(key string) (string, error) {
				words, known := labels[key]
				if !known {
					return "", fmt.Errorf("no words for %q", key)
				}
				return words.In(lang), nil
			},
		}).ParseFS(files, "templates/*.html")
		if err != nil {
			return nil, err
		}
		sets[lang] = set
	}
	return sets, nil
}

// html executes a template into a buffer.
func (p *Page) html(lang, name string, page any) (*document, error) {
	var body bytes.Buffer
	if err := p.templates[lang].ExecuteTemplate(&body, name, page); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return &document{body: body.Bytes(), contentType: "text/html; charset=utf-8"}, nil
}

// asset is a file that never changes under its name.
type asset struct {
	path string
	body []byte
}

func loadStylesheet() (asset, error) {
	body, err := files.ReadFile("static/style.css")
	if err != nil {
		return asset{}, err
	}
	return asset{path: "/style." + digest(body) + ".css", body: body}, nil
}

// languageOf is the reader's: what the link says, else what the browser prefers,
// else Chinese. The second result tells that the link said so.
func languageOf(r *http.Request) (string, bool) {
	if lang := r.URL.Query().Get("lang"); tags[lang] != "" {
		return lang, true
	}
	return preferred(r.Header.Get("Accept-Language")), false
}

// page serves one HTML page of an edition.
func (p *Page) page(w http.ResponseWriter, r *http.Request, e *edition, address, name string, compose func(composer) any) {
	lang, chosen := languageOf(r)
	d, err := e.document(documentKey{address, lang, chosen}, func() (*document, error) {
		return p.html(lang, name, compose(p.composer(e, lang, chosen)))
	})
	p.send(w, r, d, err)
}

// missing serves the page for an address that has none.
func (p *Page) missing(w http.ResponseWriter, r *http.Request) {
	lang, chosen := languageOf(r)
	e := p.edition()
	d, err := e.document(documentKey{"missing", lang, chosen}, func() (*document, error) {
		d, err := p.html(lang, "missing.html", p.composer(e, lang, chosen).missing())
		if d != nil {
			d.status = http.StatusNotFound
		}
		return d, err
	})
	p.send(w, r, d, err)
}

// send answers with a document, or 304 if the reader has it.
func (p *Page) send(w http.ResponseWriter, r *http.Request, d *document, err error) {
	if err != nil {
		p.config.Logger.Error("status page could not be rendered", "path", r.URL.Path, "err", err)
		http.Error(w, rules.Text{ZH: "出错了，请稍后再试。", EN: "Something went wrong, please try again."}.In(preferred(r.Header.Get("Accept-Language"))), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", d.contentType)
	h.Add("Vary", "Accept-Language")
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", p.maxAge()))
	if d.status != 0 {
		w.WriteHeader(d.status)
		if r.Method != http.MethodHead {
			_, _ = w.Write(d.body) // the reader is gone: nobody is left to tell
		}
		return
	}
	h.Set("ETag", d.etag)
	http.ServeContent(w, r, "", d.modified, bytes.NewReader(d.body))
}

// maxAge is for how many seconds a cache may keep a page: less than a refresh, never long.
func (p *Page) maxAge() int { return min(max(int(p.config.Refresh/time.Second)/3, 1), 5) }
