package uptimerobot

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"shopwatch/exporter"
	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

const (
	defaultURL = "https://api.uptimerobot.com"
	// maxPage bounds one page of an answer.
	maxPage = 4 << 20
	// pageV2 is the most monitors that v2 gives at once, pageV3 half of what v3
	// does: its monitors carry a day of history each.
	pageV2, pageV3 = 50, 100
)

// asker asks an account for all its monitors, page by page. All, because looks
// at different monitors then share one answer.
type asker func(context.Context, *probe.Look, *http.Client) answer

// question is how a module wants its account asked.
func question(module *exporter.UptimeRobot) (asker, error) {
	base, err := url.Parse(cmp.Or(module.URL, defaultURL))
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, probe.Problem(rules.ReasonOther, "the API's URL is not http or https")
	}
	if !httpguts.ValidHeaderFieldValue(module.Key) {
		return nil, probe.Problem(rules.ReasonAuth, "the key holds what no key can")
	}
	switch module.API {
	case "v2":
		return func(ctx context.Context, l *probe.Look, client *http.Client) answer {
			return askV2(ctx, l, client, base.JoinPath("v2/getMonitors").String(), module.Key)
		}, nil
	case "v3", "":
		return func(ctx context.Context, l *probe.Look, client *http.Client) answer {
			return askV3(ctx, l, client, base.JoinPath("v3/monitors"), module.Key)
		}, nil
	}
	return nil, probe.Problem(rules.ReasonOther, "the API is neither v2 nor v3")
}

// answerV2 is what getMonitors gives (https://uptimerobot.com/api, "POST
// getMonitors"): with stat "fail" an error, which may quote the key.
type answerV2 struct {
	Stat  string `json:"stat"`
	Error struct {
		Type      string `json:"type"`
		Parameter string `json:"parameter_name"`
		Message   string `json:"message"`
	} `json:"error"`
	Pagination struct {
		Total int `json:"total"`
	} `json:"pagination"`
	Monitors []struct {
		ID     int64 `json:"id"`
		Status int   `json:"status"`
	} `json:"monitors"`
}

// statesV2 are v2's numbers (https://uptimerobot.com/api, "Parameters", monitor > status).
var statesV2 = map[int]monitor{
	0: {state: silent, word: "is paused"},
	1: {state: silent, word: "is not checked yet"},
	2: {state: up},
	8: {state: down}, // seems down
	9: {state: down},
}

