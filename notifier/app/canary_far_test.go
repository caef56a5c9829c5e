package app_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// hostile are far sides of every protocol that fail in every way, and repeat all
// that they heard.
type hostile struct {
	t     *testing.T
	calls atomic.Int64
	kinds sync.Map // of calls, by the first part of their paths
	mu    sync.Mutex
	heard []string
	asked int // for updates
}

func (h *hostile) note(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard = append(h.heard, text)
}

// told is all that was said to the far sides with a word in it.
func (h *hostile) told(word string) (list []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, one := range h.heard {
		if strings.Contains(one, word) {
			list = append(list, one)
		}
	}
	return list
}

func (h *hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := httputil.DumpRequest(r, true)
	heard, _ := url.QueryUnescape(string(raw))
	method := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	switch method {
	case "getMe":
		io.WriteString(w, `{"ok":true,"result":{"id":777000111,"is_bot":true,"username":"canary_bot"}}`)
		return
	case "getUpdates":
		h.updates(w, r)
		return
	}
	h.note(heard)
	says := func(status int, body any) {
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(body)
	}
	told := string(raw) + " " + heard
	refuse := func(status int, words string) {
		says(status, map[string]any{"ok": false, "error_code": status, "description": words + told, "errcode": status, "errmsg": words + told, "code": status, "msg": words + told, "result": words + told})
	}
	kind, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	calls, _ := h.kinds.LoadOrStore(kind, new(atomic.Int64))
	switch calls.(*atomic.Int64).Add(1) % 12 {
	case 0:
		refuse(400, "Bad Request: can't parse entities: ")
	case 1:
		refuse(403, "Forbidden: bot was blocked by the user ")
	case 2:
		says(429, map[string]any{"ok": false, "error_code": 429, "description": told, "parameters": map[string]any{"retry_after": 1}})
	case 3:
		w.WriteHeader(http.StatusBadGateway)
		io.WriteString(w, told)
	case 4:
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			conn.Write(raw) // no HTTP at all
			conn.Close()
		}
	case 5:
		panic(http.ErrAbortHandler)
	case 6:
		w.Header().Set("Location", "http://127.0.0.1:1/"+url.QueryEscape(told))
		w.WriteHeader(http.StatusFound)
	case 7:
		refuse(401, "Unauthorized ")
	case 8:
		says(400, map[string]any{"ok": false, "error_code": 400, "description": told, "parameters": map[string]any{"migrate_to_chat_id": -100987650009}})
	case 9:
		refuse(200, "")
	case 10:
		refuse(404, "Not Found ")
	case 11:
		io.WriteString(w, told)
	}
}

// updates are what somebody says to the bot: to sign up, and to act without being asked.
func (h *hostile) updates(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.asked++
	n := h.asked
	h.mu.Unlock()
	if n > 6 {
		select {
		case <-r.Context().Done():
		case <-time.After(300 * time.Millisecond):
		}
		io.WriteString(w, `{"ok":true,"result":[]}`)
		return
	}
	text := []string{"/start", "/services", "/ack hunter", "/stop", "/start", "/help"}[n-1]
	fmt.Fprintf(w, `{"ok":true,"result":[{"update_id":%d,"message":{"message_id":1,"date":1,"from":{"id":%d,"first_name":"hunterName"},"chat":{"id":%d,"type":"private"},"text":%q}}]}`,
		n, canaryReader, canaryReader, text)
}

// mail answers SMTP, and refuses with all that it heard.
func (h *hostile) mail(conn net.Conn) {
	defer conn.Close()
	fmt.Fprint(conn, "220 echo ESMTP\r\n")
	lines := bufio.NewReader(conn)
	var all strings.Builder
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		all.WriteString(strings.TrimSpace(line) + " ")
		n := h.calls.Add(1)
		verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
		switch {
		case verb == "EHLO":
			fmt.Fprint(conn, "250-echo\r\n250-SMTPUTF8\r\n250 AUTH PLAIN\r\n")
		case verb == "AUTH" && n%7 == 0:
			fmt.Fprintf(conn, "535 5.7.8 %s\r\n", all.String())
		case verb == "AUTH":
			fmt.Fprint(conn, "235 ok\r\n")
		case verb == "RCPT":
			switch n % 5 {
			case 0:
				fmt.Fprintf(conn, "550 5.1.1 %s\r\n", all.String())
			case 1:
				fmt.Fprintf(conn, "451 4.7.1 %s\r\n", all.String())
			case 2:
				fmt.Fprintf(conn, "552 %s\r\n", all.String())
			case 3:
				return
			default:
				fmt.Fprint(conn, "250 ok\r\n")
			}
		case verb == "DATA":
			fmt.Fprint(conn, "354 go\r\n")
			var letter strings.Builder
			for line != ".\r\n" {
				if line, err = lines.ReadString('\n'); err != nil {
					return
				}
				letter.WriteString(line)
			}
			h.note("to " + all.String() + "\n" + decoded(letter.String()))
			if n%2 == 0 {
				fmt.Fprintf(conn, "554 5.6.0 %s %.300s\r\n", all.String(), strings.Join(strings.Fields(letter.String()), " "))
				continue
			}
			fmt.Fprint(conn, "250 ok\r\n")
		case verb == "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			fmt.Fprint(conn, "250 ok\r\n")
		}
	}
}

var base64Lines = regexp.MustCompile(`(?m)(?:^[A-Za-z0-9+/=]{4,76}\r?\n)+`)

// decoded is a mail with its parts readable.
func decoded(letter string) string {
	plain := base64Lines.ReplaceAllStringFunc(letter, func(block string) string {
		text, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(block), ""))
		if err != nil {
			return block
		}
		return string(text)
	})
	return strings.NewReplacer("=\r\n", "", "=3D", "=").Replace(plain)
}

// journal is a log that may be written and read at once.
type journal struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.String()
}
