package metric

import (
	"cmp"
	"slices"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// shop shows the books of one shop, and its service delivery: info and status
// only. Without last look and last success no rule for services can fire for
// it; the order alerts speak for it.
func (s *scrape) shop(books exporter.Books, delivery exporter.Service) {
	shop := text(books.Shop)
	if s.shops[shop] {
		return
	}
	s.shops[shop] = true
	if s.claim(shop, rules.ServiceDelivery) {
		s.info(deliveryService(shop, delivery))
		s.status(pair(rules.LabelService, rules.ServiceDelivery), pair(rules.LabelShop, shop), books.Delivery)
	}

	s.emit(rules.LedgerUp, truth(books.Up), shop)
	s.time(rules.LedgerLastSuccess, books.LastSuccess, shop)
	s.emit(rules.LedgerPollDuration, books.PollDuration.Seconds(), shop)
	s.emit(rules.LedgerUnknownStatuses, float64(books.UnknownStatuses), shop)
	s.emit(rules.LedgerInfo, 1, shop, books.Software, string(books.Moments.Paid), string(books.Moments.Delivered))
	for _, reason := range rules.LedgerReasons {
		s.emit(rules.LedgerFailures, float64(books.Failures[reason]), shop, string(reason))
	}
	if books.Lag != nil {
		s.emit(rules.LedgerReplicaLag, books.Lag.Seconds(), shop)
	}
	s.emit(rules.LedgerOpenOrders, float64(books.Open), shop)
	s.emit(rules.LedgerDropped, float64(books.Dropped), shop)
	s.emit(rules.LedgerUnswept, float64(books.Unswept), shop)
	s.emit(rules.LedgerNegativeAges, float64(books.NegativeAges), shop)
	for _, kind := range []rules.Kind{rules.Automatic, rules.Manual} {
		for _, age := range rules.Ages {
			s.emit(rules.OrdersWaiting, float64(books.Waiting[kind][age]), shop, string(kind), string(age))
		}
		s.time(rules.OrdersOldestWaiting, books.Oldest[kind], shop, string(kind))
	}
	s.emit(rules.OrdersShortOfStock, float64(books.ShortOfStock), shop)
	s.emit(rules.OrdersLate, float64(books.Late), shop)
	s.orders(shop, books)
	s.stock(shop, books)
	s.jobs(shop, books)
}

// deliveryService is the service as configured, with what it must have.
func deliveryService(shop string, service exporter.Service) exporter.Service {
	service.Shop, service.ID, service.Role = shop, rules.ServiceDelivery, rules.RoleDelivery
	service.Name.ZH = cmp.Or(service.Name.ZH, service.Name.EN, "发货")
	service.Name.EN = cmp.Or(service.Name.EN, "Delivery")
	return service
}

// orders shows the counters that have keys. Every event of a payment exists as
// soon as one does. Keys that only differ in invalid UTF-8 are one series.
func (s *scrape) orders(shop string, books exporter.Books) {
	type key struct {
		payment string
		event   rules.OrderEvent
	}
	orders := make(map[key]float64, len(books.Orders))
	for count, n := range books.Orders {
		payment := text(count.Payment)
		for _, event := range rules.OrderEvents {
			orders[key{payment, event}] += 0
		}
		if slices.Contains(rules.OrderEvents, count.Event) {
			orders[key{payment, count.Event}] += float64(n)
		}
	}
	for k, n := range orders {
		s.emit(rules.Orders, n, shop, k.payment, string(k.event))
	}
	items := make(map[string]float64, len(books.Items))
	for product, n := range books.Items {
		items[text(product)] += float64(n)
	}
	for product, n := range items {
		s.emit(rules.OrderItems, n, shop, product)
	}
	revenue := make(map[exporter.Money]float64, len(books.Revenue))
	for money, amount := range books.Revenue {
		revenue[exporter.Money{Payment: text(money.Payment), Currency: text(money.Currency)}] += amount
	}
	for money, amount := range revenue {
		s.emit(rules.OrderRevenue, amount, shop, money.Payment, money.Currency)
	}
}

// stock shows the unsold cards of each product that can run out. Of too many it
// shows those that come first, and says of how many it is silent: a choice by
// what is left would change by the hour, and a series that ends looks like a
// shortage that is over.
func (s *scrape) stock(shop string, books exporter.Books) {
	if books.StockCounted.IsZero() {
		return
	}
	s.time(rules.StockCounted, books.StockCounted, shop)
	shown := books.Stock[:min(len(books.Stock), exporter.MaxProducts)]
	s.emit(rules.StockProductsHidden, float64(books.StockHidden+len(books.Stock)-len(shown)), shop)
	cards := make(map[string]int, len(shown))
	for _, product := range shown {
		if !product.Looped {
			cards[text(product.Product)] += product.Cards
		}
	}
	for product, n := range cards {
		s.emit(rules.StockCards, float64(n), shop, product)
	}
}

// jobs shows what the shop has yet to do in the background, where it is known.
func (s *scrape) jobs(shop string, books exporter.Books) {
	seen := map[string]bool{}
	for _, queue := range books.Queues {
		name := text(queue.Name)
		if seen[name] {
			continue
		}
		seen[name] = true
		s.emit(rules.QueueJobs, float64(queue.Ready), shop, name, "ready")
		s.emit(rules.QueueJobs, float64(queue.Delayed), shop, name, "delayed")
		s.emit(rules.QueueJobs, float64(queue.Reserved), shop, name, "reserved")
	}
	if books.FailedJobs >= 0 {
		s.emit(rules.FailedJobs, float64(books.FailedJobs), shop)
	}
}
