package sidecar

import "fmt"

// Warnings says what is allowed about o, and is hardly meant.
func (o *Options) Warnings() []string {
	var all []string
	trusted, _ := parseProxies(o.TrustedProxies) // validate has seen them
	if network := trusted.everybody(); network != "" {
		all = append(all, fmt.Sprintf("trusted_proxies: %s holds clients too, who may then say which address they come from, and with forward_auth_listen what is judged; name the proxies alone", network))
	}
	return all
}

// warn logs the warnings about o.
func (o *Options) warn() {
	for _, text := range o.Warnings() {
		o.Log.Warn(text)
	}
}
