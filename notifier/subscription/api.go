package subscription

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"

	"shopwatch/notifier"
)

// API is the path of the operator's side on the private address.
const API = "/api/subscribers"

// maxAsked bounds what an operator's program sends.
const maxAsked = 64 << 10

// Page is one answer of a list.
type Page struct {
	Subscribers []Listed `json:"subscribers"`
	Next        int64    `json:"next,omitempty"` // ask for those after it; 0: there are no more
}

// who is asked for by an address, which stands in no path: those are logged.
type who struct {
	Address string `json:"address"`
}

// done is the answer to what leaves nothing to show.
type done struct {
	Done bool `json:"done"`
}

// trouble is every answer that isn't what was asked for.
type trouble struct {
	Error string `json:"error"`
}

type api struct {
	service *Service
	logger  *slog.Logger
}

// NewAPI answers API and everything under it. Whoever mounts it lets operators
// alone come to it.
func NewAPI(service *Service, logger *slog.Logger) http.Handler {
	a := api{service, logger}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+API, a.list)
	mux.HandleFunc("POST "+API, answering(a, func(ctx context.Context, _ int64, body Addition) (any, error) { return service.Add(ctx, body) }))
	mux.HandleFunc("POST "+API+"/find", answering(a, func(ctx context.Context, _ int64, body who) (any, error) { return service.Find(ctx, body.Address) }))
	mux.HandleFunc("POST "+API+"/{id}/export", answering(a, func(ctx context.Context, id int64, body Doer) (any, error) {
		way, err := body.check()
		if err != nil {
			return nil, err
		}
		return service.Export(ctx, id, way, body.By)
	}))
	mux.HandleFunc("POST "+API+"/{id}/deactivate", answering(a, func(ctx context.Context, id int64, body Doer) (any, error) { return service.Deactivate(ctx, id, body) }))
	mux.HandleFunc("POST "+API+"/{id}/erase", answering(a, func(ctx context.Context, id int64, body Doer) (any, error) {
		way, err := body.check()
		if err != nil {
			return nil, err
		}
		return done{true}, service.Erase(ctx, id, way, body.By)
	}))
	return mux
}

// list answers GET /api/subscribers?channel=&state=&after=&limit=.
func (a api) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	want := Selection{Channel: query.Get("channel"), State: notifier.RecipientState(query.Get("state")), Limit: 100}
	var err error
	if text := query.Get("after"); text != "" {
		want.After, err = strconv.ParseInt(text, 10, 64)
	}
	if text := query.Get("limit"); err == nil && text != "" {
		want.Limit, err = strconv.Atoi(text)
	}
	if err != nil || want.Limit < 1 || want.Limit > 1000 {
		a.refuse(w, invalid("after is an id, and limit 1–1000"))
		return
	}
	list, next, err := a.service.List(r.Context(), want)
	if err != nil {
		a.refuse(w, err)
		return
	}
	reply(w, http.StatusOK, Page{Subscribers: list, Next: next})
}

// answering reads a body of JSON, which may be absent, and the path's id.
func answering[Body any](a api, do func(ctx context.Context, id int64, body Body) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var id int64
		if text := r.PathValue("id"); text != "" {
			var err error
			if id, err = strconv.ParseInt(text, 10, 64); err != nil {
				a.refuse(w, &notifier.Error{Code: notifier.NotFound, Message: "a subscriber's id is a number: `shopwatch subscriber list` shows them all"})
				return
			}
		}
		var body Body
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAsked))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&body); err != nil && !errors.Is(err, io.EOF) {
			a.refuse(w, invalid("the body is no JSON of the fields that are known here"))
			return
		}
		answer, err := do(r.Context(), id, body)
		if err != nil {
			a.refuse(w, err)
			return
		}
		reply(w, http.StatusOK, answer)
	}
}

// statuses are what a mistake is in HTTP.
var statuses = map[notifier.Code]int{
	notifier.NotFound: http.StatusNotFound, notifier.Invalid: http.StatusUnprocessableEntity, notifier.Conflict: http.StatusConflict,
}

// refuse says a mistake, and logs what isn't the asker's.
func (a api) refuse(w http.ResponseWriter, err error) {
	if mistake, ok := errors.AsType[*notifier.Error](err); ok {
		reply(w, statuses[mistake.Code], trouble{mistake.Message})
		return
	}
	a.logger.Error("subscribers not answered for", "err", err)
	reply(w, http.StatusInternalServerError, trouble{"something went wrong; the log says what"})
}

func reply(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer)
}

// pathOf is the path of a deed to a subscriber.
func pathOf(id int64, deed string) string { return fmt.Sprintf("%s/%d/%s", API, id, deed) }
