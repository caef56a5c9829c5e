package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	smsAccessKeyID     = "sandbox-access-key"
	smsAccessKeySecret = "sandbox-secret-that-works-nowhere-else"
	// maxParam is how many runes of a variable Aliyun takes.
	maxParam = 35
	// maxNumbers is how many numbers one request may name.
	maxNumbers = 1000
)

// Template is an SMS template that Aliyun approved: a text with ${variables}.
type Template struct {
	Name string // the channel's name for it: Message.Template, "." and the language
	Code string // "SMS_123456789"
	Text string
}

// noticeTemplates are approved from the start, one for each event and language
// of what is told by text message. They keep Aliyun's rules: no variable alone or beside another, no
// link, no word about unsubscribing.
var noticeTemplates = []Template{
	{"down.zh", "SMS_460000011", "服务通知：${title}，开始于${since}，已持续${lasted}。恢复后会再通知您。"},
	{"down.en", "SMS_460000012", "Service notice: ${title} since ${since}, ${lasted} so far. We will tell you when it is over."},
	{"prolonged.zh", "SMS_460000021", "服务通知：${title}，开始于${since}，已持续${lasted}，仍未恢复。"},
	{"prolonged.en", "SMS_460000022", "Service notice: ${title} since ${since}, ${lasted} so far, and it is not over yet."},
	{"recovered.zh", "SMS_460000031", "服务通知：${title}，现已恢复。开始于${since}，恢复于${over}，历时${lasted}。"},
	{"recovered.en", "SMS_460000032", "Service notice: over now: ${title}. It began at ${since}, ended at ${over} and lasted ${lasted}."},
	{"reopened.zh", "SMS_460000041", "服务通知：${title}，再次出现。最初开始于${since}，距今${lasted}。恢复后会再通知您。"},
	{"reopened.en", "SMS_460000042", "Service notice: ${title} again. It first began at ${since}, ${lasted} ago. We will tell you when it is over."},
	{"maintenance_in_progress.zh", "SMS_460000071", "服务通知：正在维护：${title}，开始于${since}，预计结束：${until}。期间付款的订单都有记录，结束后照常发货。"},
	{"maintenance_in_progress.en", "SMS_460000072", "Service notice: maintenance: ${title} since ${since}, expected to end at ${until}. Orders paid meanwhile are kept and delivered afterwards."},
	{"confirm.zh", "SMS_460000051", "验证码${code}，用于订阅故障通知。非本人操作请忽略。"},
	{"confirm.en", "SMS_460000052", "${code} is your code to subscribe to service notices. If it was not you, ignore this."},
	{"code.zh", "SMS_460000061", "验证码${code}，用于管理您的通知订阅。请勿告诉他人，非本人操作请忽略。"},
	{"code.en", "SMS_460000062", "${code} is your code to manage your subscription. Give it to nobody. If it was not you, ignore this."},
}

// SMSTemplates names the code of each approved template, as the channel's
// config wants it.
func (s *Sandbox) SMSTemplates() map[string]string {
	codes := map[string]string{}
	for _, t := range s.templates() {
		codes[t.Name] = t.Code
	}
	return codes
}

func (s *Sandbox) templates() []Template {
	return append(slices.Clone(noticeTemplates), s.cfg.Templates...)
}

// verdict is what the gateway answers. Code "OK" alone is success.
type verdict struct {
	Status    int    `json:"-"`
	Code      string `json:"Code"`
	Message   string `json:"Message"`
	RequestID string `json:"RequestId"`
	BizID     string `json:"BizId,omitempty"`
}

func wrong(code, message string) verdict {
	return verdict{Status: http.StatusOK, Code: code, Message: message}
}

// serveSMS is Aliyun's gateway: SendSms of 2017-05-25, signed by ACS3-HMAC-SHA256.
func (s *Sandbox) serveSMS(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, requestLimit))
	if err != nil {
		verdict{Status: http.StatusBadRequest, Code: "InvalidParameter", Message: "The request is too large."}.write(w)
		return
	}
	if refused := verify(r, body); refused.Code != "" {
		refused.write(w)
		return
	}
	params := r.URL.Query()
	if form, err := url.ParseQuery(string(body)); err == nil && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		for name := range form {
			params.Set(name, form.Get(name))
		}
	}
	action, version := r.Header.Get("X-Acs-Action"), r.Header.Get("X-Acs-Version")
	if action != "SendSms" || version != "2017-05-25" {
		verdict{Status: http.StatusNotFound, Code: "InvalidAction.NotFound", Message: "Specified api is not found, please check your url and method."}.write(w)
		return
	}
	messages, refused := s.compose(params)
	if refused.Code != "" {
		refused.write(w)
		return
	}
	for _, m := range messages {
		fault, met := s.faults.meet(SMS, m.To)
		if !met || fault.Taken {
			m = s.take(m)
		}
		if met {
			if !fail(w, r, fault) {
				fault.sms().write(w)
			}
			return
		}
	}
	biz := fmt.Sprintf("%d^0", s.cfg.Now().UnixNano())
	verdict{Status: http.StatusOK, Code: "OK", Message: "OK", BizID: biz}.write(w)
}

func (v verdict) write(w http.ResponseWriter) {
	v.RequestID = "00000000-0000-0000-0000-000000000000"
	writeJSON(w, v.Status, v)
}

// sms is the fault as Aliyun words it.
func (f Fault) sms() verdict {
	v := verdict{Status: f.Status, Code: f.Code, Message: f.Text}
	switch {
	case v.Status == 0 && v.Code != "":
		v.Status = http.StatusOK
	case v.Status == 0:
		v.Status = http.StatusInternalServerError
	}
	if v.Code == "" {
		v.Code = "InternalError"
		if v.Status == http.StatusTooManyRequests {
			v.Code = "Throttling"
		}
	}
	if v.Message == "" {
		v.Message = v.Code
	}
	return v
}

