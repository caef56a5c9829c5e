package ledger

import "strings"

const maxProblem = 1000 // bytes

// problem is an error as the owner may read it: one line of bounded length
// without the data source name or its password. Drivers don't quote them; this
// is the net under that promise.
func problem(err error, dsn string) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if dsn != "" {
		text = strings.ReplaceAll(text, dsn, "[dsn]")
	}
	if secret := password(dsn); secret != "" {
		text = strings.ReplaceAll(text, secret, "[password]")
	}
	if len(text) > maxProblem {
		text = strings.ToValidUTF8(text[:maxProblem], "") + "…"
	}
	return text
}

// password is what stands between the user and the host of user:password@host,
// also behind a scheme://.
func password(dsn string) string {
	if _, rest, found := strings.Cut(dsn, "://"); found {
		dsn = rest
	}
	end := strings.LastIndex(dsn, "@")
	if end < 0 {
		return ""
	}
	_, secret, _ := strings.Cut(dsn[:end], ":")
	return secret
}
