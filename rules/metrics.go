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
	ServiceDependencyInfo = Metric{"shopwatch_service_dependency_info", Gauge, []string{LabelShop, LabelService, "depends_on"},
		"A service of the same shop without which this one can't work; always 1."}
	ShopInfo = Metric{"shopwatch_shop_info", Gauge, []string{LabelShop, "name_zh", "name_en"},
		"Names of a shop; always 1."}
	ServiceStatus = Metric{"shopwatch_service_status", Gauge, []string{LabelShop, LabelService, LabelStatus},
		"1 for the status that the service has now, after hysteresis, 0 for the others."}
	ServiceAffected = Metric{"shopwatch_service_affected", Gauge, []string{LabelShop, LabelService},
		"1 while a service that this one depends on is in outage, and for 60 s after; a private one does not affect a public one, since buyers are not told of it."}
	ServiceLastLook = Metric{"shopwatch_service_last_look_timestamp_seconds", Gauge, []string{LabelShop, LabelService},
		"When the last conclusive look ended, well or badly."}
	ServiceLastSuccess = Metric{"shopwatch_service_last_success_timestamp_seconds", Gauge, []string{LabelShop, LabelService},
		"When the last successful look ended; kept across restarts, seeded at the first look."}
	ServiceInterval = Metric{"shopwatch_service_interval_seconds", Gauge, []string{LabelShop, LabelService},
		"How often the service is looked at; absent for those that nobody looks at."}
	ServiceFailures = Metric{"shopwatch_service_failures_total", Counter, []string{LabelShop, LabelService, LabelReason},
		"Failed looks by reason."}

	LookLateness = Metric{"shopwatch_look_lateness_seconds", Histogram, nil,
		"How much later than its slot a look began."}

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
	LedgerInfo = Metric{"shopwatch_ledger_info", Gauge, []string{LabelShop, "software", "paid", "delivered"},
		"What keeps the shop's books, and how the moments of payment and delivery are known: stored, updated, observed or none; always 1."}
	LedgerFailures = Metric{"shopwatch_ledger_failures_total", Counter, []string{LabelShop, LabelReason},
		"Polls of the shop's order book that failed, by reason."}
	LedgerReplicaLag = Metric{"shopwatch_ledger_replica_lag_seconds", Gauge, []string{LabelShop},
		"How far the replica that is read is behind; absent where it is none, or won't say."}
	LedgerOpenOrders = Metric{"shopwatch_ledger_open_orders", Gauge, []string{LabelShop},
		"Orders that are not final and followed."}
	LedgerDropped = Metric{"shopwatch_ledger_dropped_orders_total", Counter, []string{LabelShop},
		"Open orders that are no longer followed because there were too many: while it grows, waiting orders may be missing."}
	LedgerUnswept = Metric{"shopwatch_ledger_unswept_keys", Gauge, []string{LabelShop},
		"Keys of orders older than the lookback that were never read: a stuck order may be among them. 0 when the sweep is done."}
	LedgerNegativeAges = Metric{"shopwatch_ledger_negative_ages_total", Counter, []string{LabelShop},
		"Orders that were paid or created later than they were seen: the shop's clock and ours disagree."}
	StockProductsHidden = Metric{"shopwatch_stock_products_hidden", Gauge, []string{LabelShop},
		"Products on sale whose stock isn't shown, because there are too many."}
	StockCounted = Metric{"shopwatch_stock_last_success_timestamp_seconds", Gauge, []string{LabelShop},
		"When the stock was last counted."}
	QueueJobs = Metric{"shopwatch_shop_queue_jobs", Gauge, []string{LabelShop, "queue", "state"},
		"Jobs, such as mails to buyers, in the shop's queue: ready, delayed or reserved."}
	FailedJobs = Metric{"shopwatch_shop_failed_jobs", Gauge, []string{LabelShop},
		"Jobs that the shop gave up."}
	ConfigReloadSuccess = Metric{"shopwatch_config_last_reload_successful", Gauge, nil,
		"1 if the configuration file was read well when it was read last."}
	ConfigReloadTime = Metric{"shopwatch_config_last_reload_success_timestamp_seconds", Gauge, nil,
		"When the configuration in force was read."}
	Time = Metric{"shopwatch_time_seconds", Gauge, nil,
		"This process's clock."}
	BuildInfo = Metric{"shopwatch_build_info", Gauge, []string{"version", "revision", "goversion"},
		"Version of this shopwatch; always 1."}
)

