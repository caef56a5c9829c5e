package console

import (
	"fmt"
	"slices"
	"strings"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// words are what an operator who reads Chinese is told instead of the words of
// the treaty, which stand in the English page as they are.
var words = map[string]string{
	"operational": "正常", "degraded": "变慢", "outage": "故障", "unknown": "未知", "maintenance": "维护",
	"investigating": "排查中", "identified": "已找到原因", "monitoring": "观察中", "resolved": "已恢复", "postmortem": "复盘",
	"none": "无影响", "minor": "轻微", "major": "较大", "critical": "严重",
	"warning": "警告", "info": "提示",
	"ops": "运维", "management": "管理层", "subscribers": "订阅者",
	"telegram": "Telegram", "email": "邮件", "sms": "短信", "webhook": "Webhook", "dingtalk": "钉钉", "wecom": "企业微信", "feishu": "飞书",
	"down": "故障", "joined": "新增告警", "prolonged": "持续故障", "recovered": "恢复", "reopened": "再次故障", "eased": "减轻", "updated": "进展",
	"scheduled": "已计划", "in_progress": "进行中", "verifying": "验证中", "completed": "已完成", "cancelled": "已取消",
	"maintenance_scheduled": "计划维护", "maintenance_reminder": "维护提醒", "maintenance_in_progress": "维护开始", "maintenance_updated": "维护进展",
	"maintenance_completed": "维护完成", "maintenance_cancelled": "维护取消",
	"confirm": "确认订阅", "welcome": "订阅成功", "digest": "汇总", "code": "验证码",
	"console": "控制台", "api": "接口", "cli": "命令行", "page": "状态页",
	"ask": "申请订阅确认", "join": "订阅", "change": "修改订阅", "leave": "退订", "erase": "删除资料", "add": "添加订阅者", "deactivate": "停用订阅", "export": "导出资料",
	"page only": "只更新页面", "outbox": "发件箱",
	"acknowledge": "接手", "withdraw": "撤回接手", "publish": "公开", "hold": "暂不公开", "update": "更新进展", "silence": "静默告警", "resolve": "宣布恢复", "resend": "重新发送",
	"schedule": "计划维护", "begin": "开始维护", "complete": "结束维护", "cancel": "取消维护",
}

// deedWords tell what somebody did, after who did it.
var deedWords = map[notifier.Deed]rules.Text{
	notifier.DeedAcknowledge: {ZH: "接手", EN: "acknowledged it"},
	notifier.DeedWithdraw:    {ZH: "撤回接手", EN: "withdrew it"},
	notifier.DeedPublish:     {ZH: "公开了事件", EN: "published it"},
	notifier.DeedHold:        {ZH: "决定暂不公开", EN: "held it back from the public"},
	notifier.DeedUpdate:      {ZH: "更新了进展", EN: "told how it stands"},
	notifier.DeedSilence:     {ZH: "静默了告警", EN: "silenced its alerts"},
	notifier.DeedResolve:     {ZH: "宣布恢复", EN: "called it over"},
	notifier.DeedSchedule:    {ZH: "计划了维护", EN: "planned it"},
	notifier.DeedBegin:       {ZH: "开始了维护", EN: "began it"},
	notifier.DeedComplete:    {ZH: "结束了维护", EN: "called it done"},
	notifier.DeedCancel:      {ZH: "取消了维护", EN: "cancelled it"},
}

// Word gives a status, an impact, a severity, an audience or a channel in the
// page's language.
func (p page) Word(of any) string {
	word := fmt.Sprint(of)
	if said, known := words[word]; known && p.Chinese {
		return said
	}
	return word
}

// Detail gives what the record says beside a deed in the page's language.
func (p page) Detail(detail string) string {
	if !p.Chinese {
		return detail
	}
	var said []string
	for part := range strings.SplitSeq(detail, ", ") {
		if until, ok := strings.CutPrefix(part, "until "); ok {
			part = "到 " + until
		} else if count, ok := strings.CutSuffix(part, " deliveries"); ok {
			part = count + " 条通知"
		}
		if part != "" { // an update that leaves the status as it is has none
			said = append(said, p.Word(part))
		}
	}
	return strings.Join(said, "，")
}

// Subject names what an entry of the record is about: an incident by its title,
// where there is one.
func (p page) Subject(subject string, title rules.Text) string {
	kind, id, _ := strings.Cut(subject, " ")
	switch {
	case kind == "incident" && title != (rules.Text{}):
		return p.In(title)
	case kind == "incident":
		return p.T("事件 ", "incident ") + id
	case kind == "maintenance":
		return p.T("维护 ", "maintenance ") + id
	case kind == "recipient":
		return p.T("订阅者 ", "subscriber ") + id
	}
	return p.Word(subject)
}

// Doer names who did what the record tells. What a subscriber does to the own
// subscription, on the page, by mail or in a chat, has no name with it.
func (p page) Doer(e AuditEntry) string {
	own := slices.Contains([]string{"page", "email", "telegram"}, e.Way)
	if e.By == "" && own && strings.HasPrefix(e.Subject, "recipient ") {
		return p.T("订阅者本人", "the subscriber")
	}
	return p.By(e.By)
}
