package app

import (
	"shopwatch/exporter/config"
	"shopwatch/exporter/orders"
)

// newOrders makes what answers about single orders, for a configuration.
func (a *App) newOrders(cfg config.Config) (*orders.Orders, error) {
	return orders.New(orders.Config{
		Shops: a.books.answering, Operator: a.config.Operator, Token: cfg.Orders.LookupToken,
		PerCaller: cfg.Orders.LookupsPerMinute, Total: cfg.Orders.LookupsPerMinuteTotal,
		Now: a.config.Now, Logger: a.config.Logger,
	})
}

// answering gives the shops whose books are followed.
func (b *books) answering() []orders.Shop {
	followed := b.shown.Load().shops
	shops := make([]orders.Shop, len(followed))
	for i, f := range followed {
		shops[i] = orders.Shop{
			ID: f.shop, Follower: f.follower, Guessable: f.follower.Traits().Guessable,
			Late: f.ledger.Late, Stuck: f.ledger.Stuck, Zone: f.ledger.Zone,
		}
	}
	return shops
}
