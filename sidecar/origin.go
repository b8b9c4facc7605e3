package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/failure"
)

// proxies are those in front of us who may say where a request comes from. By default there are none, and what is
// said is dropped: whoever may name an address names any.
type proxies struct {
	networks []netip.Prefix
	unix     bool // whoever speaks to a socket in the file system
}

// private are the networks that the word stands for, loopback among them.
var private = []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7", "::1/128"}

// parseProxies reads addresses, networks and the words private and unix.
func parseProxies(list []string) (proxies, error) {
	var p proxies
	var errs []error
	for _, item := range list {
		switch item {
		case "unix":
			p.unix = true
			continue
		case "private":
			for _, network := range private {
				p.networks = append(p.networks, netip.MustParsePrefix(network))
			}
			continue
		}
		network, err := netip.ParsePrefix(item)
		if address, isAddress := netip.ParseAddr(item); isAddress == nil {
			address = address.Unmap()
			network, err = address.Prefix(address.BitLen())
		}
		if err != nil || network.Addr().Is4In6() { // a network of which would hold nobody, since addresses are compared in their plain form
			errs = append(errs, fmt.Errorf("trusted_proxies: %q is no address, no network like 10.0.0.0/8, and neither private nor unix", item))
			continue
		}
		p.networks = append(p.networks, network.Masked())
	}
	if len(errs) > 0 {
		return proxies{}, errors.Join(errs...)
	}
	return p, nil
}

// widest is how many bits at least say which network a proxy is in that somebody may have meant. The largest that belong to one owner have
// eight, but for the private ones of IPv6 (fc00::/7).
const widest = 7

// everybody returns a network that holds much of the internet, as 0.0.0.0/0 does, and so clients too; "" = there is none.
func (p proxies) everybody() string {
	for _, network := range p.networks {
		if network.Bits() < widest {
			return network.String()
		}
	}
	return ""
}

// trust reports whether an address, as net/http has it, is one of them.
func (p proxies) trust(remote string) bool {
	if len(p.networks) == 0 && !p.unix {
		return false
	}
	if remote == "" || remote == "@" { // a socket in the file system
		return p.unix
	}
	at, err := netip.ParseAddrPort(remote)
	return err == nil && p.holds(at.Addr())
}

// holds reports whether an address is in one of the networks.
func (p proxies) holds(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	for _, network := range p.networks {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// origin is where a request comes from, as far as we know or believe.
type origin struct {
	chain string // X-Forwarded-For for the app: the client, and whom it came through
	proto string
	host  string
}

type originKey struct{}

// locate finds out where a request comes from. Of a trusted proxy it takes X-Forwarded-For, -Proto and -Host, and from then
// on RemoteAddr is the client's address, with port 0, or "" where the proxy does not know it; of anybody else it is what the connection shows.
func (p proxies) locate(r *http.Request) *http.Request {
	if !p.trust(r.RemoteAddr) {
		return r
	}
	from := seen(r)
	said := guard.ParseForwarded(r.Header, p.holds)
	if len(said.For) > 0 {
		from.chain = chain(said.For, from.chain)
		r.RemoteAddr = said.RemoteAddr()
	}
	if said.Proto == "http" || said.Proto == "https" {
		from.proto = said.Proto
	}
	if said.Host != "" && inHosts.have(said.Host) {
		from.host = said.Host
	}
	if id := failure.SentID(r.Header); id != "" && !failure.HasID(r) {
		r = failure.WithID(r, id)
	}
	return r.WithContext(context.WithValue(r.Context(), originKey{}, from))
}

// chain writes X-Forwarded-For: whom a request came through, and the last of them, as the connection shows it; "" = a socket.
func chain(through []netip.Addr, last string) string {
	hops := make([]string, 0, len(through)+1)
	for _, address := range through {
		if address.IsValid() {
			hops = append(hops, address.String())
		} else {
			hops = append(hops, "unknown") // as in RFC 7239 §6.2
		}
	}
	if last != "" {
		hops = append(hops, last)
	}
	return strings.Join(hops, ", ")
}

// seen returns what the connection shows.
func seen(r *http.Request) origin {
	from := origin{proto: "http", host: r.Host}
	from.chain, _, _ = net.SplitHostPort(r.RemoteAddr)
	if r.TLS != nil {
		from.proto = "https"
	}
	return from
}

// isSecure reports whether the client speaks TLS, to us or to a proxy that we believe.
func isSecure(r *http.Request) bool {
	if from, located := r.Context().Value(originKey{}).(origin); located {
		return from.proto == "https"
	}
	return r.TLS != nil
}

// hostOf returns the host that the client asked for: from us, or from a proxy that we believe.
func hostOf(r *http.Request) string {
	if from, located := r.Context().Value(originKey{}).(origin); located {
		return from.host
	}
	return r.Host
}

// asClient returns r with the host that the client asked for, for those who answer it themselves: an app is asked by the name that the
// proxy in front gave it.
func asClient(r *http.Request) *http.Request {
	host := hostOf(r)
	if host == r.Host {
		return r
	}
	r = r.WithContext(r.Context())
	r.Host = host
	return r
}

// setForwarded tells the app where a request comes from.
func setForwarded(h http.Header, r *http.Request) {
	from, located := r.Context().Value(originKey{}).(origin)
	if !located {
		from = seen(r)
	}
	values := []string{from.chain, from.proto, from.host} // one allocation for all three
	if from.chain != "" {
		h["X-Forwarded-For"] = values[0:1:1]
	}
	h["X-Forwarded-Proto"], h["X-Forwarded-Host"] = values[1:2:2], values[2:3:3]
}
