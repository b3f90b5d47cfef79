package temporal

import (
	"log/slog"
	"strings"

	"go.temporal.io/sdk/log"
)

// sdkNoise begins the messages that the SDK writes at error level each time an activity attempt fails. A failed attempt
// is a delivery's daily business and has its own line in our log, so these are for debugging only.
const sdkNoise = "Activity error"

// NewLogger passes the SDK's warnings and errors on to logger. What it tells of itself, and the line about every failed
// activity attempt, become debug lines.
func NewLogger(logger *slog.Logger) log.Logger {
	return sdkLogger{log.NewStructuredLogger(logger)}
}

type sdkLogger struct{ log.Logger }

var _ log.WithLogger = sdkLogger{}

func (l sdkLogger) Info(msg string, keyvals ...any) { l.Debug(msg, keyvals...) }

func (l sdkLogger) Error(msg string, keyvals ...any) {
	if strings.HasPrefix(msg, sdkNoise) {
		l.Debug(msg, keyvals...)
		return
	}
	l.Logger.Error(msg, keyvals...)
}

// With implements log.WithLogger, so that the SDK's tags don't strip the filter.
func (l sdkLogger) With(keyvals ...any) log.Logger {
	return sdkLogger{log.With(l.Logger, keyvals...)}
}
