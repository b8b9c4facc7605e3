package core_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// TestTriesFromOneAddress tries one password on many accounts from one address. It ends after a hundred, whatever the next account
// and password, and goes on elsewhere.
func TestTriesFromOneAddress(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		w.human("bob")
		device := w.signIn("bob").Device
		try := func(who, password, from, device string) error {
			_, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, who, password, core.Request{Address: netip.MustParseAddr(from), Device: device})
			return err
		}
		for i := range 100 {
			from := []string{"2001:db8::1", "2001:db8::ffff:1:2:3"}[i%2]
			w.refused("a try on a stranger", try(fmt.Sprintf("nobody%d", i), "one of the usual ones", from, ""), core.ErrUserNotFound)
		}
		for who, password := range map[string]string{"nobody": "wrong", "ann": goodPassword, "bob": "wrong"} {
			w.refused("a try too many on "+who, try(who, password, "2001:db8::2", ""), core.ErrThrottled)
		}
		w.must(try("bob", goodPassword, "2001:db8::2", device))
		for _, elsewhere := range []string{"2001:db8:0:1::1", "192.0.2.1", "::ffff:192.0.2.1"} {
			w.must(try("ann", goodPassword, elsewhere, ""))
		}
		for range 11 { // none of these has touched the accounts
			w.refused("a try too many", try("ann", "wrong", "2001:db8::3", ""), core.ErrThrottled)
		}
		w.clock.Advance(6 * time.Second)
		w.must(try("ann", goodPassword, "2001:db8::4", ""))
	})
}

// TestMappedAddresses tries from addresses of IPv4 as a socket of IPv6 shows them: each is one person's own, and no part of a network that they
// all lie in.
func TestMappedAddresses(t *testing.T) {
	w := newWorldOnBolt(t)
	try := func(who, from string) error {
		_, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, who, "wrong", core.Request{Address: netip.MustParseAddr(from)})
		return err
	}
	for i := range 100 {
		w.refused("a try on a stranger", try(fmt.Sprintf("nobody%d", i), "::ffff:192.0.2.1"), core.ErrUserNotFound)
	}
	w.refused("a try too many", try("nobody", "::ffff:192.0.2.1"), core.ErrThrottled)
	w.refused("a try too many from what is the same address", try("nobody", "192.0.2.1"), core.ErrThrottled)
	w.refused("a try from another address", try("nobody", "::ffff:192.0.2.2"), core.ErrUserNotFound)
}

// TestAddressesThatAreNobodys holds that what a back end says of an address counts nothing, nor does the machine's own, which is
// that of a proxy.
func TestAddressesThatAreNobodys(t *testing.T) {
	w := newWorldOnBolt(t)
	for _, request := range []core.Request{{IP: "192.0.2.1"}, {Address: netip.MustParseAddr("127.0.0.1")}, {Address: netip.MustParseAddr("::1")}, {}} {
		for i := range 101 {
			_, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, fmt.Sprintf("nobody%d%s", i, request.Address), "wrong", request)
			w.refused("a try on a stranger", err, core.ErrUserNotFound)
		}
	}
}
