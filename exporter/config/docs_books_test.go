package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"shopwatch/exporter"
	"shopwatch/exporter/config"
	"shopwatch/internal/configfile"
	"shopwatch/rules"
)

func TestEveryExampleOfBooksIsTaken(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		seen := make(map[string]bool)
		var orders config.Orders
		for i, example := range examples(reference(t, "shops", language)) {
			// The file of a secret is the reader's own.
			example = strings.NewReplacer("secrets/lookup.token", "shop.dsn", "secrets/dujiaoka.dsn", "shop.dsn").Replace(example)
			loaded := taken(t, fmt.Sprintf("testdata/example %d of %s", i+1, language), whole(example))
			seen[loaded.Shops[0].Ledger.Software] = true
			if loaded.Orders.LookupToken != "" {
				orders = loaded.Orders
			}
		}
		for _, software := range []string{"dujiaoka", "dujiaonext", "fakabot", "sql"} {
			if !seen[software] {
				t.Errorf("%s: no example has software %s", language, software)
			}
		}
		defaults, err := config.Load(read(t, "testdata/minimal.yml", environment))
		if err != nil {
			t.Fatal(err)
		}
		orders.LookupToken = ""
		if orders != defaults.Orders {
			t.Errorf("%s: the example of look-ups shows %+v, and the defaults are %+v", language, orders, defaults.Orders)
		}
	}
}

// ofBooks reports whether a metric is of a shop's books.
func ofBooks(name string) bool {
	if name == rules.ShopInfo.Name { // also of a shop without books
		return false
	}
	for _, prefix := range []string{"order", "stock", "ledger", "shop_"} {
		if strings.HasPrefix(name, "shopwatch_"+prefix) {
			return true
		}
	}
	return false
}

func TestTheReferenceOfBooksNamesEveryMetricReasonAndDefault(t *testing.T) {
	t.Parallel()
	doc, err := configfile.Parse("test.yml", []byte("exporter:\n  shops: [{id: main, ledger: {software: dujiaoka, dsn: 'u:p@tcp(db)/shop'}}]\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(doc)
	if err != nil {
		t.Fatal(err)
	}
	ledger := loaded.Shops[0].Ledger
	want := []string{
		"\n| `interval` | `" + model.Duration(ledger.Interval).String() + "`", "\n| `lookback` | `7d`", "\n| `slow` | `" + model.Duration(ledger.Slow).String() + "`",
		"\n| `timezone` | `" + ledger.Zone.String() + "`", fmt.Sprintf("\n| `sweep` | `%v`", ledger.Sweep),
	}
	if ledger.Lookback != 7*24*time.Hour {
		t.Errorf("lookback is %v by default", ledger.Lookback)
	}
	for _, metric := range rules.ExporterMetrics() {
		if ofBooks(metric.Name) {
			want = append(want, "`"+metric.Name+"`")
		}
	}
	if len(want) < 25 {
		t.Errorf("got %d metrics of books only", len(want))
	}
	for _, reason := range rules.LedgerReasons {
		want = append(want, "\n| `"+string(reason)+"` |")
	}
	for _, event := range rules.OrderEvents {
		want = append(want, "`"+string(event)+"`")
	}
	for _, age := range rules.Ages {
		want = append(want, "`"+string(age)+"`")
	}
	for _, basis := range []rules.Basis{rules.BasisStored, rules.BasisUpdated, rules.BasisObserved, rules.BasisNone} {
		want = append(want, "`"+string(basis)+"`")
	}
	for _, state := range []exporter.OrderState{
		exporter.Unpaid, exporter.Expired, exporter.PaidAutoWaiting, exporter.ManualWaiting, exporter.ManualWorking, exporter.Ready,
		exporter.Delivered, exporter.FailedShortOfStock, exporter.Failed, exporter.Refunded, exporter.Removed, exporter.UnknownState,
	} {
		want = append(want, "`"+string(state)+"`")
	}
	for _, language := range languages {
		saysAll(t, "shops", language, want)
	}
}
