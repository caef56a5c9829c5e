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

// dingtalk is the custom robot of a DingTalk group: 20 messages a minute, and
// ten minutes of silence for more (open.dingtalk.com, "自定义机器人接入" and its
// "错误码").
type dingtalk struct{}

const (
	dingtalkLimit   = 18_000 // bytes; the whole request may have 20,000
	dingtalkSilence = 10 * time.Minute
)

func (dingtalk) request(m notifier.Message, secret string, now time.Time, where *url.URL, _ http.Header) (any, error) {
	if secret != "" {
		at := strconv.FormatInt(now.UnixMilli(), 10)
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(at + "\n" + secret))
		query := where.Query()
		query.Set("timestamp", at)
		query.Set("sign", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		where.RawQuery = query.Encode()
	}
	text := clip(titled(m.Subject, m.Text), dingtalkLimit)
	type button struct {
		Title string `json:"title"`
		URL   string `json:"actionURL"`
	}
	var buttons []button
	for _, b := range links(m) {
		buttons = append(buttons, button{b.Text, b.URL})
	}
	if len(buttons) == 0 {
		return map[string]any{"msgtype": "markdown", "markdown": map[string]string{"title": m.Subject, "text": text}}, nil
	}
	return map[string]any{"msgtype": "actionCard", "actionCard": map[string]any{"title": m.Subject, "text": text, "btnOrientation": "0", "btns": buttons}}, nil
}

func (dingtalk) judge(a answer) error {
	return a.byCode("errcode", "errmsg", func(code int64, words string, said error) error {
		switch code {
		case 130101, 410100: // asked too often
			return &notifier.RetryAfterError{After: dingtalkSilence, Err: said}
		case 400013, 400102, 400106: // the group is dissolved, the robot stopped or removed
			return fmt.Errorf("%w: %w", said, notifier.ErrPermanent)
		case 430101, 430102, 430103, 430104, 40035, 400105: // a link or words that it doesn't like, a form that it doesn't know
			return fmt.Errorf("%w: %w", said, notifier.ErrUnsendable)
		case 310000:
			hint := "check secret, the robot's keywords and its IP list"
			if strings.Contains(words, "keyword") {
				hint = "one of the robot's keywords must stand in every notice: choose signing instead"
			}
			return &notifier.RetryAfterError{After: refused, Err: fmt.Errorf("%w: %s", said, hint)}
		case 300001, 300005, 400101, 43004: // the token is none
			return &notifier.RetryAfterError{After: refused, Err: fmt.Errorf("%w: check url", said)}
		}
		return said
	})
}
