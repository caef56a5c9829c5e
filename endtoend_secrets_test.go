package main_test

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// secretOfAll is what every secret of testdata/secrets.yml begins with.
const secretOfAll = "s3cret-0f-all"

// talker greets, and answers whatever it hears with what reply makes of it; over
// TLS where there is a configuration.
func talker(t *testing.T, secure *tls.Config, greeting string, reply func(heard string) string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, err := io.WriteString(conn, greeting)
				for buffer := make([]byte, 4096); err == nil; {
					var n int
					if n, err = conn.Read(buffer); n > 0 {
						_, err = io.WriteString(conn, reply(string(buffer[:n])))
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func TestNoSecretIsToldByServersThatRepeatIt(t *testing.T) {
	t.Parallel()
	for _, told := range []string{"detail=" + secretOfAll + "-page", "Basic " + base64.StdEncoding.EncodeToString([]byte("watch:"+secretOfAll+"-basic"))} {
		if toldIn(told) == "" {
			t.Fatalf("nobody would notice %s", told)
		}
	}
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heard, err := httputil.DumpRequest(r, true)
		if err != nil {
			t.Error(err)
		}
		if r.URL.Path == "/away" { // to nowhere, with what it was told
			w.Header().Set("Location", "http://127.0.0.1:1/?"+url.QueryEscape(r.Header.Get("Authorization")))
			w.WriteHeader(http.StatusFound)
			return
		}
		w.Header().Set("X-Heard", r.Header.Get("Authorization"))
		w.Write(heard)
	}))
	t.Cleanup(echo.Close)
	const greeting = "220 echo ESMTP\r\n"
	refuse := func(heard string) string {
		if strings.HasPrefix(heard, "EHLO") {
			return "250-echo\r\n250 AUTH PLAIN LOGIN\r\n"
		}
		return "535 5.7.8 " + strings.TrimSpace(heard) + "\r\n"
	}
	sample := httptest.NewTLSServer(nil)
	sample.Close()
	talk, mail := talker(t, nil, greeting, refuse), talker(t, &tls.Config{Certificates: sample.TLS.Certificates}, greeting, refuse)
	redis := talker(t, nil, "", func(heard string) string {
		return "-WRONGPASS " + strings.NewReplacer("\r", " ", "\n", " ").Replace(heard) + "\r\n"
	})
	silent := talker(t, nil, "", func(heard string) string { return heard })
	m := measure(t, settle(t, "testdata/secrets.yml", "testdata/secrets.blackbox.yml"),
		"S="+secretOfAll, "ECHO_URL="+echo.URL, "TALK="+talk, "MAIL="+mail, "REDIS="+redis, "SILENT="+silent)
	var services []struct{ Service string }
	eventually(t, "every service was looked at", func() error {
		if err := decode(m.private+"/looks?format=json", &services); err != nil {
			return err
		}
		for _, s := range services {
			if len(looksAt(t, m.private, s.Service).Looks) == 0 {
				return fmt.Errorf("%s is not looked at", s.Service)
			}
		}
		return nil
	}, m.process)
	if len(services) != 15 {
		t.Errorf("%d services, want 15", len(services))
	}

	answers(t, http.StatusOK, http.MethodGet, m.private+"/push/"+secretOfAll+"-worker/fail?msg=late", "")
	answers(t, http.StatusForbidden, http.MethodGet, m.private+"/probe?target=http://192.0.2.1/&module=office", "", "Authorization", "Bearer "+secretOfAll+"-probe-token")
	pages := map[string]string{}
	see := func(path string, header ...string) {
		t.Helper()
		pages[path] = answers(t, http.StatusOK, http.MethodGet, m.private+path, "", header...)
	}
	see("/metrics")
	see("/looks")
	see("/looks?format=json")
	for _, s := range services {
		see("/looks/kiosk/" + s.Service)
		see("/looks/kiosk/" + s.Service + "?format=json")
	}
	for module, target := range map[string]string{
		"office": echo.URL, "bearer": echo.URL, "inline": echo.URL, "talk": talk, "database": talk, "http_2xx": echo.URL + "/away",
	} {
		see("/probe?debug=true&module=" + module + "&target=" + url.QueryEscape(target))
		see("/probe?module=" + module + "&target=" + url.QueryEscape(target))
	}
	for file := range map[string]bool{"services.json": true, "pushes.json": true} {
		eventually(t, file+" is written", func() error {
			content, err := os.ReadFile(filepath.Join(m.dir, "data", file))
			pages[file] = string(content)
			return err
		}, m.process)
	}
	m.stop(t)
	pages["standard output"], pages["standard error"] = m.stdout.String(), m.stderr.String()
	for where, text := range pages {
		if at := toldIn(text); at != "" {
			t.Errorf("%s tells a secret: %s", where, at)
		}
	}
}

// inBase64 matches what may be an encoded login.
var inBase64 = regexp.MustCompile(`[A-Za-z0-9+/_-]{16,}`)

// toldIn finds a secret, plain or as logins are encoded, and gives what stands around it.
func toldIn(text string) string {
	around := func(at int) string { return text[max(0, at-200):min(len(text), at+100)] }
	if at := strings.Index(text, secretOfAll); at >= 0 {
		return around(at)
	}
	for _, place := range inBase64.FindAllStringIndex(text, -1) {
		word := text[place[0]:place[1]]
		for shift := range 4 { // wherever the word began
			word := word[min(shift, len(word)):]
			decoded, _ := base64.RawStdEncoding.DecodeString(word[:len(word)/4*4])
			if strings.Contains(string(decoded), secretOfAll) {
				return around(place[0])
			}
		}
	}
	return ""
}
