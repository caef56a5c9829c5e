package statuspage

import (
	"shopwatch/notifier"
	"shopwatch/rules"
)

// Every word of the page stands in this file, Chinese and English side by side.
// It promises nothing that the page can't know: it says what is recorded, what
// works and since when, never that all will be well.

func text(zh, en string) rules.Text { return rules.Text{ZH: zh, EN: en} }

// Headlines. %s is one service or several.
var (
	sayWell       = text("一切正常", "All systems operational")
	sayChecking   = text("正在核实：%s", "We are checking: %s")
	saySlow       = text("比平时慢：%s", "Slower than usual: %s")
	sayPlanned    = text("正在维护：%s", "Under maintenance: %s")
	sayRecovering = text("看起来已恢复，正在确认：%s", "Looks recovered, making sure: %s")
	sayPartly     = text("其他都正常，暂时看不到：%s", "All else is fine, but we can't see: %s")
	sayBlind      = text("暂时看不到最新状态", "We can't see the current state")
	sayEmpty      = text("还没有开始监测", "Nothing is being watched yet")
)

// What stands under the headline.
var (
	sayWellLead       = text("下面每一项我们都在持续检查，目前没有发现问题。", "We keep looking at everything below, and see no problem now.")
	sayJustOver       = text("刚刚恢复：%s（%s）。", "Just recovered: %s (%s).")
	sayNoAnswer       = text("%s从 %s 起没有正常响应，到现在 %s。", "%s has not answered properly since %s, %s now.")
	sayNoAnswerNow    = text("%s没有正常响应。", "%s is not answering properly.")
	sayLooking        = text("我们在反复检查，一有结果就写在这里。", "We keep looking, and write here what we find.")
	saySlowLead       = text("现在能用，但响应比平时慢。我们在持续观察。", "It works, but takes longer than usual. We keep watching.")
	saySlowDelivery   = text("发货比平时慢。我们在持续观察。", "Deliveries take longer than usual. We keep watching.")
	sayPlannedLead    = text("这是事先安排的维护，期间可能暂时用不了。", "This is planned work; the service may be away while it lasts.")
	sayJustDone       = text("维护刚刚完成：%s（%s）。", "Maintenance just completed: %s (%s).")
	saySinceRunning   = text("从 %s 开始，已持续 %s。", "It began at %s, %s ago.")
	sayRecoverLead    = text("最新检查已经正常。稳定一会儿之后，我们才会写“已恢复”。", "The latest looks are good. We will write “resolved” once it has stayed so for a while.")
	sayPartlyLead     = text("看不到不代表出了故障，只是我们现在没法确认，所以不写“正常”。", "That need not mean a failure. We just can't confirm it, so we don't call it fine.")
	sayBlindLead      = text("出问题的是我们的监测，不一定是店铺。恢复之前，这里不会显示“正常”。", "It is our own watching that failed, not necessarily the shop. Until it is back, nothing here is called fine.")
	sayBlindSince     = text("最近一次看清是 %s（%s）。", "We last saw clearly on %s (%s).")
	sayBlindNever     = text("页面刚刚启动，第一次检查完成后就会显示结果。", "This page has just started; results follow after the first look.")
	sayBlindOpen      = text("当时还有 %d 个故障没有恢复，见下方。", "Open incidents then: %d, see below.")
	sayEmptyLead      = text("店家还没有公开任何服务的状态。", "The shop has not made any service public yet.")
	sayToldOps        = text("告警已在 %s 发给值班人员。", "An alert went out to the people on duty at %s.")
	sayToldManagement = text("持续时间较长，%s 又通知了负责人。", "As it lasts, another went to management at %s.")
	sayOthers         = text("另外还有 %d 项异常，见下方。", "Other problems at the same time: %d, see below.")
	sayLastLook       = text("最近一次检查：%s（%s）", "Last look: %s (%s)")
)

