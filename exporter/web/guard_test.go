package web_test

import (
	"net/netip"
	"strings"
	"testing"

	"shopwatch/exporter/web"
)

func TestEntriesThatMeanNothingAreNamed(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{
		"", "*", "*.", "*.*.example.com", "a*.example.com", "*example.com", "https://example.com", "example.com/path", "example.com:0",
		"example.com:65536", "example.com:http", "example.com:", "10.0.0", "10.0.0.256", "10.0.0.0/33", "10.0.0.0/8:x", "a b", "user@host",
		"[fd00::1]", "fe80::1%eth0", "::ffff:10.0.0.0/104", ".example.com", "example..com", "*.10.0.0.1", "10.0.0.0/8:080",
	} {
		if _, err := web.NewGuard([]string{"good.example", entry}); err == nil || !strings.Contains(err.Error(), `"`+entry+`"`) {
			t.Errorf("%q: got %v", entry, err)
		}
	}
}

func TestWhatIsNotPublicIsDialledOnlyWhereListed(t *testing.T) {
	t.Parallel()
	none := guard(t, "db.internal", "*.internal", "db.internal:3306") // names open no address
	for _, address := range []string{
		"127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255",
		"169.254.169.254", "169.254.1.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.19.255.255",
		"198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1", "100::1", "4000::1",
		"::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:10.0.0.1",
		"64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "2002:7f00:1::", "2002:808:808::1", "2001:0:1234::1", "2001:2::1",
		"2606:4700::5efe:8.8.8.8", "2606:4700::200:5efe:10.0.0.1",
	} {
		where := netip.AddrPortFrom(netip.MustParseAddr(address), 80)
		if none.Check(where) == nil {
			t.Errorf("%s may be dialled", address)
		}
		if strings.Contains(address, "%") {
			continue
		}
		if err := guard(t, address).Check(where); err != nil {
			t.Errorf("%s is listed: %v", address, err)
		}
	}
	for _, address := range []string{
		"8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.255.255", "100.128.0.1", "198.20.0.1", "168.63.129.17", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
		"2606:4700::1111", "2400:3200::1", "2a00::1",
	} {
		if err := none.Check(netip.AddrPortFrom(netip.MustParseAddr(address), 80)); err != nil {
			t.Errorf("%s is public: %v", address, err)
		}
	}
	if none.Check(netip.AddrPort{}) == nil {
		t.Error("no address at all may be dialled")
	}
}

func TestAnEntryWithAPortOpensNoOther(t *testing.T) {
	t.Parallel()
	g := guard(t, "10.0.0.0/8:3306", "192.168.1.9", "[fd00::/8]:5432", "[fd12::1]:80")
	for where, want := range map[string]bool{
		"10.1.2.3:3306": true, "10.1.2.3:3307": false, "[::ffff:10.1.2.3]:3306": true, "192.168.1.9:1": true, "192.168.1.10:1": false,
		"[fd34::1]:5432": true, "[fd34::1]:80": false, "[fd12::1]:80": true, "127.0.0.1:3306": false,
	} {
		if got := g.Check(netip.MustParseAddrPort(where)) == nil; got != want {
			t.Errorf("%s may be dialled: %t", where, got)
		}
	}
}

func TestARefusalSaysWhatToDo(t *testing.T) {
	t.Parallel()
	err := guard(t).Check(netip.MustParseAddrPort("169.254.169.254:80"))
	if err == nil || !strings.Contains(err.Error(), "metadata") || !strings.Contains(err.Error(), "exporter.probe.targets") {
		t.Errorf("got %v", err)
	}
}
