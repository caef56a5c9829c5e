package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"shopwatch/notifier/channel/telegram"
)

const (
	pollSeconds = 20 // shorter than the client's own patience
	pollMost    = 20 // updates at once
	// staleOffset is the age at which the offset says nothing any more: after a
	// week without updates their numbers begin anew at random
	// (core.telegram.org/bots/api#update).
	staleOffset = 6 * 24 * time.Hour
)

// wanted are the kinds of updates that we read.
const wanted = `["message","callback_query","my_chat_member"]`

// poll asks for updates as long as this process leads.
func (b *Bot) poll(ctx context.Context, held func() bool) {
	pause, troubled := firstRetry, false
	for ctx.Err() == nil && held() {
		err := b.pollOnce(ctx, held)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			if troubled {
				b.cfg.Logger.Info("telegram updates are read again")
			}
			pause, troubled = firstRetry, false
			continue
		case errors.Is(err, telegram.ErrConflict):
			if b.ownWebhook(ctx) {
				_, err = b.cfg.API.Call(ctx, "deleteWebhook", "", nil)
				if err == nil {
					continue
				}
			}
			if !troubled {
				b.cfg.Logger.Error("telegram updates go elsewhere: another program polls with this bot's token, or set a webhook. Give shopwatch a bot of its own, or set notifier.telegram.updates: none", "err", err)
			}
			pause = max(pause, lastRetry/2)
		case !troubled:
			b.cfg.Logger.Warn("telegram updates can't be read", "err", err)
		}
		troubled = true
		_ = b.cfg.Wait(ctx, pauseOf(err, pause))
		pause = min(2*pause, lastRetry)
	}
}

func (b *Bot) pollOnce(ctx context.Context, held func() bool) error {
	next, err := b.offset(ctx)
	if err != nil {
		return err
	}
	params := map[string]string{
		"timeout": strconv.Itoa(pollSeconds), "limit": strconv.Itoa(pollMost), "allowed_updates": wanted,
	}
	if next > 0 {
		params["offset"] = strconv.FormatInt(next, 10)
	}
	result, err := b.cfg.API.Call(ctx, "getUpdates", "", params)
	if err != nil {
		return err
	}
	var updates []json.RawMessage
	if err := json.Unmarshal(result, &updates); err != nil {
		return errors.New("telegram: getUpdates: the answer is no list")
	}
	if !held() { // whoever leads now is told the same ones, which nobody confirmed
		return nil
	}
	answering, cancel := finishing(ctx)
	defer cancel()
	return b.take(answering, updates)
}

// finishWithin is how long a stop waits for the answers to what was read: what is
// left half answered is read, and answered, again.
const finishWithin = 5 * time.Second

// finishing gives a context that goes on a while after ctx has ended.
func finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		select {
		case <-time.After(finishWithin):
			cancel()
		case <-longer.Done():
		}
	})
	return longer, cancel
}

// take answers updates, those of people on call first, and remembers that it did.
// One that is read a second time, after a crash, does nothing new.
func (b *Bot) take(ctx context.Context, updates []json.RawMessage) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	next, err := b.offset(ctx)
	if err != nil {
		return err
	}
	var urgent, others []event
	last := int64(-1)
	for _, raw := range updates {
		e, ok := read(raw)
		last = max(last, e.id)
		switch {
		case !ok || e.id < next:
		case b.isOnCall(e.chat):
			urgent = append(urgent, e)
		default:
			others = append(others, e)
		}
	}
	for _, e := range append(urgent, others...) {
		b.answer(ctx, e)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if last+1 <= next {
		return nil
	}
	return b.setOffset(ctx, last+1)
}

// offset is the first update that is not answered yet, 0 where nobody knows.
func (b *Bot) offset(ctx context.Context) (int64, error) {
	name, err := b.markName()
	if err != nil {
		return 0, err
	}
	value, err := b.cfg.Marks.Mark(ctx, name)
	if err != nil {
		return 0, err
	}
	first, second, _ := strings.Cut(value, " ")
	next, errNext := strconv.ParseInt(first, 10, 64)
	at, errAt := strconv.ParseInt(second, 10, 64)
	if errNext != nil || errAt != nil || b.cfg.Now().Sub(time.Unix(at, 0)) > staleOffset {
		return 0, nil //nolint:nilerr // what can't be read is as good as none
	}
	return next, nil
}

func (b *Bot) setOffset(ctx context.Context, next int64) error {
	name, err := b.markName()
	if err != nil {
		return err
	}
	return b.cfg.Marks.SetMark(ctx, name, fmt.Sprintf("%d %d", next, b.cfg.Now().Unix()))
}

// markName is of one bot: another one counts its updates anew.
func (b *Bot) markName() (string, error) {
	id, err := b.cfg.API.ID()
	return "telegram updates " + id, err
}

// ownWebhook reports whether the webhook that takes the updates is one that we
// set when we were configured so.
func (b *Bot) ownWebhook(ctx context.Context) bool {
	info, err := b.webhookInfo(ctx)
	if err != nil {
		return false
	}
	address, err := url.Parse(info.URL)
	return err == nil && address.Path == b.path
}
