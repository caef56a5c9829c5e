package subscription

import (
	"context"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Join subscribes a chat, which is its own proof: it is told at once. Whoever
// left or was refused is told again.
func (s *Service) Join(ctx context.Context, channel, address string, language notifier.Language, wants notifier.Wants) (notifier.Subscriber, error) {
	return s.enrol(ctx, Request{Channel: channel, Address: address, Language: language, Wants: wants}, channel, "", deedJoin)
}

// enrol makes somebody be told without asking them again.
func (s *Service) enrol(ctx context.Context, r Request, way, by, deed string) (joined notifier.Subscriber, err error) {
	err = s.change(ctx, func(tx Tx) error {
		sub, err := tx.Subscriber(r.Channel, r.Address)
		if err != nil {
			return err
		}
		if sub == nil {
			sub = &notifier.Subscriber{
				Recipient: notifier.Recipient{Audience: rules.Subscribers, Channel: r.Channel, Address: r.Address}, Created: s.cfg.Now(),
			}
		}
		fresh := sub.State != notifier.Active
		if fresh {
			sub.State, sub.Confirmed, sub.Problem = notifier.Active, s.cfg.Now(), ""
		}
		sub.Language, sub.Wants = r.Language, r.Wants
		s.void(sub)
		if err := tx.KeepSubscriber(sub); err != nil {
			return err
		}
		joined = *sub
		if err := s.act(tx, sub.ID, by, way, deed, ""); err != nil || !fresh {
			return err
		}
		return tx.CatchUp(sub.Recipient)
	})
	return joined, err
}

// Of finds a subscriber by address, whatever their state; nil: there is none.
func (s *Service) Of(ctx context.Context, channel, address string) (sub *notifier.Subscriber, err error) {
	err = s.change(ctx, func(tx Tx) error {
		sub, err = tx.Subscriber(channel, address)
		return err
	})
	return sub, err
}

// Change changes what an active subscriber wants and in which language; all
// else of them stays, whatever change does. Its mistake is NotFound for whoever
// isn't told.
func (s *Service) Change(ctx context.Context, id int64, way string, change func(*notifier.Subscriber)) (changed notifier.Subscriber, err error) {
	err = s.change(ctx, func(tx Tx) error {
		sub, err := tx.SubscriberByID(id)
		if err != nil {
			return err
		}
		if sub == nil || sub.State != notifier.Active {
			return missing(id)
		}
		wanted := *sub
		change(&wanted)
		sub.Language, sub.Wants = wanted.Language, wanted.Wants
		if err := tx.KeepSubscriber(sub); err != nil {
			return err
		}
		changed = *sub
		return s.act(tx, id, "", way, deedChange, "")
	})
	return changed, err
}

// Leave ends a subscription. It is no mistake to leave twice, or to have been erased.
func (s *Service) Leave(ctx context.Context, id int64, way string) error {
	return s.leave(ctx, id, way, "", deedLeave)
}

func (s *Service) leave(ctx context.Context, id int64, way, by, deed string) error {
	return s.change(ctx, func(tx Tx) error {
		sub, err := tx.SubscriberByID(id)
		if err != nil || sub == nil || sub.State == notifier.Departed {
			return err
		}
		sub.State = notifier.Departed
		s.void(sub)
		if err := tx.KeepSubscriber(sub); err != nil {
			return err
		}
		return s.act(tx, id, by, way, deed, "")
	})
}

// LeaveBy ends the subscription that a leave link names.
func (s *Service) LeaveBy(ctx context.Context, token string) error {
	c, ok := parse(token)
	if !ok || !s.links.signer.good(c, toLeave, "", s.cfg.Now()) {
		return errVoid
	}
	return s.Leave(ctx, c.id, wayMail)
}

// Left reports whether whom a leave link names is told no more: they left, or
// were erased.
func (s *Service) Left(ctx context.Context, token string) (bool, error) {
	c, ok := parse(token)
	if !ok || !s.links.signer.good(c, toLeave, "", s.cfg.Now()) {
		return false, errVoid
	}
	sub, err := s.look(ctx, c.id)
	return sub == nil || sub.State == notifier.Departed, err
}

// Managed gives the subscriber whose manage link this is.
func (s *Service) Managed(ctx context.Context, token string) (notifier.Subscriber, error) {
	c, ok := parse(token)
	if !ok || !s.links.signer.good(c, toManage, "", s.cfg.Now()) {
		return notifier.Subscriber{}, errVoid
	}
	sub, err := s.look(ctx, c.id)
	if err == nil && (sub == nil || sub.State != notifier.Active) {
		err = errVoid
	}
	if err != nil {
		return notifier.Subscriber{}, err
	}
	return *sub, nil
}

// look finds a subscriber outside any transaction, so that whoever opens links
// keeps nobody from writing; nil: there is none.
func (s *Service) look(ctx context.Context, id int64) (*notifier.Subscriber, error) {
	list, err := s.cfg.List(ctx, id-1, 1)
	if err != nil || len(list) == 0 || list[0].ID != id {
		return nil, err
	}
	return &list[0], nil
}

// Erase removes all that is held of somebody. What stays is that recipient so
// and so was erased. Its mistake is NotFound.
func (s *Service) Erase(ctx context.Context, id int64, way, by string) error {
	return s.change(ctx, func(tx Tx) error {
		sub, err := tx.SubscriberByID(id)
		if err != nil {
			return err
		}
		if sub == nil {
			return missing(id)
		}
		if err := tx.EraseSubscriber(id); err != nil {
			return err
		}
		return s.act(tx, id, by, way, deedErase, "")
	})
}
