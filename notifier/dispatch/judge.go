package dispatch

import (
	"errors"
	"time"

	"shopwatch/notifier"
)

// mostMoves is how often a message follows an address that moves.
const mostMoves = 5

// judge is the whole policy: accepted is sent; a message that nobody takes is
// dead, and with a permanent refusal the address too; a moved address is tried at
// once; "retry after" is obeyed exactly, by the whole line or for the one
// recipient and all whose address shares what bears a pace; all else is tried again after twice as long as before, at most
// 5 min, with up to a quarter of jitter.
func (l *lane) judge(d notifier.Delivery, now time.Time, err error) (notifier.Outcome, Result) {
	outcome := notifier.Outcome{At: now}
	if err == nil {
		outcome.State = notifier.Sent
		return outcome, Accepted
	}
	outcome.Problem, outcome.Unspent, outcome.Unclear = err.Error(), l.daily(d.Recipient.Address), d.Unclear
	if unclear, ok := errors.AsType[*notifier.UnclearError](err); ok {
		outcome.Unclear = unclear.Unclear
	}
	var after *notifier.RetryAfterError
	var moved *notifier.MovedError
	switch {
	case errors.Is(err, notifier.ErrUnsendable):
		outcome.State = notifier.Dead
		return outcome, GivenUp
	case errors.Is(err, notifier.ErrPermanent):
		outcome.State, outcome.Deactivate = notifier.Dead, true
		return outcome, GivenUp
	case errors.As(err, &moved) && moved.To != "" && d.Attempts < mostMoves:
		outcome.Next, outcome.Moved = now, moved.To
	case errors.As(err, &after):
		outcome.Next = now.Add(after.After)
		outcome.BlockRecipient, outcome.Block = !after.Whole, l.line.whole
		if !after.Whole {
			outcome.Block = l.line.far(d.Recipient.Address)
		}
		l.line.stop(outcome.Next, after.Whole, d.Recipient.Address)
	default:
		wait := min(firstRetry<<min(d.Attempts, 16), lastRetry)
		outcome.Next = now.Add(wait + time.Duration(l.dispatcher.cfg.Jitter()*float64(wait)/4))
	}
	outcome.State = notifier.Queued
	return outcome, Retried
}
