package httpapi

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/postern-auth/postern/core"
)

// MaxKeyRate is the highest Options.KeyRate.
const MaxKeyRate = 1_000_000

// keyBurst is how many seconds' worth of calls a management key may make at once: so much of a batch is no flood.
const keyBurst = 10

// CheckKeyRate returns what is wrong with an Options.KeyRate, if anything.
func CheckKeyRate(perSecond int) error {
	if perSecond < 0 || perSecond > MaxKeyRate {
		return fmt.Errorf("api_rate is %d; it must be from 1 to %d calls a second, or 0 for no bound", perSecond, MaxKeyRate)
	}
	return nil
}

// errKeyRate says that a management key made too many calls.
var errKeyRate = &core.Error{Kind: core.KindThrottled, Code: "too_many_calls", Detail: "this management key makes more calls than it may; try again later"}

// keyRates bounds how many calls each management key makes, so that a back end that runs wild leaves room for the others. It counts in this
// process and in memory: to ask the store would cost what it is to save. It knows as many keys as are good, and no other.
// Safe for concurrent use.
type keyRates struct {
	perSecond int // 0 = no bound

	mu    sync.Mutex
	byKey map[core.ManagementKeyID]*rate.Limiter
}

func newKeyRates(perSecond int) *keyRates {
	return &keyRates{perSecond: perSecond, byKey: map[core.ManagementKeyID]*rate.Limiter{}}
}

// take takes one of the calls that a key may make now, or fails with errKeyRate.
func (k *keyRates) take(key core.ManagementKeyID, clock func() time.Time) error {
	if k.perSecond == 0 {
		return nil
	}
	now := clock()
	taken := k.of(key).ReserveN(now, 1)
	wait := taken.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	taken.CancelAt(now)
	refused := *errKeyRate
	refused.Limit, refused.RetryAfter = keyBurst*k.perSecond, wait
	return &refused
}

// of returns the limiter of a key.
func (k *keyRates) of(key core.ManagementKeyID) *rate.Limiter {
	k.mu.Lock()
	defer k.mu.Unlock()
	l, there := k.byKey[key]
	if !there {
		l = rate.NewLimiter(rate.Limit(k.perSecond), keyBurst*k.perSecond)
		k.byKey[key] = l
	}
	return l
}
