// Package guard stands at the private address: it lets in only requests that
// name a host we know, that no other website sent, and that carry the token or
// the session their door asks for.
//
// Loopback is not authentication: any website that the owner's browser opens
// can post to 127.0.0.1, and a name it owns can resolve there. The room knows
// no door by name and keeps nothing on disk; both halves and the one process
// that joins them use it, since they share one private address.
package guard

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// Config says who may knock.
type Config struct {
	// Hosts are names, besides loopback's and the listener's own, under which
	// the private address may be asked for, without port.
	Hosts []string
	// Listen is the address that the listener is bound to, host:port.
	Listen string
}

// New gives a middleware that refuses requests for unknown hosts (421) and
// requests that a browser sent for another origin's page (403), but for links.
func New(cfg Config) (func(http.Handler) http.Handler, error) {
	known := map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true}
	for _, host := range cfg.Hosts {
		known[strings.ToLower(host)] = true
	}
	if cfg.Listen != "" {
		host, _, err := net.SplitHostPort(cfg.Listen)
		if err != nil {
			return nil, fmt.Errorf("private address %q: want host:port", cfg.Listen)
		}
		if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
			known[host] = true
		}
	}
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "this request came from another website and was refused", http.StatusForbidden)
	}))
	return func(next http.Handler) http.Handler {
		guarded := origin.Handler(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !known[hostOf(r.Host)] {
				http.Error(w, "the private address is not known by this name; add it with --private.host", http.StatusMisdirectedRequest)
				return
			}
			if foreign(r) {
				http.Error(w, "this request came from another website and was refused", http.StatusForbidden)
				return
			}
			header := w.Header()
			header.Set("X-Content-Type-Options", "nosniff")
			header.Set("X-Frame-Options", "DENY")
			header.Set("Referrer-Policy", "same-origin")
			header.Set("Cross-Origin-Resource-Policy", "same-origin")
			guarded.ServeHTTP(w, r)
		})
	}, nil
}

// foreign reports whether a browser says that another site's page made the
// request. Reading alone is no harm, since that page can't see the answer, but a
// page full of images that are heavy queries would be. Following a link is not
// the other page's doing.
func foreign(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	link := r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	return (site == "cross-site" || site == "same-site") && !link
}

func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return strings.ToLower(host)
	}
	return strings.ToLower(strings.Trim(hostport, "[]"))
}

// TokenHeader carries a token where Authorization is taken by a login of
// --web.config.file.
const TokenHeader = "X-Shopwatch-Token"

// Bearer reports whether the request carries the token, in constant time.
// An empty token lets nobody in.
func Bearer(r *http.Request, token string) bool {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		given = r.Header.Get(TokenHeader)
	}
	return token != "" && Equal(given, token)
}

// Equal compares two secrets in a time that depends on neither.
func Equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
