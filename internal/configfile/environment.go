package configfile

import (
	"fmt"
	"regexp"
	"strings"
)

// expansion matches ${NAME}, anything else that begins like one, and the $${ that writes a plain ${.
var expansion = regexp.MustCompile(`\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*|[0-9]+)\}|\$\{`)

// expand replaces each ${NAME} by the variable of the environment. Nothing else
// has a meaning: $NAME, ${NAME:-default} and $(…) are not ours, so that a
// password with a dollar stays what it is. What comes in is not expanded again.
// A ${name} that keep claims stays; keep may be nil.
// The trouble is empty, or says what is wrong without showing a value.
func expand(text string, env Lookup, keep func(name string) bool) (expanded, got, want string) {
	expanded = expansion.ReplaceAllStringFunc(text, func(match string) string {
		if match == "$${" {
			return "${"
		}
		name := strings.TrimSuffix(strings.TrimPrefix(match, "${"), "}")
		if name != "" && keep != nil && keep(name) {
			return match
		}
		if name == "" || name[0] <= '9' {
			got, want = "a ${ without a name and }", "${NAME}, or $${ for the signs themselves"
			return ""
		}
		value, set := env(name)
		if !set {
			got, want = fmt.Sprintf("${%s}, which is not set", clip(name)), "the variable in the environment"
		}
		return value
	})
	return expanded, got, want
}
