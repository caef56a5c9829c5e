package sandbox

import "golang.org/x/text/language"

// words are what the page says in one language.
type words struct {
	Lang     string
	Other    string // the other language's name, in that language
	OtherTag string

	Title, Promise, Explanation  string
	Everything                   string
	Channels                     map[string]string // by channel
	Reader, Everybody, Show      string
	Newer, Older, Pause, Resume  string
	Refreshing, Paused           string
	Empty, EmptyHint, NoneFits   string
	To, From, Subject, NoSubject string
	Bot, Raw, PlainText, Body    string
	Count                        string // format with the number of messages
	You                          string // who presses and speaks on the page, by name
	Answered                     string // before what the bot answered to a press
	SayIn, SayWhat, SaySend      string
	Stranger, LogIn, Back        string // to who presses without having logged in
}

var english = words{
	Lang: "en", Other: "中文", OtherTag: "zh",
	Title:       "Sandbox",
	Promise:     "Nothing leaves this machine.",
	Explanation: "These are the messages that readers would have got by now. The demo speaks to a Telegram, a mail server and an SMS gateway of its own, and this page shows what they took.",
	Everything:  "All",
	Channels:    map[string]string{Telegram: "Telegram", Email: "Mail", SMS: "SMS", Webhook: "Webhook", DingTalk: "DingTalk", WeCom: "WeCom", Feishu: "Feishu"},
	Reader:      "Reader", Everybody: "Everybody", Show: "Show",
	Newer: "Newest", Older: "Older", Pause: "Pause", Resume: "Resume",
	Refreshing: "Looks for new messages every 5 seconds.", Paused: "Paused.",
	Empty: "No message yet", EmptyHint: "Break something in the demo shop and wait a few seconds.", NoneFits: "No message fits this choice.",
	To: "To", From: "From", Subject: "Subject", NoSubject: "(no subject)",
	Bot: "bot", Raw: "As it was sent", PlainText: "Plain text", Body: "The mail's text",
	Count: "%d kept",
	You:   "Ming", Answered: "The bot answered:", SayIn: "Telegram chat", SayWhat: "says to the bot", SaySend: "Send",
	Stranger: "Nothing was done: only the operator can press and speak here",
	LogIn:    "Open the console's link from the terminal first (the line “Console”), then come back and try again.", Back: "Back to the sandbox",
}

var chinese = words{
	Lang: "zh", Other: "English", OtherTag: "en",
	Title:       "沙盒",
	Promise:     "没有任何消息离开这台机器。",
	Explanation: "这里是读者此刻本应收到的消息。演示环境自带一套 Telegram、邮件服务器和短信网关，本页展示它们收到的内容。",
	Everything:  "全部",
	Channels:    map[string]string{Telegram: "Telegram", Email: "邮件", SMS: "短信", Webhook: "Webhook", DingTalk: "钉钉", WeCom: "企业微信", Feishu: "飞书"},
	Reader:      "读者", Everybody: "所有人", Show: "查看",
	Newer: "最新", Older: "更早", Pause: "暂停", Resume: "继续",
	Refreshing: "每 5 秒自动刷新。", Paused: "已暂停刷新。",
	Empty: "还没有消息", EmptyHint: "在演示商店里弄坏点什么，等几秒钟。", NoneFits: "没有符合条件的消息。",
	To: "收件人", From: "发件人", Subject: "主题", NoSubject: "（无主题）",
	Bot: "机器人", Raw: "原始内容", PlainText: "纯文本", Body: "邮件正文",
	Count: "保留 %d 条",
	You:   "小明", Answered: "机器人回答：", SayIn: "Telegram 对话", SayWhat: "对机器人说", SaySend: "发送",
	Stranger: "没有执行：只有登录后才能按按钮、发消息",
	LogIn:    "请先打开终端里显示的控制台链接（“Console” 那一行），然后回到这里再试一次。", Back: "返回沙盒",
}

var languages = language.NewMatcher([]language.Tag{language.English, language.Chinese, language.TraditionalChinese})

// speak chooses the page's language: what was asked for, else what the browser
// accepts.
func speak(asked, accepted string) words {
	switch asked {
	case "zh":
		return chinese
	case "en":
		return english
	}
	if _, index := language.MatchStrings(languages, accepted); index > 0 {
		return chinese
	}
	return english
}
