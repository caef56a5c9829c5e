package metric

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shopwatch/rules"
)

const (
	// maxPayments bounds the payments of one shop that have their own histogram.
	maxPayments = 100
	// otherPayment takes the rest.
	otherPayment = "other"
)

// buckets lie closest around the tiers of the house (5 and 30 minutes), and
// reach down to the second in which a machine delivers. In seconds.
var buckets = []float64{1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600}

// latenessBuckets of looks, in seconds: a second is where somebody should ask why.
var latenessBuckets = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// Durations are the histograms of the treaty, classic and native at once. It
// is a prometheus.Collector and hears durations as they are measured; it may be
// used by many goroutines at once.
type Durations struct {
	delivery, payment *prometheus.HistogramVec
	lateness          prometheus.Histogram

	mu       sync.Mutex
	payments map[string]map[string]bool // by shop: those with their own histogram
}

// NewDurations makes empty histograms. A shop's appear with its first duration.
func NewDurations() *Durations {
	return &Durations{
		delivery: histogram(rules.OrderDelivery), payment: histogram(rules.OrderPayment),
		lateness: prometheus.NewHistogram(options(rules.LookLateness, latenessBuckets)),
		payments: map[string]map[string]bool{},
	}
}

func histogram(m rules.Metric) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(options(m, buckets), m.Labels)
}

func options(m rules.Metric, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: m.Name, Help: m.Help, Buckets: buckets,
		// Native buckets of at most 10 %: 160 of them span six powers of ten.
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160,
		NativeHistogramMinResetDuration: time.Hour,
	}
}

// Delivered says how long an automatic order took from payment to delivery.
// Clocks that disagree make a duration below 0 count as 0.
func (d *Durations) Delivered(shop string, took time.Duration) {
	d.delivery.WithLabelValues(text(shop)).Observe(max(0, took).Seconds())
}

// Paid says how long a buyer took from order to payment.
func (d *Durations) Paid(shop, payment string, took time.Duration) {
	shop = text(shop)
	d.payment.WithLabelValues(shop, d.bounded(shop, text(payment))).Observe(max(0, took).Seconds())
}

// Late says how much later than its slot a look began.
func (d *Durations) Late(by time.Duration) { d.lateness.Observe(max(0, by).Seconds()) }

// bounded gives a payment its own histogram while there are not too many.
func (d *Durations) bounded(shop, payment string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	own := d.payments[shop]
	if own == nil {
		own = map[string]bool{}
		d.payments[shop] = own
	}
	if !own[payment] {
		if len(own) >= maxPayments {
			return otherPayment
		}
		own[payment] = true
	}
	return payment
}

// Describe implements prometheus.Collector.
func (d *Durations) Describe(out chan<- *prometheus.Desc) {
	d.delivery.Describe(out)
	d.payment.Describe(out)
	d.lateness.Describe(out)
}

// Collect implements prometheus.Collector.
func (d *Durations) Collect(out chan<- prometheus.Metric) {
	d.delivery.Collect(out)
	d.payment.Collect(out)
	d.lateness.Collect(out)
}
