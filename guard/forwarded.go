package guard

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Forwarded is what proxies say of where a request comes from in the headers that most of them set.
type Forwarded struct {
	For   []netip.Addr // the client, then each proxy it came through but the last, which sent the request; none = not said
	Proto string       // as it was sent; "" = not said
	Host  string       // as it was sent; "" = not said
}

// ParseForwarded reads X-Forwarded-For, -Proto and -Host of a request that a trusted proxy sent. trusts says whether an address is
// that of another one.
//
// The client is the last address that trusts does not hold for, or else the first that can be read: what stands before it is a claim of
// the client's own. Beside an address there may be a port; a zone, which can be any text, is left out. Of the other two headers
// each says nothing where it is there twice: one of them may be the client's own, which the proxy left there.
func ParseForwarded(h http.Header, trusts func(netip.Addr) bool) Forwarded {
	from := Forwarded{Proto: only(h, "X-Forwarded-Proto"), Host: only(h, "X-Forwarded-Host")}
	hops := strings.Split(strings.Join(h["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		address, err := parseHop(hop)
		if err != nil {
			break
		}
		from.For = append(from.For, address)
		if !trusts(address) {
			break
		}
	}
	slices.Reverse(from.For)
	return from
}

// RemoteAddr returns the client's address as http.Request.RemoteAddr has it, with port 0; "" = not said.
func (f Forwarded) RemoteAddr() string {
	if len(f.For) == 0 {
		return ""
	}
	return remoteAddr(f.For[0])
}

func remoteAddr(address netip.Addr) string { return netip.AddrPortFrom(address, 0).String() }

// parseHop reads an entry of X-Forwarded-For.
func parseHop(text string) (netip.Addr, error) {
	text = strings.TrimSpace(text)
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().WithZone(""), nil
	}
	address, err := netip.ParseAddr(text)
	return address.WithZone(""), err
}

// only returns the one value of a header, and "" where there are none or several.
func only(h http.Header, name string) string {
	if values := h[name]; len(values) == 1 {
		return values[0]
	}
	return ""
}
