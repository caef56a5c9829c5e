package subscription

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"shopwatch/notifier"
)

// Limits are how often strangers may have us send something. Each is a bucket
// that refills evenly.
type Limits struct {
	PerAddressDaily  int // messages to one address
	PerNetworkHourly int // requests of one IPv4 /24 or IPv6 /64; of an IPv6 /48, four times as many
	Hourly           int // requests of everybody
}

// Counter counts where every replica sees it and a restart forgets nothing.
type Counter interface {
	// Take counts one in every limit, or in none of them where one has none left,
	// and reports which it was.
	Take(ctx context.Context, now time.Time, limits ...notifier.Limit) (bool, error)
}

// gate counts requests. What it has counted is bounded by Limits.Hourly: an
// address, and a network, is counted only for a request that all may make.
type gate struct {
	Limits

	counter Counter
}

// triesHourly is how many codes are looked at for one address an hour: more than
// those of every code that it is sent, and few enough to keep nobody else waiting.
const triesHourly = 20

// changesHourly is how often a subscription is changed or taken along an hour:
// each time stands in the record, which is kept for good.
const changesHourly = 60

// request reports whether a network may ask now. One that may not takes nothing
// from what all may.
func (g *gate) request(ctx context.Context, from netip.Addr, now time.Time) (bool, error) {
	near, far := networksOf(from)
	limits := []notifier.Limit{
		{Name: "subscribe", N: g.Hourly, Every: time.Hour},
		{Name: "subscribe network", Private: near, N: g.PerNetworkHourly, Every: time.Hour},
	}
	if far != "" {
		limits = append(limits, notifier.Limit{Name: "subscribe networks", Private: far, N: 4 * g.PerNetworkHourly, Every: time.Hour})
	}
	return g.counter.Take(ctx, now, limits...)
}

// address reports whether an address may be written to now.
func (g *gate) address(ctx context.Context, channel, address string, now time.Time) (bool, error) {
	return g.counter.Take(ctx, now, notifier.Limit{
		Name: "subscribe address", Private: channel + "\x00" + mailbox(address), N: g.PerAddressDaily, Every: 24 * time.Hour,
	})
}

// mailbox is one name for the addresses that are likely to be one person's: who
// signs up victim+1@…, victim+2@… has the same inbox filled. It counts alone; each
// of them is a subscriber of its own.
func mailbox(address string) string {
	local, domain, mail := strings.Cut(strings.ToLower(address), "@")
	if !mail {
		return address
	}
	if tag := strings.IndexByte(local, '+'); tag > 0 {
		local = local[:tag]
	}
	if domain == "googlemail.com" {
		domain = "gmail.com"
	}
	if domain == "gmail.com" {
		local = strings.ReplaceAll(local, ".", "")
	}
	return local + "@" + domain
}

// change reports whether a subscriber may change or take along what is theirs now.
func (g *gate) change(ctx context.Context, id int64, now time.Time) (bool, error) {
	return g.counter.Take(ctx, now, notifier.Limit{
		Name: "subscription change", Private: strconv.FormatInt(id, 10), N: changesHourly, Every: time.Hour,
	})
}

// code reports whether a code for an address is looked at now.
func (g *gate) code(ctx context.Context, channel, address string, now time.Time) (bool, error) {
	return g.counter.Take(ctx, now, notifier.Limit{
		Name: "subscribe code", Private: channel + "\x00" + address, N: triesHourly, Every: time.Hour,
	})
}

// networksOf names the network that an address is likely to share with others
// of the same owner, and for IPv6 the larger one that providers give out.
func networksOf(ip netip.Addr) (near, far string) {
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return prefix(ip, 24), ""
	}
	return prefix(ip, 64), prefix(ip, 48)
}

func prefix(ip netip.Addr, bits int) string {
	p, err := ip.Prefix(bits)
	if err != nil { // of no address
		return "unknown"
	}
	return p.String()
}

// visitor is where a request comes from: the connection's far end, or, where
// that is a proxy that we trust, the nearest in X-Forwarded-For that we don't.
func visitor(r *http.Request, trusted []netip.Prefix) netip.Addr {
	far, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	ip := far.Addr().Unmap().WithZone("")
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && within(ip, trusted); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		ip = next.Unmap().WithZone("")
	}
	return ip
}

func within(ip netip.Addr, networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(ip) })
}