// Waiting orders.
var (
	sayNoneWaiting   = text("按店铺的订单记录，没有付了款还在等自动发货的订单。", "By the shop's order book, no paid order is waiting for automatic delivery.")
	sayBeingSent     = text("%d 笔订单刚付款，正在自动发货，最早的一笔等了 %s。", "Just paid and being delivered: %d. The first has waited %s.")
	sayWaiting       = text("%d 笔已付款的订单在等自动发货，最早的一笔从 %s 等到现在（%s）。", "Paid orders waiting for automatic delivery: %d. The first has waited since %s (%s).")
	sayWaitingThen   = text("当时有 %d 笔已付款的订单在等自动发货。", "Paid orders waiting then: %d.")
	sayRecorded      = text("这些订单在店铺的订单系统里都有记录：已付款，待发货。", "Each of them is recorded in the shop's order book as paid and not yet delivered.")
	sayShortOfStock  = text("其中 %d 笔是因为缺货，要等店家补货。", "Out of stock, waiting for a refill: %d.")
	sayManual        = text("另有 %d 笔人工发货的订单在等店家处理，最早的一笔从 %s 开始等。", "Delivered by hand, waiting for the shop: %d, the first since %s.")
	sayManualThen    = text("另有 %d 笔人工发货的订单在等店家处理。", "Delivered by hand, waiting for the shop: %d.")
	sayUnseenPayment = text("付款异常期间，有的订单虽然扣了款，却可能还显示“未支付”，不在上面的统计里。", "While payments fail, an order that was charged may still read “unpaid”; such orders are not counted above.")
	sayLedgerStale   = text("暂时读不到店铺的订单记录，下面是 %s 的数字。", "We can't read the shop's order book now; these are the numbers of %s.")
	sayLedgerNone    = text("暂时读不到店铺的订单记录。最近一次读到是 %s，当时没有订单在等自动发货。", "We can't read the shop's order book now. At %s, when we last could, no order was waiting for automatic delivery.")
	sayLedgerNever   = text("暂时读不到店铺的订单记录。", "We can't read the shop's order book now.")
	sayUpTo          = text("不到 %s", "under %s")
	sayBetween       = text("%s到 %s", "%s to %s")
	sayOver          = text("超过 %s", "over %s")
)

// Advice, by what the failing service is for.
var (
	adviceElsewhere = text("暂时别用%s付款。现在正常的付款方式：%s。", "Don't pay with %s for now. These work: %s.")
	adviceNoPayment = text("暂时别用%s付款，等这里显示“正常”再付。", "Don't pay with %s for now; wait until it reads “Operational” here.")
	adviceTooLong   = text("等了超过 %s还没收到，请带上订单号联系店家。", "If you have waited over %s, contact the shop with your order number.")

	advice = map[rules.Role][]rules.Text{
		rules.RolePayment: {
			text("已经扣款、订单却显示“未支付”的，不要再付一次：扣款在支付平台的账单里有记录，凭账单和订单号可以找店家核对。", "Charged, but the order reads “unpaid”? Don't pay again. The charge stands in your payment provider's records; with those and the order number the shop can trace it."),
			text("请保留订单号和付款截图。", "Keep your order number and a screenshot of the payment."),
		},
		rules.RoleDelivery: {
			text("发货恢复后会按订单补发，不用重新下单，也不要重复付款。", "Your order will be delivered once delivery works again. Don't order again, and don't pay twice."),
			text("请保存好订单号，在店铺的“查询订单”里可以看到发货结果。", "Keep your order number; the shop's order look-up shows what was delivered."),
		},
		rules.RoleStorefront: {
			text("店铺网页可能打不开或者很慢，过几分钟再试，不要反复提交订单。", "The shop's pages may not open or be slow. Try again in a few minutes; don't submit an order over and over."),
			text("已经付过款的，请留好订单号和付款截图，网页恢复后用“查询订单”查看发货结果，不要重复付款。", "If you have paid, keep the order number and a screenshot of the payment, look the order up when the pages are back, and don't pay twice."),
		},
		rules.RoleDatabase: {
			text("下单和查询订单可能会失败，请等恢复后再下单。", "Placing and looking up orders may fail. Please order once it works again."),
			text("已经付过款的，请留好订单号和付款截图，恢复后再查询，不要重复付款。", "If you have paid, keep the order number and a screenshot of the payment, look the order up later, and don't pay twice."),
		},
		rules.RoleSMS: {
			text("短信可能晚到，也可能收不到。订单结果以店铺的“查询订单”为准。", "Text messages may come late or not at all. Trust the shop's order look-up instead."),
		},
		rules.RoleAPI: {
			text("通过接口下单可能会失败。重试之前请先查询订单，以免重复下单。", "Orders by API may fail. Before you retry, look the order up, so as not to order twice."),
		},
		rules.RoleOther: {
			text("相关功能可能暂时用不了，请稍后再试。", "What depends on it may not work for now; please try again later."),
			text("已经付过款的，请保留订单号和付款截图。", "If you have paid, keep your order number and a screenshot of the payment."),
		},
	}
)

