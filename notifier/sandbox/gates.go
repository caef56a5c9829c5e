package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// What the other gateways expect. They open nothing but this sandbox.
const (
	gateSecret      = "sandbox-gate-secret-that-works-nowhere-else"
	gateToken       = "sandbox-gate-token"
	tencentSecretID = "sandbox-secret-id"
	tencentAppID    = "1400000001"
	twilioAccount   = "AC00000000000000000000000000000000"
	wecomLimit      = 4096 // bytes of a robot's Markdown
	robotLimit      = 20_000
	clockSkew       = time.Hour // that robots bear
)

// GatesURL is the base of the gateways that are one listener: Tencent's and
// Twilio's APIs at its root, a plain one at /gateway, and robots at the paths of
// RobotURL. It speaks HTTP.
func (s *Sandbox) GatesURL() string { return "http://" + s.gates.Addr().String() }

// RobotURL is the address of a group's robot, or of a receiver of signed webhooks.
func (s *Sandbox) RobotURL(channel string) string {
	return s.GatesURL() + map[string]string{
		Webhook: "/webhook/" + gateToken, DingTalk: "/robot/send?access_token=" + gateToken,
		WeCom: "/cgi-bin/webhook/send?key=" + gateToken, Feishu: "/open-apis/bot/v2/hook/" + gateToken,
	}[channel]
}

// TencentTemplates names the id of each approved template, as Tencent's are numbers.
func (s *Sandbox) TencentTemplates() map[string]string {
	ids := s.SMSTemplates()
	for name, code := range ids {
		ids[name] = strings.TrimPrefix(code, "SMS_")
	}
	return ids
}

// GateCredentials are what the gates expect.
type GateCredentials struct {
	Secret                        string // signs webhooks and robots' messages, and is every provider's key
	TencentSecretID, TencentAppID string
	TwilioAccount                 string
}

// GateCredentials returns them.
func (s *Sandbox) GateCredentials() GateCredentials {
	return GateCredentials{Secret: gateSecret, TencentSecretID: tencentSecretID, TencentAppID: tencentAppID, TwilioAccount: twilioAccount}
}

func (s *Sandbox) gatesHandler() http.Handler {
	mux := http.NewServeMux()
	for pattern, gate := range map[string]gate{
		"POST /{$}": s.tencent, "POST /2010-04-01/Accounts/{account}/Messages.json": s.twilio, "POST /gateway": s.plain,
		"POST /webhook/{token}": s.webhook, "POST /robot/send": s.dingtalk, "POST /cgi-bin/webhook/send": s.wecom, "POST /open-apis/bot/v2/hook/{token}": s.feishu,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, requestLimit))
			if err != nil {
				http.Error(w, "too large", http.StatusRequestEntityTooLarge)
				return
			}
			m, status, answer := gate(r, body)
			if m != nil {
				m.Raw = string(body)
				fault, met := s.faults.meet(m.Channel, m.To)
				if !met || fault.Taken {
					s.take(*m)
				}
				if met && !fail(w, r, fault) {
					status, answer = fault.gate()
				} else if met {
					return
				}
			}
			writeJSON(w, status, answer)
		})
	}
	return mux
}

// gate reads a request: the message that it brings, nil if it is refused, and the answer.
type gate func(r *http.Request, body []byte) (*Message, int, any)

// gate is the fault as a status and, with Code, as a robot's or provider's code.
func (f Fault) gate() (int, any) {
	code, err := strconv.Atoi(f.Code)
	status := f.Status
	switch {
	case f.Code == "" && status == 0:
		return http.StatusInternalServerError, map[string]string{"message": f.Text}
	case status == 0:
		status = http.StatusOK
	}
	if err != nil { // a provider's word
		return status, tencentAnswer(f.Code, f.Text)
	}
	return status, map[string]any{"errcode": code, "errmsg": f.Text, "code": code, "msg": f.Text, "message": f.Text}
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func sum(key, text string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func hexSHA(text []byte) string {
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:])
}

