package bot_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/telegram"
	"shopwatch/notifier/channel/telegram/bot"
	"shopwatch/notifier/sandbox"
)

// run runs the bot until the test's end, or until stop.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.bot.Run(ctx) })
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	w.t.Cleanup(stop)
	return stop
}

// pausing waits in real time, but never long.
func pausing(cfg *bot.Config) {
	cfg.Wait = func(ctx context.Context, d time.Duration) error {
		select {
		case <-time.After(min(d/100, 20*time.Millisecond)):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sees waits until the reader has a message with the words.
func (w *world) sees(to, words string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	if _, err := w.sandbox.Wait(ctx, func(m sandbox.Message) bool { return m.To == to && strings.Contains(m.Text, words) }); err != nil {
		w.t.Fatalf("%s never sees %q: %v; log: %s", to, words, err, w.logged())
	}
}

func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("never: %s; log: %s", what, w.logged())
		}
	}
}

// ask calls the sandbox's Bot API.
func (w *world) ask(method string, form url.Values) string {
	w.t.Helper()
	response, err := http.PostForm(w.sandbox.TelegramURL()+"/bot"+w.sandbox.Credentials().TelegramToken+"/"+method, form)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return string(body)
}

func TestPollingAnswersIntroducesItselfAndGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pausing)
	stop := w.run()
	w.sandbox.Say(42, "en", "/start")
	w.sees("42", "You will be told here")
	w.eventually("the commands are known in Chinese and in English", func() bool {
		return len(w.sandbox.Commands("zh")) > 3 && len(w.sandbox.Commands("en")) > 3
	})
	w.eventually("the link to the bot is known", func() bool {
		return strings.HasPrefix(w.bot.Link([]string{"main/shop"}), "https://t.me/shopwatch_sandbox_bot?start=")
	})
	stop()
	w.sandbox.Say(42, "en", "/stop")
	w.run()
	w.sees("42", "You won't be told any more")
	joined := 0
	for _, m := range w.sandbox.Messages() {
		if strings.Contains(m.Text, "You will be told here") {
			joined++
		}
	}
	if joined != 1 {
		t.Errorf("the sign-up was answered %d times", joined)
	}
}

func TestWhatWasReadAtAStopIsAnsweredAndNotAnsweredAgain(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	w := newWorld(t, pausing)
	sent := 0
	w.sending = func() {
		if sent++; sent == 2 {
			cancel()
		}
	}
	const readers = 5
	for reader := range int64(readers) {
		w.sandbox.Say(42+reader, "en", "/start")
	}
	w.bot.Run(ctx)
	w.sending = nil
	w.run()
	w.sandbox.Say(42, "en", "/stop")
	w.sees("42", "You won't be told any more")
	answers := map[string]int{}
	for _, m := range w.sandbox.Messages() {
		if strings.Contains(m.Text, "You will be told here") {
			answers[m.To]++
		}
	}
	for to, n := range answers {
		if n != 1 {
			t.Errorf("%s was answered %d times", to, n)
		}
	}
	if len(answers) != readers {
		t.Errorf("%d of %d were answered", len(answers), readers)
	}
}

func TestABotThatFollowsKnowsItsNameAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pausing)
	stop := w.run()
	w.eventually("the link to the bot is known", func() bool { return w.bot.Link(nil) != "" })
	stop()
	next, another := newWorld(t, pausing), newWorld(t, func(cfg *bot.Config) {
		api, err := telegram.NewAPI(telegram.Config{Token: func() (string, error) { return "1:another", nil }})
		if err != nil {
			t.Fatal(err)
		}
		cfg.API = api
	})
	next.bot.Follow(w.bot)
	another.bot.Follow(w.bot)
	if got, want := next.bot.Link(nil), w.bot.Link(nil); got != want {
		t.Errorf("the same bot's link is %q, want %q", got, want)
	}
	if got := another.bot.Link(nil); got != "" {
		t.Errorf("another bot's link is %q before it knows its name", got)
	}
}

