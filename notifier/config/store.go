package config

import (
	"fmt"
	"net/url"
	"os"
	"slices"

	"shopwatch/internal/configfile"
)

// StoreConfig says where the notifier keeps what it must not forget.
type StoreConfig struct {
	// Postgres is the URL of a PostgreSQL database; not set: SQLite in the data folder.
	Postgres configfile.Secret
	// ContactKeyFile holds the key that seals people's addresses; empty:
	// contact.key in the data folder, made at the first start.
	ContactKeyFile string
	// PreviousContactKeyFiles are keys that it replaces.
	PreviousContactKeyFiles []string
}

type storeFields struct {
	Postgres        configfile.Secret
	ContactKey      configfile.Path   `yaml:"contact_key_file"`
	PreviousContact []configfile.Path `yaml:"contact_key_previous_files"`
}

// sslModes are what libpq calls the ways to speak to PostgreSQL.
var sslModes = []string{"", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"}

func (b builder) store(path string, fields storeFields) StoreConfig {
	if fields.Postgres.IsSet() {
		b.postgres(path, fields.Postgres.Reveal())
	}
	store := StoreConfig{Postgres: fields.Postgres, ContactKeyFile: string(fields.ContactKey)}
	if file := store.ContactKeyFile; file != "" {
		// One that is missing is made at the first start.
		if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
			b.add(path, "contact_key_file", file, "a file")
		}
	}
	const previous = "contact_key_previous_files"
	for i, file := range fields.PreviousContact {
		where, name := configfile.Item(configfile.Field(path, previous), i), string(file)
		info, err := os.Stat(name)
		switch {
		case store.ContactKeyFile == "":
			b.problems.Add(where, name, "contact_key_file beside it, which names the key that replaces this one")
		case name == store.ContactKeyFile:
			b.problems.Add(where, name, "another file than contact_key_file")
		case err != nil || !info.Mode().IsRegular():
			b.problems.Add(where, name, "a file of a key that contact_key_file replaces")
		case slices.Contains(store.PreviousContactKeyFiles, name):
			b.problems.Add(where, name, "each file once")
		}
		store.PreviousContactKeyFiles = append(store.PreviousContactKeyFiles, name)
	}
	return store
}

// postgres checks the URL of a database. Whatever it is, it may hold a password.
func (b builder) postgres(path, raw string) {
	const field, example = "postgres", "postgres://user:password@host:5432/database?sslmode=verify-full, or its file in postgres_file"
	address, err := url.Parse(raw)
	switch {
	case err != nil, address.Scheme != "postgres" && address.Scheme != "postgresql", address.Host == "" && !address.Query().Has("host"):
		b.add(path, field, configfile.Phrase("no URL of PostgreSQL"), example)
	case len(address.Path) < 2:
		b.add(path, field, configfile.Phrase("a URL without a database"), example)
	case !slices.Contains(sslModes, address.Query().Get("sslmode")):
		b.add(path, field, configfile.Phrase(fmt.Sprintf("sslmode %.20q", address.Query().Get("sslmode"))), "disable, prefer, require, verify-ca or verify-full")
	}
}
