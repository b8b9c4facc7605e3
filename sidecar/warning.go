package sidecar

import (
	"fmt"
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
	return all
}

// warn logs the warnings about o.
func (o *Options) warn() {
	for _, text := range o.Warnings() {
		o.Log.Warn(text)
	}
}
