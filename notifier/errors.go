package notifier

import (
	"errors"
	"fmt"
	"time"
)

// ErrPermanent marks a channel's error as one that no retry mends: the
// recipient blocked us, the address does not exist. Wrap it: fmt.Errorf("…: %w", ErrPermanent).
var ErrPermanent = errors.New("permanent")

// RetryAfterError is a channel's error that names when the far side will
// listen again. Dispatch obeys it exactly.
type RetryAfterError struct {
	After time.Duration
	// Whole is true where the far side stopped the whole channel (bot,
	// provider), false where only this recipient must wait.
	Whole bool
	Err   error
}

func (e *RetryAfterError) Error() string { return fmt.Sprintf("%v (retry after %s)", e.Err, e.After) }

// Unwrap gives the cause.
func (e *RetryAfterError) Unwrap() error { return e.Err }
