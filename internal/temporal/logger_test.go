package temporal_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"go.temporal.io/sdk/log"

	"busbar/internal/temporal"
)

func TestLoggerKeepsNoiseOut(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger := log.With(temporal.NewLogger(slog.New(slog.NewTextHandler(&out, nil))), "Namespace", "default")
	logger.Error("Activity error.", "Attempt", 3)
	logger.Info("Started Worker")
	logger.Error("Workflow panic", "WorkflowID", "w-1")
	got := out.String()
	if strings.Contains(got, "Activity error") || strings.Contains(got, "Started Worker") {
		t.Errorf("noise was logged: %s", got)
	}
	if !strings.Contains(got, "Workflow panic") || !strings.Contains(got, "WorkflowID=w-1") || !strings.Contains(got, "Namespace=default") {
		t.Errorf("a real error was not logged in full: %s", got)
	}
}
