package seldom_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/postern-auth/postern/internal/seldom"
)

// TestWarn has fifty say the same at once, again and again: one line is written each time that 10 seconds have passed.
func TestWarn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, seen := observer.New(zap.InfoLevel)
		log := seldom.New(zap.New(core))
		for _, step := range []struct {
			after time.Duration
			want  int
		}{{0, 1}, {9 * time.Second, 0}, {time.Second, 1}, {time.Hour, 1}} {
			time.Sleep(step.after)
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() { log.Warn("it is away", zap.Int("status", 503)) })
			}
			all.Wait()
			if got := seen.TakeAll(); len(got) != step.want || step.want > 0 && (got[0].Message != "it is away" || got[0].ContextMap()["status"] != int64(503)) {
				t.Errorf("%s later: the log has %v, want %d lines", step.after, got, step.want)
			}
		}
	})
}

// TestWarnNobodyHears takes no turn where the level is off.
func TestWarnNobodyHears(t *testing.T) {
	core, seen := observer.New(zap.ErrorLevel)
	log := seldom.New(zap.New(core))
	log.Warn("it is away")
	if got := seen.TakeAll(); len(got) != 0 {
		t.Errorf("the log has %v, want nothing", got)
	}
	seldom.New(zap.NewNop()).Warn("it is away")
}
