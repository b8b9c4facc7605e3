// Package egress makes connections to addresses that others choose, such as those of webhooks, and refuses those that lead
// inside: what a name resolves to is looked at when it is dialed, so that no second answer of a name server gets by.
package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/text/unicode/norm"
)

// inside are the networks that are nobody's on the Internet, besides those that netip knows (IANA special-purpose
// address registries).
var inside = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("3fff::/20"),
}

// global is where all addresses of IPv6 on the Internet lie. Others stand for addresses of IPv4 or for nothing.
var global = netip.MustParsePrefix("2000::/3")

// translated is where a network without IPv4 has addresses of that, the last four bytes, when it translates (RFC 6052 §2.1): a name server there (DNS64) gives these
// for all names that have no address of IPv6.
var translated = netip.MustParsePrefix("64:ff9b::/96")

// Policy says where to connect to. The zero Policy allows the Internet alone.
type Policy struct {
	Allow []netip.Prefix // networks inside that may be reached all the same
}

// Allows reports whether an address may be dialed.
func (p Policy) Allows(a netip.Addr) bool {
	dialed := a.Unmap().WithZone("")
	a = asIPv4(dialed)
	contains := func(n netip.Prefix) bool { return n.Contains(a) }
	if slices.ContainsFunc(p.Allow, func(n netip.Prefix) bool { return contains(n) || n.Contains(dialed) }) {
		return true
	}
	return a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(inside, contains) && (a.Is4() || global.Contains(a))
}

// asIPv4 returns the address of IPv4 that a stands for where it is translated, and else a.
func asIPv4(a netip.Addr) netip.Addr {
	if !translated.Contains(a) {
		return a
	}
	b := a.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}

// RefusedError says that an address may not be dialed.
type RefusedError struct{ Address string }

// Error names the address.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s is not a public address", e.Address)
}

// ErrSpelling says that a host ends like an address and is none.
var ErrSpelling = errors.New("addresses are written as 192.0.2.1 or [2001:db8::1]")

// CheckHost says what speaks against the host of a URL, without its brackets, as far as it tells by itself: a *RefusedError where it is
// an address that may not be dialed or a name of this machine (RFC 6761 §6.3), ErrSpelling where it is an address in a spelling that
// only some read (2130706433, 0x7f.1), nil else. Names are not resolved: what one leads to may change with the next answer, so
// only control, which sees the address that is dialed, can say; and whoever asked would learn what names there are inside.
func (p Policy) CheckHost(host string) error {
	plain := strings.TrimSuffix(strings.ReplaceAll(norm.NFKC.String(strings.ToLower(host)), "\u3002", "."), ".") // as a client reads it
	if a, err := netip.ParseAddr(plain); err == nil {
		if p.Allows(a) {
			return nil
		}
		return &RefusedError{Address: host}
	}
	last := plain[strings.LastIndexByte(plain, '.')+1:]
	here := last == "localhost" && !p.Allows(netip.AddrFrom4([4]byte{127, 0, 0, 1})) && !p.Allows(netip.IPv6Loopback())
	switch {
	case here:
		return &RefusedError{Address: host}
	case strings.Contains(plain, ":") || isNumber(last):
		return ErrSpelling
	}
	return nil
}

// isNumber reports whether the last label of a host makes it an address (WHATWG URL, "ends in a number").
func isNumber(label string) bool {
	digits, hex := strings.CutPrefix(label, "0x")
	set := "0123456789"
	if hex {
		set += "abcdef"
	}
	return (digits != "" || hex) && strings.Trim(digits, set) == ""
}

// DialContext connects, for an http.Transport. It fails with a *RefusedError.
func (p Policy) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second, Control: p.control}
	return d.DialContext(ctx, network, address)
}

// control looks at the address that a socket is about to be connected to.
func (p Policy) control(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !p.Allows(a.Addr()) {
		return &RefusedError{Address: address}
	}
	return nil
}

// ParseNetworks reads addresses and networks: "127.0.0.1", "10.0.0.0/8".
func ParseNetworks(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	var errs []error
	for _, text := range texts {
		if n, err := netip.ParsePrefix(text); err == nil {
			all = append(all, n.Masked())
			continue
		}
		a, err := netip.ParseAddr(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%q is no address and no network; they look like 192.0.2.1 and 10.0.0.0/8", text))
			continue
		}
		all = append(all, netip.PrefixFrom(a, a.BitLen()))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return all, nil
}
