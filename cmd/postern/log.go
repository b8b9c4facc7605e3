package main

import (
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// newLog returns a log to standard error, with constant messages: JSON lines for programs, console lines for people. What packages say who know of
// no log is in it too. Where nobody reads it any more, as after Ctrl-C in 'postern serve 2>&1 | tee postern.log', the program goes on all the same: requests
// under way at a stop, which is told of first of all, are not to end with that.
func newLog(encoder func(zapcore.EncoderConfig) zapcore.Encoder, level zapcore.Level) *zap.Logger {
	c := zap.NewProductionEncoderConfig()
	c.EncodeTime = zapcore.RFC3339TimeEncoder
	l := zap.New(zapcore.NewCore(encoder(c), zapcore.Lock(os.Stderr), level))
	signal.Ignore(syscall.SIGPIPE)
	log.SetFlags(0)
	log.SetOutput(strays{l.Named("library")})
	return l
}

// strays takes what packages write to the log of the standard library, a message at a time.
type strays struct{ log *zap.Logger }

// surplus is how net/http begins to say that an app went on after the end of its answer. It quotes up to 4 KiB of that, which are somebody's data.
const surplus = "Unsolicited response received on idle HTTP channel"

func (s strays) Write(p []byte) (int, error) {
	text := strings.TrimSpace(string(p))
	if strings.HasPrefix(text, surplus) {
		text = "the app sent more than its answer, which is dropped; its Content-Length is too small, or the answer may have no body"
	}
	s.log.Warn(text)
	return len(p), nil
}
