package redisstore_test

import (
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/redisstore"
	"github.com/postern-auth/postern/storetest"
)

// TestDocumentedServer starts a server with the settings that docs/production.md shows, and does all that a store does as the user that it
// shows: that user may do enough, and nothing about the settings is refused.
func TestDocumentedServer(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/production.md")
	if err != nil {
		t.Fatal(err)
	}
	conf := regexp.MustCompile("(?s)```conf\n(.*?)\n```").FindSubmatch(page)
	if conf == nil {
		t.Fatal("docs/production.md has no configuration of Redis")
	}
	redistest.Each(t, func(t *testing.T, shared *redistest.Server) {
		settings := append(strings.Split(string(conf[1]), "\n"), "dir "+t.TempDir())
		server := redistest.StartKind(t, shared.Kind, settings...)
		address, err := url.Parse(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		address.User = url.UserPassword("postern", "PASSWORD")
		as := func() redisstore.Options {
			o := options(address.String())
			o.KeyPrefix = fmt.Sprintf("postern:%d:", prefixes.Add(1))
			return o
		}
		fitness, err := open(t, as()).Check(t.Context())
		if err != nil {
			t.Fatalf("Check = %v", err)
		}
		for _, f := range fitness.Findings {
			if f.Code != "scripting" && f.Code != "fsync" { // of the server's release, and what the page explains
				t.Errorf("Check finds %+v; want nothing", f)
			}
		}
		storetest.Run(t, func(t *testing.T) core.Store { return open(t, as()) })
	})
}
