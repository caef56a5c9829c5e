package rules

import (
	"fmt"
	"strings"
)

// reasonWords complete the sentence "Most looks failed: …".
var reasonWords = map[Reason]Text{
	ReasonDNS:         {EN: "its name has no address", ZH: "域名解析不出地址"},
	ReasonConnect:     {EN: "no connection to it can be made", ZH: "连不上"},
	ReasonTLS:         {EN: "no encrypted connection to it can be made", ZH: "加密连接建立不起来"},
	ReasonTimeout:     {EN: "it was not done in time", ZH: "没有在时限内完成"},
	ReasonStatus:      {EN: "it answered with the wrong status", ZH: "有应答，但状态不对"},
	ReasonBody:        {EN: "it answered with the wrong content", ZH: "有应答，但内容不对"},
	ReasonAuth:        {EN: "user, password or key was refused", ZH: "用户名、密码或密钥被拒绝"},
	ReasonQuery:       {EN: "it let us in, but could not do what was asked", ZH: "能登录，但要它做的事没做成"},
	ReasonCertificate: {EN: "its certificate has expired, is for another name, or lacks its chain", ZH: "证书过期、域名不符或证书链不完整"},
	ReasonVantage:     {EN: "we could not look, our own connection may be gone", ZH: "是我们自己没看成，可能是本机断网"},
	ReasonOther:       {EN: "something else, which the page /looks tells", ZH: "其他原因，详见 /looks 页面"},
}

// ledgerReasonWords complete the sentence "Most polls failed: …".
var ledgerReasonWords = map[LedgerReason]Text{
	LedgerAway:        {EN: "the database can't be reached, or the connection was lost", ZH: "连不上数据库，或连接中断"},
	LedgerAccess:      {EN: "the database refuses the account, or a right is missing", ZH: "数据库账号不对，或缺少权限"},
	LedgerSchema:      {EN: "tables, columns or values are not those of this shop software", ZH: "表、列或内容与所填的商店软件不符"},
	LedgerClock:       {EN: "the orders' times are wrong, by their time zone or a clock", ZH: "订单时间不对，时区或时钟有误"},
	LedgerSlow:        {EN: "a query took too long and was ended", ZH: "查询太慢，被中止"},
	LedgerLocked:      {EN: "a table is locked", ZH: "表被锁住"},
	LedgerConnections: {EN: "the database takes no more connections", ZH: "数据库不再接受新连接"},
	LedgerReplica:     {EN: "the replica stands still, or is too far behind", ZH: "从库停止同步，或落后太多"},
	LedgerClaimed:     {EN: "another exporter already follows these books", ZH: "另一个 exporter 正在读这份账本"},
	LedgerState:       {EN: "shopwatch's own state file can't be written", ZH: "shopwatch 自己的状态文件写不进去"},
	LedgerOther:       {EN: `something else, which the log tells at "books not read"`, ZH: "其他原因，详见日志里的 books not read"},
}

// Words say the reason to a person, in a clause without a full stop; empty for
// a word that is no reason.
func (r Reason) Words() Text { return reasonWords[r] }

// Words say the reason to a person, in a clause without a full stop; empty for
// a word that is no reason.
func (r LedgerReason) Words() Text { return ledgerReasonWords[r] }

// inWords gives what an annotation says of a reason that is its dot: the words,
// and behind them the reason itself, by which boards, logs and documents find
// it. An exporter of a later version may have a reason that isn't here.
func inWords[R interface {
	~string
	Words() Text
}](reasons []R, language, form string) string {
	var branches strings.Builder
	word := "if"
	for _, reason := range reasons {
		fmt.Fprintf(&branches, "{{ %s eq . %q }}"+form, word, string(reason), reason.Words().In(language), string(reason))
		word = "else if"
	}
	return branches.String() + "{{ else }}{{ . }}{{ end }}"
}

// reasonsInWords is inWords for the reasons of one metric: looks' or polls'.
func reasonsInWords(of, language string) (string, error) {
	form := "%s (%s)"
	if language == "zh" {
		form = "%s（%s）"
	}
	switch of {
	case "look":
		return inWords(Reasons, language, form), nil
	case "poll":
		return inWords(LedgerReasons, language, form), nil
	}
	return "", fmt.Errorf("reasons of %q: want look or poll", of)
}
