package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"code.dny.dev/ssrf"
)

// ForbiddenError says that a target may not be dialled. Its reason names the kind of address and never a resolved
// address, so that it does not tell about the network inside.
type ForbiddenError struct {
	Reason string
}

// Error implements error.
func (e *ForbiddenError) Error() string { return "forbidden target: " + e.Reason }

func forbid(format string, args ...any) error {
	return &ForbiddenError{Reason: fmt.Sprintf(format, args...)}
}

// GuardConfig configures NewGuard.
type GuardConfig struct {
	// Allow opens private ranges by name.
	Allow []netip.Prefix
	// Resolver looks names up, at save and at dial. Nil is net.DefaultResolver.
	Resolver *net.Resolver
}

// Guard is the one rule for which addresses may be dialled, at save, test and delivery. It is safe for concurrent use.
type Guard struct {
	allow    []netip.Prefix
	resolver *net.Resolver
	base     *ssrf.Guardian
}

// NewGuard refuses an allowed range that touches link-local, metadata, multicast or unspecified addresses: nothing
// opens those.
func NewGuard(config GuardConfig) (*Guard, error) {
	g := &Guard{resolver: config.Resolver, base: ssrf.New(ssrf.WithAnyPort(), ssrf.WithAnyNetwork())}
	if g.resolver == nil {
		g.resolver = net.DefaultResolver
	}
	for _, prefix := range config.Allow {
		if err := checkAllow(prefix); err != nil {
			return nil, fmt.Errorf("allow %s: %w", prefix, err)
		}
		g.allow = append(g.allow, prefix.Masked())
	}
	return g, nil
}

func checkAllow(prefix netip.Prefix) error {
	if !prefix.IsValid() {
		return errors.New("it is not a range of addresses")
	}
	if prefix.Addr().Is4In6() {
		return errors.New("write an IPv4 range as IPv4")
	}
	for _, never := range neverAllowed {
		if prefix.Overlaps(never.prefix) {
			return fmt.Errorf("it touches %s (%s), which stays forbidden: name a narrower range", never.prefix, never.name)
		}
	}
	for _, host := range metadataHosts {
		if prefix.Overlaps(host.prefix) && prefix.Bits() == host.prefix.Bits() {
			return fmt.Errorf("%s is a metadata service, which stays forbidden", host.prefix.Addr())
		}
	}
	return nil
}

// ParseAllow reads a comma list of ranges such as "127.0.0.0/8,::1/128". Empty text is no range.
func ParseAllow(list string) ([]netip.Prefix, error) {
	if strings.TrimSpace(list) == "" {
		return nil, nil
	}
	var prefixes []netip.Prefix
	for text := range strings.SplitSeq(list, ",") {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("read range %q: it must look like 192.168.0.0/16 or fd12:3456:789a::/48", text)
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes, nil
}

// CheckAddr returns nil when addr may be dialled and a *ForbiddenError when not.
func (g *Guard) CheckAddr(addr netip.Addr) error {
	_, err := g.judge(addr)
	return err
}

// judge says whether addr may be dialled and whether it is only because its range is allowed by name.
func (g *Guard) judge(addr netip.Addr) (byName bool, err error) {
	if !addr.IsValid() {
		return false, forbid("it has no address")
	}
	if addr.Zone() != "" {
		return false, forbid("its address has a zone")
	}
	// Dialling a mapped address opens an IPv4 connection.
	addr = addr.Unmap()
	if name, ok := find(neverAllowed, addr); ok {
		return false, forbid("its address is %s", name)
	}
	if name, ok := find(metadataHosts, addr); ok {
		return false, forbid("its address is %s", name)
	}
	for _, prefix := range g.allow {
		if prefix.Contains(addr) {
			return true, nil
		}
	}
	return false, g.public(addr)
}

// public holds addr against the public internet alone, whatever is allowed by name.
func (g *Guard) public(addr netip.Addr) error {
	if wellKnownNAT64.Contains(addr) {
		embedded := addr.As16()
		v4 := netip.AddrFrom4([4]byte(embedded[12:]))
		if _, ok := find(neverAllowed, v4); ok {
			return forbid("its address embeds a forbidden IPv4 address")
		}
		if _, ok := find(metadataHosts, v4); ok || g.public(v4) != nil {
			return forbid("its address embeds a forbidden IPv4 address")
		}
		return nil
	}
	if name, ok := find(specialRanges, addr); ok {
		return forbid("its address is %s", name)
	}
	if err := g.base.SafeAddr(addr); err != nil {
		return forbid("its address is set aside for a special purpose")
	}
	return nil
}

// control is asked by the dialer before each connection, with the address that is really dialled.
func (g *Guard) control(onlyByName bool) func(network, address string, _ syscall.RawConn) error {
	return func(network, address string, _ syscall.RawConn) error {
		if network != "tcp4" && network != "tcp6" {
			return forbid("its network is %s", network)
		}
		target, err := netip.ParseAddrPort(address)
		if err != nil {
			return forbid("its address cannot be read")
		}
		byName, err := g.judge(target.Addr())
		if err != nil {
			return err
		}
		if onlyByName && !byName {
			return forbidPlainHTTP()
		}
		return nil
	}
}

func forbidPlainHTTP() error {
	return forbid("http is for the sandbox and for allowed ranges: use https")
}
