package statuspage_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
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

// measured is what a page says of itself in a browser.
type measured struct {
	Scroll, Width int
	Styled        bool // the stylesheet was let in
}

const measure = `({
	Scroll: document.documentElement.scrollWidth, Width: document.documentElement.clientWidth,
	Styled: getComputedStyle(document.querySelector(".top")).display === "flex",
})`

// TestEveryStateFitsASmallPhone looks at every story in a browser, in English,
// whose words are the longer ones. With SHOPWATCH_TEST_SCREENSHOTS=folder it looks
// in both languages, on wider screens too, and keeps what it saw.
func TestEveryStateFitsASmallPhone(t *testing.T) {
	t.Parallel()
	options := browser(t)
	s, stories := storybook(t)
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	defer stop()
	ctx, cancel := chromedp.NewContext(allocator)
	defer cancel()
	widths, languages, folder := []int64{320}, []string{"en"}, os.Getenv("SHOPWATCH_TEST_SCREENSHOTS")
	if folder != "" {
		widths, languages = []int64{320, 360, 1000}, []string{"zh", "en"}
	}
	for _, width := range widths {
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 800)); err != nil {
			t.Fatalf("set the width: %v", err)
		}
		for _, path := range stories {
			for _, lang := range languages {
				if err := chromedp.Do(ctx, chromedp.Navigate(s.url+path+"?lang="+lang)); err != nil {
					t.Fatalf("open %s: %v", path, err)
				}
				got, err := chromedp.Run(ctx, chromedp.Evaluate[measured](measure))
				if err != nil {
					t.Fatalf("measure %s: %v", path, err)
				}
				if got.Scroll > got.Width || !got.Styled {
					t.Errorf("%s in %s at %d px: %+v, want the stylesheet and no sideways scrolling", path, lang, width, got)
				}
				if folder == "" {
					continue
				}
				picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
				if err != nil {
					t.Fatalf("screenshot of %s: %v", path, err)
				}
				if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("page-%s-%s-%d.png", filepath.Base(path), lang, width)), picture, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
