package core

import (
	"context"
	"net/netip"
	"time"
)

// signInsFromAddress is how many passwords are looked at that come from one address: a hundred at once, then ten a minute. It is
// for whoever tries one password on many accounts; an office behind one address comes in by devices that are known, which are
// not counted here.
var signInsFromAddress = Rate{Burst: 100, Every: 6 * time.Second}

// ownAddress returns the form in which tries from an address are counted: an IPv4 address, or the /64 of an IPv6 address, since
// whoever has one has all of them. It is "" for an address that is no one person's: one that is not known, or this machine's,
// which is that of a proxy.
func ownAddress(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	switch {
	case !a.IsValid() || a.IsLoopback() || a.IsUnspecified():
		return ""
	case a.Is6():
		network, _ := a.Prefix(64)
		return network.String()
	}
	return a.String()
}

// countFrom takes one try of those that an address has, before anything is compared. It says nothing of the account, which it
// does not know.
func (p *Passwords) countFrom(ctx context.Context, realm *Realm, from netip.Addr, now time.Time) error {
	address := ownAddress(from)
	if address == "" {
		return nil
	}
	return p.d.take(ctx, addressBucket(realm, address), signInsFromAddress, now)
}
