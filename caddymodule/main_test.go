package caddymodule

import (
	"os"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/postern-auth/postern/internal/redistest"
)

// beCaddy in the environment makes this program the caddy that cmd/caddy builds, so that tests run its commands.
const beCaddy = "TEST_BE_CADDY"

func TestMain(m *testing.M) {
	if os.Getenv(beCaddy) != "" {
		caddycmd.Main()
		return
	}
	os.Exit(redistest.Main(m))
}
