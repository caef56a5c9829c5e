package telegram

import (
	"crypto/sha256"
	"sync"
)

// maxUnfinished is how many messages' progress is remembered. Notices of more
// than one part are rare; past it, some begin again at their first part.
const maxUnfinished = 1000

// progress remembers how far messages got that failed after their first part,
// so that a try that follows in the same process doesn't say it again. It is
// no promise: another process begins at the first part.
type progress struct {
	mu         sync.Mutex
	unfinished map[string]unfinished
}

type unfinished struct {
	parts int
	words [sha256.Size]byte // of the parts that were said
}

func digest(parts []string) [sha256.Size]byte {
	hash := sha256.New()
	for _, part := range parts {
		one := sha256.Sum256([]byte(part))
		hash.Write(one[:])
	}
	return [sha256.Size]byte(hash.Sum(nil))
}

// said tells how many of the parts the chat has: none, where those that were
// said have other words by now.
func (p *progress) said(identity string, parts []string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.unfinished[identity]
	if !ok || known.parts >= len(parts) || digest(parts[:known.parts]) != known.words {
		return 0
	}
	return known.parts
}

// keep remembers that the chat has these parts of more.
func (p *progress) keep(identity string, parts []string) {
	if len(parts) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unfinished == nil {
		p.unfinished = map[string]unfinished{}
	}
	if _, known := p.unfinished[identity]; !known && len(p.unfinished) >= maxUnfinished {
		for some := range p.unfinished {
			delete(p.unfinished, some)
			break
		}
	}
	p.unfinished[identity] = unfinished{len(parts), digest(parts)}
}

// forget is for a message that the chat has whole.
func (p *progress) forget(identity string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.unfinished, identity)
}
