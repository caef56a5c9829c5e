package subscription_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"golang.org/x/net/html"

	"shopwatch/notifier"
)

var update = flag.Bool("update", false, "write what the pages say to testdata")

// looks are the pages in every state, by name: what a person at them sees.
func looks(s *site) map[string]func(lang string) string {
	s.Helper()
	sub := s.confirmed("mary@qq.com")
	s.service.Change(s.Context(), sub.ID, "page", func(sub *notifier.Subscriber) {
		sub.Wants = notifier.Wants{Services: []string{"main/alipay", "main/away"}, Least: notifier.ImpactMajor, Quiet: notifier.Quiet{From: 1380, To: 450}}
	})
	s.signUp("li@qq.com")
	pending := s.row("email", "li@qq.com")
	confirm, _ := s.links(s).Confirm(pending.Recipient)
	code, _ := url.Parse(s.signUp("13800138000").Header().Get("Location"))
	bare := func(link string) string { return strings.Split(path(link), "?")[0] }
	manage, leave := bare(s.links(s).Manage(sub.Recipient)), bare(s.links(s).Leave(sub.Recipient))
	get := func(path string) func(string) string {
		return func(lang string) string {
			joint := "?"
			if strings.Contains(path, "?") {
				joint = "&"
			}
			return s.get(path + joint + "lang=" + lang)
		}
	}
	post := func(path string, form url.Values) func(string) string {
		return func(lang string) string {
			return s.do(http.MethodPost, path+"?lang="+lang, form).Body.String()
		}
	}
	return map[string]func(string) string{
		"form": get("/subscribe"), "sent": get("/subscribe/sent"), "wayback": get("/subscribe/manage"),
		"form-mistakes": post("/subscribe", url.Values{"address": {"li"}, "scope": {"some"}, "from": {"23:00"}, "severity": {"major"}}),
		"code":          get("/subscribe/code?t=" + url.QueryEscape(code.Query().Get("t"))),
		"code-wrong":    post("/subscribe/code", url.Values{"t": code.Query()["t"], "code": {"12345x"}}),
		"confirm":       get(bare(confirm)), "void": get("/subscribe/confirm/used"),
		"manage": get(manage + "?said=confirmed"), "manage-mistakes": post(manage, url.Values{"scope": {"some"}}),
		"leave": get(leave), "left": get("/subscribe/left"), "erase": get(manage + "/erase"), "erased": get("/subscribe/erased"), "missing": get("/subscribe/nowhere"),
	}
}

// outline is what a page says, line by line, with what can be filled in.
func outline(t *testing.T, body string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		attribute := map[string]string{}
		for _, a := range n.Attr {
			attribute[a.Key] = a.Val
		}
		switch {
		case n.Type == html.TextNode && strings.TrimSpace(n.Data) != "":
			fmt.Fprintf(&out, "%s: %s\n", n.Parent.Data, strings.Join(strings.Fields(n.Data), " "))
		case n.Data == "input" && attribute["type"] != "hidden":
			_, checked := attribute["checked"]
			fmt.Fprintf(&out, "input %s %s=%q checked=%t\n", attribute["type"], attribute["name"], attribute["value"], checked)
		case n.Data == "form":
			fmt.Fprintf(&out, "form %s\n", attribute["method"])
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(root)
	return out.String()
}

func TestEveryPageSaysWhatItSaid(t *testing.T) {
	t.Parallel()
	chinese := regexp.MustCompile(`\p{Han}`)
	for name, look := range looks(newSite(t, nil)) {
		for _, lang := range []string{"zh", "en"} {
			body := look(lang)
			got := outline(t, body)
			file := filepath.Join("testdata", name+"."+lang+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v: run go test -update", err)
			}
			if got != string(want) {
				t.Errorf("%s says other words than %s; run go test -update and read the difference. It says\n%s", name, file, got)
			}
			if said := strings.NewReplacer("中文", "").Replace(got); lang == "en" && chinese.MatchString(said) {
				t.Errorf("the English page %s has Chinese words:\n%s", name, said)
			}
			if strings.Count(body, "<h1") != 1 || regexp.MustCompile(`<script|<style|\sstyle=|\son[a-z]+=|ZgotmplZ|%!`).MatchString(body) {
				t.Errorf("%s is no whole page: %s", name, body)
			}
		}
	}
}

// browser starts Chromium, or skips where there is none.
func browser(t *testing.T) context.Context {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			allocator, stop := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
				chromedp.Flag("disable-background-networking", true), chromedp.UserDataDir(t.TempDir()))...)
			t.Cleanup(stop)
			ctx, cancel := chromedp.NewContext(allocator)
			t.Cleanup(cancel)
			return ctx
		}
	}
	if os.Getenv("SHOPWATCH_TEST_NO_SKIP") == "1" {
		t.Fatal("no Chromium is installed, and SHOPWATCH_TEST_NO_SKIP=1 lets no test skip")
	}
	t.Skip("no Chromium is installed")
	return nil
}

// measured is what a page says of itself in a browser.
type measured struct {
	Scroll, Width int
	Styled        bool   // both style sheets were let in
	Small         string // what is too small for a thumb
	Trap          bool   // the field for programs can be seen
}

const measure = `(() => {
	const touch = [...document.querySelectorAll("main button, main label[for^=scope], main label[for^=service], main label[for^=severity], main input[type=text], main input[type=time]")];
	const trap = document.querySelector(".trap");
	return {
		Scroll: document.documentElement.scrollWidth, Width: document.documentElement.clientWidth,
		Styled: [...document.styleSheets].length === 2 && getComputedStyle(document.body).marginTop === "0px",
		Small: touch.filter(e => e.getClientRects().length && e.getBoundingClientRect().height < 40).map(e => e.outerHTML).join(", "),
		Trap: !!trap && trap.getBoundingClientRect().right > 0,
	};
})()`

// TestEveryPageFitsEveryScreen looks at the pages in a browser. With
// SHOPWATCH_TEST_SCREENSHOTS=folder it keeps what it saw.
func TestEveryPageFitsEveryScreen(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	s := newSite(t, nil)
	pages := looks(s)
	mux := http.NewServeMux()
	mux.Handle("/subscribe/", s.handler)
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "../statuspage/static/style.css") })
	mux.HandleFunc("GET /look/{name}/{lang}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, pages[r.PathValue("name")](r.PathValue("lang")))
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	for name := range pages {
		for _, lang := range []string{"zh", "en"} {
			for _, width := range []int64{360, 1200} {
				if width > 360 && (lang == "en" || name != "form-mistakes" && name != "manage") {
					continue // the others hold less
				}
				if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 800), chromedp.Navigate(server.URL+"/look/"+name+"/"+lang)); err != nil {
					t.Fatalf("open %s: %v", name, err)
				}
				got, err := chromedp.Run(ctx, chromedp.Evaluate[measured](measure))
				if err != nil {
					t.Fatalf("measure %s: %v", name, err)
				}
				if got.Scroll > got.Width || !got.Styled || got.Small != "" || got.Trap {
					t.Errorf("%s %s at %d px: %+v, want no sideways scrolling, the style sheets, nothing too small to touch, and no trap", name, lang, width, got)
				}
				if folder := os.Getenv("SHOPWATCH_TEST_SCREENSHOTS"); folder != "" {
					picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(90))
					if err != nil {
						t.Fatalf("screenshot: %v", err)
					}
					if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%s-%d.jpg", name, lang, width)), picture, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
}
