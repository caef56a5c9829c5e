package rules

// MetricType is a Prometheus metric type as in a # TYPE line.
type MetricType string

// The metric types of the treaty.
const (
	Gauge     MetricType = "gauge"
	Counter   MetricType = "counter"
	Histogram MetricType = "histogram"
)

// Metric is one family of the treaty. Labels are in the order in which values
// are given. Units are in the name: seconds, or plain counts.
type Metric struct {
	Name   string
	Type   MetricType
	Labels []string
	Help   string
}

// The metrics that the exporter gives.
var (
	ServiceInfo = Metric{"shopwatch_service_info", Gauge,
		[]string{LabelShop, LabelService, "role", "name_zh", "name_en", "group_zh", "group_en", "position", "critical", "public"},
		"Names and place of a service; always 1."}
	ServiceStatus = Metric{"shopwatch_service_status", Gauge, []string{LabelShop, LabelService, LabelStatus},
		"1 for the status that the service has now, after hysteresis, 0 for the others."}
	ServiceAffected = Metric{"shopwatch_service_affected", Gauge, []string{LabelShop, LabelService},
		"1 while a service that this one depends on is in outage, and for 60 s after."}
	ServiceLastLook = Metric{"shopwatch_service_last_look_timestamp_seconds", Gauge, []string{LabelShop, LabelService},
		"When the last conclusive look ended, well or badly."}
	ServiceLastSuccess = Metric{"shopwatch_service_last_success_timestamp_seconds", Gauge, []string{LabelShop, LabelService},
		"When the last successful look ended; kept across restarts, seeded at the first look."}
	ServiceFailures = Metric{"shopwatch_service_failures_total", Counter, []string{LabelShop, LabelService, LabelReason},
		"Failed looks by reason."}

	OrdersWaiting = Metric{"shopwatch_orders_waiting", Gauge, []string{LabelShop, LabelKind, LabelAge},
		"Orders that are paid and not delivered, by kind and age."}
	OrdersOldestWaiting = Metric{"shopwatch_orders_oldest_waiting_timestamp_seconds", Gauge, []string{LabelShop, LabelKind},
		"Since when the oldest waiting order waits; absent when none waits."}
	OrdersShortOfStock = Metric{"shopwatch_orders_short_of_stock", Gauge, []string{LabelShop},
		"Orders that are paid and wait because cards ran out."}
	Orders = Metric{"shopwatch_orders_total", Counter, []string{LabelShop, LabelPayment, LabelEvent},
		"Transitions of orders by payment method; one order passes several."}
	OrdersLate = Metric{"shopwatch_orders_late_total", Counter, []string{LabelShop},
		"Automatic orders delivered, or still waiting, past the first tier; counted once each."}
	OrderItems = Metric{"shopwatch_order_items_total", Counter, []string{LabelShop, LabelProduct},
		"Items sold by product."}
	OrderDelivery = Metric{"shopwatch_order_delivery_seconds", Histogram, []string{LabelShop},
		"From payment to delivery of automatic orders, where both moments are known."}
	OrderPayment = Metric{"shopwatch_order_payment_seconds", Histogram, []string{LabelShop, LabelPayment},
		"From order to payment, where both moments are known."}
	OrderRevenue = Metric{"shopwatch_order_revenue_total", Counter, []string{LabelShop, LabelPayment, LabelCurrency},
		"Money of paid orders in units of the currency."}
	StockCards = Metric{"shopwatch_stock_cards", Gauge, []string{LabelShop, LabelProduct},
		"Unsold cards of a product on sale; absent for cards that are sold again and again."}
	LedgerUp = Metric{"shopwatch_ledger_up", Gauge, []string{LabelShop},
		"1 if the last poll of the shop's order book succeeded."}
	LedgerLastSuccess = Metric{"shopwatch_ledger_last_success_timestamp_seconds", Gauge, []string{LabelShop},
		"When the shop's order book was last read in full."}
	LedgerPollDuration = Metric{"shopwatch_ledger_poll_duration_seconds", Gauge, []string{LabelShop},
		"How long the last poll of the shop's order book took."}
	LedgerUnknownStatuses = Metric{"shopwatch_ledger_unknown_statuses_total", Counter, []string{LabelShop},
		"Orders seen with a status that the driver does not know."}
	BuildInfo = Metric{"shopwatch_build_info", Gauge, []string{"version", "revision", "goversion"},
		"Version of this shopwatch; always 1."}
)

