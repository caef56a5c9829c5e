package ledger

import (
	"context"
	"fmt"

	"shopwatch/exporter"
	"shopwatch/rules"
)

const (
	judgeable = 20 // orders, of which the share of unknown statuses says something
	doubtful  = 20 // one order of so many with an unknown status is worth a word
)

// admit makes sure that the book may be read and fits, before anything of it is
// believed: that nobody else follows it, that the driver knows its tables and
// statuses, and how old it is.
func (r *round) admit(ctx context.Context) error {
	if c, ok := r.driver.(Claimer); ok {
		if err := c.Claim(ctx); err != nil {
			return fmt.Errorf("claim the books: %w", err)
		}
	}
	if err := r.selfCheck(ctx); err != nil {
		return err
	}
	return r.askLag(ctx)
}

func (r *round) selfCheck(ctx context.Context) error {
	if r.checked {
		return nil
	}
	doubts, err := r.driver.Check(ctx)
	if err != nil {
		return fmt.Errorf("self-check: %w", err)
	}
	doubt, err := r.checkStatuses(ctx)
	if err != nil {
		return fmt.Errorf("self-check: %w", err)
	}
	if doubt != "" {
		doubts = append(doubts, doubt)
	}
	for _, doubt := range doubts {
		r.logger.Warn("self-check", "doubt", doubt)
	}
	r.checked = true
	return nil
}

// checkStatuses looks at the newest orders: a shop of another version, or a
// fork, may have the driver's tables and mean something else by them.
func (r *round) checkStatuses(ctx context.Context) (doubt string, err error) {
	last, err := r.driver.Last(ctx)
	if err != nil {
		return "", fmt.Errorf("find the newest order: %w", err)
	}
	orders, err := r.driver.After(ctx, max(0, last.ID-MaxBatch), MaxBatch)
	if err != nil {
		return "", fmt.Errorf("read the newest orders: %w", err)
	}
	unknown := 0
	for _, o := range orders {
		if o.State == exporter.UnknownState {
			unknown++
		}
	}
	share := fmt.Sprintf("of the last %d orders %d (%d %%) have a status that the driver for %s doesn't know",
		len(orders), unknown, 100*unknown/max(1, len(orders)), r.ledger.Software)
	switch {
	case len(orders) < judgeable:
		return "", nil
	case 2*unknown > len(orders):
		return "", &Error{Reason: rules.LedgerSchema, Err: fmt.Errorf(
			"%s: is the shop of another software, version or fork? Nothing of it is shown, since it would be wrong: %w", share, ErrUnfit)}
	case doubtful*unknown > len(orders):
		return share + ": they are counted as unknown, and nobody is seen waiting in them", nil
	}
	return "", nil
}

// askLag makes the poll one of the moment that a replica has come to: an order
// that is delivered since must not look late because we see it waiting.
func (r *round) askLag(ctx context.Context) error {
	r.lag = nil
	replica, ok := r.driver.(Replica)
	if !ok {
		return nil
	}
	lag, known, err := replica.Lag(ctx)
	if err != nil {
		return fmt.Errorf("ask the replica how far it is behind: %w", err)
	}
	if !known {
		return nil
	}
	lag = max(0, lag)
	r.lag = &lag
	if lag > r.ledger.Late {
		return &Error{Reason: rules.LedgerReplica, Err: fmt.Errorf(
			"the replica that is read is %s behind, more than an order may take to be late (%s): its ages would lie until it has caught up", lag, r.ledger.Late)}
	}
	r.now = r.now.Add(-lag)
	r.timely = r.just(r.state.success, r.now)
	return nil
}