func TestAnotherProgramsWebhookIsLeftAloneAndSaidSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pausing)
	theirs := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(theirs.Close)
	w.ask("setWebhook", url.Values{"url": {theirs.URL + "/theirs"}})
	w.run()
	w.eventually("the log says who takes the updates", func() bool {
		return strings.Contains(w.logged(), "another program polls with this bot's token, or set a webhook")
	})
	if info := w.ask("getWebhookInfo", nil); !strings.Contains(info, theirs.URL) {
		t.Errorf("their webhook was taken away: %s", info)
	}
	if strings.Count(w.logged(), "updates go elsewhere") != 1 {
		t.Error("the log says it again and again")
	}
	w.ask("deleteWebhook", nil)
	w.sandbox.Say(42, "en", "/start")
	w.sees("42", "You will be told here")
}

func TestAWebhookIsSetAndTakesUpdatesOfTelegramAlone(t *testing.T) {
	t.Parallel()
	var handler http.Handler
	page := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.ServeHTTP(rw, r) }))
	t.Cleanup(page.Close)
	w := newWorld(t, func(cfg *bot.Config) {
		pausing(cfg)
		cfg.Webhook, cfg.PageURL = true, page.URL
	})
	mux := http.NewServeMux()
	mux.Handle(w.bot.Path(), w.bot.Handler())
	handler = mux
	w.run()
	w.sandbox.Say(42, "en", "/start")
	w.sees("42", "You will be told here")

	chat, _ := chatOf("43")
	forged := fmt.Sprintf(`{"update_id":99,"message":{"message_id":1,"date":1,"from":%s,"chat":%s,"text":"/start"}}`, user(43, "en"), chat)
	for _, secret := range []string{"", "wrong", strings.Repeat("0", 32)} {
		r := httptest.NewRequest(http.MethodPost, w.bot.Path(), strings.NewReader(forged))
		r.Header.Set("X-Telegram-Bot-Api-Secret-Token", secret)
		rw := httptest.NewRecorder()
		w.bot.Handler().ServeHTTP(rw, r)
		if rw.Code != http.StatusNotFound || w.subscriber("43").ID != 0 {
			t.Errorf("with the secret %q: answered %d", secret, rw.Code)
		}
	}
	w.ask("deleteWebhook", nil)
	w.sandbox.Say(42, "en", "/help")
	w.sees("42", "/quiet quiet hours") // it is set again

	var info struct{ Result struct{ URL string } }
	if err := json.Unmarshal([]byte(w.ask("getWebhookInfo", nil)), &info); err != nil || info.Result.URL != page.URL+w.bot.Path() {
		t.Errorf("the webhook is %q (%v)", info.Result.URL, err)
	}
}

func TestTheWebhookOfOurOwnIsTakenBackWhenPollingAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pausing)
	dead := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(dead.Close)
	w.ask("setWebhook", url.Values{"url": {dead.URL + w.bot.Path()}})
	w.run()
	w.sandbox.Say(42, "en", "/start")
	w.sees("42", "You will be told here")
}

// handing leads until it is told to hand over, and then never again.
type handing struct {
	led  atomic.Int64
	gone atomic.Bool
}

// Lead gives the lead once.
func (h *handing) Lead(ctx context.Context, _ string) (func() bool, func(), error) {
	if h.led.Add(1) > 1 {
		<-ctx.Done()
		return nil, nil, ctx.Err()
	}
	return func() bool { return !h.gone.Load() }, func() {}, nil
}

func TestWhoNoLongerLeadsAnswersNothing(t *testing.T) {
	t.Parallel()
	leader := new(handing)
	w := newWorld(t, func(cfg *bot.Config) {
		pausing(cfg)
		cfg.Leader = leader
	})
	w.run()
	w.sandbox.Say(42, "en", "/start")
	w.sees("42", "You will be told here")
	leader.gone.Store(true) // while it waits for the next update
	w.sandbox.Say(42, "en", "/stop")
	w.eventually("it asks for the lead again", func() bool { return leader.led.Load() == 2 })
	if got := w.subscriber("42").State; got != notifier.Active {
		t.Errorf("an update of the next leader's was answered: the reader is %s", got)
	}
	if left := w.ask("getUpdates", url.Values{"timeout": {"0"}}); !strings.Contains(left, "/stop") {
		t.Errorf("the update was lost: %s", left)
	}
}
