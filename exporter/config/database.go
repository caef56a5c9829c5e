package config

import (
	"reflect"

	promconfig "github.com/prometheus/common/config"

	"shopwatch/exporter"
	"shopwatch/internal/configfile"
)

var tlsConfigType = reflect.TypeFor[promconfig.TLSConfig]()

// mostRedis is the highest number of a database that Redis can be set up with.
const mostRedis = 1<<31 - 1

// databaseFields are the words of mysql and postgres.
type databaseFields struct {
	User     string
	Password configfile.Secret
	Database string
	Query    string
	TLS      configfile.Tree
}

// SetDefaults is called before the file's values.
func (f *databaseFields) SetDefaults() { f.Query = "SELECT 1" }

func (b builder) database(path string, fields databaseFields) *exporter.Database {
	if fields.User == "" {
		b.add(path, "user", fields.User, "a user, best one that may do nothing but log in and ask the query")
	}
	if fields.Query == "" {
		b.add(path, "query", configfile.Phrase("nothing"), "a query that gives at least one row")
	}
	return &exporter.Database{
		User: fields.User, Password: fields.Password.Reveal(),
		Name: fields.Database, Query: fields.Query, TLS: b.maybeTLS(fields.TLS),
	}
}

type redisFields struct {
	User     string
	Password configfile.Secret
	Database int
	TLS      configfile.Tree
}

func (b builder) redis(path string, fields redisFields) *exporter.Redis {
	if fields.Database < 0 || fields.Database > mostRedis {
		b.add(path, "database", fields.Database, "the number of a database, 0 or more")
	}
	if fields.User != "" && !fields.Password.IsSet() {
		b.add(path, "password", fields.Password, "the user's password")
	}
	return &exporter.Redis{
		User: fields.User, Password: fields.Password.Reveal(), Database: fields.Database, TLS: b.maybeTLS(fields.TLS),
	}
}
