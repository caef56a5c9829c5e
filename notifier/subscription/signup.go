package subscription

import (
	"context"
	"crypto/subtle"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// void words: of a link or code that is wrong, used, or too old. It says no
// more, so that nobody learns who is subscribed.
var errVoid = &notifier.Error{Code: notifier.NotFound, Message: "the link or code is wrong, used, or too old"}

// SignUp writes down that somebody wants to be told and has them be asked
// whether it is they. Whoever is subscribed already gets a way to their own
// subscription instead, which stays as it is: the caller can't tell the two
// apart, and each does the same work.
func (s *Service) SignUp(ctx context.Context, r Request) error {
	return s.change(ctx, func(tx Tx) error {
		sub, err := s.asked(tx, r, wayPage, "", deedAsk)
		if err != nil {
			return err
		}
		event := notifier.EventConfirm
		if sub.State == notifier.Active {
			event = notifier.EventCode
		}
		return s.notify(tx, sub.ID, event)
	})
}

// asked keeps a request, with new words to prove the address.
func (s *Service) asked(tx Tx, r Request, way, by, deed string) (*notifier.Subscriber, error) {
	sub, err := tx.Subscriber(r.Channel, r.Address)
	if err != nil {
		return nil, err
	}
	if sub == nil {
		sub = &notifier.Subscriber{Recipient: notifier.Recipient{Audience: rules.Subscribers, Channel: r.Channel, Address: r.Address}}
	}
	if sub.State != notifier.Active {
		// Created anew: the store forgets requests of long ago that nobody confirmed.
		sub.State, sub.Created, sub.Language, sub.Wants = notifier.Pending, s.cfg.Now(), r.Language, r.Wants
	}
	s.renew(sub)
	if err := tx.KeepSubscriber(sub); err != nil {
		return nil, err
	}
	return sub, s.act(tx, sub.ID, by, way, deed, "")
}

// WayBack has somebody who is subscribed be sent a way to their own
// subscription. Of anybody else it says and does nothing.
func (s *Service) WayBack(ctx context.Context, channel, address string) error {
	return s.change(ctx, func(tx Tx) error {
		sub, err := tx.Subscriber(channel, address)
		if err != nil || sub == nil || sub.State != notifier.Active {
			return err
		}
		s.renew(sub)
		if err := tx.KeepSubscriber(sub); err != nil {
			return err
		}
		if err := s.act(tx, sub.ID, "", wayPage, deedAsk, ""); err != nil {
			return err
		}
		return s.notify(tx, sub.ID, notifier.EventCode)
	})
}

// Asking tells whose confirmation link this is, without using it up.
func (s *Service) Asking(ctx context.Context, token string) (notifier.Subscriber, error) {
	c, ok := parse(token)
	if !ok {
		return notifier.Subscriber{}, errVoid
	}
	sub, err := s.look(ctx, c.id)
	if err == nil && !s.claims(c, sub) {
		err = errVoid
	}
	if err != nil {
		return notifier.Subscriber{}, err
	}
	return *sub, nil
}

// Confirm uses a link of a mail up: from now on its owner is told.
func (s *Service) Confirm(ctx context.Context, token string) (sub notifier.Subscriber, err error) {
	if _, err := s.Asking(ctx, token); err != nil { // forged ones keep nobody from writing
		return sub, err
	}
	err = s.change(ctx, func(tx Tx) error {
		found, err := s.claimed(tx, token)
		if err != nil {
			return err
		}
		sub, err = s.confirmed(tx, found)
		return err
	})
	return sub, err
}

// claimed finds the row of a confirmation link that is good.
func (s *Service) claimed(tx Tx, token string) (*notifier.Subscriber, error) {
	c, ok := parse(token)
	if !ok {
		return nil, errVoid
	}
	sub, err := tx.SubscriberByID(c.id)
	if err != nil {
		return nil, err
	}
	if !s.claims(c, sub) {
		return nil, errVoid
	}
	return sub, nil
}

// claims reports whether a token confirms a row.
func (s *Service) claims(c claim, sub *notifier.Subscriber) bool {
	return sub != nil && s.asks(*sub) && sub.State != notifier.Active && s.links.signer.good(c, toConfirm, sub.Nonce, s.cfg.Now())
}

// asks reports whether words to prove a subscriber's address are good now.
func (s *Service) asks(sub notifier.Subscriber) bool {
	return sub.Nonce != "" && s.cfg.Now().Before(sub.NonceUntil) && sub.State != notifier.Departed
}

// confirmed makes somebody who proved the address be told.
func (s *Service) confirmed(tx Tx, sub *notifier.Subscriber) (notifier.Subscriber, error) {
	fresh := sub.State != notifier.Active
	if fresh {
		sub.State, sub.Confirmed, sub.Problem = notifier.Active, s.cfg.Now(), ""
	}
	s.void(sub)
	if err := tx.KeepSubscriber(sub); err != nil {
		return *sub, err
	}
	if !fresh {
		return *sub, nil
	}
	if err := s.act(tx, sub.ID, "", wayPage, deedConfirm, ""); err != nil {
		return *sub, err
	}
	if sub.Channel == Email { // else the page says so already, and a text message costs money
		if err := s.notify(tx, sub.ID, notifier.EventWelcome); err != nil {
			return *sub, err
		}
	}
	return *sub, tx.CatchUp(sub.Recipient)
}

// EnterCode uses the six digits of a text message up: its reader is told from
// now on, and may change the subscription. Wrong ones count.
func (s *Service) EnterCode(ctx context.Context, channel, address, code string) (sub notifier.Subscriber, err error) {
	right := false
	err = s.change(ctx, func(tx Tx) error {
		right = false // the store may run it again
		found, err := tx.Subscriber(channel, address)
		if err != nil || found == nil || !s.asks(*found) || found.NonceTries >= maxTries {
			return err
		}
		if subtle.ConstantTimeCompare([]byte(code), []byte(s.links.signer.code(found.ID, found.Nonce))) == 0 {
			found.NonceTries++
			return tx.KeepSubscriber(found)
		}
		right = true
		sub, err = s.confirmed(tx, found)
		return err
	})
	if err == nil && !right {
		err = errVoid
	}
	return sub, err
}
