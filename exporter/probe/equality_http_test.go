package probe_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/quic-go/quic-go/http3"

	targets "shopwatch/exporter/probe/farm"
	"shopwatch/internal/servertest"
	"shopwatch/rules"
)

// packed is a text as the three ways to compress make it.
func packed(t testing.TB, way, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	var in io.WriteCloser
	switch way {
	case "gzip":
		in = gzip.NewWriter(&out)
	case "deflate":
		in, _ = flate.NewWriter(&out, flate.BestSpeed)
	case "br":
		in = brotli.NewWriter(&out)
	}
	if _, err := io.WriteString(in, text); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// mirror is a web server with a page for each behaviour; secure is where it
// redirects to for TLS.
func mirror(t testing.TB, secure string) http.HandlerFunc {
	squeezed := map[string][]byte{}
	for _, way := range []string{"gzip", "deflate", "br"} {
		squeezed["/"+way] = packed(t, way, `{"stock": 3, "text": "hello"}`)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		switch name {
		case "status":
			status, _ := strconv.Atoi(rest)
			w.WriteHeader(status)
			if status >= 200 && status != 204 && status != 304 {
				fmt.Fprint(w, "status page")
			}
		case "redirect":
			w.Header().Set("Location", "/"+rest)
			w.WriteHeader(http.StatusFound)
		case "temporary":
			http.Redirect(w, r, "/"+rest, http.StatusTemporaryRedirect)
		case "circle":
			http.Redirect(w, r, "/circle", http.StatusFound)
		case "secure":
			http.Redirect(w, r, secure+"/", http.StatusMovedPermanently)
		case "location":
			w.Header().Set("Location", map[string]string{
				"script": "javascript:alert(1)", "broken": "http://shop:%zz/", "port": "http://127.0.0.1:http1/", "hostless": "http:///x",
				"refused": "http://127.0.0.1:1/", "unresolved": "http://no..such/",
			}[rest])
			w.WriteHeader(http.StatusFound)
		case "json":
			fmt.Fprint(w, `{"stock": 3, "text": "hello"}`)
		case "gzip", "deflate", "br":
			w.Header().Set("Content-Encoding", name)
			_, _ = w.Write(squeezed["/"+name])
		case "long":
			w.Header().Set("Content-Length", "5000")
			_, _ = w.Write(bytes.Repeat([]byte("x"), 5000))
		case "chunks":
			for range 3 {
				fmt.Fprint(w, "chunk ")
				w.(http.Flusher).Flush()
			}
		case "headers":
			w.Header().Add("X-Stock", "none")
			w.Header().Add("X-Stock", "plenty")
			w.Header().Set("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
		case "echo":
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Header.Get("Authorization"), r.Header.Get("X-Key"), body)
		case "cookie":
			if _, err := r.Cookie("pass"); err != nil {
				http.SetCookie(w, &http.Cookie{Name: "pass", Value: "1"})
				http.Redirect(w, r, "/cookie", http.StatusFound)
				return
			}
			fmt.Fprint(w, "in")
		default:
			fmt.Fprint(w, "立即购买 <b>stock</b>")
		}
	}
}

// raw answers each request with a text and hangs up.
func raw(t testing.TB, text string) string {
	return "http://" + farm(t, func(conn net.Conn) {
		readRequest(conn)
		_, _ = io.WriteString(conn, text)
	})
}

// stage is what the table of http looks is played on.
type stage struct {
	grounds
	plain, secure, modern, old, quic string // URLs
	ca                               string // file
	body                             string // file
}

func newStage(t testing.TB) stage {
	t.Helper()
	authority := newAuthority(t, time.Now().Add(1000*time.Hour))
	leaf := authority.issue(t, time.Now().Add(24*time.Hour), "127.0.0.1", "shop.example")
	s := stage{grounds: newGrounds(t), ca: filepath.Join(t.TempDir(), "ca.pem"), body: filepath.Join(t.TempDir(), "body")}
	if err := os.WriteFile(s.ca, authority.pem(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.body, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.secure = serveTLS(t, leaf, false, mirror(t, "")).URL
	s.modern = serveTLS(t, leaf, true, mirror(t, "")).URL
	old := httptest.NewUnstartedServer(mirror(t, ""))
	old.TLS = &tls.Config{Certificates: []tls.Certificate{leaf}, MaxVersion: tls.VersionTLS12}
	old.Config.ErrorLog = quiet
	old.StartTLS()
	t.Cleanup(old.Close)
	s.old = old.URL
	s.plain = serve(t, mirror(t, s.secure)).URL
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	quic := &http3.Server{Handler: mirror(t, s.secure), TLSConfig: &tls.Config{Certificates: []tls.Certificate{leaf}}}
	go func() { _ = quic.Serve(socket) }()
	t.Cleanup(func() { quic.Close(); socket.Close() })
	s.quic = "https://" + socket.LocalAddr().String()
	return s
}

// far is the URL of a behaviour of the farm.
func (s stage) far(t testing.TB, b targets.Behaviour) string {
	t.Helper()
	address, err := s.URL(b)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func TestHTTPLooksAreBlackboxExporters(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	const short = 300 * time.Millisecond
	ends := []string{"probe_ssl_earliest_cert_expiry", "probe_ssl_last_chain_info"} // of a certificate that we refused
	play(t, s, map[string]twin{
		"2xx":                     {module: ``, target: s.plain},
		"no scheme":               {module: ``, target: strings.TrimPrefix(s.plain, "http://")},
		"404":                     {module: ``, target: s.plain + "/status/404", reason: rules.ReasonStatus},
		"404 that is right":       {module: `valid_status_codes: [404]`, target: s.plain + "/status/404"},
		"500":                     {module: ``, target: s.plain + "/status/500", reason: rules.ReasonStatus},
		"204":                     {module: ``, target: s.plain + "/status/204"},
		"304":                     {module: `valid_status_codes: [304]`, target: s.plain + "/status/304"},
		"200 of others":           {module: `valid_status_codes: [204, 301]`, target: s.plain, reason: rules.ReasonStatus},
		"chunks":                  {module: ``, target: s.plain + "/chunks"},
		"HEAD":                    {module: `method: HEAD`, target: s.plain + "/long"},
		"redirect":                {module: ``, target: s.plain + "/redirect/"},
		"redirect to 404":         {module: ``, target: s.plain + "/redirect/status/404", reason: rules.ReasonStatus},
		"redirect twice":          {module: ``, target: s.plain + "/redirect/redirect/json"},
		"redirect unfollowed":     {module: `follow_redirects: false`, target: s.plain + "/redirect/", reason: rules.ReasonStatus},
		"redirect unfollowed, ok": {module: `{follow_redirects: false, valid_status_codes: [302]}`, target: s.plain + "/redirect/"},
		"no_follow_redirects":     {module: `{no_follow_redirects: true, valid_status_codes: [302]}`, target: s.plain + "/redirect/"},
		"unfollowed, matched":     {module: `{follow_redirects: false, valid_status_codes: [302], fail_if_body_not_matches_regexp: [x]}`, target: s.plain + "/redirect/", reason: rules.ReasonBody},
		"unfollowed, gzip":        {module: `{follow_redirects: false, valid_status_codes: [302], compression: gzip}`, target: s.plain + "/redirect/", reason: rules.ReasonBody},
		"circle":                  {module: ``, target: s.plain + "/circle", reason: rules.ReasonStatus},
		"circle that is right":    {module: `valid_status_codes: [302]`, target: s.plain + "/circle"},
		"to TLS":                  {module: `tls_config: {ca_file: CA}`, target: s.plain + "/secure"},
		"to TLS of a stranger":    {module: ``, target: s.plain + "/secure", reason: rules.ReasonCertificate, extra: ends},
		"a script":                {module: ``, target: s.plain + "/location/script", reason: rules.ReasonStatus},
		"a broken Location":       {module: ``, target: s.plain + "/location/broken", reason: rules.ReasonStatus},
		"a Location without host": {module: ``, target: s.plain + "/location/hostless", reason: rules.ReasonStatus},
		"an empty Location":       {module: ``, target: s.plain + "/location/none", reason: rules.ReasonStatus},
		"to nobody":               {module: ``, target: s.plain + "/location/refused", reason: rules.ReasonConnect},
		"to no such name":         {module: ``, target: s.plain + "/location/unresolved", reason: rules.ReasonDNS},
		"cookie wall":             {module: ``, target: s.plain + "/cookie"},
		"307 with a body":         {module: `{method: POST, body: x, fail_if_body_not_matches_regexp: ["POST .*x"]}`, target: s.plain + "/temporary/echo"},
		"307 with a file":         {module: `{method: POST, body_file: BODY}`, target: s.plain + "/temporary/echo", reason: rules.ReasonStatus},

		"TLS":                    {module: `tls_config: {ca_file: CA}`, target: s.secure},
		"TLS 1.2":                {module: `tls_config: {ca_file: CA}`, target: s.old},
		"TLS 1.3 wanted":         {module: `tls_config: {ca_file: CA, min_version: TLS13}`, target: s.old, reason: rules.ReasonTLS},
		"HTTP/2":                 {module: `tls_config: {ca_file: CA}`, target: s.modern},
		"HTTP/2 off":             {module: `{enable_http2: false, tls_config: {ca_file: CA}}`, target: s.modern},
		"HTTP/2, not found":      {module: `tls_config: {ca_file: CA}`, target: s.modern + "/status/404", reason: rules.ReasonStatus},
		"HTTP/2, redirect":       {module: `tls_config: {ca_file: CA}`, target: s.modern + "/redirect/json"},
		"HTTP/2, HEAD":           {module: `{method: HEAD, tls_config: {ca_file: CA}}`, target: s.modern + "/long"},
		"HTTP/2, body":           {module: `{method: POST, body: x, tls_config: {ca_file: CA}, fail_if_body_not_matches_regexp: ["POST .*x"]}`, target: s.modern + "/echo"},
		"unknown authority":      {module: ``, target: s.secure, reason: rules.ReasonCertificate, extra: ends},
		"unverified":             {module: `tls_config: {insecure_skip_verify: true}`, target: s.secure},
		"self-signed":            {module: `tls_config: {insecure_skip_verify: true}`, target: s.far(t, targets.SelfSigned)},
		"self-signed, verified":  {module: ``, target: s.far(t, targets.SelfSigned), reason: rules.ReasonCertificate, extra: ends},
		"expired":                {module: `tls_config: {ca_file: FARM}`, target: s.far(t, targets.Expired), reason: rules.ReasonCertificate, extra: ends},
		"expired, unverified":    {module: `tls_config: {insecure_skip_verify: true}`, target: s.far(t, targets.Expired)},
		"wrong name":             {module: `tls_config: {ca_file: FARM}`, target: s.far(t, targets.WrongName), reason: rules.ReasonCertificate, extra: ends},
		"another server name":    {module: `tls_config: {ca_file: CA, server_name: shop.example}`, target: s.secure},
		"a wrong server name":    {module: `tls_config: {ca_file: CA, server_name: other.example}`, target: s.secure, reason: rules.ReasonCertificate, extra: ends},
		"the Host header's name": {module: `{headers: {host: shop.example}, tls_config: {ca_file: CA}}`, target: s.secure},
		"a wrong Host header":    {module: `{headers: {Host: other.example}, tls_config: {ca_file: CA}}`, target: s.secure, reason: rules.ReasonCertificate, extra: ends},
		"plain text on TLS":      {module: ``, target: strings.Replace(s.plain, "http:", "https:", 1), reason: rules.ReasonTLS},
		"TLS on plain text":      {module: ``, target: strings.Replace(s.secure, "https:", "http:", 1), reason: rules.ReasonStatus},
		"broken TLS":             {module: ``, target: s.far(t, targets.BrokenTLS), reason: rules.ReasonTLS},
		"silent TLS":             {module: ``, target: s.far(t, targets.SilentTLS), within: short, reason: rules.ReasonTimeout},
		"no authority's file":    {module: `tls_config: {ca_file: /nowhere}`, target: s.secure, reason: rules.ReasonOther},
		"fail_if_ssl":            {module: `{fail_if_ssl: true, tls_config: {ca_file: CA}}`, target: s.secure, reason: rules.ReasonTLS},
		"fail_if_ssl, without":   {module: `fail_if_ssl: true`, target: s.plain},
		"fail_if_not_ssl":        {module: `fail_if_not_ssl: true`, target: s.plain, reason: rules.ReasonTLS},
		"fail_if_not_ssl, with":  {module: `{fail_if_not_ssl: true, tls_config: {ca_file: CA}}`, target: s.plain + "/secure"},
		"HTTP/3":                 {module: `{enable_http3: true, enable_http2: false, tls_config: {ca_file: CA}, fail_if_body_not_matches_regexp: [立即购买]}`, target: s.quic},
		"HTTP/3, no scheme":      {module: `{enable_http3: true, enable_http2: false, valid_http_versions: [HTTP/3.0], tls_config: {ca_file: CA}}`, target: strings.TrimPrefix(s.quic, "https://")},
		"HTTP/3, redirect":       {module: `{enable_http3: true, enable_http2: false, tls_config: {ca_file: CA}}`, target: s.quic + "/redirect/json"},
		"HTTP/3, not found":      {module: `{enable_http3: true, enable_http2: false, tls_config: {ca_file: CA}}`, target: s.quic + "/status/404", reason: rules.ReasonStatus},
		"HTTP/3, stranger":       {module: `{enable_http3: true, enable_http2: false}`, target: s.quic, reason: rules.ReasonCertificate, extra: ends},
		"HTTP/3, HEAD":           {module: `{enable_http3: true, enable_http2: false, method: HEAD, tls_config: {ca_file: CA}}`, target: s.quic + "/long"},
		"HTTP/3 to plain":        {module: `{enable_http3: true, enable_http2: false, tls_config: {ca_file: CA}}`, target: s.quic + "/location/refused", reason: rules.ReasonStatus},
		"HTTP/3 from nobody":     {module: `{enable_http3: true, enable_http2: false, tls_config: {ca_file: CA}}`, target: s.secure, within: short, reason: rules.ReasonTimeout},
	})
}

func TestHTTPAnswersAreJudgedAsBlackboxExporterDoes(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	const short = 300 * time.Millisecond
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprint(w, "by proxy ", r.Header.Get("X-Key"))
	}).URL
	tokens := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if id, _, _ := r.BasicAuth(); id != "me" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"access_token": "t0ken", "token_type": "bearer", "expires_in": 60}`)
	}).URL
	play(t, s, map[string]twin{
		"matches":                {module: `fail_if_body_matches_regexp: ["<b>"]`, target: s.plain, reason: rules.ReasonBody},
		"matches not":            {module: `fail_if_body_matches_regexp: [gone, away]`, target: s.plain},
		"must match":             {module: `fail_if_body_not_matches_regexp: ["stock", "立即.."]`, target: s.plain},
		"must match and doesn't": {module: `fail_if_body_not_matches_regexp: [stock, gone]`, target: s.plain, reason: rules.ReasonBody},
		"matched, wrong status":  {module: `fail_if_body_not_matches_regexp: [gone]`, target: s.plain + "/status/404", reason: rules.ReasonStatus},
		"header missing":         {module: `fail_if_header_matches: [{header: x-none, regexp: x}]`, target: s.plain + "/headers", reason: rules.ReasonStatus},
		"header may miss":        {module: `fail_if_header_matches: [{header: x-none, regexp: x, allow_missing: true}]`, target: s.plain + "/headers"},
		"header matches":         {module: `fail_if_header_matches: [{header: x-stock, regexp: plenty}]`, target: s.plain + "/headers", reason: rules.ReasonStatus},
		"header matches not":     {module: `fail_if_header_matches: [{header: X-Stock, regexp: many}]`, target: s.plain + "/headers"},
		"header must match":      {module: `fail_if_header_not_matches: [{header: X-Stock, regexp: plenty}]`, target: s.plain + "/headers"},
		"header doesn't":         {module: `fail_if_header_not_matches: [{header: X-Stock, regexp: many}]`, target: s.plain + "/headers", reason: rules.ReasonStatus},
		"header not there":       {module: `fail_if_header_not_matches: [{header: X-None, regexp: many}]`, target: s.plain + "/headers", reason: rules.ReasonStatus},
		"header and body":        {module: `{fail_if_header_not_matches: [{header: X-Stock, regexp: many}], fail_if_body_not_matches_regexp: [x]}`, target: s.plain + "/headers", reason: rules.ReasonStatus},

		"CEL good":          {module: `fail_if_body_json_not_matches_cel: "body.stock > 2"`, target: s.plain + "/json"},
		"CEL bad":           {module: `fail_if_body_json_not_matches_cel: "body.stock > 3"`, target: s.plain + "/json", reason: rules.ReasonBody},
		"CEL forbidden":     {module: `fail_if_body_json_matches_cel: "body.text == 'hello'"`, target: s.plain + "/json", reason: rules.ReasonBody},
		"CEL both good":     {module: `{fail_if_body_json_matches_cel: "body.stock == 0", fail_if_body_json_not_matches_cel: "has(body.text)"}`, target: s.plain + "/json"},
		"CEL without a key": {module: `fail_if_body_json_matches_cel: "body.none == 1"`, target: s.plain + "/json", reason: rules.ReasonBody},
		"CEL no truth":      {module: `fail_if_body_json_matches_cel: "body.stock"`, target: s.plain + "/json", reason: rules.ReasonBody},
		"CEL not JSON":      {module: `fail_if_body_json_matches_cel: "body.stock == 1"`, target: s.plain, reason: rules.ReasonBody},
		"CEL wrong status":  {module: `fail_if_body_json_matches_cel: "body.stock == 1"`, target: s.plain + "/status/500", reason: rules.ReasonStatus},

		"gzip":            {module: `{compression: gzip, fail_if_body_not_matches_regexp: [hello]}`, target: s.plain + "/gzip"},
		"deflate":         {module: `{compression: deflate, fail_if_body_not_matches_regexp: [hello]}`, target: s.plain + "/deflate"},
		"br":              {module: `{compression: br, fail_if_body_not_matches_regexp: [hello]}`, target: s.plain + "/br"},
		"identity":        {module: `{compression: identity, fail_if_body_not_matches_regexp: [hello]}`, target: s.plain + "/json"},
		"gzip not read":   {module: ``, target: s.plain + "/gzip"},
		"gzip asked for":  {module: `headers: {Accept-Encoding: gzip}`, target: s.plain + "/gzip"},
		"gzip that isn't": {module: `compression: gzip`, target: s.plain + "/json", reason: rules.ReasonBody},
		"deflate, isn't":  {module: `compression: deflate`, target: s.plain + "/json", reason: rules.ReasonBody},
		"br, isn't":       {module: `compression: br`, target: s.plain + "/json", reason: rules.ReasonBody},
		"no such packing": {module: `compression: lzw`, target: s.plain + "/json", reason: rules.ReasonOther},
		"gzip, 404":       {module: `compression: gzip`, target: s.plain + "/status/404", reason: rules.ReasonStatus},
		"limit":           {module: `body_size_limit: 5000B`, target: s.plain + "/long"},
		"over the limit":  {module: `body_size_limit: 4999B`, target: s.plain + "/long", reason: rules.ReasonBody},
		"over, matched":   {module: `{body_size_limit: 100B, fail_if_body_not_matches_regexp: [x]}`, target: s.plain + "/long", reason: rules.ReasonBody},
		"over, JSON":      {module: `{body_size_limit: 5B, fail_if_body_json_matches_cel: "false"}`, target: s.plain + "/json", reason: rules.ReasonBody},
		"over, unpacked":  {module: `{compression: gzip, body_size_limit: 10B}`, target: s.plain + "/gzip", reason: rules.ReasonBody},
		"version right":   {module: `valid_http_versions: [HTTP/1.1]`, target: s.plain},
		"version wrong":   {module: `valid_http_versions: [HTTP/2.0]`, target: s.plain, reason: rules.ReasonStatus},
		"version 2":       {module: `{valid_http_versions: [HTTP/2.0], tls_config: {ca_file: CA}}`, target: s.modern},

		"POST":               {module: `{method: POST, body: hello, fail_if_body_not_matches_regexp: ["POST .*hello"]}`, target: s.plain + "/echo"},
		"a file":             {module: `{method: POST, body_file: BODY, fail_if_body_not_matches_regexp: ["from a file"]}`, target: s.plain + "/echo"},
		"no file":            {module: `{body_file: /nowhere}`, target: s.plain, reason: rules.ReasonOther},
		"no method":          {module: `method: "GE T"`, target: s.plain, reason: rules.ReasonOther},
		"basic_auth":         {module: `{basic_auth: {username: a, password: b}, fail_if_body_not_matches_regexp: ["Basic YTpi"]}`, target: s.plain + "/echo"},
		"authorization":      {module: `{authorization: {credentials: b}, fail_if_body_not_matches_regexp: ["Bearer b"]}`, target: s.plain + "/redirect/echo"},
		"credentials_file":   {module: `{authorization: {credentials_file: BODY}, fail_if_body_not_matches_regexp: ["Bearer from a file"]}`, target: s.plain + "/echo"},
		"no such file":       {module: `authorization: {credentials_file: /nowhere}`, target: s.plain + "/echo", reason: rules.ReasonOther},
		"bearer_token":       {module: `{bearer_token: b, fail_if_body_not_matches_regexp: ["Bearer b"]}`, target: s.plain + "/echo"},
		"http_headers":       {module: `{http_headers: {X-Key: {secrets: [k1]}}, fail_if_body_not_matches_regexp: [" k1 "]}`, target: s.plain + "/echo"},
		"oauth2":             {module: `{oauth2: {client_id: me, client_secret: x, token_url: "` + tokens + `"}, fail_if_body_not_matches_regexp: ["Bearer t0ken"]}`, target: s.plain + "/echo"},
		"oauth2 refused":     {module: `oauth2: {client_id: you, client_secret: x, token_url: "` + tokens + `"}`, target: s.plain + "/echo", reason: rules.ReasonAuth},
		"proxy":              {module: `{proxy_url: "` + proxy + `", fail_if_body_not_matches_regexp: ["by proxy"]}`, target: s.plain},
		"proxy resolves":     {module: `{proxy_url: "` + proxy + `", skip_resolve_phase_with_proxy: true, fail_if_body_not_matches_regexp: ["by proxy"]}`, target: "http://no..such/"},
		"proxy, TLS":         {module: `proxy_url: "` + proxy + `"`, target: s.secure, reason: rules.ReasonConnect},
		"no proxy":           {module: `{proxy_url: "` + proxy + `", no_proxy: 127.0.0.1, fail_if_body_not_matches_regexp: ["立即购买"]}`, target: s.plain},
		"proxy gone":         {module: `proxy_url: "http://` + servertest.FreeAddress(t) + `"`, target: s.plain, reason: rules.ReasonConnect},
		"family":             {module: `preferred_ip_protocol: ip4`, target: s.plain},
		"other family":       {module: `preferred_ip_protocol: ip6`, target: s.plain},
		"no other family":    {module: `{preferred_ip_protocol: ip6, ip_protocol_fallback: false}`, target: s.plain, reason: rules.ReasonDNS},
		"no fallback":        {module: `ip_protocol_fallback: false`, target: s.plain, reason: rules.ReasonDNS},
		"resolves to nobody": {module: ``, target: "http://no..such/", reason: rules.ReasonDNS},
		"refused":            {module: ``, target: "http://" + servertest.FreeAddress(t) + "/", reason: rules.ReasonConnect},
		"no URL":             {module: ``, target: "http://%zz/", reason: rules.ReasonOther},

		"closes at once":    {module: ``, target: "http://" + farm(t, func(net.Conn) {}), reason: rules.ReasonConnect},
		"closes":            {module: ``, target: raw(t, ""), reason: rules.ReasonConnect},
		"closes in headers": {module: ``, target: raw(t, "HTTP/1.1 200 OK\r\nX-Half: "), reason: rules.ReasonConnect},
		"resets": {module: ``, target: "http://" + farm(t, func(conn net.Conn) {
			readRequest(conn)
			_ = conn.(*net.TCPConn).SetLinger(0)
		}), reason: rules.ReasonConnect},
		"truncated":       {module: ``, target: raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"), reason: rules.ReasonBody},
		"truncated match": {module: `fail_if_body_not_matches_regexp: [short]`, target: raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"), reason: rules.ReasonBody},
		"broken chunks":   {module: ``, target: raw(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), reason: rules.ReasonBody},
		"garbage":         {module: ``, target: raw(t, "SSH-2.0-OpenSSH_9.2\r\n"), reason: rules.ReasonOther},
		"HTTP/1.0":        {module: ``, target: raw(t, "HTTP/1.0 200 OK\r\n\r\nold page")},
		"early hints":     {module: ``, target: raw(t, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")},
		"hangs":           {module: ``, target: "http://" + farm(t, hang), within: short, reason: rules.ReasonTimeout},
		"hangs in a body": {module: ``, target: "http://" + farm(t, func(conn net.Conn) {
			readRequest(conn)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
			hang(conn)
		}), within: short, reason: rules.ReasonTimeout},
	})
}

// play makes the comparisons of a table of http modules; only the http section
// of each is named.
func play(t *testing.T, s stage, table map[string]twin) {
	for name, c := range table {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			section := strings.NewReplacer("ca_file: CA", "ca_file: "+s.ca, "ca_file: FARM", "ca_file: "+s.grounds.ca,
				"_file: BODY", "_file: "+s.body).Replace(c.module)
			if section != "" && section[0] != '{' {
				section = "{" + section + "}"
			}
			c.module = "{prober: http, http: " + section + "}"
			if section == "" {
				c.module = "prober: http"
			}
			sameAsBlackbox(t, c)
		})
	}
}
