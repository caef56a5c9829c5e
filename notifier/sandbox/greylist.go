package sandbox

import (
	"maps"
	"net"
	"sync"
	"time"
)

// Greeted is how mail to one recipient was tried while the server greylisted.
type Greeted struct {
	First time.Time // the first try
	Tries int       // also those that were taken
}

// triple is whom a greylisting server tells apart (RFC 6647, 2.2).
type triple struct{ from, to, client string }

// greylist puts off whom it doesn't know.
type greylist struct {
	mu    sync.Mutex
	delay time.Duration // 0: nobody is put off
	known map[triple]Greeted
}

// Greylist makes the mail server put off, with 450, every triple of sender,
// recipient and client until a delay has passed since its first try. 0 ends it.
func (s *Sandbox) Greylist(delay time.Duration) {
	s.greylist.mu.Lock()
	defer s.greylist.mu.Unlock()
	s.greylist.delay, s.greylist.known = delay, map[triple]Greeted{}
}

// Greeted gives the tries since Greylist, by recipient.
func (s *Sandbox) Greeted() map[string]Greeted {
	s.greylist.mu.Lock()
	known := maps.Clone(s.greylist.known)
	s.greylist.mu.Unlock()
	list := map[string]Greeted{}
	for triple, g := range known {
		had, ok := list[triple.to]
		if ok && had.First.Before(g.First) {
			g.First = had.First
		}
		g.Tries += had.Tries
		list[triple.to] = g
	}
	return list
}

// putsOff counts a try, and reports whether it is too early.
func (g *greylist) putsOff(from, to string, client net.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.delay == 0 {
		return false
	}
	host, _, err := net.SplitHostPort(client.String())
	if err != nil {
		host = client.String()
	}
	who := triple{from, to, host}
	had := g.known[who]
	if had.Tries++; had.Tries == 1 {
		had.First = now
	}
	g.known[who] = had
	return now.Sub(had.First) < g.delay
}
