//go:build !lean

package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// fatalError is what the server's fatal messages panic with. The server reports a port that is taken this way only.
type fatalError struct {
	message string
	cause   error
}

func (e *fatalError) Error() string {
	if e.cause == nil {
		return e.message
	}
	return fmt.Sprintf("%s: %v", e.message, e.cause)
}

func (e *fatalError) Unwrap() error { return e.cause }

// expected begins a warning about what is left out on purpose: Nexus over HTTP.
const expected = "HTTP API port has not been set"

// serverLogger passes the server's log on to slog.
type serverLogger struct {
	logger *slog.Logger
	level  slog.Leveler
	// quiet is set while stopping, when the server's parts complain about each other's absence.
	quiet *atomic.Bool
}

var (
	_ log.Logger      = (*serverLogger)(nil)
	_ log.WithLogger  = (*serverLogger)(nil)
	_ log.SLogWrapper = (*serverLogger)(nil)
)

func (l *serverLogger) Debug(msg string, tags ...tag.Tag) { l.write(slog.LevelDebug, msg, tags) }
func (l *serverLogger) Info(msg string, tags ...tag.Tag)  { l.write(slog.LevelInfo, msg, tags) }
func (l *serverLogger) Error(msg string, tags ...tag.Tag) { l.write(slog.LevelError, msg, tags) }

func (l *serverLogger) Warn(msg string, tags ...tag.Tag) {
	if strings.HasPrefix(msg, expected) {
		l.write(slog.LevelDebug, msg, tags)
		return
	}
	l.write(slog.LevelWarn, msg, tags)
}

// DPanic is for what should not happen but can be survived outside of development.
func (l *serverLogger) DPanic(msg string, tags ...tag.Tag) { l.write(slog.LevelError, msg, tags) }

func (l *serverLogger) Panic(msg string, tags ...tag.Tag) { panic(fatal(msg, tags)) }
func (l *serverLogger) Fatal(msg string, tags ...tag.Tag) { panic(fatal(msg, tags)) }

// With implements log.WithLogger.
func (l *serverLogger) With(tags ...tag.Tag) log.Logger {
	return &serverLogger{logger: slog.New(l.logger.Handler().WithAttrs(attrs(tags))), level: l.level, quiet: l.quiet}
}

// SLog implements log.SLogWrapper, for the SDK inside the server.
func (l *serverLogger) SLog() *slog.Logger {
	return slog.New(&levelHandler{Handler: l.logger.Handler(), owner: l})
}

func (l *serverLogger) enabled(level slog.Level) bool {
	return level >= l.level.Level() && !l.quiet.Load()
}

func (l *serverLogger) write(level slog.Level, msg string, tags []tag.Tag) {
	if !l.enabled(level) {
		return
	}
	l.logger.LogAttrs(context.Background(), level, msg, attrs(tags)...) //nolint:sloglint // the words are the server's
}

func attrs(tags []tag.Tag) []slog.Attr {
	list := make([]slog.Attr, len(tags))
	for i, t := range tags {
		list[i] = slog.Any(t.Key(), t.Value())
	}
	return list
}

func fatal(msg string, tags []tag.Tag) *fatalError {
	e := &fatalError{message: msg}
	for _, t := range tags {
		if t.Key() == "error" {
			e.cause = asError(t.Value())
			continue
		}
		e.message += fmt.Sprintf(" %s=%v", t.Key(), t.Value())
	}
	return e
}

func asError(value any) error {
	if err, ok := value.(error); ok {
		return err
	}
	return fmt.Errorf("%v", value)
}

// levelHandler holds the SDK inside the server to the same level.
type levelHandler struct {
	slog.Handler
	owner *serverLogger
}

func (h *levelHandler) Enabled(_ context.Context, level slog.Level) bool {
	return h.owner.enabled(level)
}

func (h *levelHandler) WithAttrs(list []slog.Attr) slog.Handler {
	return &levelHandler{Handler: h.Handler.WithAttrs(list), owner: h.owner}
}

func (h *levelHandler) WithGroup(name string) slog.Handler {
	return &levelHandler{Handler: h.Handler.WithGroup(name), owner: h.owner}
}
