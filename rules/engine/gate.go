package engine

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
)

// maxBody bounds every request body from outside: a batch of alerts or a long
// query fits many times over.
const maxBody = 4 << 20

// gate lets HTTP requests through only while the engine runs. Closing it
// cancels and waits for those inside, because a query must not touch a
// database that is being unmapped.
type gate struct {
	mu     sync.RWMutex // held for reading by every request inside
	opened bool
	ctx    context.Context
	cancel context.CancelFunc
}

func newGate() *gate {
	g := &gate{}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened = true
}

func (g *gate) close() {
	g.cancel()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened = false
}

func (g *gate) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.RLock()
		defer g.mu.RUnlock()
		if !g.opened {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "the engine isn't running", http.StatusServiceUnavailable)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(g.ctx, cancel)()
		r = r.WithContext(ctx)
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// answer keeps a handler's response in memory, for calls within the process.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// call has the handler answer the request without a network between them.
func call(handler http.Handler, r *http.Request) *http.Response {
	a := &answer{header: http.Header{}}
	handler.ServeHTTP(a, r)
	a.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: r,
	}
}
