package bot

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/telegram"
)

// speakWithin is the most that one answer may take: updates wait for it.
const speakWithin = 10 * time.Second

// call asks the Bot API for one thing of a chat. An answer that doesn't arrive
// is not worth a second try: whoever asked asks again.
func (b *Bot) call(ctx context.Context, method string, at place, params map[string]string) (json.RawMessage, bool) {
	ctx, cancel := context.WithTimeout(ctx, speakWithin)
	defer cancel()
	result, err := b.cfg.API.Call(ctx, method, at.number(), params)
	if err != nil {
		// A chat that shut us out, or a press that is too old to be answered, is no trouble of ours.
		if !errors.Is(err, notifier.ErrPermanent) && ctx.Err() == nil {
			b.cfg.Logger.Debug("telegram answer not said", "method", method, "err", err)
		}
		return nil, false
	}
	return result, true
}

// say says something in the chat that e came from, with a keyboard where there is one.
func (b *Bot) say(ctx context.Context, e event, text string, rows [][]notifier.Button) {
	params := map[string]string{"chat_id": e.chat.number(), "text": text, "link_preview_options": `{"is_disabled":true}`}
	if e.chat.topic != 0 {
		params["message_thread_id"] = strconv.FormatInt(e.chat.topic, 10)
	}
	if keyboard := telegram.Keyboard(rows); keyboard != "" {
		params["reply_markup"] = keyboard
	}
	b.call(ctx, "sendMessage", e.chat, params)
}

// show puts text and keyboard in the place of the pressed message's, or says it
// where nothing was pressed.
func (b *Bot) show(ctx context.Context, e event, text string, rows [][]notifier.Button) {
	if e.kind != pressed {
		b.say(ctx, e, text, rows)
		return
	}
	params := map[string]string{
		"chat_id": e.chat.number(), "message_id": strconv.Itoa(e.message), "text": text, "link_preview_options": `{"is_disabled":true}`,
	}
	if keyboard := telegram.Keyboard(rows); keyboard != "" {
		params["reply_markup"] = keyboard
	}
	b.call(ctx, "editMessageText", e.chat, params)
}

// maxToast is the longest answer to a press, in characters.
const maxToast = 200

// toast answers a press: a line at the top of the screen, or none, and the
// button stops waiting.
func (b *Bot) toast(ctx context.Context, e event, text string) {
	if runes := []rune(text); len(runes) > maxToast {
		text = string(runes[:maxToast-1]) + "…"
	}
	params := map[string]string{"callback_query_id": e.query}
	if text != "" {
		params["text"] = text
	}
	b.call(ctx, "answerCallbackQuery", e.chat, params)
}

// tell answers with a line: at the top of the screen where a button was
// pressed, else in the chat.
func (b *Bot) tell(ctx context.Context, e event, text string) {
	if e.kind == pressed {
		b.toast(ctx, e, text)
		return
	}
	b.say(ctx, e, text, nil)
}

// rewrite puts another button in the place of the pressed one and leaves the
// others as they are.
func (b *Bot) rewrite(ctx context.Context, e event, button notifier.Button) {
	found := false
	rows := make([][]tgbotapi.InlineKeyboardButton, len(e.keyboard))
	for i, row := range e.keyboard {
		rows[i] = slices.Clone(row)
		for j, old := range row {
			if old.CallbackData != nil && *old.CallbackData == e.data {
				rows[i][j] = tgbotapi.NewInlineKeyboardButtonData(button.Text, button.Data)
				found = true
			}
		}
	}
	if !found {
		return
	}
	keyboard, err := json.Marshal(tgbotapi.InlineKeyboardMarkup{InlineKeyboard: rows})
	if err != nil {
		return // it came as JSON
	}
	b.call(ctx, "editMessageReplyMarkup", e.chat, map[string]string{
		"chat_id": e.chat.number(), "message_id": strconv.Itoa(e.message), "reply_markup": string(keyboard),
	})
}

// administers reports whether whoever did e speaks for the chat: in a private
// one they do; a group is its administrators'.
func (b *Bot) administers(ctx context.Context, e event) bool {
	if e.chat.private {
		return true
	}
	if e.kind == said && e.user.asGroup {
		return true
	}
	result, ok := b.call(ctx, "getChatMember", e.chat, map[string]string{
		"chat_id": e.chat.number(), "user_id": strconv.FormatInt(e.user.id, 10),
	})
	if !ok {
		return false
	}
	var member tgbotapi.ChatMember
	if err := json.Unmarshal(result, &member); err != nil || member.User == nil || member.User.ID != e.user.id {
		return false
	}
	return member.IsAdministrator() || member.IsCreator()
}

// setCommands gives the commands' names to Telegram, which shows them as people type.
func (b *Bot) setCommands(ctx context.Context) error {
	type command struct {
		Command     string `json:"command"`
		Description string `json:"description"`
	}
	set := func(list [][2]string, language, scope string) error {
		commands := []command{}
		for _, c := range list {
			commands = append(commands, command{c[0], c[1]})
		}
		encoded, err := json.Marshal(commands)
		if err != nil {
			return err
		}
		params := map[string]string{"commands": string(encoded)}
		if language != "" {
			params["language_code"] = language
		}
		if scope != "" {
			params["scope"] = scope
		}
		_, err = b.cfg.API.Call(ctx, "setMyCommands", "", params)
		return err
	}
	for language, w := range map[string]words{"": wordsOf[notifier.English], "en": wordsOf[notifier.English], "zh": wordsOf[notifier.Chinese]} {
		if err := set(w.commands(b.cfg.Subscriptions != nil), language, ""); err != nil {
			return err
		}
	}
	for _, chat := range b.cfg.OnCall {
		id, _, ok := telegram.ParseAddress(chat.Address)
		if !ok {
			continue
		}
		scope, err := json.Marshal(map[string]string{"type": "chat", "chat_id": id})
		if err != nil {
			return err
		}
		err = set(wordsOf[chat.Language].onCallCommands, "", string(scope))
		if later, ok := errors.AsType[*notifier.RetryAfterError](err); ok && later.Whole {
			return err
		} // a chat that doesn't know the bot yet has no use for them
	}
	return nil
}

// isOnCall reports whether the configuration names the place, or its whole chat.
func (b *Bot) isOnCall(at place) bool {
	_, ok := b.onCallLanguage(at)
	return ok
}

func (b *Bot) onCallLanguage(at place) (notifier.Language, bool) {
	names := []string{at.address(), at.number()}
	// A name that a group gave up can be taken by anybody, who then has it as a
	// private chat's. The configuration names groups and channels so, never people.
	if at.username != "" && !at.private {
		name := "@" + strings.ToLower(at.username)
		names = append(names, name)
		if at.topic != 0 {
			names = append(names, name+":"+strconv.FormatInt(at.topic, 10))
		}
	}
	for _, name := range names {
		if language, ok := b.onCall[name]; ok {
			return language, true
		}
	}
	return "", false
}