func askV2(ctx context.Context, l *probe.Look, client *http.Client, where, key string) answer {
	var all answer
	for offset := 0; ; offset += pageV2 {
		form := url.Values{
			"api_key": {key}, "format": {"json"},
			"limit": {strconv.Itoa(pageV2)}, "offset": {strconv.Itoa(offset)},
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, where, strings.NewReader(form.Encode()))
		if err != nil {
			return unasked("no request can be made of the API's URL")
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Cache-Control", "no-cache")
		var page answerV2
		status, refused := exchange(ctx, l, client, request, &page)
		switch {
		case page.Stat == "fail" && limited(page.Error.Type, page.Error.Message):
			return unasked("UptimeRobot limits our rate")
		case page.Stat == "fail" && page.wrongKey():
			return answer{reason: rules.ReasonAuth, detail: "UptimeRobot refuses the key"}
		case refused != nil:
			return *refused
		case page.Stat == "fail":
			return unasked("UptimeRobot refuses the question")
		case page.Stat != "ok":
			return unasked(fmt.Sprintf("UptimeRobot answered %d with something else than its API's answer", status))
		}
		for _, m := range page.Monitors {
			all.add(m.ID, statesV2[m.Status])
		}
		switch {
		case len(page.Monitors) == 0 || offset+pageV2 >= page.Pagination.Total:
			return all
		case offset+pageV2 >= maxMonitors:
			return unasked(fmt.Sprintf("the account has more than %d monitors", maxMonitors))
		}
	}
}

// wrongKey reports whether a failure is about the key: v2 says
// {"type":"invalid_parameter","parameter_name":"api_key",…} or that the
// "api_key is wrong".
func (a *answerV2) wrongKey() bool {
	return a.Error.Parameter == "api_key" || strings.Contains(a.Error.Message, "api_key")
}

// limited reports whether a failure is about too many questions.
func limited(kind, message string) bool {
	text := strings.ToLower(kind + " " + message)
	return strings.Contains(text, "rate limit") || strings.Contains(text, "rate_limit") || strings.Contains(text, "too many requests")
}

// answerV3 is what GET /monitors gives: MonitorPaginationDto in UptimeRobot's
// OpenAPI document (https://github.com/uptimerobot/uptimerobot-cli,
// openapi/openapi.yaml, MonitorsController_list). The cursor of the next page
// is a number in the query of nextLink, which is null on the last page.
type answerV3 struct {
	NextLink *string `json:"nextLink"`
	Data     []struct {
		ID     int64  `json:"id"`
		Status string `json:"status"`
	} `json:"data"`
}

// statesV3 are v3's words, as its filter "status" lists them.
var statesV3 = map[string]monitor{
	"PAUSED":     {state: silent, word: "is paused"},
	"STARTED":    {state: silent, word: "is not checked yet"},
	"UP":         {state: up},
	"LOOKS_DOWN": {state: down},
	"DOWN":       {state: down},
}

func askV3(ctx context.Context, l *probe.Look, client *http.Client, where *url.URL, key string) answer {
	var all answer
	cursor := ""
	for read := pageV3; ; read += pageV3 {
		query := url.Values{"limit": {strconv.Itoa(pageV3)}}
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		where.RawQuery = query.Encode()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, where.String(), nil)
		if err != nil {
			return unasked("no request can be made of the API's URL")
		}
		request.Header.Set("Authorization", "Bearer "+key)
		page := answerV3{}
		status, refused := exchange(ctx, l, client, request, &page)
		switch {
		case refused != nil:
			return *refused
		case page.Data == nil:
			return unasked(fmt.Sprintf("UptimeRobot answered %d with something else than its API's answer", status))
		}
		for _, m := range page.Data {
			all.add(m.ID, statesV3[strings.ToUpper(m.Status)])
		}
		if page.NextLink == nil || *page.NextLink == "" {
			return all
		}
		// The link itself isn't followed: our key goes with each request.
		next, err := url.Parse(*page.NextLink)
		if err != nil || len(page.Data) == 0 || !number(next.Query().Get("cursor")) || next.Query().Get("cursor") == cursor {
			return unasked("UptimeRobot names a next page that is none")
		}
		if cursor = next.Query().Get("cursor"); read >= maxMonitors {
			return unasked(fmt.Sprintf("the account has more than %d monitors", maxMonitors))
		}
	}
}

func number(text string) bool {
	_, err := strconv.ParseInt(text, 10, 64)
	return err == nil
}

// add adds a monitor in a state; one that our table doesn't have says nothing.
// A monitor that moved to the next page while we read counts once.
func (a *answer) add(id int64, known monitor) {
	known.id = strconv.FormatInt(id, 10)
	if slices.ContainsFunc(a.monitors, func(m monitor) bool { return m.id == known.id }) {
		return
	}
	if known.state == silent {
		known.word = cmp.Or(known.word, "is in a state that we don't know")
	}
	a.monitors = append(a.monitors, known)
}

// unasked is the answer of an API that told nothing about the shop.
func unasked(detail string) answer {
	return answer{reason: rules.ReasonVantage, detail: detail}
}

// exchange makes one request and reads its JSON answer into page, as far as it
// is one. What the API didn't answer well is an answer too: refused.
func exchange(ctx context.Context, l *probe.Look, client *http.Client, request *http.Request, page any) (status int, refused *answer) {
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", l.UserAgent())
	response, err := client.Do(request)
	if err != nil {
		_, detail := probe.Explain(l.BlameExchange(ctx, err))
		away := unasked("UptimeRobot can't be asked: " + detail)
		return 0, &away
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxPage+1))
	if err != nil {
		_, detail := probe.Explain(l.Blame(ctx, err, rules.ReasonVantage, probe.SafeText(err)))
		away := unasked("UptimeRobot's answer broke off: " + detail)
		return response.StatusCode, &away
	}
	if len(body) > maxPage {
		long := unasked(fmt.Sprintf("UptimeRobot's answer is longer than %d bytes", maxPage))
		return response.StatusCode, &long
	}
	broken := json.Unmarshal(body, page) != nil

	switch status := response.StatusCode; {
	case status == http.StatusTooManyRequests:
		rest := unasked("UptimeRobot limits our rate")
		if seconds, err := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 16); err == nil {
			rest.rest = time.Duration(seconds) * time.Second
		}
		return status, &rest
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return status, &answer{reason: rules.ReasonAuth, detail: "UptimeRobot refuses the key"}
	case status != http.StatusOK:
		odd := unasked(fmt.Sprintf("UptimeRobot answered %d", status))
		return status, &odd
	case broken:
		odd := unasked("UptimeRobot answered something else than JSON")
		return status, &odd
	}
	return response.StatusCode, nil
}
