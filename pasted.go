package main

import (
	"os"
	"regexp"
	"strings"
)

// plainWord is one that no shell takes for more than it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// pasted is a command line that reaches the shopwatch which runs with these flags,
// at the private address that it has: it works when it is pasted into the shell
// beside.
func (f flags) pasted(private string, words ...string) string {
	said := program()
	for _, word := range words {
		said += " " + quoted(word)
	}
	for _, flag := range []struct{ name, value, usual string }{
		{"data.dir", f.dataDir, "data"},
		{"private.listen-address", private, "127.0.0.1:9816"},
		{"web.config.file", f.webConfig, ""},
		{"http.config.file", f.httpConfig, ""},
	} {
		if flag.value != flag.usual {
			said += " --" + flag.name + "=" + quoted(flag.value)
		}
	}
	return said
}

// program is how the program was called: `go run` calls a file that it builds.
func program() string {
	called := os.Args[0]
	if strings.Contains(called, "go-build") && !strings.HasSuffix(called, ".test") {
		return "go run ."
	}
	return quoted(called)
}

// quoted keeps a shell from reading anything into a word.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
