package config

import (
	"net/netip"
	"net/url"
	"strings"

	"shopwatch/internal/configfile"
	"shopwatch/notifier"
)

// SubscriptionsConfig says by which channels the public can sign up, and how often.
type SubscriptionsConfig struct {
	Email, SMS, Telegram bool
	// TrustedProxies are those whose X-Forwarded-For says where a visitor comes from.
	TrustedProxies []netip.Prefix
	// PerAddressDaily is how many confirmations one address is sent a day,
	// PerNetworkHourly how many requests an hour one network has (IPv4 /24, IPv6
	// /64), Hourly all of them. Each at least 1.
	PerAddressDaily, PerNetworkHourly, Hourly int
}

// DefaultSubscriptions has the limits that hold where the file names none, and
// no channel.
func DefaultSubscriptions() SubscriptionsConfig {
	return SubscriptionsConfig{PerAddressDaily: 3, PerNetworkHourly: 20, Hourly: 300}
}

// subscriptionsFields are section subscriptions. A channel that isn't named is
// on where it is configured, costs nothing and the page can be reached by links.
type subscriptionsFields struct {
	Email            *bool
	SMS              bool // costs money: off until it is asked for
	Telegram         *bool
	TrustedProxies   []string `yaml:"trusted_proxies"`
	PerAddressDaily  int      `yaml:"per_address_daily"`
	PerNetworkHourly int      `yaml:"per_network_hourly"`
	Hourly           int
}

// SetDefaults is called before the file's values.
func (f *subscriptionsFields) SetDefaults() {
	limits := DefaultSubscriptions()
	f.PerAddressDaily, f.PerNetworkHourly, f.Hourly = limits.PerAddressDaily, limits.PerNetworkHourly, limits.Hourly
}

func (b builder) subscriptions(path string, fields subscriptionsFields, section Config) SubscriptionsConfig {
	reached := safeOrigin(section.Page.URL)
	page, _ := url.Parse(section.Page.URL)
	got := SubscriptionsConfig{
		Email:    section.Email != nil && page != nil && page.Scheme == "https",
		SMS:      fields.SMS,
		Telegram: section.Telegram != nil,

		PerAddressDaily: fields.PerAddressDaily, PerNetworkHourly: fields.PerNetworkHourly, Hourly: fields.Hourly,
	}
	if fields.Email != nil {
		got.Email = *fields.Email
	}
	if fields.Telegram != nil {
		got.Telegram = *fields.Telegram
	}
	for _, way := range []struct {
		channel              string
		on, configured, page bool
	}{
		{Email, got.Email, section.Email != nil, true},
		{SMS, got.SMS, section.SMS != nil, true},
		{Telegram, got.Telegram, section.Telegram != nil, false},
	} {
		switch {
		case !way.on:
		case !way.configured:
			b.add(path, way.channel, configfile.Phrase("true without notifier."+way.channel), "notifier."+way.channel+" in this file, or false")
		case way.page && !reached:
			b.add(path, way.channel, configfile.Phrase("true without a page that is reached by https"), "notifier.page.url with https://…, or false")
		}
	}
	if got.SMS && section.SMS != nil && !confirms(*section.SMS) {
		b.add(path, SMS, configfile.Phrase("true without a template for the code"), "a template of event confirm, in notifier.sms of a provider, or false")
	}
	proxies := configfile.Field(path, "trusted_proxies")
	for i, text := range fields.TrustedProxies {
		network, ok := networkOf(text)
		if !ok {
			b.problems.Add(configfile.Item(proxies, i), text, "an address or a network, such as 127.0.0.1 or 10.0.0.0/8, smaller than all")
			continue
		}
		got.TrustedProxies = append(got.TrustedProxies, network)
	}
	const most = 1_000_000
	for _, limit := range []struct {
		field string
		n     int
	}{{"per_address_daily", fields.PerAddressDaily}, {"per_network_hourly", fields.PerNetworkHourly}, {"hourly", fields.Hourly}} {
		if limit.n < 1 || limit.n > most {
			b.add(path, limit.field, limit.n, "1–1000000")
		}
	}
	return got
}

// confirms reports whether a provider can send the code that proves a number:
// Twilio and a gateway take any text, the others what was registered with them.
func confirms(sms SMSConfig) bool {
	registered := func(templates map[string]string) bool {
		for name := range templates {
			if event, _, _ := strings.Cut(name, "."); event == string(notifier.EventConfirm) {
				return true
			}
		}
		return false
	}
	return sms.Twilio != nil || sms.Gateway != nil ||
		sms.Aliyun != nil && registered(sms.Aliyun.Templates) || sms.Tencent != nil && registered(sms.Tencent.Templates)
}

// safeOrigin reports whether links to the page show nobody on the way who is
// subscribed: by https, or on this machine.
func safeOrigin(page string) bool {
	u, err := url.Parse(page)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()))
}

// networkOf reads an address or a network. One that holds every address would
// have any visitor name the address that they please.
func networkOf(text string) (netip.Prefix, bool) {
	if !strings.Contains(text, "/") {
		ip, err := netip.ParseAddr(text)
		if err != nil || ip.Zone() != "" {
			return netip.Prefix{}, false
		}
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), true
	}
	network, err := netip.ParsePrefix(text)
	return network.Masked(), err == nil && network.Bits() > 0 && !network.Addr().Is4In6()
}
