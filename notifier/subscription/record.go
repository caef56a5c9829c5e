package subscription

import (
	"context"
	"time"

	"shopwatch/notifier"
)

// Record is all that is held of one person, as they are given it.
type Record struct {
	ID        int64                   `json:"id"`
	Channel   string                  `json:"channel"`
	Address   string                  `json:"address"`
	Language  notifier.Language       `json:"language"`
	State     notifier.RecipientState `json:"state"`
	Wants     notifier.Wants          `json:"wants"`
	Created   time.Time               `json:"created,omitzero"`
	Confirmed time.Time               `json:"confirmed,omitzero"`
	Problem   string                  `json:"problem,omitempty"`
	Held
}

// Held is what is held of one person beside their row.
type Held struct {
	Acts       []Act      `json:"acts"`       // newest first
	Deliveries []Delivery `json:"deliveries"` // newest first
}

// Act is one entry of the audit log.
type Act struct {
	At   time.Time `json:"at"`
	By   string    `json:"by,omitempty"` // empty: they themselves
	Way  string    `json:"way"`
	Deed string    `json:"deed"`
}

// Delivery is one message that was sent or is to be.
type Delivery struct {
	At       time.Time              `json:"at"` // when it was decided
	Event    notifier.Event         `json:"event"`
	Incident string                 `json:"incident,omitempty"`
	State    notifier.DeliveryState `json:"state"`
	Done     time.Time              `json:"done,omitzero"`
}

// Export gives all that is held of one person. Its mistake is NotFound. That it
// was given is itself an act.
func (s *Service) Export(ctx context.Context, id int64, way, by string) (Record, error) {
	var sub notifier.Subscriber
	err := s.change(ctx, func(tx Tx) error {
		found, err := tx.SubscriberByID(id)
		if err != nil {
			return err
		}
		if found == nil {
			return missing(id)
		}
		sub = *found
		return s.act(tx, id, by, way, deedExport, "")
	})
	if err != nil {
		return Record{}, err
	}
	held, err := s.cfg.Held(ctx, id)
	if err != nil {
		return Record{}, err
	}
	return Record{
		ID: sub.ID, Channel: sub.Channel, Address: sub.Address, Language: sub.Language, State: sub.State, Wants: sub.Wants,
		Created: sub.Created, Confirmed: sub.Confirmed, Problem: sub.Problem, Held: held,
	}, nil
}

// Listed is a subscriber as a list shows them: the address masked.
type Listed struct {
	ID        int64                   `json:"id"`
	Channel   string                  `json:"channel"`
	Address   string                  `json:"address"` // masked
	Language  notifier.Language       `json:"language"`
	State     notifier.RecipientState `json:"state"`
	Created   time.Time               `json:"created,omitzero"`
	Confirmed time.Time               `json:"confirmed,omitzero"`
	Problem   string                  `json:"problem,omitempty"`
}

func listed(sub notifier.Subscriber) Listed {
	return Listed{
		ID: sub.ID, Channel: sub.Channel, Address: Mask(sub.Channel, sub.Address), Language: sub.Language, State: sub.State,
		Created: sub.Created, Confirmed: sub.Confirmed, Problem: sub.Problem,
	}
}
