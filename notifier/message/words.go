package message

import (
	"fmt"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Words gives incidents their sentences; it satisfies notifier/incident.Words.
type Words struct{}

// orderAlerts are told by what buyers feel, whatever the service is called.
var orderAlerts = map[string]rules.Text{
	rules.AlertOrdersDelayed: {ZH: "自动发货变慢，有订单超时未发", EN: "Deliveries are delayed"},
	rules.AlertOrdersStuck:   {ZH: "自动发货卡住，有订单长时间未发", EN: "Deliveries are stuck"},
}

// titles are what fails, by the role of the service; %s is its name.
var titles = map[rules.Role]rules.Text{
	rules.RoleStorefront: {ZH: "%s暂时打不开", EN: "%s cannot be reached"},
	rules.RolePayment:    {ZH: "%s暂时无法支付", EN: "%s payments are failing"},
	rules.RoleDelivery:   {ZH: "%s暂停", EN: "%s has stopped"},
	rules.RoleDatabase:   {ZH: "%s无法连接", EN: "%s cannot be reached"},
	rules.RoleSMS:        {ZH: "%s暂时发不出短信", EN: "%s is not sending text messages"},
	rules.RoleAPI:        {ZH: "%s暂时没有响应", EN: "%s is not answering"},
	rules.RoleOther:      {ZH: "%s出现故障", EN: "%s is failing"},
}

// Title names the trouble as a buyer feels it. An alert of a service that
// nobody described is called by its own summary.
func (Words) Title(alert notifier.Alert, service notifier.Service) rules.Text {
	if title, ok := orderAlerts[alert.Name()]; ok {
		return title
	}
	if summary := alert.Annotations[rules.AnnotationSummary]; service.Position == 0 && summary != "" {
		zh := alert.Annotations[rules.AnnotationSummaryZH]
		if zh == "" {
			zh = summary
		}
		return rules.Text{ZH: zh, EN: summary}
	}
	title, ok := titles[service.Role]
	if !ok {
		title = titles[rules.RoleOther]
	}
	return rules.Text{ZH: fmt.Sprintf(title.ZH, service.Name.ZH), EN: fmt.Sprintf(title.EN, service.Name.EN)}
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
	down, prolonged, recovered string
	advice                     map[rules.Role]string
}

// mark gives the sign and the word of an event: a shape besides a colour.
func (l language) mark(event notifier.Event) (string, string) {
	switch event {
	case notifier.EventRecovered:
		return "✅", l.recovered
	case notifier.EventProlonged:
		return "🚨", l.prolonged
	}
	return "🔴", l.down
}

var wordsOf = map[notifier.Language]language{
	notifier.Chinese: {
		down: "故障", prolonged: "故障升级", recovered: "已恢复",
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
		down: "Trouble", prolonged: "Escalated", recovered: "Over",
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