// Words for states. A delivery is late rather than down.
var (
	statusWords = map[rules.Status]rules.Text{
		rules.Operational: text("正常", "Operational"),
		rules.Degraded:    text("偏慢", "Slow"),
		rules.Outage:      text("故障", "Down"),
		rules.Maintenance: text("维护中", "Maintenance"),
		rules.Unknown:     text("看不到", "Not visible"),
	}
	deliveryLate = text("延迟", "Delayed")

	incidentWords = map[notifier.IncidentStatus]rules.Text{
		notifier.Investigating: text("排查中", "Investigating"),
		notifier.Identified:    text("已找到原因", "Identified"),
		notifier.Monitoring:    text("观察中", "Monitoring"),
		notifier.Resolved:      text("已恢复", "Resolved"),
		notifier.Postmortem:    text("复盘", "Postmortem"),
	}
	impactWords = map[notifier.Impact]rules.Text{
		notifier.ImpactNone:     text("无影响", "None"),
		notifier.ImpactMinor:    text("轻微", "Minor"),
		notifier.ImpactMajor:    text("较大", "Major"),
		notifier.ImpactCritical: text("严重", "Critical"),
	}
	sayResolved = text("故障已恢复：%s", "Resolved: %s")
	sayOngoing  = text("%s 开始，已持续 %s", "Since %s, for %s")
	sayOngoing0 = text("%s 开始，现在看不到是否已恢复", "Since %s; we can't see whether it is over")
	sayRan      = text("%s 至 %s，持续 %s", "%s to %s, lasted %s")
)

// What people make known of an incident.
var (
	sayExpected       = text("预计 %s 恢复", "Expected to be over by %s")
	sayExpectedBefore = text("预计 %s 恢复，原先预计 %s", "Expected to be over by %s; before that, by %s")
	sayOverdue        = text("原先预计 %s 恢复，现在还没有恢复", "It was expected to be over by %s, and is not yet")
	asides            = text("（原文为英文）", "(written in Chinese)")
)

// Planned work.
var (
	maintenanceWords = map[notifier.MaintenanceStatus]rules.Text{
		notifier.Scheduled:  text("已安排", "Scheduled"),
		notifier.InProgress: text("进行中", "In progress"),
		notifier.Verifying:  text("验证中", "Verifying"),
		notifier.Completed:  text("已完成", "Completed"),
		notifier.Cancelled:  text("已取消", "Cancelled"),
	}
	sayWork          = text("维护：%s", "Maintenance: %s")
	sayCompletedWork = text("维护已完成：%s", "Maintenance completed: %s")
	sayCancelledWork = text("维护已取消：%s", "Maintenance cancelled: %s")
	sayWorkCompleted = text("维护已完成", "Maintenance completed")
	sayWorkCancelled = text("维护已取消", "Maintenance cancelled")
	sayWholeShop     = text("整个店铺", "the whole shop")
	sayHours         = text("%s 至 %s", "%s to %s")
	sayExtent        = text("（%s，%s）", "(%s, %s)")
	sayWindow        = text("%s%s", "%s %s")
	sayWasPlanned    = text("原定 %s", "It was planned for %s")
	sayWorkBegan     = text("%s 开始", "Since %s")
	sayWorkRuns      = text("%s 开始，已进行 %s", "Since %s, for %s")
	sayWorkUntil     = text("预计 %s 结束", "Expected to end by %s")
	sayWorkOverdue   = text("原计划 %s 结束，现在还没有完成，比计划的时间长", "It was planned to end by %s, and takes longer than planned")
	sayUntil         = text("预计到 %s", "until %s")
	sayFurther       = text("还有 %d 项计划中的维护", "More planned maintenance: %d")
)

