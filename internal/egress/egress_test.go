package egress

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

func TestAllows(t *testing.T) {
	for address, want := range map[string]bool{
		"1.1.1.1": true, "93.184.216.34": true, "2606:4700::1111": true, "::ffff:1.1.1.1": true,
		"0.0.0.0": false, "0.1.2.3": false, "127.0.0.1": false, "127.255.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.0.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "100.127.255.255": false, "192.0.0.8": false, "198.18.0.1": false, "224.0.0.1": false,
		"240.0.0.1": false, "255.255.255.255": false, "203.0.113.9": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd00:ec2::254": false, "ff02::1": false, "fec0::1": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:169.254.169.254": false, "::127.0.0.1": false,
		"64:ff9b::1.1.1.1": true, "64:ff9b::a9fe:a9fe": false, "64:ff9b::127.0.0.1": false, "64:ff9b::10.0.0.1": false, "64:ff9b::1": false, "64:ff9b::1:101:101": false, "64:ff9b:1::1": false, "2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false, "100::1": false,
	} {
		if got := (Policy{}).Allows(netip.MustParseAddr(address)); got != want {
			t.Errorf("Allows(%s) = %v; want %v", address, got, want)
		}
	}
	some := Policy{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("64:ff9b::10.3.0.0/112"), netip.MustParsePrefix("fe80::/64")}}
	for address, want := range map[string]bool{"10.1.2.3": true, "fe80::1%eth0": true, "fe80:1::1%eth0": false, "64:ff9b::10.3.0.1": true, "10.3.0.1": false, "::ffff:10.1.2.3": true, "64:ff9b::10.1.2.3": true, "10.2.0.1": false, "64:ff9b::10.2.0.1": false, "::1": true, "127.0.0.1": false} {
		if got := some.Allows(netip.MustParseAddr(address)); got != want {
			t.Errorf("with an allowance, Allows(%s) = %v; want %v", address, got, want)
		}
	}
}

func TestCheckHost(t *testing.T) {
	const spelled, inside = "spelled", "inside"
	for host, want := range map[string]string{
		"app.example.com": "", "1.1.1.1": "", "2606:4700::1111": "", "app": "", "localhost.example.com": "", "mylocalhost": "", "example.com.": "", "0x.example": "", "a1": "", "xn--bcher-kva.example": "",
		"127.0.0.1": inside, "127.0.0.1.": inside, "10.0.0.1": inside, "169.254.169.254": inside, "0.0.0.0": inside, "224.0.0.1": inside, "255.255.255.255": inside,
		"::1": inside, "::": inside, "::ffff:10.0.0.1": inside, "64:ff9b::a9fe:a9fe": inside, "fe80::1%eth0": inside, "fd00:ec2::254": inside, "ff02::1": inside,
		"localhost": inside, "LocalHost.": inside, "app.localhost": inside, "１２７.0.0.1": inside, "127。0。0。1": inside, "ｌocalhost": inside,
		"2130706433": spelled, "0x7f.1": spelled, "0x7f000001": spelled, "017700000001": spelled, "127.1": spelled, "0177.0.0.1": spelled, "127.0.0.0x1": spelled, "0x": spelled,
		"1.2.3.4.5": spelled, "example.1": spelled, "2001:db8": spelled,
	} {
		err := (Policy{}).CheckHost(host)
		_, refused := errors.AsType[*RefusedError](err)
		got := map[bool]string{true: inside}[refused]
		if err == ErrSpelling {
			got = spelled
		}
		if got != want || (err == nil) != (want == "") {
			t.Errorf("CheckHost(%s) = %v; want %q", host, err, want)
		}
	}
	some := Policy{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("::1/128")}}
	for host, want := range map[string]bool{"10.1.2.3": true, "10.2.0.1": false, "localhost": true, "127.0.0.1": false, "::1": true} {
		if err := some.CheckHost(host); (err == nil) != want {
			t.Errorf("with an allowance, CheckHost(%s) = %v; want it accepted: %v", host, err, want)
		}
	}
}

// FuzzCheckHost: an address that is accepted may be dialed, however it is spelled.
func FuzzCheckHost(f *testing.F) {
	for _, seed := range []string{"127.0.0.1", "0x7f.1", "::ffff:10.0.0.1", "fe80::1%25eth0", "１２７.0.0.1", "localhost.", "..", "%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		err := (Policy{}).CheckHost(host)
		if a, bad := netip.ParseAddr(host); bad == nil && err == nil && !(Policy{}).Allows(a) {
			t.Errorf("CheckHost(%q) accepts what may not be dialed", host)
		}
	})
}

func TestDial(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost", "::ffff:127.0.0.1"} {
		conn, err := (Policy{}).DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
		if _, refused := errors.AsType[*RefusedError](err); !refused {
			t.Errorf("dialing %s = %v, %v; want it refused", host, conn, err)
		}
	}
	conn, err := Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatalf("dialing what is allowed = %v", err)
	}
	conn.Close()
}

func FuzzParseNetworks(f *testing.F) {
	for _, seed := range []string{"10.0.0.0/8", "::1", "127.0.0.1/33", "x", "fe80::1%eth0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseNetworks([]string{text})
		if err != nil {
			return
		}
		if again, err := ParseNetworks([]string{all[0].String()}); err != nil || again[0] != all[0] {
			t.Errorf("%q reads as %s, and that as %v, %v", text, all[0], again, err)
		}
	})
}
