package message

import (
	"cmp"
	"fmt"
	"strings"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Words gives incidents their sentences; it satisfies notifier/incident.Words.
type Words struct{}

// named are alerts that have a title of their own; %s is the service's name.
// Where an alert is not among them, it is called by its own summary.
var named = map[string]rules.Text{
	rules.AlertOrdersDelayed: {ZH: "自动发货变慢，有订单超时未发", EN: "Deliveries are delayed"},
	rules.AlertOrdersStuck:   {ZH: "自动发货卡住，有订单长时间未发", EN: "Deliveries are stuck"},
	"OrdersLateRatio":        {ZH: "发货超时的订单偏多", EN: "Many deliveries are late"},
	"DeliverySlow":           {ZH: "自动发货偏慢", EN: "Deliveries take long"},
	"OrdersFailing":          {ZH: "失败的订单偏多", EN: "Many orders fail"},
	"OrdersShortOfStock":     {ZH: "有买家付了款在等补货", EN: "Paid orders wait for stock"},
	"StockEmpty":             {ZH: "有商品卖完了", EN: "Products are out of stock"},
	"StockLow":               {ZH: "有商品库存快用完了", EN: "Stock is running low"},

	rules.AlertPaymentFailing:          {ZH: "%s付款经常不成功", EN: "Many %s payments fail"},
	rules.AlertPaymentFailingProlonged: {ZH: "%s付款一直不成功", EN: "%s payments keep failing"},

	"ServiceFlapping":         {ZH: "%s时好时坏", EN: "%s works on and off"},
	"ServiceSlow":             {ZH: "%s响应变慢", EN: "%s is slow"},
	"CertificateExpiring":     {ZH: "%s的 HTTPS 证书快到期了", EN: "%s: its certificate expires soon"},
	"CertificateExpiringSoon": {ZH: "%s的 HTTPS 证书马上到期", EN: "%s: its certificate is about to expire"},
}

// titles are what fails where a service is down, by its role.
var titles = map[rules.Role]rules.Text{
	rules.RoleStorefront: {ZH: "%s暂时打不开", EN: "%s cannot be reached"},
	rules.RolePayment:    {ZH: "%s暂时无法支付", EN: "%s payments are failing"},
	rules.RoleDelivery:   {ZH: "%s暂停", EN: "%s has stopped"},
	rules.RoleDatabase:   {ZH: "%s无法连接", EN: "%s cannot be reached"},
	rules.RoleSMS:        {ZH: "%s暂时发不出短信", EN: "%s is not sending text messages"},
	rules.RoleAPI:        {ZH: "%s暂时没有响应", EN: "%s is not answering"},
	rules.RoleOther:      {ZH: "%s出现故障", EN: "%s is failing"},
}

// Title names the trouble as a buyer feels it: by the alert, by the alert's own
// summary, or, where a service that somebody described is down, by its role.
func (Words) Title(alert notifier.Alert, service notifier.Service) rules.Text {
	title, known := named[alert.Name()]
	if summary := alert.Annotations[rules.AnnotationSummary]; !known && summary != "" && (service.Position == 0 || !down(alert.Name())) {
		return rules.Text{ZH: cmp.Or(alert.Annotations[rules.AnnotationSummaryZH], summary), EN: summary}
	}
	if !known {
		title = titles[rules.RoleOther]
		if byRole, ok := titles[service.Role]; ok && down(alert.Name()) {
			title = byRole
		}
	}
	return rules.Text{ZH: strings.ReplaceAll(title.ZH, "%s", service.Name.ZH), EN: strings.ReplaceAll(title.EN, "%s", service.Name.EN)}
}

// down reports whether the alert says that a service does not work at all.
func down(alert string) bool {
	return alert == rules.AlertServiceDown || alert == rules.AlertServiceDownProlonged
}

// Opened is the timeline's first entry.
func (Words) Opened(notifier.Incident) rules.Text {
	return rules.Text{
		ZH: "监控已确认故障，告警已发给值班人员。",
		EN: "Our monitoring has confirmed the problem and alerted the people on call.",
	}
}

// Closed is the timeline's last entry.
func (Words) Closed(i notifier.Incident) rules.Text {
	lasted := i.Over.Sub(i.Since)
	return rules.Text{
		ZH: "已恢复正常，本次故障共持续 " + Duration(lasted, "zh") + "。",
		EN: "Everything works again. The problem lasted " + Duration(lasted, "en") + ".",
	}
}

// language holds the words of one language.
type language struct {
	down, updated, prolonged, recovered string
	left                                string // of what joined, beside what is named; %d
	inHand, somebody                    string // %[1]s has it in hand since %[2]s; who gave no name
	advice                              map[rules.Role]string
}

// acknowledged says who has the trouble in hand, and since when.
func (l language) acknowledged(by, since string) string {
	return fmt.Sprintf(l.inHand, cmp.Or(by, l.somebody), since)
}

// mark gives the sign and the word of an event: a shape besides a colour.
func (l language) mark(event notifier.Event) (string, string) {
	switch event {
	case notifier.EventRecovered:
		return "✅", l.recovered
	case notifier.EventProlonged:
		return "🚨", l.prolonged
	case notifier.EventJoined:
		return "🔴", l.updated
	}
	return "🔴", l.down
}

var wordsOf = map[notifier.Language]language{
	notifier.Chinese: {
		down: "故障", updated: "新情况", prolonged: "故障升级", recovered: "已恢复",
		left: "……另有 %d 项，见控制台", inHand: "接手处理：%[1]s（%[2]s）", somebody: "值班人员",
		advice: map[rules.Role]string{
			rules.RolePayment:    "请先换用其他支付方式。如果已经付款，请保留付款凭证，不要重复支付。",
			rules.RoleDelivery:   "已付款的订单都有记录，恢复后会继续发货。请保留订单号，无需重复下单。",
			rules.RoleStorefront: "请稍后再试。已付款的订单不受影响，请保留订单号。",
			rules.RoleSMS:        "短信可能收不到，请凭订单号在网站上查询。",
			rules.RoleAPI:        "请稍后再试。已付款的订单请保留订单号。",
			rules.RoleDatabase:   "请稍后再试。已付款的订单请保留订单号。",
			rules.RoleOther:      "请稍后再试。",
		},
	},
	notifier.English: {
		down: "Trouble", updated: "More", prolonged: "Escalated", recovered: "Over",
		left: "… and %d more: see the console", inHand: "Acknowledged by %[1]s at %[2]s", somebody: "the people on call",
		advice: map[rules.Role]string{
			rules.RolePayment:    "Please use another payment method. If you have paid already, keep the receipt and do not pay twice.",
			rules.RoleDelivery:   "Paid orders are on record and will be delivered once this is over. Keep your order number; there is no need to order again.",
			rules.RoleStorefront: "Please try again later. Paid orders are not affected; keep your order number.",
			rules.RoleSMS:        "Text messages may not arrive; look your order up on the website by its number.",
			rules.RoleAPI:        "Please try again later. If you have paid, keep your order number.",
			rules.RoleDatabase:   "Please try again later. If you have paid, keep your order number.",
			rules.RoleOther:      "Please try again later.",
		},
	},
}
