package message

import (
	"shopwatch/notifier"
	"shopwatch/rules"
)

// mark is the sign of an event and the colour of its e-mail: a shape besides a colour.
type mark struct{ sign, colour string }

func markOf(event notifier.Event) mark {
	const red, amber, green, blue = "#c62828", "#b26a00", "#1f8a4c", "#1a5fb4"
	switch event {
	case notifier.EventRecovered, notifier.EventCompleted:
		return mark{"✅", green}
	case notifier.EventScheduled, notifier.EventReminder, notifier.EventCancelled:
		return mark{"🛠", blue}
	case notifier.EventBegan, notifier.EventProgress:
		return mark{"🔵", blue}
	case notifier.EventProlonged:
		return mark{"🚨", red}
	case notifier.EventEased:
		return mark{"🟡", amber}
	case notifier.EventUpdated:
		return mark{"📢", amber}
	case notifier.EventConfirm, notifier.EventWelcome:
		return mark{"🔔", blue}
	case notifier.EventCode:
		return mark{"🔑", blue}
	case notifier.EventDigest:
		return mark{"🌙", blue}
	}
	return mark{"🔴", red}
}

// phrases are the words of one language that facts are made of. Templates hold
// the rest.
type phrases struct {
	colon, comma      string
	shop              string // %s is whose notice it is
	trouble           string // what has no title
	where             string // %[1]s is the service, %[2]s its key
	left              string // of what joined, beside what is named; %d
	inHand, somebody  string // %[1]s has it in hand since %[2]s; who gave no name
	key, pause        string // by SMS: after a title, %s is the service's key; between parts of a sentence
	untaken, taken    string // by SMS: nobody has it in hand; %s has
	revised, passed   string // of an ETA: before %[1]s, now %[2]s; the moment is over
	publicHeld        string // it is not yet public, and waits for a person
	publicAt          string // it becomes public by itself at %s
	stillOpen         string // since %[1]s
	wasOpen           string // from %[1]s to %[2]s, for %[3]s
	maintenance       string // planned work that has no title
	window, span      string // from %[1]s to %[2]s, for about %[3]s; the same without
	verifying         string // planned work is done, and looked at
	moved             string // when work should be over, %[1]s, and before %[2]s
	isPlanned         string // in a digest: work is planned for the window %[1]s
	goesOn            string // in a digest: work began at %[1]s and should end at %[2]s
	isDone            string // in a digest: work began at %[1]s, ended at %[2]s and lasted %[3]s
	isOff             string // in a digest: work won't be, that was planned for %[1]s
	work, workBrief   string // what buyers do while somebody works, and by SMS
	workDone          string // what they do after
	acknowledge, mute string // buttons
	status            map[notifier.IncidentStatus]string
	impact            map[notifier.Impact]string // but minor, which belittles what may only have begun
	// adviceOf goes before advice: by alert, and by what is wrong.
	adviceOf           map[string]string
	advice, afterwards map[rules.Role]string
	brief              map[rules.Role]string // advice by SMS
}

