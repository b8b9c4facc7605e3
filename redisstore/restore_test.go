package redisstore_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
)

// TestRestore restores an RDB file as docs/backup.md says, and goes on over the append-only file that comes of it.
func TestRestore(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, shared *redistest.Server) {
		from, to := t.TempDir(), t.TempDir()
		before := redistest.StartKind(t, shared.Kind, "dir "+from, "appendonly yes")
		if _, err := open(t, options(before.URL())).Apply(t.Context(), create("op", "n")); err != nil {
			t.Fatal(err)
		}
		if err := before.Client(t).Save(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		before.Stop(t)
		rdb, err := os.ReadFile(filepath.Join(from, "dump.rdb"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, "dump.rdb"), rdb, 0o600); err != nil {
			t.Fatal(err)
		}
		restored := redistest.StartKind(t, shared.Kind, "dir "+to, "appendonly no")
		client := restored.Client(t)
		if err := client.ConfigSet(t.Context(), "appendonly", "yes").Err(); err != nil {
			t.Fatal(err)
		}
		redistest.Eventually(t, "the append-only file is written", func() bool {
			info, err := client.Info(t.Context(), "persistence").Result()
			return err == nil && strings.Contains(info, "aof_enabled:1") && strings.Contains(info, "aof_rewrite_in_progress:0") && strings.Contains(info, "aof_rewrite_scheduled:0") && strings.Contains(info, "aof_last_bgrewrite_status:ok")
		})
		restored.Stop(t)
		after := open(t, options(redistest.StartKind(t, shared.Kind, "dir "+to, "appendonly yes").URL()))
		if r := get(t, after, core.Key{Name: "n"})[0]; r.Version == 0 {
			t.Errorf("Get after the backup was restored = %+v; want the record", r)
		}
	})
}