var tc3 = regexp.MustCompile(`^TC3-HMAC-SHA256 Credential=([^/]+)/(\d{4}-\d\d-\d\d)/sms/tc3_request, SignedHeaders=content-type;host, Signature=([0-9a-f]{64})$`)

// tencent is Tencent Cloud's SendSms of 2021-01-11, signed by TC3-HMAC-SHA256.
func (s *Sandbox) tencent(r *http.Request, body []byte) (*Message, int, any) {
	refuse := func(code string) (*Message, int, any) {
		return nil, http.StatusOK, map[string]any{"Response": map[string]any{"Error": map[string]string{"Code": code, "Message": code}, "RequestId": "0"}}
	}
	found := tc3.FindStringSubmatch(r.Header.Get("Authorization"))
	at, err := strconv.ParseInt(r.Header.Get("X-TC-Timestamp"), 10, 64)
	switch {
	case found == nil || err != nil:
		return refuse("AuthFailure.SignatureFailure")
	case found[1] != tencentSecretID:
		return refuse("AuthFailure.SecretIdNotFound")
	case r.Header.Get("X-TC-Action") != "SendSms" || r.Header.Get("X-TC-Version") != "2021-01-11":
		return refuse("InvalidAction")
	}
	canonical := strings.Join([]string{"POST", "/", "", "content-type:" + r.Header.Get("Content-Type") + "\nhost:" + r.Host + "\n", "content-type;host", hexSHA(body)}, "\n")
	text := strings.Join([]string{"TC3-HMAC-SHA256", strconv.FormatInt(at, 10), found[2] + "/sms/tc3_request", hexSHA([]byte(canonical))}, "\n")
	key := sum(string(sum(string(sum("TC3"+gateSecret, found[2])), "sms")), "tc3_request")
	if !equal(found[3], hex.EncodeToString(sum(string(key), text))) {
		return refuse("AuthFailure.SignatureFailure")
	}
	var request struct {
		PhoneNumberSet, TemplateParamSet []string
		SmsSdkAppID                      string `json:"SmsSdkAppId"`
		SignName, TemplateID             string
	}
	if json.Unmarshal(body, &request) != nil || len(request.PhoneNumberSet) != 1 {
		return refuse("InvalidParameterValue.IncorrectPhoneNumber")
	}
	if request.SmsSdkAppID != tencentAppID {
		return refuse("InvalidParameterValue.SdkAppIdNotExist")
	}
	to := request.PhoneNumberSet[0]
	if _, ok := phone(to); !ok {
		return nil, http.StatusOK, tencentAnswer("InvalidParameterValue.IncorrectPhoneNumber", to)
	}
	if request.SignName != s.cfg.SignName {
		return nil, http.StatusOK, tencentAnswer("FailedOperation.SignatureIncorrectOrUnapproved", "")
	}
	i := slices.IndexFunc(s.templates(), func(t Template) bool { return strings.TrimPrefix(t.Code, "SMS_") == request.TemplateID })
	if i < 0 {
		return nil, http.StatusOK, tencentAnswer("FailedOperation.TemplateIncorrectOrUnapproved", "")
	}
	said, code := byPlace(s.templates()[i].Text, request.TemplateParamSet)
	if code != "" {
		return nil, http.StatusOK, tencentAnswer(code, "")
	}
	return &Message{Channel: SMS, From: request.SignName, To: to, Text: "【" + request.SignName + "】" + said}, http.StatusOK, tencentAnswer("Ok", "send success")
}

func tencentAnswer(code, words string) any {
	return map[string]any{"Response": map[string]any{"SendStatusSet": []any{map[string]any{"Code": code, "Message": words, "SerialNo": "0", "Fee": 1}}, "RequestId": "0"}}
}

