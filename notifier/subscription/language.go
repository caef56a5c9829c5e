package subscription

import (
	"fmt"
	"html/template"
	"net/http"

	"golang.org/x/text/language"

	"shopwatch/notifier"
)

// tags are the values of attribute lang.
var tags = map[notifier.Language]string{notifier.Chinese: "zh-CN", notifier.English: "en"}

// known are the languages of the house as browsers name them; Chinese is first
// and so the answer for browsers that name none.
var known = language.NewMatcher([]language.Tag{language.Chinese, language.English})

// maxLanguage bounds Accept-Language.
const maxLanguage = 256

// chosen is the language that the address says, "" where it says none.
func chosen(r *http.Request) notifier.Language {
	if lang := notifier.Language(r.URL.Query().Get("lang")); tags[lang] != "" {
		return lang
	}
	return ""
}

// languageOf is the reader's: what the address says, else what the browser
// prefers, else Chinese; as the status page decides.
func languageOf(r *http.Request) notifier.Language {
	if lang := chosen(r); lang != "" {
		return lang
	}
	header := r.Header.Get("Accept-Language")
	if len(header) > maxLanguage {
		header = ""
	}
	wanted, _, err := language.ParseAcceptLanguage(header)
	if err != nil || len(wanted) == 0 {
		return notifier.Chinese
	}
	if _, index, confidence := known.Match(wanted...); index == 0 && confidence != language.No {
		return notifier.Chinese
	}
	return notifier.English
}

// inLanguage keeps the language that the reader chose in an address of ours.
func inLanguage(r *http.Request, path string) string {
	if lang := chosen(r); lang != "" {
		return path + "?lang=" + string(lang)
	}
	return path
}

// loadTemplates parses every template once a language.
func loadTemplates() (map[notifier.Language]*template.Template, error) {
	sets := make(map[notifier.Language]*template.Template)
	for lang := range tags {
		set, err := template.New("").Funcs(template.FuncMap{
			"say": func(key string) (string, error) {
				words, known := labels[key]
				if !known {
					return "", fmt.Errorf("no words for %q", key)
				}
				return words.In(string(lang)), nil
			},
		}).ParseFS(files, "templates/*.html")
		if err != nil {
			return nil, err
		}
		sets[lang] = set
	}
	return sets, nil
}
