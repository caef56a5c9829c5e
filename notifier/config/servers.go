package config

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"shopwatch/internal/configfile"
)

// longestTitle is how long the page's name may be, in runes.
const longestTitle = 80

// builder makes the Config of the fields and reports what is wrong with them.
type builder struct{ problems *configfile.Problems }

// add reports a mistake in the field of the mapping at path.
func (b builder) add(path, field string, got any, want string) {
	b.problems.Add(configfile.Field(path, field), got, want)
}

// required reports a text that is missing or has control characters.
func (b builder) required(path, field, got, want string) {
	if got == "" || strings.ContainsFunc(got, unicode.IsControl) {
		b.add(path, field, got, want)
	}
}

// standalone reports what a process of its own cannot do without.
func (b builder) standalone(fields sectionFields) {
	if fields.Prometheus == nil {
		b.add(path("prometheus"), "url", nil, "the address of Prometheus, such as http://127.0.0.1:9090")
	}
	if fields.Webhook == nil {
		b.add(path("webhook"), "token", nil, "the token that Alertmanager sends, or its file in token_file")
	}
}

func (b builder) server(path string, fields *serverFields) *ServerConfig {
	if fields == nil {
		return nil
	}
	if fields.Username != "" && fields.BearerToken.IsSet() {
		b.problems.Add(path, configfile.Phrase("both username and bearer_token"), "one of the two")
	}
	if fields.Password.IsSet() && fields.Username == "" {
		b.add(path, "username", fields.Username, "the user of the password")
	}
	if strings.ContainsFunc(fields.Tenant, unicode.IsControl) {
		b.add(path, "tenant", fields.Tenant, "one line of text")
	}
	b.certificates(path, fields.CAFile)
	return &ServerConfig{
		URL:         b.url(path, "url", fields.URL),
		Username:    fields.Username,
		Password:    fields.Password,
		BearerToken: fields.BearerToken,
		Tenant:      fields.Tenant,
		CAFile:      string(fields.CAFile),
	}
}

// certificates checks that the file holds what it is trusted for, so that a
// wrong one is a mistake now and not a strange failure at night.
func (b builder) certificates(path string, file configfile.Path) {
	if file == "" {
		return
	}
	info, err := os.Stat(string(file))
	if err == nil && (!info.Mode().IsRegular() || info.Size() > configfile.MaxSize) {
		b.add(path, "ca_file", string(file), "a file of PEM certificates, at most 1 MiB")
		return
	}
	pem, err := os.ReadFile(string(file))
	if err != nil {
		b.add(path, "ca_file", string(file), "a readable file")
		return
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		b.add(path, "ca_file", string(file), "a file of PEM certificates")
	}
}

func (b builder) page(path string, fields pageFields) PageConfig {
	page := PageConfig{Title: fields.Title.both()}
	for _, title := range []string{page.Title.ZH, page.Title.EN} {
		if title == "" || utf8.RuneCountInString(title) > longestTitle || strings.ContainsFunc(title, unicode.IsControl) {
			b.add(path, "title", title, fmt.Sprintf("1 to %d characters", longestTitle))
			break
		}
	}
	if fields.URL != "" {
		page.URL = b.url(path, "url", fields.URL)
		if parsed, err := url.Parse(page.URL); err == nil && parsed.Host != "" && parsed.Path != "" {
			b.add(path, "url", fields.URL, "an address without a path: the page has a host name of its own")
		}
	}
	zone, err := time.LoadLocation(fields.Timezone)
	if err != nil || fields.Timezone == "" || fields.Timezone == "Local" {
		b.add(path, "timezone", fields.Timezone, "a time zone such as Asia/Shanghai or UTC")
	}
	page.Zone = zone
	return page
}

// userinfo matches what may be a password in a URL, well-formed or not.
var userinfo = regexp.MustCompile(`//[^/]*@`)

// url checks the address of a server, to which paths are added, and cuts the
// slash at its end.
func (b builder) url(path, field, raw string) string {
	parsed, err := url.Parse(raw)
	switch {
	case userinfo.MatchString(raw):
		b.add(path, field, configfile.Phrase("a URL with a user name or password"), "one without")
	case err != nil, parsed.Scheme != "http" && parsed.Scheme != "https", parsed.Hostname() == "":
		b.add(path, field, raw, "http://… or https://… with a host")
	case parsed.RawQuery != "" || parsed.ForceQuery || parsed.Fragment != "":
		b.add(path, field, raw, "an address without ? and #")
	case parsed.Port() != "" && !validPort(parsed.Port()):
		b.add(path, field, raw, "a port of 1–65535")
	}
	return strings.TrimRight(raw, "/")
}

func validPort(port string) bool {
	number, err := strconv.ParseUint(port, 10, 16)
	return err == nil && number > 0
}
