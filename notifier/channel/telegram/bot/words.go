package bot

import (
	"cmp"
	"fmt"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// words are what the bot says in one language: plain, warm and short.
type words struct {
	language notifier.Language

	joined, left, notSubscribed, noSignUp string
	notAdministrator, unknown, wentWrong  string
	settings                              string // title, services, severity, quiet hours
	allServices, otherServices, comma     string // otherServices: how many
	everything, major                     string
	noQuiet, quietFrom                    string // from, to, zone
	askServices, askSeverity, askLanguage string
	askQuiet                              string // zone
	servicesButton, severityButton        string
	quietButton, languageButton           string
	leaveButton, done                     string

	helpStart, helpReader, helpStatus string
	readerCommands, statusCommands    [][2]string
	onCallCommands                    [][2]string

	statuses                     map[rules.Status]string
	allWell, notMeasured         string
	since, space                 string // when; space: before what stands in brackets
	more                         string // how many
	onCallHelp                   string
	notOnCall, notOperator       string
	unknownButton                string
	runs, nothingRuns            string
	ackButton, muteButton        string // number in the list
	has, somebody                string // who, since when
	withdrawn, nobodyHas, isOver string
	noIncident, cannotSilence    string
	silentUntil                  string // when
	numbers, yourNumber          string // of the chat, of whoever asks
}

// in gives a text in the language.
func (w words) in(t rules.Text) string { return t.In(string(w.language)) }

// inHand says who has an incident in hand.
func (w words) inHand(a notifier.Acknowledgement, at string) string {
	return fmt.Sprintf(w.has, cmp.Or(a.By, w.somebody), at)
}

func (w words) severity(least notifier.Impact) string {
	if least == notifier.ImpactMajor || least == notifier.ImpactCritical { // which only a program asks for
		return w.major
	}
	return w.everything
}

func (w words) quiet(q notifier.Quiet, zone string) string {
	if q.From == q.To {
		return w.noQuiet
	}
	return fmt.Sprintf(w.quietFrom, clockOf(q.From), clockOf(q.To), zone)
}

// clockOf is a minute of the day.
func clockOf(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60%24, minute%60) }

func (w words) statusLine(s notifier.Service) string {
	return w.statuses[s.Status] + w.space + w.in(s.Name)
}

func (w words) help(signUp bool) string {
	if signUp {
		return w.helpStart + "\n\n" + w.helpReader + "\n" + w.helpStatus
	}
	return w.helpStart + "\n\n" + w.helpStatus
}

func (w words) commands(signUp bool) [][2]string {
	if signUp {
		return append(w.readerCommands[:len(w.readerCommands):len(w.readerCommands)], w.statusCommands...)
	}
	return w.statusCommands
}

// menu leads to every choice.
func (w words) menu() [][]notifier.Button {
	return [][]notifier.Button{
		{{Text: w.servicesButton, Data: press{verb: verbServices}.data()}, {Text: w.severityButton, Data: press{verb: verbSeverity}.data()}},
		{{Text: w.quietButton, Data: press{verb: verbQuiet}.data()}, {Text: w.languageButton, Data: press{verb: verbLanguage}.data()}},
		{{Text: w.leaveButton, Data: press{verb: verbLeave}.data()}},
	}
}

func (w words) back() []notifier.Button {
	return []notifier.Button{{Text: w.done, Data: press{verb: verbMenu}.data()}}
}

func (w words) severityRows(now notifier.Impact) [][]notifier.Button {
	var rows [][]notifier.Button
	for _, choice := range []string{all, "major"} {
		text := w.severity(severities[choice])
		if w.severity(now) == text {
			text = "✅ " + text
		}
		rows = append(rows, []notifier.Button{{Text: text, Data: press{verb: verbSeverity, arg: choice}.data()}})
	}
	return append(rows, w.back())
}

// quietChoices are offered; any other can be written behind /quiet.
var quietChoices = []string{"22:00-08:00", "23:00-07:00", "00:00-09:00"}