// The metrics of one look, with blackbox_exporter's names and meanings.
var (
	ProbeSuccess       = probe("probe_success", "Whether the look succeeded.")
	ProbeDuration      = probe("probe_duration_seconds", "How long the look took.")
	ProbeDNSLookup     = probe("probe_dns_lookup_time_seconds", "How long the name took to resolve.")
	ProbeIPProtocol    = probe("probe_ip_protocol", "4 or 6.")
	ProbeIPHash        = probe("probe_ip_addr_hash", "Hash of the address, which tells whether it changed.")
	ProbeHTTPStatus    = probe("probe_http_status_code", "Status code of the last response.")
	ProbeHTTPDuration  = probe("probe_http_duration_seconds", "Duration of the request by phase, over all redirects.", "phase")
	ProbeHTTPSSL       = probe("probe_http_ssl", "Whether the last response came over TLS.")
	ProbeHTTPRedirects = probe("probe_http_redirects", "Redirects that were followed.")
	ProbeHTTPLength    = probe("probe_http_content_length", "Content-Length of the response, -1 if it named none.")
	ProbeHTTPBody      = probe("probe_http_uncompressed_body_length", "Length of the body as read.")
	ProbeHTTPVersion   = probe("probe_http_version", "HTTP version of the response.")
	ProbeHTTPModified  = probe("probe_http_last_modified_timestamp_seconds", "Last-Modified of the response.")
	ProbeFailedRegex   = probe("probe_failed_due_to_regex", "Whether a pattern decided against success.")
	ProbeFailedCEL     = probe("probe_failed_due_to_cel", "Whether a CEL expression decided against success.")
	ProbeFailedBytes   = probe("probe_failed_due_to_bytes", "Whether expected bytes decided against success.")
	ProbeSSLExpiry     = probe("probe_ssl_earliest_cert_expiry", "When the first certificate of the presented chain expires, Unix seconds.")
	ProbeSSLChain      = probe("probe_ssl_last_chain_expiry_timestamp_seconds", "When the longest-lived verified chain expires.")
	ProbeSSLInfo       = probe("probe_ssl_last_chain_info", "The leaf certificate; always 1.",
		"fingerprint_sha256", "subject", "issuer", "subjectalternative", "serialnumber")
	ProbeTLSVersion    = probe("probe_tls_version_info", "TLS version of the connection; always 1.", "version")
	ProbeTLSCipher     = probe("probe_tls_cipher_info", "Cipher suite of the connection; always 1.", "cipher")
	ProbeExpectInfo    = probe("probe_expect_info", "What a query's answer matched, by the labels that the module names; always 1.")
	ProbeICMPDuration  = probe("probe_icmp_duration_seconds", "Duration of the ping by phase.", "phase")
	ProbeICMPHopLimit  = probe("probe_icmp_reply_hop_limit", "Hop limit of the reply.")
	ProbeDNSDuration   = probe("probe_dns_duration_seconds", "Duration of the query by phase.", "phase")
	ProbeDNSAnswer     = probe("probe_dns_answer_rrs", "Records in the answer section.")
	ProbeDNSAuthority  = probe("probe_dns_authority_rrs", "Records in the authority section.")
	ProbeDNSAdditional = probe("probe_dns_additional_rrs", "Records in the additional section.")
	ProbeDNSSerial     = probe("probe_dns_serial", "Serial number of the zone.")
	ProbeDNSSucceeded  = probe("probe_dns_query_succeeded", "Whether the query was answered at all.")
	ProbeGRPCDuration  = probe("probe_grpc_duration_seconds", "Duration of the request by phase.", "phase")
	ProbeGRPCSSL       = probe("probe_grpc_ssl", "Whether the connection was over TLS.")
	ProbeGRPCStatus    = probe("probe_grpc_status_code", "Status code of the response.")
	ProbeGRPCHealth    = probe("probe_grpc_healthcheck_response", "What the health check answered; always 1 for one of them.", "serving_status")
)

// The metrics of one look of a kind that blackbox_exporter doesn't have.
var (
	LookPhase = probe("shopwatch_look_phase_seconds",
		"Duration of a look by phase: resolve, connect, tls, greeting, auth, query, processing, transfer.", "phase")
	StepDuration       = probe("shopwatch_journey_step_seconds", "How long a step of a journey took.", "step")
	StepSuccess        = probe("shopwatch_journey_step_success", "Whether a step of a journey succeeded; absent for steps that were not reached.", "step")
	UptimeRobotMonitor = probe("shopwatch_uptimerobot_monitor_up", "Whether UptimeRobot sees a monitor up.", "monitor")
	PushLast           = probe("shopwatch_push_last_timestamp_seconds", "When the last heartbeat came.")
	GatewaySkew        = probe("shopwatch_gateway_clock_skew_seconds", "How far the gateway's clock is ahead of ours.")
	SMSBalance         = probe("shopwatch_sms_balance", "What is left of the provider's account, in its currency.", LabelCurrency)
)