var (
	chineseNumber = regexp.MustCompile(`^(?:\+86|0086|86)?(1[3-9][0-9]{9})$`)
	foreignNumber = regexp.MustCompile(`^(?:00|\+)?([2-9][0-9]{6,14})$`) // what begins with 1 is meant for home
)

// phone is a number of a request in E.164.
func phone(number string) (string, bool) {
	if found := chineseNumber.FindStringSubmatch(number); found != nil {
		return "+86" + found[1], true
	}
	found := foreignNumber.FindStringSubmatch(number)
	if found == nil {
		return "", false
	}
	return "+" + found[1], true
}

// compose checks a request and makes the messages that its readers would get.
func (s *Sandbox) compose(params url.Values) ([]Message, verdict) {
	if params.Get("SignName") != s.cfg.SignName {
		return nil, wrong("isv.SMS_SIGNATURE_ILLEGAL", "该账号下找不到对应签名")
	}
	i := slices.IndexFunc(s.templates(), func(t Template) bool { return t.Code == params.Get("TemplateCode") })
	if i < 0 {
		return nil, wrong("isv.SMS_TEMPLATE_ILLEGAL", "该账号下找不到对应模板")
	}
	text, refused := render(s.templates()[i].Text, params.Get("TemplateParam"))
	if refused.Code != "" {
		return nil, refused
	}
	numbers := strings.Split(params.Get("PhoneNumbers"), ",")
	if len(numbers) > maxNumbers {
		return nil, wrong("isv.MOBILE_COUNT_OVER_LIMIT", "手机号码数量超过限制")
	}
	var messages []Message
	for _, number := range numbers {
		to, ok := phone(number)
		if !ok {
			return nil, wrong("isv.MOBILE_NUMBER_ILLEGAL", number+"invalid mobile number")
		}
		messages = append(messages, Message{
			Channel: SMS, From: s.cfg.SignName, To: to, Text: "【" + s.cfg.SignName + "】" + text, Raw: rawParams(params),
		})
	}
	return messages, verdict{}
}

var (
	variable = regexp.MustCompile(`\$\{([A-Za-z0-9_]+)\}`)
	link     = regexp.MustCompile(`(?i)https?://|www\.`)
)

// render fills a template with a request's JSON object.
func render(text, object string) (string, verdict) {
	var values map[string]string
	if object != "" && json.Unmarshal([]byte(object), &values) != nil {
		return "", wrong("isv.INVALID_JSON_PARAM", "JSON参数不合法，只接受字符串值")
	}
	var refused verdict
	text = variable.ReplaceAllStringFunc(text, func(found string) string {
		name := variable.FindStringSubmatch(found)[1]
		value, ok := values[name]
		switch {
		case refused.Code != "":
		case !ok || value == "":
			refused = wrong("isv.TEMPLATE_MISSING_PARAMETERS", "模板缺少变量："+name)
		case utf8.RuneCountInString(value) > maxParam:
			refused = wrong("isv.PARAM_LENGTH_LIMIT", "参数超出长度限制："+name)
		case link.MatchString(value):
			refused = wrong("isv.PARAM_NOT_SUPPORT_URL", "变量不支持传入URL："+name)
		}
		return value
	})
	return text, refused
}

var authorization = regexp.MustCompile(`^ACS3-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$`)

// verify checks a request's signature; an empty verdict accepts it. The scheme
// is "V3 版本请求体&签名机制" of Aliyun's OpenAPI.
func verify(r *http.Request, body []byte) verdict {
	found := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if found == nil {
		return verdict{Status: http.StatusBadRequest, Code: "MissingAuthorization", Message: "Authorization is mandatory for this action."}
	}
	if found[1] != smsAccessKeyID {
		return verdict{Status: http.StatusNotFound, Code: "InvalidAccessKeyId.NotFound", Message: "Specified access key is not found."}
	}
	payload := sha256.Sum256(body)
	hashed := hex.EncodeToString(payload[:])
	signed := strings.Split(found[2], ";")
	for _, required := range []string{"host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"} {
		if !slices.Contains(signed, required) {
			return verdict{Status: http.StatusBadRequest, Code: "IncompleteSignature", Message: "The request signature does not cover " + required + "."}
		}
	}
	var headers strings.Builder
	for _, name := range signed {
		value := strings.Join(r.Header.Values(name), ",")
		if name == "host" {
			value = r.Host
		}
		headers.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	canonical := strings.Join([]string{r.Method, r.URL.EscapedPath(), canonicalQuery(r.URL.Query()), headers.String(), found[2], hashed}, "\n")
	digest := sha256.Sum256([]byte(canonical))
	mac := hmac.New(sha256.New, []byte(smsAccessKeySecret))
	mac.Write([]byte("ACS3-HMAC-SHA256\n" + hex.EncodeToString(digest[:])))
	given, _ := hex.DecodeString(found[3])
	if !hmac.Equal(mac.Sum(nil), given) || r.Header.Get("X-Acs-Content-Sha256") != hashed {
		return verdict{
			Status: http.StatusBadRequest, Code: "SignatureDoesNotMatch",
			Message: "Specified signature does not match our calculation.",
		}
	}
	return verdict{}
}

// canonicalQuery is a query as RFC 3986 writes it, sorted by name.
func canonicalQuery(query url.Values) string {
	escape := func(s string) string {
		return strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(url.QueryEscape(s))
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(query)) {
		pairs = append(pairs, escape(name)+"="+escape(query.Get(name)))
	}
	return strings.Join(pairs, "&")
}
