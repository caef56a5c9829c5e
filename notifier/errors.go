package notifier

import (
	"errors"
	"fmt"
	"time"
)

// ErrPermanent marks a channel's error as one that no retry mends: the
// recipient blocked us, the address does not exist. Wrap it: fmt.Errorf("…: %w", ErrPermanent).
var ErrPermanent = errors.New("permanent")

// ErrUnsendable marks an error as one of this message, not of its address: the
// template is not approved, the text is too long, the provider calls it spam. No
// retry mends it, and the address stays.
var ErrUnsendable = errors.New("unsendable")

// MovedError says that a recipient has a new address, at which to try again.
type MovedError struct {
	To  string // personal data: it stands in no text
	Err error
}

func (e *MovedError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *MovedError) Unwrap() error { return e.Err }

// Unclear is that somebody may have taken a message: the answer was lost. The
// zero value is that nobody has.
type Unclear struct {
	With  string    // which of a channel's providers; a name, no address
	Since time.Time // when the first answer was lost
}

// UnclearError says that nobody knows whether a message was taken. The next try
// is told of it (Message.Unclear), whichever process makes it.
type UnclearError struct {
	Unclear Unclear
	Err     error
}

func (e *UnclearError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *UnclearError) Unwrap() error { return e.Err }

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

// Code says in one word what kind of mistake an Error is.
type Code string

// The codes.
const (
	NotFound Code = "not_found" // there is no such thing
	Invalid  Code = "invalid"   // what was asked for makes no sense
	Conflict Code = "conflict"  // it makes sense, but not now
)

// Error is a mistake of whoever asked, told in a sentence that may be shown.
// An error without a code is ours: it is logged, and not shown.
type Error struct {
	Code    Code
	Message string
	Chinese string // the sentence for a page in Chinese; empty: no page's reader can make the mistake
}

func (e *Error) Error() string { return e.Message }
