package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"
)

// DefaultAPIURL is Telegram's own Bot API server.
const DefaultAPIURL = "https://api.telegram.org"

// answerLimit is the most that is read of one answer. Twenty updates, which is
// what the bot asks for at once, are far smaller.
const answerLimit = 4 << 20

// Config is what an API or a Channel needs.
type Config struct {
	// Token returns the bot's token as BotFather gave it, "123456:AA…". It is
	// asked at every request, so that a token that was replaced on disk is
	// used at once. Required.
	Token func() (string, error)
	// APIURL is the Bot API server, for a self-hosted one or a mirror where
	// Telegram is blocked. Default DefaultAPIURL.
	APIURL string
	// Proxy carries the requests, with its login: http, https, socks5 or socks5h.
	// Nil: what the environment says, HTTPS_PROXY and its like.
	Proxy *url.URL
	// HTTPClient carries the requests instead, with its proxy and timeouts. Its
	// redirects are not followed: they would hand the token to a stranger.
	// Default: a client that gives up after 30 s.
	HTTPClient *http.Client
	// Logger hears of messages that had to be sent in another form. Default: nobody.
	Logger *slog.Logger
}

// API speaks to the Bot API as one bot. It is safe for concurrent use.
type API struct {
	token    func() (string, error)
	endpoint string // format with the token and the method, as the library wants it
	client   *http.Client
	proxy    string // the proxy's password
}

// NewAPI makes an API; it does not connect.
func NewAPI(cfg Config) (*API, error) {
	if cfg.Token == nil {
		return nil, errors.New("telegram: no bot token: set one from @BotFather")
	}
	if cfg.APIURL == "" {
		cfg.APIURL = DefaultAPIURL
	}
	api, err := url.Parse(cfg.APIURL)
	if err != nil || api.Host == "" || (api.Scheme != "https" && api.Scheme != "http") || api.RawQuery != "" || api.Fragment != "" || api.User != nil {
		return nil, errors.New("telegram: api url: want http(s)://host[:port][/path] and nothing more")
	}
	client := http.Client{Timeout: 30 * time.Second}
	if cfg.HTTPClient != nil {
		client = *cfg.HTTPClient
	}
	a := &API{token: cfg.Token, client: &client}
	if cfg.Proxy != nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.Proxy = http.ProxyURL(cfg.Proxy)
		client.Transport = transport
		a.proxy, _ = cfg.Proxy.User.Password()
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	a.endpoint = strings.ReplaceAll(strings.TrimRight(api.String(), "/"), "%", "%%") + "/bot%s/%s"
	return a, nil
}

// Call asks one method and gives its result. Chat is the one that the request
// is about, "" if it is about none: no error will hold it.
//
// Errors are those of [Channel.Send]; moreover one that wraps ErrConflict where
// another program takes the bot's updates.
func (a *API) Call(ctx context.Context, method, chat string, params map[string]string) (json.RawMessage, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("telegram: %w", err)
	}
	token, err := a.current()
	if err != nil {
		return nil, err
	}
	call := &call{ctx: ctx, client: a.client, private: []string{token, secretOf(token), a.proxy}, chat: chat}
	bot := &tgbotapi.BotAPI{Token: token, Client: call}
	bot.SetAPIEndpoint(a.endpoint)
	answer, err := bot.MakeRequest(method, params)
	if err != nil {
		return nil, call.read(err)
	}
	return answer.Result, nil
}

// current is the token as it is now.
func (a *API) current() (string, error) {
	token, err := a.token()
	if err != nil {
		return "", stopped("read the bot token: %v", err)
	}
	if !tokenShape.MatchString(token) {
		return "", stopped(`the bot token is malformed: want "digits:letters" as @BotFather gave it`)
	}
	return token, nil
}

// Self is the bot as Telegram knows it.
type Self struct {
	ID       int64  `json:"id"`
	Username string `json:"username"` // without the @
}

// Self asks who the bot is: the one request that tells whether the token is good.
func (a *API) Self(ctx context.Context) (Self, error) {
	var self Self
	result, err := a.Call(ctx, "getMe", "", nil)
	if err != nil {
		return self, err
	}
	if err := json.Unmarshal(result, &self); err != nil || self.ID == 0 || !nameShape.MatchString(self.Username) {
		return Self{}, errors.New("telegram: getMe: the answer names no bot: check the api url")
	}
	return self, nil
}

var (
	tokenShape = regexp.MustCompile(`^[0-9]{1,20}:[A-Za-z0-9_-]{1,200}$`)
	nameShape  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{2,63}$`)
)

// secretOf is the part of a token that nobody else knows.
func secretOf(token string) string {
	_, secret, _ := strings.Cut(token, ":")
	return secret
}

// call is the library's HTTP client for one request: it binds the context,
// bounds the answer and keeps what the library forgets.
type call struct {
	ctx     context.Context
	client  *http.Client
	private []string // what no error may hold
	chat    string
	status  int // of the answer; 0 where none came
}

// Do carries one request.
func (c *call) Do(request *http.Request) (*http.Response, error) {
	response, err := c.client.Do(request.WithContext(c.ctx))
	if err != nil {
		return nil, err
	}
	c.status = response.StatusCode
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, answerLimit), response.Body}
	return response, nil
}

// ID is the bot's number, which its token begins with. It is no secret.
func (a *API) ID() (string, error) {
	token, err := a.current()
	if err != nil {
		return "", err
	}
	id, _, _ := strings.Cut(token, ":")
	return id, nil
}