func (w words) quietRows() [][]notifier.Button {
	rows := [][]notifier.Button{{{Text: w.noQuiet, Data: press{verb: verbQuiet, arg: never}.data()}}}
	for _, choice := range quietChoices {
		rows = append(rows, []notifier.Button{{Text: choice, Data: press{verb: verbQuiet, arg: choice}.data()}})
	}
	return append(rows, w.back())
}

// languageRows name each language in itself.
var languageRows = [][]notifier.Button{
	{{Text: "中文", Data: press{verb: verbLanguage, arg: string(notifier.Chinese)}.data()}},
	{{Text: "English", Data: press{verb: verbLanguage, arg: string(notifier.English)}.data()}},
}

var wordsOf = map[notifier.Language]words{
	notifier.Chinese: {
		language: notifier.Chinese,
		joined:   "好的，以后出了故障、恢复正常、有计划维护，都会在这里告诉您。", left: "好的，不会再打扰您了。想再收到通知，发送 /start 就行。",
		notSubscribed: "这里还没有订阅。发送 /start 就能收到通知。", noSignUp: "这个机器人不接受订阅。当前状态请看状态页。",
		notAdministrator: "群里的订阅只有管理员可以修改。", unknown: "不好意思，没看懂。发送 /help 看看我会做什么。",
		wentWrong:   "出了点问题，请过一分钟再试。",
		settings:    "%s 的通知\n服务：%s\n级别：%s\n免打扰：%s",
		allServices: "全部服务", otherServices: "另有 %d 项", comma: "、",
		everything: "所有故障", major: "只要严重故障",
		noQuiet: "不设置", quietFrom: "%s–%s（%s），结束时汇总成一条",
		askServices: "想收到哪些服务的通知？点一下选中，再点取消。", askSeverity: "多严重才通知您？", askLanguage: "请选择语言。 / Choose a language.",
		askQuiet:       "什么时候不打扰您？这段时间的事会在结束时汇总成一条。时间按 %s。也可以发送 /quiet 22:30-07:30。",
		servicesButton: "服务", severityButton: "级别", quietButton: "免打扰", languageButton: "语言 / Language", leaveButton: "退订", done: "好了",
		helpStart:  "我会在服务出故障、恢复和计划维护时通知您。",
		helpReader: "/start 开始接收通知，查看设置\n/stop 退订\n/services 选择服务\n/severity 选择级别\n/quiet 免打扰时段\n/lang 语言", helpStatus: "/status 现在的状态\n/help 帮助",
		readerCommands: [][2]string{{"start", "开始接收通知，查看设置"}, {"stop", "退订"}, {"services", "选择服务"}, {"severity", "选择级别"}, {"quiet", "免打扰时段"}, {"lang", "语言"}},
		statusCommands: [][2]string{{"status", "现在的状态"}, {"help", "帮助"}},
		onCallCommands: [][2]string{{"incidents", "正在发生的故障"}, {"ack", "我来处理"}, {"unack", "撤回接手"}, {"status", "现在的状态"}, {"help", "帮助"}},
		statuses: map[rules.Status]string{
			rules.Degraded: "🟡 变慢：", rules.Outage: "🔴 故障：", rules.Maintenance: "🔵 维护：",
		},
		allWell: "🟢 一切正常。", notMeasured: "⚪ 暂时看不到最新状态，请稍后再看。",
		since: "（%s 开始）", space: "", more: "……另有 %d 项",
		onCallHelp: "这里是值班群：所有告警都会发到这里。\n/incidents 正在发生的故障\n/ack 我来处理\n/unack 撤回接手\n/status 对外公布的状态",
		notOnCall:  "这个按钮只给值班人员用。", notOperator: "只有配置里列出的值班人员可以这样做。", unknownButton: "这个按钮已经失效了。",
		runs: "正在发生的故障：", nothingRuns: "现在没有故障。", ackButton: "✋ 我来处理 %d", muteButton: "🔕 静默 %d：1 小时",
		has: "%s 已接手（%s）", somebody: "值班人员", withdrawn: "已撤回，现在没有人接手。", nobodyHas: "现在没有人接手。", isOver: "这个故障已经结束了。",
		noIncident: "没有这个故障。发送 /incidents 看看正在发生的。", cannotSilence: "这个告警没法静默。", silentUntil: "静默到 %s",
		numbers: "这个聊天的编号：%s\n要让值班通知发到这里，把它写进配置的 audiences。", yourNumber: "\n您的编号：%d",
	},
	notifier.English: {
		language: notifier.English,
		joined:   "Done. You will be told here when something breaks, when it works again, and of planned maintenance.", left: "Done. You won't be told any more. Send /start to come back.",
		notSubscribed: "Nobody is subscribed here. Send /start to be told.", noSignUp: "This bot takes no subscriptions. The status page says how things stand.",
		notAdministrator: "In a group only an administrator can change the subscription.", unknown: "Sorry, I didn't understand that. Send /help to see what I can do.",
		wentWrong:   "Something went wrong. Please try again in a minute.",
		settings:    "You are told about: %s\nServices: %s\nSeverity: %s\nQuiet hours: %s",
		allServices: "all services", otherServices: "%d more", comma: ", ",
		everything: "every incident", major: "major incidents only",
		noQuiet: "none", quietFrom: "%s–%s (%s), then one summary",
		askServices: "Which services do you want to hear of? Press one to choose it, again to drop it.", askSeverity: "How bad must it be for you to be told?", askLanguage: "Choose a language. / 请选择语言。",
		askQuiet:       "When shall we leave you alone? What happens meanwhile is told in one summary at the end. Times are in %s. You can also send /quiet 22:30-07:30.",
		servicesButton: "Services", severityButton: "Severity", quietButton: "Quiet hours", languageButton: "Language / 语言", leaveButton: "Unsubscribe", done: "Done",
		helpStart:  "I tell you when a service breaks, when it works again, and of planned maintenance.",
		helpReader: "/start be told, and see your settings\n/stop unsubscribe\n/services choose services\n/severity choose how bad it must be\n/quiet quiet hours\n/lang language", helpStatus: "/status how things stand\n/help this list",
		readerCommands: [][2]string{{"start", "be told, and see your settings"}, {"stop", "unsubscribe"}, {"services", "choose services"}, {"severity", "choose how bad it must be"}, {"quiet", "quiet hours"}, {"lang", "language"}},
		statusCommands: [][2]string{{"status", "how things stand"}, {"help", "what I can do"}},
		onCallCommands: [][2]string{{"incidents", "what runs"}, {"ack", "take an incident in hand"}, {"unack", "give it back"}, {"status", "how things stand"}, {"help", "what I can do"}},
		statuses: map[rules.Status]string{
			rules.Degraded: "🟡 Slow:", rules.Outage: "🔴 Not working:", rules.Maintenance: "🔵 Maintenance:",
		},
		allWell: "🟢 Everything works.", notMeasured: "⚪ We can't see the current state right now. Please look again later.",
		since: "(since %s)", space: " ", more: "… and %d more",
		onCallHelp: "This chat is on call: every alert is told here.\n/incidents what runs\n/ack take an incident in hand\n/unack give it back\n/status what the public is told",
		notOnCall:  "This button is for the people on call.", notOperator: "Only the operators that the configuration names can do this.", unknownButton: "This button no longer works.",
		runs: "Running now:", nothingRuns: "Nothing is wrong at the moment.", ackButton: "✋ Acknowledge %d", muteButton: "🔕 Silence %d: 1 h",
		has: "%s has it (%s)", somebody: "Somebody on call", withdrawn: "Given back: nobody has it in hand now.", nobodyHas: "Nobody has it in hand.", isOver: "This incident is over.",
		noIncident: "There is no such incident. Send /incidents to see what runs.", cannotSilence: "This alert can't be silenced.", silentUntil: "silent until %s",
		numbers: "This chat's number: %s\nTo have people on call told here, write it under audiences in the configuration.", yourNumber: "\nYour own number: %d",
	},
}