// Past of a service.
var (
	sayUptime    = text("可用率 %s", "Uptime %s")
	sayCoverage  = text("可用率 %s（%s的数据）", "Uptime %s over %s")
	sayNoData    = text("还没有历史数据", "No history yet")
	sayAgo       = text("%s前", "%s ago")
	sayNow       = text("现在", "now")
	sayThen      = text("当时", "then")
	sayStripOut  = text("最近 %s：%s，故障共 %s", "Last %s: %s, in outage for %s")
	sayStripWell = text("最近 %s：%s，没有故障", "Last %s: %s, no outage")
	sayBarOut    = text("%s 起 %s内：故障 %s", "From %s, within %s: in outage for %s")
	sayBar       = text("%s 起 %s内：%s", "From %s, within %s: %s")
	sayLatency   = text("响应 %s", "Response %s")
	saySince     = text("从 %s 起", "since %s")
)

// The banner while nobody judges. It is about us, not about the shop.
var sayInterrupted = text(
	"监测暂时中断：故障和恢复的通知可能来得晚；下面的状态以“最近一次检查”的时间为准。",
	"Our monitoring is interrupted: notices of failures and recoveries may come late. What you see below is as of the last look.")

// The demo's banner.
var (
	sayDemo = text(
		"演示店铺：时间快 %d 倍。出故障 %s后通知值班人员（正式环境是 %s），%s后通知负责人（正式环境是 %s）。",
		"Demo shop: time runs %d times faster. The people on duty hear after %s instead of %s, management after %s instead of %s.")
)

// Fixed words that templates ask for by key.
var labels = map[string]rules.Text{
	"state":       text("服务状态", "Service status"),
	"services":    text("各项服务", "Services"),
	"orders":      text("订单发货", "Order delivery"),
	"waitingBy":   text("等待自动发货的订单，按等待时间", "Orders waiting for automatic delivery, by how long"),
	"open":        text("正在发生的故障", "Ongoing incidents"),
	"recent":      text("最近 7 天的故障记录", "Incidents of the last 7 days"),
	"recentNone":  text("最近 7 天没有故障。", "None in the last 7 days."),
	"working":     text("正在进行的维护", "Maintenance in progress"),
	"planned":     text("计划中的维护", "Planned maintenance"),
	"history":     text("故障与维护记录", "Incidents and maintenance"),
	"resolved":    text("已结束", "Past"),
	"historyNone": text("还没有记录。", "Nothing on record yet."),
	"toHistory":   text("查看全部故障与维护记录", "See all incidents and maintenance"),
	"home":        text("返回当前状态", "Back to current status"),
	"advice":      text("您现在可以这样做", "What you can do now"),
	"facts":       text("时间", "Times"),
	"timeline":    text("处理经过", "Timeline"),
	"scope":       text("影响范围", "Who is affected"),
	"workaround":  text("临时办法", "Meanwhile"),
	"service":     text("受影响的服务", "Affected"),
	"impact":      text("影响程度", "Impact"),
	"since":       text("开始", "Began"),
	"noticed":     text("发现", "Noticed"),
	"toldOps":     text("发给值班人员", "Alert to people on duty"),
	"toldBoss":    text("发给负责人", "Alert to management"),
	"over":        text("恢复", "Recovered"),
	"covers":      text("涉及", "Affects"),
	"window":      text("计划时间", "Planned for"),
	"newWindow":   text("新的时间", "New time"),
	"announced":   text("公布", "Announced"),
	"completed":   text("完成", "Completed"),
	"cancelled":   text("取消", "Cancelled"),
	"calendar":    text("维护日历", "Maintenance calendar"),
	"lasted":      text("持续", "Lasted"),
	"ongoing":     text("进行中", "Ongoing"),
	"unseen":      text("看不到", "Not visible"),
	"zone":        text("所有时间均为", "All times in"),
	"refresh":     text("页面自动刷新", "This page refreshes by itself"),
	"signUp":      text("订阅通知", "Get notified"),
	"subscribe":   text("订阅", "Follow"),
	"missing":     text("没有这个页面", "There is no such page"),
	"missingLead": text("地址可能写错了，或者这条记录已经不再公开。", "The address may be mistyped, or the record is no longer public."),
	"storybook":   text("所有状态一览", "Every state of the page"),
}

// The language that the reader can change to, in its own words.
var otherLanguage = map[string]string{"zh": "English", "en": "中文"}
