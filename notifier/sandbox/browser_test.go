package sandbox_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"shopwatch/notifier"
	"shopwatch/notifier/sandbox"
)

// browser starts Chromium, or skips where there is none.
func browser(t *testing.T) []chromedp.ExecAllocatorOption {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
				chromedp.Flag("disable-background-networking", true), chromedp.UserDataDir(t.TempDir()))
		}
	}
	if os.Getenv("SHOPWATCH_TEST_NO_SKIP") == "1" {
		t.Fatal("no Chromium is installed, and SHOPWATCH_TEST_NO_SKIP=1 lets no test skip")
	}
	t.Skip("no Chromium is installed")
	return nil
}

// measured is what the page says of itself in a browser.
type measured struct {
	Scroll, Width int
	Styled        bool // the stylesheet was let in
	Frames        int  // mails' frames that loaded
	Small         string
}

const measure = `(async () => {
	const frames = [...document.querySelectorAll("iframe")];
	const mails = () => performance.getEntriesByType("resource").filter(e => e.initiatorType === "iframe" && e.responseEnd > 0);
	frames.forEach(f => f.scrollIntoView());
	for (let tries = 0; mails().length < frames.length && tries < 100; tries++) await new Promise(done => setTimeout(done, 50));
	const touch = [...document.querySelectorAll("nav a, button, select")].filter(e => e.getBoundingClientRect().height < 40);
	return {
		Scroll: document.documentElement.scrollWidth, Width: document.documentElement.clientWidth,
		Styled: getComputedStyle(document.querySelector(".tabs")).display === "flex",
		Frames: mails().length, Small: touch.map(e => e.textContent.trim()).join(", "),
	};
})()`

// TestThePageFitsEveryScreen looks at the page in a browser. With
// SHOPWATCH_TEST_SCREENSHOTS=folder it keeps what it saw.
func TestThePageFitsEveryScreen(t *testing.T) {
	t.Parallel()
	options := browser(t)
	s := filled(t)
	long := notifier.Message{ID: "n2-r2", Text: "https://status.example/" + fmt.Sprintf("%0200d", 7) + "\n" + fmt.Sprintf("%0200d", 7)}
	long.Buttons = [][]notifier.Button{{{Text: "Acknowledge", Data: "ack:k3"}, {Text: strings.Repeat("Silence for an hour ", 4), Data: "mute:k3"}}, {{Text: "Page", URL: "https://status.example"}}}
	if err := channels(t, s)[sandbox.Telegram].Send(t.Context(), "-1001234567890:1234567890", long); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	defer stop()
	ctx, cancel := chromedp.NewContext(allocator)
	defer cancel()
	for _, language := range []string{"zh", "en"} {
		for _, width := range []int64{320, 360, 768, 1200} {
			err := chromedp.Do(ctx,
				chromedp.EmulateViewport(width, 900),
				chromedp.Navigate(server.URL+"/sandbox/?refresh=off&lang="+language),
			)
			if err != nil {
				t.Fatalf("open the page: %v", err)
			}
			got, err := chromedp.Run(ctx, chromedp.Evaluate[measured](measure, chromedp.EvalAwaitPromise))
			if err != nil {
				t.Fatalf("measure the page: %v", err)
			}
			if got.Scroll > got.Width || !got.Styled || got.Frames != 1 || got.Small != "" {
				t.Errorf("%s at %d px: %+v, want no sideways scrolling, the stylesheet, one mail and nothing too small to touch", language, width, got)
			}
			if folder := os.Getenv("SHOPWATCH_TEST_SCREENSHOTS"); folder != "" {
				picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
				if err != nil {
					t.Fatalf("screenshot: %v", err)
				}
				if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("sandbox-%s-%d.png", language, width)), picture, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
