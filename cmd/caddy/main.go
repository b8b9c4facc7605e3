// Command caddy is Caddy with its standard modules and Postern's. It is what xcaddy builds from the line in
// xcaddy.txt; the commands and flags are Caddy's own.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/postern-auth/postern/caddymodule"
)

func main() { caddycmd.Main() }
