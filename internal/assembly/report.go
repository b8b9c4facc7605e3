package assembly

import (
	"sync"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
)

// reporter logs how fit the store is and what fails in the background, whenever that has changed, and gives notice of it.
// Safe for concurrent use.
type reporter struct {
	log    *zap.Logger
	meters *Meters
	notice func(Notice)

	mu     sync.Mutex
	status Status
	last   map[string]bool // the findings that were logged
	unseen bool            // it could not be checked
	silent bool            // there are no news from it
}

// report takes what core found in the minute.
func (r *reporter) report(fit core.Fitness, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.meters.fitness(fit, err)
	r.status.checked(fit, err)
	if err != nil {
		if !r.unseen {
			r.log.Error("the store cannot be checked", zap.Error(err))
		}
		r.becomes(true, r.silent, err)
		return
	}
	if r.unseen {
		r.log.Info("the store is back", zap.String("store", fit.Server))
	}
	r.becomes(false, r.silent, nil)
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
		r.notice(Notice{Name: NoticeStoreUnfit, data: map[string]any{"reason": f.Code, "finding": f.Text, "refuse": f.Refuse}})
	}
	r.last = found
}

// becomes takes whether the store cannot be checked and is silent. It is away while either is so.
func (r *reporter) becomes(unseen, silent bool, why error) {
	was := r.unseen || r.silent
	r.unseen, r.silent = unseen, silent
	switch is := unseen || silent; {
	case is && !was:
		r.notice(StoreAway(why))
	case was && !is:
		r.notice(Notice{Name: NoticeStoreBack})
	}
}

// trouble takes that some work in the background fails, or no longer does.
func (r *reporter) trouble(work string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.meters.fails(work, err)
	r.status.fails(work, err)
	if work == core.WorkFeed {
		r.becomes(r.unseen, err != nil, err)
	}
	if err == nil {
		r.log.Info("work in the background goes well again", zap.String("work", work))
		r.notice(Notice{Name: NoticeWorkRecovered, data: map[string]any{"work": work}})
		return
	}
	r.log.Error("work in the background fails; it is tried again", zap.String("work", work), zap.Error(err))
	r.notice(Notice{Name: NoticeWorkFailing, data: map[string]any{"work": work, "error": err.Error()}})
}
