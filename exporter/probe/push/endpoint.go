package push

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// Prefix is where the endpoint's paths begin: /push/<token>.
	Prefix = "/push/"
	// maxPath bounds a path that is looked at.
	maxPath = 512
	// maxBody bounds what is read of a call's body.
	maxBody = 10_000
	// maxMessage is how many characters of a message are kept.
	maxMessage = 200
)

// ServeHTTP answers a call, GET, HEAD or POST:
//
//	/push/<token>           all is well; with ?status=down it isn't (Uptime Kuma's push)
//	/push/<token>/fail      it isn't (healthchecks.io)
//	/push/<token>/<number>  an exit status: 0 is well, 1 to 255 is not
//	/push/<token>/start     a run has begun, which says nothing yet
//
// A message for the owner is the query's msg, or the body's beginning. The
// answer to a call that was heard is 200 "ok", to any other 404, or 405 for
// another method.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	headers := w.Header()
	headers.Set("Content-Type", "text/plain; charset=utf-8")
	headers.Set("Cache-Control", "no-store")
	headers.Set("X-Content-Type-Options", "nosniff")
	switch request.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		headers.Set("Allow", "GET, HEAD, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
		io.WriteString(w, "method not allowed\n")
		return
	}
	token, what, ok := parse(request.URL.Path)
	if !ok || !r.heard(token, what, request) {
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "not found\n")
		return
	}
	io.WriteString(w, "ok\n")
}

// heard gives a call to the Receiver.
func (r *Receiver) heard(token string, what call, request *http.Request) bool {
	query := request.URL.Query()
	if what == good && strings.EqualFold(query.Get("status"), "down") {
		what = bad
	}
	return r.hear(token, what, func() string {
		if text := query.Get("msg"); text != "" || request.Body == nil {
			return clean(text)
		}
		// What can't be read is not said; the call counts all the same.
		body, _ := io.ReadAll(io.LimitReader(request.Body, maxBody))
		return clean(string(body))
	})
}

// parse takes a path apart.
func parse(path string) (token string, what call, ok bool) {
	rest, ok := strings.CutPrefix(path, Prefix)
	if !ok || len(path) > maxPath {
		return "", good, false
	}
	token, suffix, _ := strings.Cut(rest, "/")
	if token == "" {
		return "", good, false
	}
	switch suffix {
	case "":
		return token, good, true
	case "fail":
		return token, bad, true
	case "start":
		return token, begun, true
	}
	code, err := strconv.ParseUint(suffix, 10, 8)
	switch {
	case err != nil:
		return "", good, false
	case code == 0:
		return token, good, true
	}
	return token, bad, true
}

// clean makes a message one printable line of at most maxMessage characters.
// The beginning of a text is enough for it, however long the text is.
func clean(text string) string {
	text = text[:min(len(text), maxBody)]
	var line strings.Builder
	gap, count := false, 0
	for _, char := range text {
		if char == utf8.RuneError || unicode.IsSpace(char) || !unicode.IsPrint(char) {
			gap = count > 0
			continue
		}
		if gap {
			line.WriteByte(' ')
			gap, count = false, count+1
		}
		if count >= maxMessage-1 {
			line.WriteString("…")
			break
		}
		line.WriteRune(char)
		count++
	}
	return line.String()
}