func probe(name, help string, labels ...string) Metric {
	return Metric{name, Gauge, append([]string{LabelShop, LabelService, LabelTarget}, labels...), help}
}

// ProbeMetrics lists what one look may give.
func ProbeMetrics() []*Metric {
	return []*Metric{
		&ProbeSuccess, &ProbeDuration, &ProbeDNSLookup, &ProbeIPProtocol, &ProbeIPHash,
		&ProbeHTTPStatus, &ProbeHTTPDuration, &ProbeHTTPSSL, &ProbeHTTPRedirects, &ProbeHTTPLength, &ProbeHTTPBody,
		&ProbeHTTPVersion, &ProbeHTTPModified, &ProbeFailedRegex, &ProbeFailedCEL, &ProbeFailedBytes,
		&ProbeSSLExpiry, &ProbeSSLChain, &ProbeSSLInfo, &ProbeTLSVersion, &ProbeTLSCipher, &ProbeExpectInfo,
		&ProbeICMPDuration, &ProbeICMPHopLimit,
		&ProbeDNSDuration, &ProbeDNSAnswer, &ProbeDNSAuthority, &ProbeDNSAdditional, &ProbeDNSSerial, &ProbeDNSSucceeded,
		&ProbeGRPCDuration, &ProbeGRPCSSL, &ProbeGRPCStatus, &ProbeGRPCHealth,
		&LookPhase, &StepDuration, &StepSuccess, &UptimeRobotMonitor, &PushLast, &GatewaySkew, &SMSBalance,
	}
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
		"Since when the oldest unsent notice waits, of those to people on call and those never tried; absent when none waits."}
	WatchdogLast = Metric{"shopwatch_watchdog_last_timestamp_seconds", Gauge, nil,
		"When Prometheus evaluated the last Watchdog that reached the notifier."}
	HeartbeatLast = Metric{"shopwatch_heartbeat_last_success_timestamp_seconds", Gauge, nil,
		"When the far side last took a heartbeat; absent where none is configured, or none was taken since the start."}
)

// ChannelUp says whether a channel's far side knew us when it was last asked.
var ChannelUp = Metric{"shopwatch_channel_up", Gauge, []string{"channel"},
	"Whether the channel's far side knew us when it was last asked without sending anything, which is every 10 min: 0 is a token that was revoked, or a far side that can't be reached."}

// ExporterMetrics lists what the exporter may give: nothing else of ours is on its /metrics.
func ExporterMetrics() []Metric {
	metrics := []Metric{
		ShopInfo, ServiceInfo, ServiceDependencyInfo, ServiceStatus, ServiceAffected, ServiceLastLook, ServiceLastSuccess, ServiceInterval, ServiceFailures,
		OrdersWaiting, OrdersOldestWaiting, OrdersShortOfStock, Orders, OrdersLate, OrderItems,
		OrderDelivery, OrderPayment, OrderRevenue, StockCards,
		LedgerUp, LedgerLastSuccess, LedgerPollDuration, LedgerUnknownStatuses, LedgerInfo, LedgerFailures, LedgerReplicaLag,
		LedgerOpenOrders, LedgerDropped, LedgerUnswept, LedgerNegativeAges, StockProductsHidden, StockCounted, QueueJobs, FailedJobs,
		BuildInfo, LookLateness,
	}
	for _, m := range ProbeMetrics() {
		metrics = append(metrics, *m)
	}
	return metrics
}

// ProcessMetrics lists what a process gives of itself, whichever half it runs:
// its clock, and where it reads its configuration anew, how that went.
func ProcessMetrics() []Metric { return []Metric{Time, ConfigReloadSuccess, ConfigReloadTime} }

// NotifierMetrics lists what the notifier may give.
func NotifierMetrics() []Metric {
	return []Metric{IncidentsOpen, SubscribersCount, Notices, NoticeDelay, OutboxNotices, OutboxOldest, WatchdogLast, HeartbeatLast, ChannelUp, BuildInfo}
}
