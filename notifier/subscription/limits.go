package subscription

import (
	"hash/maphash"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// Limits are how often strangers may have us send something. Each is a bucket
// that refills evenly.
type Limits struct {
	PerAddressDaily  int // messages to one address
	PerNetworkHourly int // requests of one IPv4 /24 or IPv6 /64; of an IPv6 /48, four times as many
	Hourly           int // requests of everybody
}

// remembered is how many addresses and networks are remembered each, some 200
// bytes a piece. The longest unseen is forgotten first.
const remembered = 20_000

// gate counts requests. It knows addresses and networks by hash alone.
type gate struct {
	all            *rate.Limiter
	networks, many *buckets // many: IPv6 /48
	addresses      *buckets
	codes          *buckets // tries, by address
	changes        *buckets // of one's own subscription, by row
}

// triesHourly is how many codes are looked at for one address an hour: more than
// those of every code that it is sent, and few enough to keep nobody else waiting.
const triesHourly = 20

// changesHourly is how often a subscription is changed or taken along an hour:
// each time stands in the record, which is kept for good.
const changesHourly = 60

func newGate(l Limits) *gate {
	return &gate{
		all:       rate.NewLimiter(rate.Limit(float64(l.Hourly)/time.Hour.Seconds()), l.Hourly),
		networks:  newBuckets(l.PerNetworkHourly, time.Hour),
		many:      newBuckets(4*l.PerNetworkHourly, time.Hour),
		addresses: newBuckets(l.PerAddressDaily, 24*time.Hour),
		codes:     newBuckets(triesHourly, time.Hour),
		changes:   newBuckets(changesHourly, time.Hour),
	}
}

// request reports whether a network may ask now. One that may not takes nothing
// from what all may.
func (g *gate) request(from netip.Addr, now time.Time) bool {
	near, far := networksOf(from)
	return g.networks.take(near, now) && (far == "" || g.many.take(far, now)) && g.all.AllowN(now, 1)
}

// address reports whether an address may be written to now.
func (g *gate) address(channel, address string, now time.Time) bool {
	return g.addresses.take(channel+"\x00"+mailbox(address), now)
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
func (g *gate) change(id int64, now time.Time) bool {
	return g.changes.take(strconv.FormatInt(id, 10), now)
}

// code reports whether a code for an address is looked at now.
func (g *gate) code(channel, address string, now time.Time) bool {
	return g.codes.take(channel+"\x00"+address, now)
}

// buckets are limiters by name.
type buckets struct {
	n     int
	every time.Duration
	seed  maphash.Seed
	known *lru.Cache[uint64, *rate.Limiter]
}

func newBuckets(n int, every time.Duration) *buckets {
	known, err := lru.New[uint64, *rate.Limiter](remembered)
	if err != nil { // of a size below one alone
		panic(err)
	}
	return &buckets{n: n, every: every, seed: maphash.MakeSeed(), known: known}
}

func (b *buckets) take(name string, now time.Time) bool {
	key := maphash.String(b.seed, name)
	limiter, ok := b.known.Get(key)
	if !ok {
		fresh := rate.NewLimiter(rate.Limit(float64(b.n)/b.every.Seconds()), b.n)
		if before, found, _ := b.known.PeekOrAdd(key, fresh); found {
			limiter = before
		} else {
			limiter = fresh
		}
	}
	return limiter.AllowN(now, 1)
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
