package statuspage

import (
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// scheduled is work that is planned for the night, the first of several.
func scheduled(s *Snapshot) {
	night := s.At.Truncate(24 * time.Hour).Add(42 * time.Hour) // 02:00 in Shanghai
	add := func(id string, title, words rules.Text, from, length time.Duration, services ...string) {
		w := notifier.Window{From: night.Add(from), Until: night.Add(from + length)}
		s.Maintenances = append(s.Maintenances, notifier.Maintenance{
			ID: id, Title: title, Text: words, Services: services, Window: w,
			Status: notifier.Scheduled, Created: s.At.Add(-26 * time.Hour),
			Updates: []notifier.MaintenanceUpdate{{At: s.At.Add(-26 * time.Hour), Status: notifier.Scheduled, By: "小王", Text: words, Window: w}},
		})
	}
	add("work", text("更换数据库服务器", "Moving the database"), text("期间可以浏览商品，但不能下单。\n已经付款的订单会在维护结束后补发。", "You can look around meanwhile, but not order.\nOrders that are paid will be delivered when it is over."),
		0, 2*time.Hour, "demo/alipay", "demo/api", "demo/delivery", "demo/wechat")
	add("gateway", text("升级支付网关", "Upgrading the payment gateway"), rules.Text{}, 69*time.Hour, 3*time.Hour, "demo/alipay")
	add("hall", text("机房断电检修", "Power work in the data centre"), text("", "The provider switches the power off."), 9*24*time.Hour+20*time.Hour, 12*time.Hour, "demo")
	add("year", text("年度维护", "Yearly maintenance"), rules.Text{}, 370*24*time.Hour, time.Hour, "demo")
	m := &s.Maintenances[0]
	first := &m.Updates[0].Window
	first.From, first.Until = first.From.Add(-24*time.Hour), first.Until.Add(-24*time.Hour)
	m.Updates = append(m.Updates, notifier.MaintenanceUpdate{
		At: s.At.Add(-40 * time.Minute), Status: notifier.Scheduled, By: "小王", Window: m.Window,
		Text: text("服务商那边推迟了一天。", "The provider put it off by a day."),
	})
}

// begun is the same work while it goes on, begun so long ago.
func begun(s *Snapshot, ago time.Duration) {
	scheduled(s)
	m := &s.Maintenances[0]
	from := s.At.Add(-ago).Truncate(time.Minute)
	m.Window = notifier.Window{From: from, Until: from.Add(2 * time.Hour)}
	m.Updates = m.Updates[:1]
	m.Updates[0].Window = m.Window
	m.Began, m.Status = from.Add(3*time.Second), notifier.InProgress
	m.Updates = append(m.Updates,
		notifier.MaintenanceUpdate{At: m.Began, Status: notifier.InProgress, Text: m.Text},
		notifier.MaintenanceUpdate{At: from.Add(34 * time.Minute), Status: notifier.InProgress, By: "小王", Text: text("数据已经搬完一半。", "Half of the data has moved.")})
	strike(s, "api", rules.Outage, ago) // whatever is measured
}

// checked is work whose result is looked at, past its planned end.
func checked(s *Snapshot) {
	begun(s, 2*time.Hour+12*time.Minute)
	m := &s.Maintenances[0]
	m.Status = notifier.Verifying
	m.Updates = append(m.Updates, notifier.MaintenanceUpdate{At: s.At.Add(-9 * time.Minute), Status: notifier.Verifying, Text: text("数据已经搬完，正在逐项检查。", "All data has moved; we are checking it.")})
}

// finished is a shop whose work is done, after incidents, with other work that
// was cancelled.
func finished(s *Snapshot) {
	begun(s, 2*time.Hour+5*time.Minute)
	strike(s, "api", rules.Operational, 0)
	m := &s.Maintenances[0]
	m.Status, m.Ended = notifier.Completed, s.At.Add(-12*time.Minute)
	m.Updates = append(m.Updates, notifier.MaintenanceUpdate{At: m.Ended, Status: notifier.Completed, Text: text("已经全部恢复，比计划的时间早。", "All is back, sooner than planned.")})
	off := &s.Maintenances[1]
	off.ID, off.Status, off.Ended = "off", notifier.Cancelled, s.At.Add(-3*time.Hour)
	off.Updates = append(off.Updates, notifier.MaintenanceUpdate{At: off.Ended, Status: notifier.Cancelled, Text: text("支付平台取消了升级。", "The provider called the upgrade off.")})
	s.Maintenances = s.Maintenances[:3]
}
