package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path"
	"strings"

	"shopwatch/exporter"
)

// identity says which book a ledger names, without saying its name: two ledgers
// of one identity are read from the same tables, whichever host, account or
// folder they are reached by, and their moments mean the same. That the rows are
// the same too, turnedBack looks after.
func identity(l exporter.Ledger) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{l.Software, database(l.DSN), l.Prefix, l.Zone.String()}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// database is the name of the database, or of its file, in a data source name.
func database(dsn string) string {
	if strings.Contains(dsn, "://") {
		u, err := url.Parse(dsn)
		if err != nil {
			return ""
		}
		return strings.Trim(u.Path, "/")
	}
	if place := strings.LastIndex(dsn, ")/"); place >= 0 { // user:password@tcp(host)/database?…
		name, _, _ := strings.Cut(dsn[place+2:], "?")
		return name
	}
	return path.Base(strings.ReplaceAll(dsn, `\`, "/"))
}
