package sidecar

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/assembly"
)

// place is an address in the form in which two can be compared, however they are spelled.
type place struct {
	host string // in lower case; "" = all addresses of this machine; of a socket in the file system, its path
	port string // in digits; "" = it is such a socket, "0" = one that is free
}

// placeOf returns the place of an address that checkAddress accepts. It asks no name server.
func placeOf(address string) place {
	if path, is := strings.CutPrefix(address, unixPrefix); is {
		if folder, err := assembly.RealPath(filepath.Dir(path)); err == nil {
			path = filepath.Join(folder, filepath.Base(path))
		}
		return place{host: path}
	}
	host, port, _ := net.SplitHostPort(address)
	n, _ := net.LookupPort("tcp", port)
	p := place{strings.ToLower(host), strconv.Itoa(n)}
	if p.host == "localhost" {
		p.host = "127.0.0.1" // which listening prefers
	}
	if ip, err := netip.ParseAddr(p.host); err == nil {
		p.host = ip.Unmap().String()
		if ip.Unmap().IsUnspecified() {
			p.host = ""
		}
	}
	return p
}

// overlaps reports whether only one program can listen on both.
func (p place) overlaps(q place) bool {
	return p == q && p.port != "0" || p.port == q.port && p.port != "0" && p.port != "" && (p.host == "" || q.host == "")
}

// reaches reports whether who connects to p from this machine finds who listens on q.
func (p place) reaches(q place) bool {
	ip, err := netip.ParseAddr(p.host)
	here := p.host == "" || err == nil && ip.IsLoopback()
	return p == q && p.port != "0" || here && q.host == "" && p.overlaps(q)
}

// upstreamPlace returns where an upstream is, one that parseUpstream accepts.
func upstreamPlace(upstream string) place {
	u, err := url.Parse(upstream)
	switch {
	case err != nil || upstream == "":
		return place{port: "0"} // which is nowhere
	case u.Scheme == "unix":
		return placeOf(unixPrefix + u.Opaque + u.Path)
	}
	port := "80"
	if u.Scheme == "https" {
		port = "443"
	}
	return placeOf(net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)))
}

// checkListeners refuses addresses that cannot be listened on, one that is there twice, and an app that is where we are.
func (o *Options) checkListeners() error {
	var errs []error
	var good []listening
	for _, l := range []listening{{"listen", "listen address", o.Listen}, {"api_listen", "API listen address", o.APIListen},
		{"forward_auth_listen", "forward auth listen address", o.ForwardAuthListen}, {"admin_listen", "admin listen address", o.AdminListen}} {
		if l.address == off && l.name != "listen" {
			continue
		}
		err := checkAddress(l.title, l.address)
		if err == nil {
			err = l.checkAmong(good, o.Upstream)
			good = append(good, l)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// listening is an address to listen on, and how its setting is called.
type listening struct{ name, title, address string }

// checkAmong refuses an address that one of some others takes, or where the app is.
func (l listening) checkAmong(others []listening, upstream string) error {
	at := placeOf(l.address)
	for _, other := range others {
		if at.overlaps(placeOf(other.address)) {
			return fmt.Errorf("%s (%s) and %s (%s) are the same address; give each one of its own", other.name, other.address, l.name, l.address)
		}
	}
	if upstreamPlace(upstream).reaches(at) {
		return fmt.Errorf("upstream (%s) and %s (%s) are the same address; have the app listen elsewhere, or choose another %s", upstream, l.name, l.address, l.name)
	}
	return nil
}
