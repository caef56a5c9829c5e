package statuspage_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"shopwatch/notifier/statuspage"
)

var update = flag.Bool("update", false, "write what the pages say to testdata")

// storybook is a demo page and the addresses of its stories.
func storybook(t *testing.T) (*site, []string) {
	t.Helper()
	s := newSite(t, func(c *statuspage.Config) { c.Demo = new(statuspage.Demo) })
	var stories []string
	for _, link := range regexp.MustCompile(`href="(/storybook/[a-z-]+)"`).FindAllStringSubmatch(s.get("/storybook"), -1) {
		if path := link[1]; path != "/storybook" {
			stories = append(stories, path)
		}
	}
	if len(stories) < 20 {
		t.Fatalf("the storybook tells %d stories, want all 20", len(stories))
	}
	return s, stories
}

func TestEveryStateSaysWhatItSaid(t *testing.T) {
	t.Parallel()
	s, stories := storybook(t)
	for _, path := range stories {
		for _, lang := range []string{"zh", "en"} {
			name := filepath.Base(path) + "." + lang + ".txt"
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				got := strings.Join(outline(t, s.get(path+"?lang="+lang)), "\n") + "\n"
				file := filepath.Join("testdata", name)
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
					t.Errorf("the page says other words than %s; run go test -update and read the difference. It says\n%s", file, got)
				}
			})
		}
	}
}

func TestEveryStateIsAWholePage(t *testing.T) {
	t.Parallel()
	s, stories := storybook(t)
	chinese := regexp.MustCompile(`\p{Han}`)
	outside := regexp.MustCompile(`(?:href|src|srcset|action|data)="(?:[a-z]+:|//)|url\(|@import`)
	inline := regexp.MustCompile(`<script|<style|\sstyle=|\son[a-z]+=`)
	service := regexp.MustCompile(`<li class="component ([a-z]+)">(?s:.*?)</li>`)
	for _, path := range stories {
		for lang, tag := range map[string]string{"zh": "zh-CN", "en": "en"} {
			t.Run(path+" "+lang, func(t *testing.T) {
				t.Parallel()
				body := s.get(path + "?lang=" + lang)
				for _, want := range []string{`<html lang="` + tag + `">`, "<main>", "</main>", `<header class="top">`, `<footer class="foot">`, "<nav aria-label=", `name="viewport"`, "UTC&#43;8"} {
					if strings.Count(body, want) != 1 {
						t.Errorf("the page has %q %d times, want once", want, strings.Count(body, want))
					}
				}
				headings(t, body)
				if found := outside.FindString(body); found != "" {
					t.Errorf("the page refers to another site: %q", found)
				}
				if found := inline.FindString(body); found != "" {
					t.Errorf("the page has inline code, which its policy forbids: %q", found)
				}
				if strings.Contains(body, "%!") || strings.Contains(body, "ZgotmplZ") || strings.Contains(body, "0001") {
					t.Error("the page shows a hole where a word or a time should be")
				}
				if strings.Contains(body, `http-equiv="refresh"`) {
					t.Error("a story doesn't stand still")
				}
				for _, c := range service.FindAllStringSubmatch(body, -1) {
					if !strings.Contains(c[0], `<svg class="icon `+c[1]+`"`) || !regexp.MustCompile(`</svg> [^<\s]`).MatchString(c[0]) {
						t.Errorf("a service has a colour without a shape and a word: %.300s", c[0])
					}
				}
				if lang == "en" {
					said := strings.Join(outline(t, body), "\n")
					if rest := strings.Replace(said, "中文", "", 1); chinese.MatchString(rest) {
						t.Errorf("the English page has Chinese words:\n%s", rest)
					}
				}
			})
		}
	}
}

// headings must begin with one h1 and never skip a level.
func headings(t *testing.T, body string) {
	t.Helper()
	level := byte('0')
	for _, line := range outline(t, body) {
		if line[0] != 'h' || line[2] != ' ' {
			continue
		}
		if line[1] > level+1 || line[1] == '1' && level != '0' {
			t.Errorf("heading %q follows one of level %c", line, level)
		}
		level = line[1]
	}
	if level == '0' {
		t.Error("the page has no heading")
	}
}
