package demo

import (
	"time"

	blackbox "github.com/prometheus/blackbox_exporter/config"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// ShopID is the demo shop's id.
const ShopID = "demo"

// The ids of the services. Those of payments are also the channel_type of
// their payments in the books.
const (
	serviceStorefront = "storefront"
	serviceOrder      = "order"
	serviceDelivery   = rules.ServiceDelivery
	serviceAlipay     = "alipay"
	serviceWeChat     = "wechat"
	serviceUSDT       = "usdt"
	serviceDatabase   = "database"
	serviceSMS        = "sms"
	serviceAPI        = "api"
)

// The shop's clock-time zone: Shanghai has no daylight saving, and a fixed
// zone needs no zone files on the machine.
var shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

var (
	groupShop     = rules.Text{ZH: "购买", EN: "Shop"}
	groupPayments = rules.Text{ZH: "支付", EN: "Payments"}
	groupBehind   = rules.Text{ZH: "后台", EN: "Behind the scenes"}
)

// directory is every service in the order of the page, without what New decides.
var directory = []exporter.Service{
	{ID: serviceStorefront, Name: rules.Text{ZH: "店铺首页", EN: "Storefront"}, Group: groupShop, Role: rules.RoleStorefront, Critical: true, Public: true},
	{ID: serviceOrder, Name: rules.Text{ZH: "下单页面", EN: "Order page"}, Group: groupShop, Role: rules.RoleOther, Public: true, DependsOn: []string{serviceDatabase}},
	{ID: serviceDelivery, Name: rules.Text{ZH: "自动发货", EN: "Automatic delivery"}, Group: groupShop, Role: rules.RoleDelivery, Critical: true, Public: true},
	{ID: serviceAlipay, Name: rules.Text{ZH: "支付宝", EN: "Alipay"}, Group: groupPayments, Role: rules.RolePayment, Critical: true, Public: true},
	{ID: serviceWeChat, Name: rules.Text{ZH: "微信支付", EN: "WeChat Pay"}, Group: groupPayments, Role: rules.RolePayment, Critical: true, Public: true},
	{ID: serviceUSDT, Name: rules.Text{ZH: "USDT", EN: "USDT"}, Group: groupPayments, Role: rules.RolePayment, Public: true},
	{ID: serviceDatabase, Name: rules.Text{ZH: "数据库", EN: "Database"}, Group: groupBehind, Role: rules.RoleDatabase},
	{ID: serviceSMS, Name: rules.Text{ZH: "短信通知", EN: "SMS gateway"}, Group: groupBehind, Role: rules.RoleSMS, Public: true},
	{ID: serviceAPI, Name: rules.Text{ZH: "接口", EN: "API"}, Group: groupBehind, Role: rules.RoleAPI, Public: true, DependsOn: []string{serviceDatabase}},
}

func serviceIDs() []string {
	ids := make([]string, len(directory))
	for i, service := range directory {
		ids[i] = service.ID
	}
	return ids
}

// Shop is the shop as the exporter watches it: services with the targets that
// New took, and its ledger. Delivery is not among the services, for nobody
// looks at it from outside: it is judged from the orders.
func (s *Shop) Shop() exporter.Shop {
	shop := exporter.Shop{
		ID:   ShopID,
		Name: rules.Text{ZH: "演示发卡店", EN: "Demo card shop"},
		Ledger: &exporter.Ledger{
			Software: "dujiaonext",
			DSN:      s.databasePath(),
			Zone:     shanghai,
			Interval: time.Second,
			Late:     s.config.Escalation.Ops,
			Stuck:    s.config.Escalation.Management,
			Slow:     s.scale(time.Minute),
			Lookback: keepOrders,
		},
	}
	for i := range directory {
		if directory[i].ID != serviceDelivery {
			shop.Services = append(shop.Services, s.watched(i))
		}
	}
	return shop
}

// Delivery is the name and place of the delivery component. It has no target
// and no look: its status comes from the books.
func (s *Shop) Delivery() exporter.Service {
	for i := range directory {
		if directory[i].ID == serviceDelivery {
			return placed(i)
		}
	}
	panic("demo: the directory lost its delivery")
}

func placed(i int) exporter.Service {
	service := directory[i]
	service.Shop, service.Position = ShopID, i+1
	return service
}

// watched is the service with its target and what it must answer.
func (s *Shop) watched(i int) exporter.Service {
	service := placed(i)
	service.Interval = s.scale(15 * time.Second)
	service.Timeout = time.Second
	service.Slow = 500 * time.Millisecond
	service.FailureThreshold, service.SuccessThreshold = 1, 1
	if service.ID == serviceDatabase {
		service.Module, service.Targets = exporter.TCPModule(nil), []string{s.database.addr}
		return service
	}
	var target, holds string
	switch service.ID {
	case serviceStorefront:
		target, holds = s.URL(), `class="product"`
	case serviceOrder:
		target, holds = s.web.url+"/order?product="+catalogue[0].slug, `name="product"`
	case serviceAPI:
		target, holds = s.web.url+pathAPIProducts, `"status_code":0`
	default:
		protocol := protocols[service.ID]
		target, holds = s.gateways[service.ID].url+protocol.path, protocol.healthy
	}
	service.Targets = []string{target}
	service.Module = exporter.HTTPModule(func(h *blackbox.HTTPProbe) {
		h.BodySizeLimit = 256 << 10
		h.FailIfBodyNotMatchesRegexp = []blackbox.Regexp{exporter.Literal(holds)}
	})
	return service
}

func (s *Shop) scale(d time.Duration) time.Duration {
	return time.Duration(float64(d) * s.config.Pace)
}
