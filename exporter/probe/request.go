package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/textproto"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/prometheus/common/config"
	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/publicsuffix"

	"shopwatch/rules"
)

// errUnfollowed ends a chain of redirects; net/http then gives the last
// response, its body closed.
var errUnfollowed = errors.New("the redirect is not followed")

// request is the first request of the exchange; done closes its body's file.
func (e *exchange) request(ctx context.Context) (request *http.Request, done func(), err error) {
	done = func() {}
	var body io.Reader
	if e.module.Body != "" {
		body = strings.NewReader(e.module.Body)
	}
	if e.module.BodyFile != "" {
		file, err := os.Open(e.module.BodyFile)
		if err != nil {
			return nil, nil, Problem(rules.ReasonOther, err.Error())
		}
		done = func() { file.Close() }
		body = file
	}
	request, err = http.NewRequestWithContext(ctx, cmp.Or(e.module.Method, http.MethodGet), e.target.String(), body)
	if err == nil {
		request.Header.Set("User-Agent", e.look.prober.userAgent)
		err = setHeaders(request, e.module.Headers)
	}
	if err != nil {
		done()
		return nil, nil, Problem(rules.ReasonOther, "request can't be made of the service's method and headers")
	}
	return request, done, nil
}

// setHeaders sets what a module wants sent. net/http would leave out what is
// no header without a word.
func setHeaders(request *http.Request, headers map[string]string) error {
	for name, value := range headers {
		if textproto.CanonicalMIMEHeaderKey(name) == "Host" {
			request.Host = value
			continue
		}
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return errors.New("not a header")
		}
		request.Header.Set(name, value)
	}
	return nil
}

// headerOf is the value of a header that a module sets, "" where it doesn't.
func headerOf(headers map[string]string, name string) string {
	for set, value := range headers {
		if textproto.CanonicalMIMEHeaderKey(set) == name {
			return value
		}
	}
	return ""
}

// checkRedirect decides on one redirect.
func (e *exchange) checkRedirect(request *http.Request, via []*http.Request) error {
	e.redirects = len(via)
	e.unfollowable = 0
	switch {
	case !e.module.HTTPClientConfig.FollowRedirects:
		return errUnfollowed
	case len(via) > maxRedirects:
		e.stray = Problem(rules.ReasonStatus, fmt.Sprintf("more than %d redirects, the next to %s", maxRedirects, publicURL(request.URL)))
		return errUnfollowed
	case !followable(request.URL):
		e.stray = Problem(rules.ReasonStatus, "redirects to something that is not http or https")
		return nil // the round trip fails
	case request.URL.Host == "":
		e.stray = Problem(rules.ReasonStatus, "redirects to a URL without a host")
		return nil
	}
	e.left = e.left || e.leaves(request.URL)
	if e.left {
		// What the owner set for this service is not for others: keys hide in
		// headers of any name, and in the query that Referer would repeat.
		for name := range e.module.Headers {
			request.Header.Del(name)
		}
		request.Header.Del("Authorization")
		request.Header.Del("Referer")
		request.Header.Set("User-Agent", e.look.prober.userAgent)
	}
	return nil
}

// leaves reports whether a URL is another host than the target's, or the same
// host without TLS where the target has it.
func (e *exchange) leaves(next *url.URL) bool {
	return next.Hostname() != e.target.Hostname() || (e.target.Scheme == "https" && next.Scheme != "https")
}

// authorised adds to each request what an HTTP client's configuration wants
// added, its files read anew each time.
func authorised(options *config.HTTPClientConfig, next http.RoundTripper) http.RoundTripper {
	if given := options.Authorization; given != nil {
		next = config.NewAuthorizationCredentialsRoundTripper(given.Type, secret(given.Credentials, given.CredentialsFile), next)
	}
	if options.BearerToken != "" || options.BearerTokenFile != "" {
		next = config.NewAuthorizationCredentialsRoundTripper("Bearer", secret(options.BearerToken, options.BearerTokenFile), next)
	}
	if given := options.BasicAuth; given != nil {
		next = config.NewBasicAuthRoundTripper(secret(config.Secret(given.Username), given.UsernameFile),
			secret(given.Password, given.PasswordFile), next)
	}
	if options.HTTPHeaders != nil {
		next = config.NewHeadersRoundTripper(options.HTTPHeaders, next)
	}
	return next
}

func secret(text config.Secret, file string) config.SecretReader {
	switch {
	case text != "":
		return config.NewInlineSecret(string(text))
	case file != "":
		return config.NewFileSecret(file)
	}
	return nil
}

// lazyJar is a cookie jar that is made with the first cookie: many shops set
// one and redirect to themselves, most answers have none.
type lazyJar struct{ jar *cookiejar.Jar }

// SetCookies implements http.CookieJar.
func (j *lazyJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	if j.jar == nil {
		j.jar, _ = cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List}) // never fails
	}
	j.jar.SetCookies(u, cookies)
}

// Cookies implements http.CookieJar.
func (j *lazyJar) Cookies(u *url.URL) []*http.Cookie {
	if j.jar == nil {
		return nil
	}
	return j.jar.Cookies(u)
}

func followable(u *url.URL) bool { return u.Scheme == "http" || u.Scheme == "https" }

func statusText(status int) string { return strconv.Itoa(status) }

// ascii is a host name as it stands on the wire: Chinese names in Punycode.
func ascii(host string) string {
	if wired, err := httpguts.PunycodeHostPort(host); err == nil {
		return wired
	}
	return host
}
