package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"shopwatch/notifier"
)

// feishu is the custom robot of a Feishu (Lark) group: 100 messages a minute and
// 5 a second, 20 KB each (open.feishu.cn, "自定义机器人使用指南").
type feishu struct{}

const (
	feishuLimit = 15_000 // bytes of text; the whole request may have 20 KB
	feishuPause = time.Minute
)

// feishuColours are of a card's header: never alone, the title carries a mark.
var feishuColours = map[notifier.Event]string{
	notifier.EventDown: "red", notifier.EventProlonged: "red", notifier.EventReopened: "red", notifier.EventJoined: "orange",
	notifier.EventEased: "yellow", notifier.EventRecovered: "green", notifier.EventCompleted: "green",
}

func (feishu) request(m notifier.Message, secret string, now time.Time, _ *url.URL, _ http.Header) (any, error) {
	says := func(text string) map[string]string { return map[string]string{"tag": "plain_text", "content": text} }
	colour := feishuColours[m.Event]
	if colour == "" {
		colour = "blue"
	}
	elements := []any{map[string]string{"tag": "markdown", "content": clip(strings.TrimSpace(m.Text), feishuLimit)}}
	var buttons []any
	for _, b := range links(m) {
		buttons = append(buttons, map[string]any{"tag": "button", "text": says(b.Text), "url": b.URL, "type": "default"})
	}
	if len(buttons) > 0 {
		elements = append(elements, map[string]any{"tag": "action", "actions": buttons})
	}
	body := map[string]any{
		"msg_type": "interactive",
		"card": map[string]any{
			"config": map[string]bool{"wide_screen_mode": true},
			"header": map[string]any{"title": says(m.Subject), "template": colour}, "elements": elements,
		},
	}
	if secret != "" {
		at := strconv.FormatInt(now.Unix(), 10)
		mac := hmac.New(sha256.New, []byte(at+"\n"+secret)) // the text is the key, and nothing is the text
		body["timestamp"], body["sign"] = at, base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return body, nil
}

func (feishu) judge(a answer) error {
	return a.byCode("code", "msg", func(code int64, words string, said error) error {
		switch code {
		case 11232, 11233, 230020, 99991400: // asked too often
			after, told := a.after("X-Ogw-Ratelimit-Reset")
			if !told {
				after = feishuPause
			}
			return &notifier.RetryAfterError{After: after, Err: said}
		case 9499, 11246: // a form that it doesn't know
			return fmt.Errorf("%w: %w", said, notifier.ErrUnsendable)
		case 19021, 19022, 19024: // signature or clock, IP list, keywords
			return &notifier.RetryAfterError{After: refused, Err: fmt.Errorf("%w: check secret, the clock, the robot's keywords and its IP list", said)}
		case 19001: // the token is none
			return &notifier.RetryAfterError{After: refused, Err: fmt.Errorf("%w: check url", said)}
		}
		return said
	})
}
