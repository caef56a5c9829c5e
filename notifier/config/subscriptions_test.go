package config_test

import (
	"net/netip"
	"reflect"
	"testing"

	"shopwatch/notifier/config"
)

func TestWhatCostsNothingCanBeSignedUpForWhereThePageIsReached(t *testing.T) {
	t.Parallel()
	got, err := config.Load(read(t, "testdata/subscriptions.yml", environment))
	if err != nil {
		t.Fatal(err)
	}
	want := config.SubscriptionsConfig{
		Email: true,
		TrustedProxies: []netip.Prefix{
			netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32"),
		},
		PerAddressDaily: 3, PerNetworkHourly: 50, Hourly: 300,
	}
	if !reflect.DeepEqual(got.Subscriptions, want) {
		t.Errorf("got %+v, want %+v", got.Subscriptions, want)
	}
	none, err := config.Load(read(t, "testdata/minimal.yml", nil))
	if err != nil || !reflect.DeepEqual(none.Subscriptions, config.DefaultSubscriptions()) {
		t.Errorf("without a channel: got %+v, %v", none.Subscriptions, err)
	}
}
