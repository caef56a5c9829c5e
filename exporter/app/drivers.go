package app

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"shopwatch/exporter"
	"shopwatch/exporter/config"
	"shopwatch/exporter/ledger"
	"shopwatch/exporter/ledger/acgfaka"
	"shopwatch/exporter/ledger/dujiaoka"
	"shopwatch/exporter/ledger/dujiaonext"
	"shopwatch/exporter/ledger/fakabot"
	"shopwatch/exporter/ledger/kamifaka"
	"shopwatch/exporter/ledger/qsfaka"
	"shopwatch/exporter/ledger/sql"
	"shopwatch/exporter/ledger/zfaka"
)

// drivers are the rooms that know a shop software's tables, by its name in the
// configuration.
var drivers = map[string]func(exporter.Ledger) (ledger.Driver, error){
	"acgfaka":    opens(acgfaka.Open),
	"dujiaoka":   opens(dujiaoka.Open),
	"dujiaonext": opens(dujiaonext.Open),
	"fakabot":    opens(fakabot.Open),
	"kamifaka":   opens(kamifaka.Open),
	"qsfaka":     opens(qsfaka.Open),
	"sql":        opens(sql.Open),
	"zfaka":      opens(zfaka.Open),
}

// opens makes a driver of a room's own type the follower's.
func opens[D ledger.Driver](open func(exporter.Ledger) (D, error)) func(exporter.Ledger) (ledger.Driver, error) {
	return func(l exporter.Ledger) (ledger.Driver, error) {
		d, err := open(l)
		if err != nil {
			return nil, err // not a driver that is nil, which would be one
		}
		return d, nil
	}
}

// Check says what the configuration asks of the shops' books that their drivers
// can't do. It connects to nothing.
func Check(cfg config.Config) error {
	var problems []error
	for _, shop := range cfg.Shops {
		if shop.Ledger == nil {
			continue
		}
		driver, err := openDriver(*shop.Ledger)
		if err == nil {
			err = driver.Close()
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("shop %q: %w", shop.ID, err))
		}
	}
	return errors.Join(problems...)
}

// openDriver picks the driver of the shop's software. It connects to nothing.
func openDriver(l exporter.Ledger) (ledger.Driver, error) {
	open, known := drivers[l.Software]
	if !known {
		return nil, fmt.Errorf("software %q has no driver, want one of %s", l.Software, strings.Join(slices.Sorted(maps.Keys(drivers)), ", "))
	}
	return open(l)
}
