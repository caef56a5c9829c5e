# What pint looks at in our rules, and what not, each with its reason.

parser {
  # The oldest Prometheus that loads our rules knows no other names.
  names = "legacy"
}

checks {
  disabled = [
    # A recorded series of another group may be one round old: our windows and
    # ages are in the data, so a round more or less changes no judgement.
    "rule/dependency",
  ]
}

# Against a running shopwatch on the demo shop: a rule that asks for a series
# which nobody exports is a mistake. These the demo shop cannot have:
check "promql/series" {
  ignoreMetrics = [
    "node_.+",                                   # the demo doesn't measure the machine: a busy laptop must not page
    "probe_ssl_earliest_cert_expiry",            # its pages have no TLS
    "shopwatch_gateway_clock_skew_seconds",      # its gateway tells no time
    "shopwatch_ledger_replica_lag_seconds",      # its books are one file
    "shopwatch_shop_queue_jobs",                 # it has no queue in Redis
    "shopwatch_shop_failed_jobs",                # nor a table of failed jobs
    "shopwatch_outbox_oldest_timestamp_seconds", # absent while nothing waits, and there nothing waits
  ]
}

rule {
  match { name = "Watchdog" }
  # It fires as long as the whole chain works: that is its message.
  disable = ["alerts/comparison"]
}

rule {
  match { name = "RulesFailing" }
  # The label rule_group is Prometheus's own: file and group in one.
  disable = ["promql/regexp"]
}

rule {
  match {
    kind = "recording"
    name = ".+:delta.+"
  }
  # Exact differences of counters: increase() extrapolates, and would make 20
  # orders of 19. They guard against a reset themselves.
  disable = ["promql/counter"]
}
