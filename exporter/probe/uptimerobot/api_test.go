package uptimerobot_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
)

// apiKey is the account's key.
const apiKey = "u123456-0123456789abcdef01234567"

// line is a monitor of the account: its number and its state, in v2's numbers.
type line struct {
	id     int64
	status int
}

// wordsV3 are v3's words for v2's numbers.
var wordsV3 = map[int]string{0: "PAUSED", 1: "STARTED", 2: "UP", 8: "LOOKS_DOWN", 9: "DOWN"}

// api is an account of UptimeRobot that speaks both protocols.
type api struct {
	*httptest.Server
	monitors []line
	asked    atomic.Int32
	// before, if it is set, may answer in the API's stead: it says whether it did.
	before func(http.ResponseWriter, *http.Request) bool
}

func newAPI(t *testing.T, monitors ...line) *api {
	t.Helper()
	a := &api{monitors: monitors}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v2/getMonitors", a.getMonitors)
	mux.HandleFunc("GET /v3/monitors", a.listMonitors)
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asked.Add(1)
		if a.before == nil || !a.before(w, r) {
			mux.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(a.Close)
	return a
}

func answerJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// getMonitors is v2: one page of at most 50 by offset; all failures are 200.
func (a *api) getMonitors(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.PostFormValue("format") != "json" {
		fmt.Fprint(w, "<?xml version=\"1.0\"?>")
		return
	}
	if key := r.PostFormValue("api_key"); key != apiKey {
		answerJSON(w, http.StatusOK, map[string]any{"stat": "fail", "error": map[string]string{
			"type": "invalid_parameter", "parameter_name": "api_key", "passed_value": key, "message": "api_key is invalid: " + key,
		}})
		return
	}
	offset, _ := strconv.Atoi(r.PostFormValue("offset"))
	limit, _ := strconv.Atoi(cmp.Or(r.PostFormValue("limit"), "50"))
	limit = min(limit, 50)
	page := []map[string]any{}
	for _, m := range a.monitors[min(offset, len(a.monitors)):min(offset+limit, len(a.monitors))] {
		page = append(page, map[string]any{
			"id": m.id, "friendly_name": fmt.Sprintf("monitor %d", m.id), "url": "https://shop.example.com/", "type": 1,
			"sub_type": "", "keyword_type": nil, "port": "", "interval": 300, "status": m.status, "create_datetime": 1700000000,
		})
	}
	answerJSON(w, http.StatusOK, map[string]any{
		"stat": "ok", "pagination": map[string]int{"offset": offset, "limit": limit, "total": len(a.monitors)}, "monitors": page,
	})
}

// listMonitors is v3: one page of at most 200 after a cursor, with a link to the next.
func (a *api) listMonitors(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+apiKey {
		answerJSON(w, http.StatusUnauthorized, map[string]any{"message": "Unauthorized", "statusCode": 401})
		return
	}
	limit, err := strconv.Atoi(cmp.Or(r.FormValue("limit"), "50"))
	if err != nil || limit < 1 || limit > 200 {
		answerJSON(w, http.StatusBadRequest, map[string]any{"message": []string{"limit must not be greater than 200"}, "error": "Bad Request"})
		return
	}
	cursor, _ := strconv.ParseInt(r.FormValue("cursor"), 10, 64)
	page := []map[string]any{}
	var next any
	for _, m := range a.monitors {
		if m.id <= cursor {
			continue
		}
		if len(page) == limit {
			last := page[len(page)-1]["id"]
			next = "https://api.uptimerobot.com/v3/monitors?" + url.Values{"cursor": {fmt.Sprint(last)}}.Encode()
			break
		}
		page = append(page, map[string]any{
			"id": m.id, "friendlyName": fmt.Sprintf("monitor %d", m.id), "url": "https://shop.example.com/", "type": "HTTP",
			"status": wordsV3[m.status], "interval": 300, "tags": []any{}, "lastIncident": nil,
			"lastDayUptimes": map[string]any{"bucketSize": 900, "histogram": []any{}},
		})
	}
	answerJSON(w, http.StatusOK, map[string]any{"nextLink": next, "data": page})
}
