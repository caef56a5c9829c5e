package guard

import (
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// sessionLife is how long a browser stays logged in; sessionCookie begins its
// cookie's name.
const (
	sessionLife   = 12 * time.Hour
	sessionCookie = "shopwatch_session"
	maxSessions   = 64
)

// cookieName ends with the port that the browser asked: cookies know no ports, so
// that of two shopwatches on one machine each would else log the other's operator out.
func cookieName(r *http.Request) string {
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err == nil {
			return sessionCookie + "_" + strconv.FormatUint(n, 10)
		}
	}
	return sessionCookie
}

// Operator knows the operator: by bearer token (command line, scripts) or by
// the session that the token or a one-time code opened (browser).
type Operator struct {
	token string
	now   func() time.Time

	mu       sync.Mutex
	sessions map[[32]byte]time.Time // digest of the cookie's value -> expiry
	codes    map[[32]byte]time.Time
}

// NewOperator gives the door keeper for one token.
func NewOperator(token string, now func() time.Time) *Operator {
	return &Operator{token: token, now: now, sessions: map[[32]byte]time.Time{}, codes: map[[32]byte]time.Time{}}
}

// Code gives a one-time code that opens a session within 12 hours; it stands in
// the link that the terminal prints, so the token itself never gets into a
// browser's history.
func (o *Operator) Code() string {
	code := base64.RawURLEncoding.EncodeToString(randomBytes(18))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.codes[sha256.Sum256([]byte(code))] = o.now().Add(sessionLife)
	return code
}

// LogIn opens a session if secret is the operator's token or an unused code.
func (o *Operator) LogIn(w http.ResponseWriter, r *http.Request, secret string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	digest := sha256.Sum256([]byte(secret))
	expiry, isCode := o.codes[digest]
	switch {
	case isCode && o.now().Before(expiry):
		delete(o.codes, digest)
	case o.token != "" && Equal(secret, o.token):
	default:
		return false
	}
	o.forget()
	value := base64.RawURLEncoding.EncodeToString(randomBytes(24))
	o.sessions[sha256.Sum256([]byte(value))] = o.now().Add(sessionLife)
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(r), Value: value, Path: "/", MaxAge: int(sessionLife.Seconds()),
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
	return true
}

// LogOut ends the request's session, if it has one.
func (o *Operator) LogOut(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(cookieName(r)); err == nil {
		o.mu.Lock()
		delete(o.sessions, sha256.Sum256([]byte(cookie.Value)))
		o.mu.Unlock()
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(r), Path: "/", MaxAge: -1,
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
}

// forget drops expired sessions, and the oldest where there are too many.
func (o *Operator) forget() {
	for len(o.sessions) > 0 {
		var oldest [32]byte
		var expiry time.Time
		for digest, at := range o.sessions {
			if expiry.IsZero() || at.Before(expiry) {
				oldest, expiry = digest, at
			}
		}
		if len(o.sessions) < maxSessions && expiry.After(o.now()) {
			return
		}
		delete(o.sessions, oldest)
	}
}

// Known reports whether the request is the operator's.
func (o *Operator) Known(r *http.Request) bool {
	if Bearer(r, o.token) {
		return true
	}
	cookie, err := r.Cookie(cookieName(r))
	if err != nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	expiry, ok := o.sessions[sha256.Sum256([]byte(cookie.Value))]
	return ok && o.now().Before(expiry)
}

// Sign makes a request the operator's: for the parts of this process that ask
// one another on the private address. The token goes nowhere else.
func (o *Operator) Sign(r *http.Request) { r.Header.Set("Authorization", "Bearer "+o.token) }

// Changes lets anybody read and the operator alone change: for APIs that tools
// of this machine read.
func (o *Operator) Changes(next http.Handler) http.Handler {
	return o.ChangesOr(next, o.Only(next, ""))
}

// ChangesOr is Changes where a page of one's own, refused, answers strangers.
func (o *Operator) ChangesOr(next, refused http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead || o.Known(r) {
			next.ServeHTTP(w, r)
			return
		}
		refused.ServeHTTP(w, r)
	})
}

// Only lets the operator through: others get 401, or are sent to login where
// one is given and a browser asks for a page.
func (o *Operator) Only(next http.Handler, login string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case o.Known(r):
			next.ServeHTTP(w, r)
		case login != "" && r.Method == http.MethodGet:
			http.Redirect(w, r, login, http.StatusSeeOther)
		default:
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "operator only: send the operator's token as a bearer token", http.StatusUnauthorized)
		}
	})
}
