package caddymodule_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // what any Caddy has

	_ "github.com/postern-auth/postern/caddymodule" // and what this one has besides
	"github.com/postern-auth/postern/internal/proctest"
)

// A Go program that runs a Caddy with the module, over an embedded store in an empty folder. Nobody has signed in yet, so only what is
// public is answered.
func Example() {
	data, err := os.MkdirTemp("", "postern")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(data)
	address, err := proctest.FreeAddress()
	if err != nil {
		log.Fatal(err)
	}
	caddyfile := strings.NewReplacer("ADDRESS", address, "DATA", data).Replace(`{
		admin off
		persist_config off
		log {
			output discard
		}
		postern {
			data DATA
		}
	}
	http://ADDRESS {
		postern_auth {
			public /
		}
		respond "Hello"
	}`)
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		log.Fatal(err)
	}
	for _, path := range []string{"/", "/orders"} {
		resp, err := http.Get("http://" + address + path)
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(path, resp.StatusCode, strings.TrimSpace(string(body)))
	}
	fmt.Println(caddy.Stop())
	// Output:
	// / 200 Hello
	// /orders 401 {"title":"Unauthorized","status":401,"detail":"This needs a signed-in user. Sign in, and send the session token as Authorization: Bearer.","code":"no_credential"}
	// <nil>
}
