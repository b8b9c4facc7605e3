package caddymodule

import (
	"os"
	"testing"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/postern-auth/postern/internal/redistest"
)

func TestMain(m *testing.M) { os.Exit(redistest.Main(m)) }
