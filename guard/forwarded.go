package guard

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Forwarded is what proxies say of where a request comes from in the headers that most of them set.
type Forwarded struct {
	// For has the client, then each proxy that the request came through but the last, which sent it; none = not said. The zero Addr is a client
	// of whom a proxy says that it is not known, or says nothing readable.
	For   []netip.Addr
	Proto string // as it was sent; "" = not said
	Host  string // as it was sent; "" = not said
}

// ParseForwarded reads X-Forwarded-For, -Proto and -Host of a request that a trusted proxy sent. trusts says whether an address is
// that of another one.
//
// The client is the last address that trusts does not hold for, or else the first: what stands before it is a claim of the client's
// own. An entry that cannot be read ends the walk too. To pass it over, as Caddy does, would be to believe such a claim; and to take the
// proxy behind it for the client, as nginx does, would open to strangers what is for the proxies' network alone, and count strangers'
// tries as one person's. Beside an address there may be a port; a zone, which can be any text, is left out. Of the other two headers each says nothing where it is there twice: one of them may be the client's own, which the proxy left there.
func ParseForwarded(h http.Header, trusts func(netip.Addr) bool) Forwarded {
	from := Forwarded{Proto: only(h, "X-Forwarded-Proto"), Host: only(h, "X-Forwarded-Host")}
	said := strings.Join(h["X-Forwarded-For"], ",")
	if strings.TrimSpace(said) == "" {
		return from
	}
	for _, hop := range slices.Backward(strings.Split(said, ",")) {
		address := parseHop(hop)
		from.For = append(from.For, address)
		if !address.IsValid() || !trusts(address) {
			break
		}
	}
	slices.Reverse(from.For)
	return from
}

// RemoteAddr returns the client's address as http.Request.RemoteAddr has it, with port 0; "" = not known.
func (f Forwarded) RemoteAddr() string {
	if len(f.For) == 0 || !f.For[0].IsValid() {
		return ""
	}
	return remoteAddr(f.For[0])
}

func remoteAddr(address netip.Addr) string { return netip.AddrPortFrom(address, 0).String() }

// parseHop reads an entry of X-Forwarded-For; the zero Addr where it cannot be read.
func parseHop(text string) netip.Addr {
	text = strings.TrimSpace(text)
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().WithZone("")
	}
	if inner, is := strings.CutPrefix(text, "["); is && strings.HasSuffix(inner, "]") { // IPv6, as where a port follows
		text = strings.TrimSuffix(inner, "]")
	}
	address, _ := netip.ParseAddr(text)
	return address.WithZone("")
}

// only returns the one value of a header, and "" where there are none or several.
func only(h http.Header, name string) string {
	if values := h[name]; len(values) == 1 {
		return values[0]
	}
	return ""
}
