package webhook_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"busbar/internal/webhook"
)

func newGuard(t testing.TB, config webhook.GuardConfig) *webhook.Guard {
	t.Helper()
	guard, err := webhook.NewGuard(config)
	if err != nil {
		t.Fatalf("new guard: %v", err)
	}
	return guard
}

func allow(t testing.TB, list string) []netip.Prefix {
	t.Helper()
	prefixes, err := webhook.ParseAllow(list)
	if err != nil {
		t.Fatalf("parse ranges: %v", err)
	}
	return prefixes
}

func isForbidden(err error) bool {
	var forbidden *webhook.ForbiddenError
	return errors.As(err, &forbidden) && forbidden.Reason != ""
}

// forbiddenAddrs has at least the two ends of every range that must not be dialled.
var forbiddenAddrs = strings.Fields(`
	0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.100.100.200 100.127.255.255
	127.0.0.0 127.0.0.1 127.255.255.255 168.63.129.16 169.254.0.0 169.254.169.254 169.254.255.255
	172.16.0.0 172.31.255.255 192.0.0.0 192.0.0.192 192.0.0.255 192.0.2.0 192.0.2.255 192.88.99.1
	192.168.0.0 192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.0 198.51.100.255 203.0.113.0 203.0.113.255
	224.0.0.0 239.255.255.255 240.0.0.0 255.255.255.254 255.255.255.255
	:: ::1 ::2 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0.0.0.0
	::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::10.1.2.3 64:ff9b::169.254.169.254 64:ff9b::168.63.129.16
	64:ff9b:1:: 64:ff9b:1::8.8.8.8 64:ff9b:1:ffff:ffff:ffff:ffff:ffff 100:: 100::ffff:ffff:ffff:ffff 100:0:0:1::1
	2001:: 2001::1 2001:0:5ef5:79fb::1 2001:2:: 2001:2:0:ffff:ffff:ffff:ffff:ffff 2001:10::1 2001:20::1
	2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff 2002:: 2002:7f00:1:: 2002:808:808::1 3fff::1 3fff:fff::1
	2620:4f:8000::1 4000::1 5f00::1 8000::1 fc00:: fd00:42::42 fd00:ec2::254 fd00:ec2::23 fd20:ce::254
	fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fe80:: fe80::1 febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff fec0::1
	ff00:: ff02::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fe80::1%eth0 2606:4700::1%eth0
`)

// publicAddrs has the neighbours of the ranges above.
var publicAddrs = strings.Fields(`
	1.0.0.0 1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
	168.63.129.15 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.167.255.255
	192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255
	2000::1 2001:4860:4860::8888 2001:db7::1 2001:db9::1 2003::1 2606:4700::1 2a00::1 3ffe::1
	::ffff:8.8.8.8 64:ff9b::8.8.8.8
`)

