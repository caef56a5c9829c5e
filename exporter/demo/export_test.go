package demo

import (
	"context"
	"time"
)

// HoldBeat keeps Run's own beats away, so that a test gives them with Step.
func HoldBeat(s *Shop) { s.beat = 24 * time.Hour }

// Step does what is due at the shop's clock, and waits until it is done.
func Step(ctx context.Context, s *Shop) {
	s.step(ctx)
	s.customers.wait()
}

// Serving reports whether Run has begun to serve.
func Serving(s *Shop) bool {
	s.database.mu.Lock()
	defer s.database.mu.Unlock()
	return s.database.serving
}

// Failures is how many requests a broken gateway has answered or held.
func Failures(s *Shop, service string) int64 { return s.gateways[service].failures.Load() }

// TakeCards takes cards off sale until so many are left of each product, as a
// sudden run on the shop would.
func TakeCards(ctx context.Context, s *Shop, left int) {
	_, err := s.books.db.ExecContext(ctx, `DELETE FROM card_secrets WHERE status='available' AND id NOT IN
		(SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY product_id) n FROM card_secrets WHERE status='available') WHERE n<=?)`, left)
	if err != nil {
		panic(err)
	}
}

// CloseGateway closes a gateway's server for good: nobody can connect any more.
func CloseGateway(s *Shop, service string) {
	for _, server := range s.servers {
		if server.http.Handler == s.gateways[service] {
			server.http.Close()
		}
	}
}