// The metrics of one look, with blackbox_exporter's names and meanings.
var (
	ProbeSuccess       = probe("probe_success", "Whether the look succeeded.")
	ProbeDuration      = probe("probe_duration_seconds", "How long the look took.")
	ProbeDNSLookup     = probe("probe_dns_lookup_time_seconds", "How long the name took to resolve.")
	ProbeIPProtocol    = probe("probe_ip_protocol", "4 or 6.")
	ProbeHTTPStatus    = probe("probe_http_status_code", "Status code of the last response.")
	ProbeHTTPDuration  = probe("probe_http_duration_seconds", "Duration of the request by phase, over all redirects.", "phase")
	ProbeHTTPSSL       = probe("probe_http_ssl", "Whether the last response came over TLS.")
	ProbeHTTPRedirects = probe("probe_http_redirects", "Redirects that were followed.")
	ProbeHTTPLength    = probe("probe_http_content_length", "Content-Length of the response, -1 if it named none.")
	ProbeHTTPBody      = probe("probe_http_uncompressed_body_length", "Length of the body as read.")
	ProbeHTTPVersion   = probe("probe_http_version", "HTTP version of the response.")
	ProbeFailedRegex   = probe("probe_failed_due_to_regex", "Whether a pattern of the body decided against success.")
	ProbeSSLExpiry     = probe("probe_ssl_earliest_cert_expiry", "When the first certificate of the presented chain expires, Unix seconds.")
	ProbeSSLChain      = probe("probe_ssl_last_chain_expiry_timestamp_seconds", "When the longest-lived verified chain expires.")
	ProbeTLSVersion    = probe("probe_tls_version_info", "TLS version of the connection; always 1.", "version")
)

func probe(name, help string, labels ...string) Metric {
	return Metric{name, Gauge, append([]string{LabelShop, LabelService, LabelTarget}, labels...), help}
}

// The metrics that the notifier gives.
var (
	IncidentsOpen = Metric{"shopwatch_incidents_open", Gauge, []string{"impact"},
		"Open incidents by impact."}
	SubscribersCount = Metric{"shopwatch_subscribers", Gauge, []string{"channel", "state"},
		"Subscribers by channel and state."}
	Notices = Metric{"shopwatch_notices_total", Counter, []string{"channel", "audience", "result"},
		"Notices handed to a channel, by what became of them."}
	NoticeDelay = Metric{"shopwatch_notice_delay_seconds", Histogram, []string{"channel", "audience"},
		"From the start of the alert until the far side accepted the notice."}
	OutboxNotices = Metric{"shopwatch_outbox_notices", Gauge, []string{"state"},
		"Notices in the outbox by state."}
	OutboxOldest = Metric{"shopwatch_outbox_oldest_timestamp_seconds", Gauge, nil,
		"Since when the oldest unsent notice waits; absent when none waits."}
	WatchdogLast = Metric{"shopwatch_watchdog_last_timestamp_seconds", Gauge, nil,
		"When Prometheus evaluated the last Watchdog that reached the notifier."}
)

// ExporterMetrics lists what the exporter may give: nothing else of ours is on its /metrics.
func ExporterMetrics() []Metric {
	return []Metric{
		ServiceInfo, ServiceStatus, ServiceAffected, ServiceLastLook, ServiceLastSuccess, ServiceFailures,
		OrdersWaiting, OrdersOldestWaiting, OrdersShortOfStock, Orders, OrdersLate, OrderItems,
		OrderDelivery, OrderPayment, OrderRevenue, StockCards,
		LedgerUp, LedgerLastSuccess, LedgerPollDuration, LedgerUnknownStatuses, BuildInfo,
		ProbeSuccess, ProbeDuration, ProbeDNSLookup, ProbeIPProtocol, ProbeHTTPStatus, ProbeHTTPDuration,
		ProbeHTTPSSL, ProbeHTTPRedirects, ProbeHTTPLength, ProbeHTTPBody, ProbeHTTPVersion, ProbeFailedRegex,
		ProbeSSLExpiry, ProbeSSLChain, ProbeTLSVersion,
	}
}

// NotifierMetrics lists what the notifier may give.
func NotifierMetrics() []Metric {
	return []Metric{IncidentsOpen, SubscribersCount, Notices, NoticeDelay, OutboxNotices, OutboxOldest, WatchdogLast, BuildInfo}
}
