package webhook

import "net/netip"

// namedRange is a block of addresses with the word a person is told.
type namedRange struct {
	prefix netip.Prefix
	name   string
}

func named(cidr, name string) namedRange {
	return namedRange{netip.MustParsePrefix(cidr), name}
}

// neverAllowed are the blocks that no configuration opens: an allowed range that touches one is refused. Addresses of
// the IPv6 metadata services are from the AWS, Google Cloud and Scaleway documentation.
var neverAllowed = []namedRange{
	named("0.0.0.0/8", "unspecified"),
	named("169.254.0.0/16", "link-local or metadata"),
	named("224.0.0.0/4", "multicast"),
	named("255.255.255.255/32", "broadcast"),
	named("::/128", "unspecified"),
	named("fd00:42::42/128", "metadata"),
	named("fd00:ec2::/32", "metadata"),
	named("fd20:ce::254/128", "metadata"),
	named("fe80::/10", "link-local"),
	named("ff00::/8", "multicast"),
}

// metadataHosts are single addresses of cloud platforms inside ranges that are otherwise public or may be opened:
// Alibaba Cloud, Oracle Cloud and the platform address of Azure, each from its documentation. They stay shut even
// when the range around them is allowed.
var metadataHosts = []namedRange{
	named("100.100.100.200/32", "metadata"),
	named("168.63.129.16/32", "metadata"),
	named("192.0.0.192/32", "metadata"),
}

// specialRanges name what the IANA special-purpose registries for IPv4 and IPv6 set aside. An embedding of IPv4 in
// IPv6 is shut as a whole, except the mapped one and the well-known NAT64 prefix, which are judged by what they embed.
var specialRanges = []namedRange{
	named("10.0.0.0/8", "private"),
	named("100.64.0.0/10", "carrier-grade NAT"),
	named("127.0.0.0/8", "loopback"),
	named("172.16.0.0/12", "private"),
	named("192.0.0.0/24", "protocol assignment"),
	named("192.0.2.0/24", "documentation"),
	named("192.88.99.0/24", "6to4 relay"),
	named("192.168.0.0/16", "private"),
	named("198.18.0.0/15", "benchmark"),
	named("198.51.100.0/24", "documentation"),
	named("203.0.113.0/24", "documentation"),
	named("240.0.0.0/4", "reserved"),
	named("::1/128", "loopback"),
	named("::/96", "IPv4-compatible"),
	named("64:ff9b:1::/48", "local NAT64"),
	named("100::/64", "discard"),
	named("2001::/32", "Teredo"),
	named("2001:2::/48", "benchmark"),
	named("2001:db8::/32", "documentation"),
	named("2002::/16", "6to4"),
	named("3fff::/20", "documentation"),
	named("fc00::/7", "unique local"),
	named("fec0::/10", "site-local"),
}

// wellKnownNAT64 embeds an IPv4 address in its last four bytes (RFC 6052).
var wellKnownNAT64 = netip.MustParsePrefix("64:ff9b::/96")

func find(ranges []namedRange, addr netip.Addr) (name string, ok bool) {
	for _, r := range ranges {
		if r.prefix.Contains(addr) {
			return r.name, true
		}
	}
	return "", false
}
