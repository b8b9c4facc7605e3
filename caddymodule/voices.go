package caddymodule

import (
	"slices"
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// voices are the loggers of the configurations that share an engine, in the order they came. What outlives a
// reload logs through the newest, because Caddy closes the log of a configuration that it has left.
type voices struct {
	mu  sync.Mutex
	all []*zap.Logger
}

// add makes log the newest.
func (v *voices) add(log *zap.Logger) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.all = append(v.all, log)
}

// remove forgets log.
func (v *voices) remove(log *zap.Logger) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if i := slices.Index(v.all, log); i >= 0 {
		v.all = slices.Delete(v.all, i, i+1)
	}
}

// newest returns the logger to use now.
func (v *voices) newest() *zap.Logger {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.all) == 0 {
		return zap.NewNop()
	}
	return v.all[len(v.all)-1]
}

// logger returns a logger that always speaks through the newest.
func (v *voices) logger() *zap.Logger { return zap.New(relay{voices: v}) }

// relay is the zapcore.Core of such a logger.
type relay struct {
	voices *voices
	fields []zapcore.Field
}

// Enabled reports whether the newest logger takes entries of a level.
func (r relay) Enabled(level zapcore.Level) bool { return r.voices.newest().Core().Enabled(level) }

// With returns a relay that adds fields to each entry.
func (r relay) With(fields []zapcore.Field) zapcore.Core {
	return relay{r.voices, append(slices.Clip(r.fields), fields...)}
}

// Check adds the relay to what writes an entry.
func (r relay) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if r.Enabled(entry.Level) {
		return checked.AddCore(entry, r)
	}
	return checked
}

// Write passes an entry on. Whether it is wanted is asked again, since Caddy's logs choose by names.
func (r relay) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	if checked := r.voices.newest().Named(entry.LoggerName).Check(entry.Level, entry.Message); checked != nil {
		checked.Write(append(slices.Clip(r.fields), fields...)...)
	}
	return nil
}

// Sync does nothing: Caddy looks after its logs.
func (relay) Sync() error { return nil }
