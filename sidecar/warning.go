package sidecar

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Warnings says what is allowed about o, and is hardly meant.
func (o *Options) Warnings() []string {
	var all []string
	trusted, _ := parseProxies(o.TrustedProxies) // validate has seen them
	if network := trusted.everybody(); network != "" {
		all = append(all, fmt.Sprintf("trusted_proxies: %s holds clients too, who may then say which address they come from, and with forward_auth_listen what is judged; name the proxies alone", network))
	}
	if o.TLSCert != "" {
		pair, err := readPair(o.TLSCert, o.TLSKey) // what is wrong with the files is an error
		if err == nil {
			if text := outOfTime(pair.Leaf, time.Now()); text != "" {
				all = append(all, text)
			}
		}
	}
	for _, name := range o.unread {
		all = append(all, name+" in the environment is no setting, and changes nothing")
	}
	return append(all, o.plainHTTP()...)
}

// plainHTTP says of each address where tokens, or the keys and passwords that the API is given, cross a network in the clear.
func (o *Options) plainHTTP() (all []string) {
	if len(o.TrustedProxies) > 0 { // with TLS, as far as we know
		return nil
	}
	if o.TLSCert == "" && reachesBeyond(o.Listen) {
		all = append(all, fmt.Sprintf("listen: the guarded address %s is plain HTTP beyond this machine: tokens can be read on the way; "+
			"set tls_cert and tls_key, or put a proxy with TLS in front and name it in trusted_proxies", o.Listen))
	}
	if reachesBeyond(o.APIListen) {
		all = append(all, fmt.Sprintf("api_listen: the API at %s is plain HTTP beyond this machine: management keys and passwords can be read on the way; "+
			"have it on loopback, or put a proxy with TLS in front and name it in trusted_proxies", o.APIListen))
	}
	return all
}

// reachesBeyond reports whether other machines reach an address that is listened on.
func reachesBeyond(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "localhost" || strings.HasPrefix(address, unixPrefix) { // which is off, or on this machine
		return false
	}
	at, err := netip.ParseAddr(host)
	return err != nil || !at.Unmap().IsLoopback() // none at all stands for every address
}

// warn logs the warnings about o.
func (o *Options) warn() {
	for _, text := range o.Warnings() {
		o.Log.Warn(text)
	}
}
