package config

import (
	"net/url"
	"regexp"
	"slices"

	"shopwatch/internal/configfile"
)

// Updates says how the bot hears what readers say to it.
type Updates string

// The ways to hear updates.
const (
	UpdatesPolling Updates = "polling" // ask Telegram; needs no public address
	UpdatesWebhook Updates = "webhook" // Telegram posts to the public page's address
	UpdatesNone    Updates = "none"    // another program takes the bot's updates; ours only sends
)

var updatesWays = []Updates{UpdatesPolling, UpdatesWebhook, UpdatesNone}

// TelegramConfig is one bot.
type TelegramConfig struct {
	Token  configfile.Secret
	APIURL string            // Bot API server, without a slash at its end
	Proxy  configfile.Secret // URL of the proxy to it, which may hold a login; not set: as the environment says
	// Updates is how readers are heard; "" is UpdatesPolling.
	Updates Updates
	// Operators are the Telegram users who may press the buttons under the
	// notices of people on call; empty: whoever is in their chats.
	Operators []int64
}

type telegramFields struct {
	Token     configfile.Secret
	APIURL    string `yaml:"api_url"`
	Proxy     configfile.Secret
	Updates   Updates
	Operators []int64
}

// SetDefaults is called before the file's values.
func (f *telegramFields) SetDefaults() {
	f.APIURL, f.Updates = "https://api.telegram.org", UpdatesPolling
}

// tokenForm matches bot tokens: they stand in the path of a URL.
var tokenForm = regexp.MustCompile(`^[A-Za-z0-9:_-]{1,200}$`)

// proxySchemes are those that Go's client speaks.
var proxySchemes = []string{"http", "https", "socks5", "socks5h"}

// webhookPorts are those that Telegram posts to: core.telegram.org/bots/api#setwebhook.
var webhookPorts = []string{"", "443", "80", "88", "8443"}

// telegram checks the bot. page is the public page's URL, where Telegram posts
// to if it is to.
func (b builder) telegram(path string, fields *telegramFields, page string) *TelegramConfig {
	if fields == nil {
		return nil
	}
	switch {
	case !fields.Token.IsSet():
		b.add(path, "token", fields.Token, "the bot's token from @BotFather, or its file in token_file")
	case !tokenForm.MatchString(fields.Token.Reveal()):
		b.add(path, "token", configfile.Phrase("no bot token"), "one as @BotFather gives it: 123456789:AA…")
	}
	if fields.Proxy.IsSet() {
		b.proxy(path, fields.Proxy)
	}
	if !slices.Contains(updatesWays, fields.Updates) {
		b.add(path, "updates", fields.Updates, "one of "+joined(updatesWays))
	}
	if fields.Updates == UpdatesWebhook {
		b.webhookAddress(path, page)
	}
	for i, operator := range fields.Operators {
		if operator <= 0 {
			b.problems.Add(configfile.Item(configfile.Field(path, "operators"), i), configfile.Phrase("no user"), "a user's number, which @userinfobot tells: not a group's, which is below 0")
		}
	}
	return &TelegramConfig{
		Token: fields.Token, APIURL: b.url(path, "api_url", fields.APIURL), Proxy: fields.Proxy,
		Updates: fields.Updates, Operators: fields.Operators,
	}
}

// proxy checks an address that may hold a password, so that no mistake shows it.
func (b builder) proxy(path string, proxy configfile.Secret) {
	address, err := url.Parse(proxy.Reveal())
	if err != nil || !slices.Contains(proxySchemes, address.Scheme) || address.Hostname() == "" || address.Path != "" && address.Path != "/" {
		b.add(path, "proxy", configfile.Phrase("no proxy's address"), "http://, https://, socks5:// or socks5h:// with a host and its port, such as socks5://127.0.0.1:1080")
	}
}

// webhookAddress checks whether Telegram can post to the page's address.
func (b builder) webhookAddress(path, page string) {
	address, err := url.Parse(page)
	if err != nil || address.Scheme != "https" || !slices.Contains(webhookPorts, address.Port()) {
		b.add(path, "updates", UpdatesWebhook, "polling, or an https address on port 443, 80, 88 or 8443 in notifier.page.url: Telegram posts to no other")
	}
}
