package message

import (
	"cmp"
	"strings"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// Words gives incidents their sentences; it satisfies notifier/incident.Words.
type Words struct{}

// named are alerts that have a title of their own; %s is the service's name.
// Where an alert is not among them, it is called by its own summary.
var named = map[string]rules.Text{
	rules.AlertOrdersDelayed: {ZH: "自动发货延迟，有订单超时未发", EN: "Deliveries are delayed"},
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
