// Package config reads the exporter's half of shopwatch.yml: section
// `exporter`, the shops with their services and books, and section
// `escalation`, which the telling half reads for itself.
//
// Everything is validated and every mistake is reported at once, with its line,
// so that whoever gets a Config needs to doubt nothing in it. The room opens no
// connection: whether a host answers and a password is right is for the looks
// to find out. It never reads the notifier's section, so this process needs
// none of its secrets; those that it holds, of data sources and modules, stand
// in no mistake and no printed Config.
//
// Modules of blackbox_exporter are read by blackbox_exporter's own types, so that
// their meaning and their defaults are its own; this room only explains what
// they refuse, and says at start what else would first be found by a look. In a
// file of module_files all is as there: no environment, and relative paths start
// at the working directory. What stands in shopwatch.yml itself is as everywhere
// in it: ${NAME} is of the environment, and relative paths start at its folder.
package config

import (
	"fmt"
	"log/slog"
	"slices"

	// Zones of shops are known also where the system has no zone files.
	_ "time/tzdata"

	"shopwatch/exporter"
	"shopwatch/internal/configfile"
	"shopwatch/rules"
)

// Names of the sections that Load reads.
const (
	Section           = "exporter"
	SectionEscalation = "escalation"
)

// Config is the measuring half's configuration, valid and complete.
type Config struct {
	// Shops has at least one; each has services, books, or both.
	Shops []exporter.Shop
	// Delivery is the service [rules.ServiceDelivery] of each shop whose books
	// are followed, by the shop's id. Nobody looks at it: it is judged from the orders.
	Delivery map[string]exporter.Service
	// Escalation also stands in each ledger as Late and Stuck.
	Escalation rules.Escalation

	// Modules are those that /probe knows, by name; http_2xx is always among them.
	Modules map[string]exporter.Module
	// Anchors are host:port of what tells whether our own connection is there;
	// empty: nobody asks.
	Anchors []string
	Probe   Probe
	Host    Host
	Orders  Orders

	// Warnings are what works, but hardly as it was meant: for people.
	Warnings configfile.Mistakes
}

// String counts what there is: a Config holds data source names, which are secret.
func (c Config) String() string {
	services := 0
	for _, shop := range c.Shops {
		services += len(shop.Services)
	}
	return fmt.Sprintf("%d shops, %d services, %d ledgers", len(c.Shops), services, len(c.Delivery))
}

// GoString is String, for %#v.
func (c Config) GoString() string { return c.String() }

// LogValue is String, for slog.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText is String, for whatever marshals.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Load decodes and validates the exporter's half. Its error is
// [configfile.Mistakes] with every mistake; the Config is then of no use.
func Load(doc *configfile.Document) (Config, error) {
	problems := doc.Problems()
	config := Config{
		Delivery:   make(map[string]exporter.Service),
		Escalation: rules.DefaultEscalation(),
	}
	doc.Decode(SectionEscalation, &config.Escalation, problems)
	config.Escalation.Check(func(field string, got any, want string) {
		problems.Add(configfile.Field(SectionEscalation, field), got, want)
	})

	section := newSection()
	doc.Decode(Section, &section, problems)
	build := builder{
		file: doc.Name(), problems: problems, escalation: config.Escalation, pushTokens: make(map[string]bool),
	}
	build.mods = build.modules(section)
	config.Anchors = build.anchors(section.Anchors)
	config.Probe = build.probe(section.Probe)
	config.Host = build.host(section.Host)
	config.Orders = build.orders(section.Orders)
	shopsPath := configfile.Field(Section, "shops")
	if len(section.Shops) == 0 {
		problems.Add(shopsPath, configfile.Phrase("no shop"), "at least one")
	}
	seen := make(map[string]bool)
	for i, fields := range section.Shops {
		path := configfile.Item(shopsPath, i)
		build.id(path, "shop", fields.ID, seen)
		shop := build.shop(path, fields)
		if shop.Ledger != nil {
			config.Delivery[shop.ID] = build.delivery(path, &shop, fields.Delivery)
		} else if fields.Delivery != nil {
			problems.Add(configfile.Field(path, "delivery"), configfile.Phrase("delivery without a ledger"),
				"a ledger, from whose orders delivery is judged")
		}
		config.Shops = append(config.Shops, shop)
	}
	if err := configfile.Join(append(build.mods.errors(), problems.Err())...); err != nil {
		return Config{}, err
	}
	warnings := doc.Problems()
	for i, shop := range config.Shops {
		build.late(warnings, configfile.Field(configfile.Item(shopsPath, i), "services"), shop.Services)
	}
	config.Warnings = slices.Concat(problems.Doubts(), build.mods.warnings(), warnings.Found())
	config.Modules = build.mods.known
	return config, nil
}