var wordsOf = map[notifier.Language]phrases{
	notifier.Chinese: {
		colon: "：", comma: "、", shop: "【%s】", trouble: "故障", where: "%[1]s（%[2]s）",
		left: "……另有 %d 项，见控制台", inHand: "%[1]s（%[2]s）", somebody: "值班人员", key: "（%s）", pause: "，", untaken: "还没有人接手", taken: "%s已接手",
		revised: "原先预计 %[1]s，现在预计 %[2]s", passed: "（已过，还没有新的预计）", publicHeld: "还没有公开，要有人在控制台点“公开”", publicAt: "%s 自动公开",
		stillOpen: "%[1]s 开始，尚未恢复", wasOpen: "%[1]s 至 %[2]s，持续 %[3]s，已恢复",
		maintenance: "计划维护", window: "%[1]s 至 %[2]s（约 %[3]s）", span: "%[1]s 至 %[2]s", verifying: "已做完，正在检查", moved: "%[1]s（原定 %[2]s）",
		isPlanned: "计划维护，%[1]s", goesOn: "正在维护，%[1]s 开始，预计 %[2]s 结束",
		isDone: "维护完成，%[1]s 至 %[2]s，历时 %[3]s", isOff: "维护取消，原定 %[1]s",
		work:        "维护期间付款的订单都有记录，结束后照常发货。请保留订单号，不要重复付款。",
		workBrief:   "期间付款的订单都有记录，结束后照常发货。",
		workDone:    "维护期间付了款、还没收到货的，请凭订单号查询或联系店家。",
		acknowledge: "我来处理", mute: "静默 1 小时",
		status: map[notifier.IncidentStatus]string{
			notifier.Investigating: "排查中", notifier.Identified: "已找到原因，正在处理", notifier.Monitoring: "观察中",
			notifier.Resolved: "已恢复", notifier.Postmortem: "复盘",
		},
		impact: map[notifier.Impact]string{notifier.ImpactMajor: "较大", notifier.ImpactCritical: "严重"},
		adviceOf: map[string]string{
			rules.AlertOrdersDelayed: "有订单付款后没有按时发货。已付款的订单都有记录，请保留订单号，不用重复下单，也不要重复付款；着急的，请凭订单号联系店家。",
			rules.AlertOrdersStuck:   "发货卡住了。已付款的订单都有记录，恢复后会补发，不用重复下单；等不及的，请凭订单号联系店家。",
		},
		advice: map[rules.Role]string{
			rules.RolePayment:    "请先换用其他支付方式。如果已经付款，请保留付款凭证，不要重复支付。",
			rules.RoleDelivery:   "已付款的订单都有记录，恢复后会继续发货。请保留订单号，不用重复下单。",
			rules.RoleStorefront: "请稍后再试。已付款的订单不受影响，请保留订单号。",
			rules.RoleSMS:        "短信可能收不到，请凭订单号在网站上查询。",
			rules.RoleAPI:        "请稍后再试。已付款的，请保留订单号。",
			rules.RoleDatabase:   "请稍后再试。已付款的，请保留订单号。",
			rules.RoleOther:      "请稍后再试。",
		},
		brief: map[rules.Role]string{
			rules.RolePayment: "请换用其他支付方式，已付款的勿重复付款。", rules.RoleDelivery: "已付款的都有记录，勿重复下单。",
			rules.RoleStorefront: "请稍后再试。", rules.RoleSMS: "请凭订单号在网站查询。", rules.RoleAPI: "请稍后再试。",
			rules.RoleDatabase: "请稍后再试。", rules.RoleOther: "请稍后再试。",
		},
		afterwards: map[rules.Role]string{
			rules.RolePayment:  "现在可以正常付款了。故障期间已经付款、但订单没有变成已支付的，请不要再付，凭付款凭证联系店家。",
			rules.RoleDelivery: "发货已恢复正常。还没收到的，请凭订单号查询或联系店家。",
			rules.RoleSMS:      "故障期间没收到短信的，请凭订单号在网站上查询。",
		},
	},
	notifier.English: {
		colon: ": ", comma: ", ", shop: "%s – ", trouble: "Trouble", where: "%[1]s (%[2]s)",
		left: "… and %d more: see the console", inHand: "%[1]s at %[2]s", somebody: "the people on call", key: " (%s)", pause: ", ", untaken: "nobody has it", taken: "%s has it",
		revised: "%[2]s (earlier we said %[1]s)", passed: " (passed; no new time is known yet)", publicHeld: "not shown until somebody publishes it in the console", publicAt: "shown by itself at %s",
		stillOpen: "since %[1]s, not over", wasOpen: "%[1]s to %[2]s, lasted %[3]s, over",
		maintenance: "Planned maintenance", window: "%[1]s to %[2]s (about %[3]s)", span: "%[1]s to %[2]s", verifying: "done, being checked", moved: "%[1]s (planned: %[2]s)",
		isPlanned: "maintenance planned for %[1]s", goesOn: "maintenance since %[1]s, should end at %[2]s",
		isDone: "maintenance done, %[1]s to %[2]s, took %[3]s", isOff: "maintenance cancelled, was planned for %[1]s",
		work:        "Orders paid meanwhile are kept and delivered afterwards. Keep your order number, and do not pay twice.",
		workBrief:   "Orders paid meanwhile are kept and delivered afterwards.",
		workDone:    "If you paid meanwhile and your order is still missing, look it up by its number or contact the shop.",
		acknowledge: "Acknowledge", mute: "Silence 1 h",
		status: map[notifier.IncidentStatus]string{
			notifier.Investigating: "looking for the cause", notifier.Identified: "cause found, being fixed", notifier.Monitoring: "fixed, being watched",
			notifier.Resolved: "over", notifier.Postmortem: "explained",
		},
		impact: map[notifier.Impact]string{notifier.ImpactMajor: "major", notifier.ImpactCritical: "critical"},
		adviceOf: map[string]string{
			rules.AlertOrdersDelayed: "Some paid orders have not been delivered in time. All paid orders are on record: keep your order number, and do not order or pay again. If it is urgent, contact the shop with your order number.",
			rules.AlertOrdersStuck:   "Deliveries are stuck. Paid orders are on record and will be delivered once this is over: do not order again. If you cannot wait, contact the shop with your order number.",
		},
		advice: map[rules.Role]string{
			rules.RolePayment:    "Please use another payment method. If you have paid already, keep the receipt and do not pay twice.",
			rules.RoleDelivery:   "Paid orders are on record and will be delivered once this is over. Keep your order number; there is no need to order again.",
			rules.RoleStorefront: "Please try again later. Paid orders are not affected; keep your order number.",
			rules.RoleSMS:        "Text messages may not arrive; look your order up on the website by its number.",
			rules.RoleAPI:        "Please try again later. If you have paid, keep your order number.",
			rules.RoleDatabase:   "Please try again later. If you have paid, keep your order number.",
			rules.RoleOther:      "Please try again later.",
		},
		brief: map[rules.Role]string{
			rules.RolePayment: "Please pay another way, and do not pay twice.", rules.RoleDelivery: "Paid orders are on record: do not order again.",
			rules.RoleStorefront: "Please try again later.", rules.RoleSMS: "Please look your order up on the website.", rules.RoleAPI: "Please try again later.",
			rules.RoleDatabase: "Please try again later.", rules.RoleOther: "Please try again later.",
		},
		afterwards: map[rules.Role]string{
			rules.RolePayment:  "You can pay again. If you paid meanwhile and your order is not marked as paid, do not pay again: contact the shop with your receipt.",
			rules.RoleDelivery: "Deliveries work again. If yours is still missing, look it up by its number or contact the shop.",
			rules.RoleSMS:      "If a text message never reached you, look your order up on the website by its number.",
		},
	},
}