func TestAddressRule(t *testing.T) {
	t.Parallel()
	guard := newGuard(t, webhook.GuardConfig{})
	for _, text := range forbiddenAddrs {
		if err := guard.CheckAddr(netip.MustParseAddr(text)); !isForbidden(err) {
			t.Errorf("%s: got %v, want a ForbiddenError", text, err)
		}
	}
	for _, text := range publicAddrs {
		if err := guard.CheckAddr(netip.MustParseAddr(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := guard.CheckAddr(netip.Addr{}); !isForbidden(err) {
		t.Errorf("no address: got %v, want a ForbiddenError", err)
	}
}

func TestAllowedRanges(t *testing.T) {
	t.Parallel()
	guard := newGuard(t, webhook.GuardConfig{
		Allow: allow(t, "127.0.0.1/8, ::1/128, 100.64.0.0/10,192.168.7.0/24,fd12:3456:789a::/48"),
	})
	for text, ok := range map[string]bool{
		"127.0.0.1": true, "127.255.255.255": true, "::1": true, "192.168.7.9": true, "fd12:3456:789a::5": true,
		"100.100.100.199": true, "::ffff:127.0.0.1": true, "8.8.8.8": true,
		"192.168.8.1": false, "10.0.0.1": false, "fd12:3456:789b::5": false, "::2": false,
		"100.100.100.200": false, "169.254.169.254": false, "fe80::1": false, "fd00:ec2::254": false,
		"64:ff9b::127.0.0.1": false, "2002:7f00:1::": false, "::127.0.0.1": false, "::1%lo": false, "0.0.0.0": false,
	} {
		if err := guard.CheckAddr(netip.MustParseAddr(text)); (err == nil) != ok {
			t.Errorf("%s: got %v, want permitted %v", text, err, ok)
		}
	}
}

func TestNewGuardRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"169.254.0.0/16", "169.254.169.254/32", "169.0.0.0/8", "0.0.0.0/0", "0.0.0.0/32", "224.0.0.0/24", "128.0.0.0/1",
		"::/0", "::/128", "fe80::/10", "fe80::1/128", "fc00::/7", "fd00::/8", "fd00:ec2::254/128", "fd00:42::/32", "ff00::/8",
		"100.100.100.200/32", "168.63.129.16/32", "::ffff:10.0.0.0/104",
	} {
		if _, err := webhook.NewGuard(webhook.GuardConfig{Allow: allow(t, text)}); err == nil {
			t.Errorf("%s may be opened", text)
		}
	}
	if _, err := webhook.NewGuard(webhook.GuardConfig{Allow: []netip.Prefix{{}}}); err == nil {
		t.Error("no range at all may be opened")
	}
	for _, text := range []string{"10.0.0.0", "10.0.0.0/33", "10.0.0.0/8,", "x", "10.0.0.0/8;::1/128", "fe80::1%eth0/64"} {
		if _, err := webhook.ParseAllow(text); err == nil {
			t.Errorf("%q was read as ranges", text)
		}
	}
	if prefixes, err := webhook.ParseAllow(" "); err != nil || prefixes != nil {
		t.Errorf("empty text: got %v, %v", prefixes, err)
	}
}

// TestAddressProperties compares the rule with the standard library's own words and with the embeddings of IPv4.
func TestAddressProperties(t *testing.T) {
	t.Parallel()
	guard := newGuard(t, webhook.GuardConfig{})
	random := rand.New(rand.NewPCG(3, 4))
	var permitted, refused int
	for range 20_000 {
		var v4 [4]byte
		binary.BigEndian.PutUint32(v4[:], random.Uint32())
		var v6 [16]byte
		binary.BigEndian.PutUint64(v6[:8], random.Uint64())
		binary.BigEndian.PutUint64(v6[8:], random.Uint64())
		plain := netip.AddrFrom4(v4)
		ok := guard.CheckAddr(plain) == nil
		if ok {
			permitted++
		} else {
			refused++
		}

		mapped := netip.AddrFrom16(plain.As16())
		if (guard.CheckAddr(mapped) == nil) != ok {
			t.Fatalf("%s and its mapped form are judged apart", plain)
		}
		for _, prefix := range [][]byte{
			{0, 0x64, 0xff, 0x9b},                       // NAT64
			{0, 0x64, 0xff, 0x9b, 0, 1},                 // local NAT64
			{0x20, 2, v4[0], v4[1], v4[2], v4[3]},       // 6to4
			{0x20, 1, 0, 0, v4[0], v4[1], v4[2], v4[3]}, // Teredo server
			{}, // compatible
		} {
			var embedding [16]byte
			copy(embedding[:], prefix)
			copy(embedding[12:], v4[:])
			addr := netip.AddrFrom16(embedding)
			if guard.CheckAddr(addr) == nil && !ok {
				t.Fatalf("%s is permitted, though %s is not", addr, plain)
			}
		}
		for _, addr := range []netip.Addr{plain, netip.AddrFrom16(v6)} {
			err := guard.CheckAddr(addr)
			special := !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.IsLoopback() || addr.IsMulticast() ||
				addr.IsLinkLocalUnicast() || addr.IsUnspecified()
			if special && err == nil {
				t.Fatalf("%s is permitted", addr)
			}
			if addr.Is6() && v6[0]>>5 != 1 && err == nil {
				t.Fatalf("%s is outside 2000::/3 and permitted", addr)
			}
			if err == nil && guard.CheckAddr(addr.WithZone("eth0")) == nil && addr.Is6() {
				t.Fatalf("%s is permitted with a zone", addr)
			}
		}
	}
	// Some 86 % of IPv4 is public: neither answer may be the only one.
	if permitted < 15_000 || refused < 1_000 {
		t.Errorf("%d permitted, %d refused: the rule is too simple to be true", permitted, refused)
	}
}
