package driver

import (
	"context"
	"fmt"
)

// manual drives devices that exist only here: for tests, and for virtual devices whose state someone reports.
type manual struct{}

var _ Driver = manual{}

// Push accepts everything at once.
func (manual) Push(ctx context.Context, r Request) (Outcome, error) {
	if ctx.Err() != nil {
		return Outcome{}, interrupted(ctx)
	}
	return Accepted(r.Instruction.Command + " accepted"), nil
}

// interrupted says that a call's own context has ended.
func interrupted(ctx context.Context) error {
	return fmt.Errorf("%w: %w", ErrInterrupted, context.Cause(ctx))
}
