package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// hook is the address that takes updates instead of a poller.
type hook struct {
	mu      sync.Mutex
	url     string
	secret  string
	problem string
	stop    context.CancelFunc
}

func (h *hook) address() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.url
}

// setWebhook has updates posted to an address of this machine. Telegram wants
// https; here nothing leaves the machine.
func (s *Sandbox) setWebhook(params url.Values) answer {
	address, err := url.Parse(params.Get("url"))
	if err != nil || (address.Scheme != "http" && address.Scheme != "https") || !net.ParseIP(address.Hostname()).IsLoopback() {
		return refuse(http.StatusBadRequest, "Bad Request: bad webhook: the sandbox posts to an address of 127.0.0.1 alone")
	}
	ctx, stop := context.WithCancel(context.Background())
	h := &s.hook
	h.mu.Lock()
	if h.stop != nil {
		h.stop()
	}
	h.url, h.secret, h.problem, h.stop = address.String(), params.Get("secret_token"), "", stop
	h.mu.Unlock()
	s.updates.arrive() // whoever polls is sent away
	go func() {
		select {
		case <-s.closed:
			stop()
		case <-ctx.Done():
		}
	}()
	go s.deliver(ctx, address.String(), params.Get("secret_token"))
	return answer{OK: true, Result: true}
}

func (s *Sandbox) deleteWebhook() answer {
	h := &s.hook
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stop != nil {
		h.stop()
	}
	h.url, h.secret, h.problem, h.stop = "", "", "", nil
	return answer{OK: true, Result: true}
}

func (s *Sandbox) webhookInfo() answer {
	h := &s.hook
	h.mu.Lock()
	defer h.mu.Unlock()
	info := map[string]any{"url": h.url, "has_custom_certificate": false, "pending_update_count": s.updates.count()}
	if h.problem != "" {
		info["last_error_message"] = h.problem
	}
	return answer{OK: true, Result: info}
}

// deliver posts one update after the other, each until it is taken.
func (s *Sandbox) deliver(ctx context.Context, address, secret string) {
	client := &http.Client{Timeout: 30 * time.Second}
	for ctx.Err() == nil {
		next, ok, changed := s.updates.first()
		if !ok {
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		problem := post(ctx, client, address, secret, next)
		if problem == "" {
			s.updates.confirm(next.ID)
		}
		s.hook.mu.Lock()
		s.hook.problem = problem
		s.hook.mu.Unlock()
		if problem != "" {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	}
}

// post hands an update over, and says what went wrong.
func post(ctx context.Context, client *http.Client, address, secret string, u update) string {
	body, err := json.Marshal(u)
	if err != nil {
		return err.Error()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err.Error()
	}
	request.Header.Set("Content-Type", "application/json")
	if secret != "" {
		request.Header.Set("X-Telegram-Bot-Api-Secret-Token", secret)
	}
	response, err := client.Do(request)
	if err != nil {
		return err.Error()
	}
	_ = response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Sprintf("Wrong response from the webhook: %s", response.Status)
	}
	return ""
}
