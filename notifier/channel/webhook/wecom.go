package webhook

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"shopwatch/notifier"
)

// wecom is the robot of a WeCom group: 20 messages a minute, 4,096 bytes of
// Markdown each (developer.work.weixin.qq.com, "群机器人配置说明" and "全局错误码").
type wecom struct{}

const (
	wecomLimit = 4096 // bytes of UTF-8, not characters
	wecomPause = time.Minute
)

func (wecom) request(m notifier.Message, _ string, _ time.Time, _ *url.URL, _ http.Header) (any, error) {
	var under strings.Builder
	for _, b := range links(m) {
		line := "\n" + link(b.Text, b.URL)
		if under.Len()+len(line) > wecomLimit/2 {
			break
		}
		under.WriteString(line)
	}
	text := clip(titled(m.Subject, m.Text), wecomLimit-under.Len())
	return map[string]any{"msgtype": "markdown", "markdown": map[string]string{"content": text + under.String()}}, nil
}

func (wecom) judge(a answer) error {
	return a.byCode("errcode", "errmsg", func(code int64, _ string, said error) error {
		switch code {
		case 45009, 45033: // asked too often, or too much at once
			return &notifier.RetryAfterError{After: wecomPause, Err: said}
		case 93004: // the robot was removed
			return fmt.Errorf("%w: %w", said, notifier.ErrPermanent)
		case 40058, 40008, 44004, 45002: // too long, or a form that it doesn't know
			return fmt.Errorf("%w: %w", said, notifier.ErrUnsendable)
		case 93000, 93008: // the key is none, or this robot isn't in the group
			return &notifier.RetryAfterError{After: refused, Err: fmt.Errorf("%w: check url", said)}
		}
		return said
	})
}
