package assembly

import (
	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
)

// reporter logs how fit the store is, whenever that has changed.
type reporter struct {
	log    *zap.Logger
	meters *Meters
	last   map[string]bool // the findings that were logged
	away   bool
}

// report takes what core found in the minute. It is called by one goroutine.
func (r *reporter) report(fit core.Fitness, err error) {
	r.meters.fitness(fit, err)
	if err != nil {
		if !r.away {
			r.log.Error("the store cannot be checked", zap.Error(err))
		}
		r.away = true
		return
	}
	if r.away {
		r.log.Info("the store is back", zap.String("store", fit.Server))
	}
	r.away = false
	found := map[string]bool{}
	for _, f := range fit.Findings {
		found[f.Text] = true
		if r.last[f.Text] {
			continue
		}
		level := zap.WarnLevel
		if f.Refuse {
			level = zap.ErrorLevel
		}
		r.log.Log(level, "database is less than fit", zap.String("reason", f.Code), zap.String("finding", f.Text))
	}
	r.last = found
}

// trouble takes that some work in the background fails, or no longer does.
func (r *reporter) trouble(work string, err error) {
	r.meters.fails(work, err)
	if err == nil {
		r.log.Info("work in the background goes well again", zap.String("work", work))
		return
	}
	r.log.Error("work in the background fails; it is tried again", zap.String("work", work), zap.Error(err))
}
