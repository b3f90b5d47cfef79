package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

const (
	// maxURL is what servers and proxies commonly take (RFC 9110, 4.1 asks for at least 8,000 of a request line; 2,048
	// is what our rows keep).
	maxURL = 2048
	// saveLookup bounds how long saving waits for a name server.
	saveLookup = 5 * time.Second

	schemeHTTP  = "http"
	schemeHTTPS = "https"
)

// ErrNotURL says that a text is no URL that could ever be a target.
var ErrNotURL = errors.New("not a URL")

// CheckURL is the check at save. It fails with ErrNotURL when the text is no URL, with a *ForbiddenError when it is one
// that may not be a target, and with the context's error. Plain http needs allowHTTP or a host whose every address
// is allowed by name.
//
// A name that cannot be resolved now is accepted, because its record may come later; plain http that depends on its
// address is not. Every address is held against the same rule again when it is dialled.
func (g *Guard) CheckURL(ctx context.Context, rawURL string, allowHTTP bool) error {
	target, err := parseTarget(rawURL)
	if err != nil {
		return err
	}
	addrs, err := g.lookup(ctx, target.Hostname())
	if err != nil {
		return err
	}
	needsName := target.Scheme == schemeHTTP && !allowHTTP
	if needsName && len(addrs) == 0 {
		return forbidPlainHTTP()
	}
	for _, addr := range addrs {
		byName, err := g.judge(addr)
		if err != nil {
			return err
		}
		if needsName && !byName {
			return forbidPlainHTTP()
		}
	}
	return nil
}

// parseTarget checks everything about a URL that can be read from its text.
func parseTarget(rawURL string) (*url.URL, error) {
	if len(rawURL) > maxURL {
		return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrNotURL, maxURL)
	}
	target, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("%w: it cannot be parsed", ErrNotURL)
	}
	if target.Scheme == "" || target.Opaque != "" {
		return nil, fmt.Errorf("%w: it must begin with https://", ErrNotURL)
	}
	if target.Scheme != schemeHTTP && target.Scheme != schemeHTTPS {
		return nil, forbid("its scheme is neither https nor http")
	}
	if target.Hostname() == "" {
		return nil, fmt.Errorf("%w: it has no host", ErrNotURL)
	}
	if target.User != nil {
		return nil, forbid("it holds a user name or password: use a header")
	}
	if port := target.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("%w: its port must be 1 to 65535", ErrNotURL)
		}
	}
	host, err := asciiHost(target.Hostname())
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(host); err != nil && endsInNumber(host) {
		return nil, forbid("its host is a number that is not an IPv4 address in four decimal parts")
	}
	return target, nil
}

// asciiHost maps a host as the HTTP client does before it resolves it, so that both look at the same name.
func asciiHost(host string) (string, error) {
	for i := range len(host) {
		if host[i] < 0x80 {
			continue
		}
		ascii, err := idna.Lookup.ToASCII(host)
		if err != nil {
			return "", fmt.Errorf("%w: its host is not a valid international name", ErrNotURL)
		}
		return ascii, nil
	}
	return host, nil
}

// endsInNumber is the test of the WHATWG URL standard for a host that some resolvers read as IPv4: 127.1, 0x7f.1 and
// 2130706433 are 127.0.0.1 to them.
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	if digits, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// lookup returns no addresses for a name that cannot be resolved now.
func (g *Guard) lookup(ctx context.Context, hostname string) ([]netip.Addr, error) {
	host, err := asciiHost(hostname)
	if err != nil {
		return nil, err
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	bounded, cancel := context.WithTimeout(ctx, saveLookup)
	defer cancel()
	addrs, err := g.resolver.LookupNetIP(bounded, "ip", host)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("resolve host: %w", ctx.Err())
	}
	if err != nil {
		// Not resolvable now: checked again at every dial.
		return nil, nil
	}
	return addrs, nil
}