// byPlace fills a template's variables by their place, as Tencent does: there
// must be as many values, each of at most maxParam runes.
func byPlace(text string, values []string) (filled, code string) {
	places := len(variable.FindAllString(text, -1))
	if places != len(values) {
		return "", "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"
	}
	i := -1
	filled = variable.ReplaceAllStringFunc(text, func(string) string {
		i++
		switch {
		case utf8.RuneCountInString(values[i]) > maxParam:
			code = "InvalidParameterValue.TemplateParameterLengthLimit"
		case link.MatchString(values[i]):
			code = "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter"
		}
		return values[i]
	})
	return filled, code
}

// twilio is Twilio's Messages resource.
func (s *Sandbox) twilio(r *http.Request, body []byte) (*Message, int, any) {
	refuse := func(status, code int, words string) (*Message, int, any) {
		return nil, status, map[string]any{"code": code, "message": words, "status": status}
	}
	user, password, _ := r.BasicAuth()
	if !equal(user, twilioAccount) || !equal(password, gateSecret) || r.PathValue("account") != twilioAccount {
		return refuse(http.StatusUnauthorized, 20003, "Authenticate")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Get("Body") == "" {
		return refuse(http.StatusBadRequest, 21602, "Message body is required")
	}
	if _, ok := phone(form.Get("To")); !ok && !strings.HasPrefix(form.Get("To"), "+1") {
		return refuse(http.StatusBadRequest, 21211, "Invalid 'To' Phone Number")
	}
	if utf8.RuneCountInString(form.Get("Body")) > 1600 {
		return refuse(http.StatusBadRequest, 21617, "The concatenated message body exceeds the 1600 character limit")
	}
	return &Message{Channel: SMS, From: form.Get("From"), To: form.Get("To"), Text: form.Get("Body")}, http.StatusCreated, map[string]any{"sid": "SM00000000000000000000000000000001", "status": "queued"}
}

// plain is a small gateway as many providers have one: JSON of to and text, the
// key in a header, and its own result in the answer.
func (s *Sandbox) plain(r *http.Request, body []byte) (*Message, int, any) {
	var request struct{ To, Text string }
	switch {
	case !equal(r.Header.Get("Authorization"), "Bearer "+gateSecret):
		return nil, http.StatusOK, map[string]any{"code": 41}
	case json.Unmarshal(body, &request) != nil || request.Text == "":
		return nil, http.StatusOK, map[string]any{"code": 50}
	}
	to, ok := phone(request.To)
	if !ok {
		return nil, http.StatusOK, map[string]any{"code": 51}
	}
	return &Message{Channel: SMS, From: "gateway", To: to, Text: request.Text}, http.StatusOK, map[string]any{"code": 0}
}

// webhook is a receiver that verifies signatures as standardwebhooks.com says.
func (s *Sandbox) webhook(r *http.Request, body []byte) (*Message, int, any) {
	id, at := r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Timestamp")
	if want := "v1," + base64.StdEncoding.EncodeToString(sum(gateSecret, id+"."+at+"."+string(body))); !equal(r.Header.Get("Webhook-Signature"), want) || !s.recent(at, time.Second) {
		return nil, http.StatusUnauthorized, map[string]string{"error": "the signature doesn't match"}
	}
	var notice struct{ Title, Text string }
	if json.Unmarshal(body, &notice) != nil {
		return nil, http.StatusBadRequest, map[string]string{"error": "no JSON"}
	}
	return &Message{Channel: Webhook, From: "shopwatch", To: r.PathValue("token"), Subject: notice.Title, Text: notice.Text}, http.StatusOK, map[string]any{}
}

// recent reports whether a timestamp, in seconds or milliseconds since 1970, is near to now.
func (s *Sandbox) recent(timestamp string, unit time.Duration) bool {
	n, err := strconv.ParseInt(timestamp, 10, 64)
	at := time.Unix(n, 0)
	if unit == time.Millisecond {
		at = time.UnixMilli(n)
	}
	return err == nil && s.cfg.Now().Sub(at).Abs() <= clockSkew
}

// dingtalk is the robot of a DingTalk group that wants signatures.
func (s *Sandbox) dingtalk(r *http.Request, body []byte) (*Message, int, any) {
	says := func(code int, words string) any { return map[string]any{"errcode": code, "errmsg": words} }
	query := r.URL.Query()
	at := query.Get("timestamp")
	switch {
	case query.Get("access_token") != gateToken:
		return nil, http.StatusOK, says(300001, "token is not exist")
	case !equal(query.Get("sign"), base64.StdEncoding.EncodeToString(sum(gateSecret, at+"\n"+gateSecret))):
		return nil, http.StatusOK, says(310000, "sign not match")
	case !s.recent(at, time.Millisecond):
		return nil, http.StatusOK, says(310000, "invalid timestamp")
	case len(body) > robotLimit:
		return nil, http.StatusOK, says(40035, "too long")
	}
	var request struct {
		Msgtype              string
		Markdown, ActionCard struct{ Title, Text string }
	}
	if json.Unmarshal(body, &request) != nil {
		return nil, http.StatusOK, says(40035, "no JSON")
	}
	content := request.Markdown
	if request.Msgtype == "actionCard" {
		content = request.ActionCard
	}
	if content.Title == "" || content.Text == "" {
		return nil, http.StatusOK, says(40035, "title or text is empty")
	}
	return &Message{Channel: DingTalk, From: "robot", To: gateToken, Subject: content.Title, Text: content.Text}, http.StatusOK, says(0, "ok")
}

// wecom is the robot of a WeCom group.
func (s *Sandbox) wecom(r *http.Request, body []byte) (*Message, int, any) {
	says := func(code int, words string) any { return map[string]any{"errcode": code, "errmsg": words} }
	var request struct {
		Msgtype  string
		Markdown struct{ Content string }
	}
	switch {
	case r.URL.Query().Get("key") != gateToken:
		return nil, http.StatusOK, says(93000, "invalid webhook url")
	case json.Unmarshal(body, &request) != nil || request.Msgtype != "markdown":
		return nil, http.StatusOK, says(40008, "invalid message type")
	case request.Markdown.Content == "":
		return nil, http.StatusOK, says(44004, "empty content")
	case len(request.Markdown.Content) > wecomLimit:
		return nil, http.StatusOK, says(40058, fmt.Sprintf("markdown.content exceed max length %d", wecomLimit))
	}
	return &Message{Channel: WeCom, From: "robot", To: gateToken, Text: request.Markdown.Content}, http.StatusOK, says(0, "ok")
}

// feishu is the robot of a Feishu group that wants signatures.
func (s *Sandbox) feishu(r *http.Request, body []byte) (*Message, int, any) {
	says := func(code int, words string) any { return map[string]any{"code": code, "msg": words} }
	type text struct{ Content string }
	var request struct {
		Timestamp, Sign string
		MsgType         string `json:"msg_type"`
		Card            struct {
			Header   struct{ Title text }
			Elements []text
		}
	}
	switch {
	case r.PathValue("token") != gateToken:
		return nil, http.StatusBadRequest, says(19001, "param invalid: incoming webhook access token invalid")
	case len(body) > robotLimit || json.Unmarshal(body, &request) != nil || request.MsgType != "interactive" || len(request.Card.Elements) == 0:
		return nil, http.StatusBadRequest, says(9499, "Bad Request")
	case !equal(request.Sign, base64.StdEncoding.EncodeToString(sum(request.Timestamp+"\n"+gateSecret, ""))) || !s.recent(request.Timestamp, time.Second):
		return nil, http.StatusOK, says(19021, "sign match fail or timestamp is not within one hour from current time")
	}
	return &Message{Channel: Feishu, From: "robot", To: gateToken, Subject: request.Card.Header.Title.Content, Text: request.Card.Elements[0].Content}, http.StatusOK, says(0, "success")
}
