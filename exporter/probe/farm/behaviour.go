package farm

import (
	"net"
	"time"
)

// Behaviour is how a target behaves.
type Behaviour string

// The behaviours that follow a request: over HTTP, over HTTPS, or on a
// listener of their own.
const (
	Answer          Behaviour = "answer"           // answers 200 at once
	Spread          Behaviour = "spread"           // answers after 20–200 ms, always the same for the same path
	After           Behaviour = "after"            // answers after the duration that follows in the path: after/150ms
	Status          Behaviour = "status"           // answers with the status that follows in the path: status/503
	Redirect        Behaviour = "redirect"         // redirects to the query's "to", or to a cloud's metadata address
	RedirectCircle  Behaviour = "redirect-circle"  // redirects to itself by way of another path
	Hang            Behaviour = "hang"             // takes the request and never answers
	SlowHeader      Behaviour = "slow-header"      // answers, but its header comes at the farm's pace
	Trickle         Behaviour = "trickle"          // header at once, then a body without end at the farm's pace
	EndlessHeader   Behaviour = "endless-header"   // a header without end
	EndlessBody     Behaviour = "endless-body"     // a body without end
	GzipBomb        Behaviour = "gzip-bomb"        // about 1 MiB that unpacks to 1 GiB
	Truncated       Behaviour = "truncated"        // promises a longer body than it sends
	ResetAfter      Behaviour = "reset-after"      // takes the request, then resets the connection
	CloseAfter      Behaviour = "close-after"      // takes the request, then closes the connection
	Garbage         Behaviour = "garbage"          // answers with something that is no protocol
	RedirectNowhere Behaviour = "redirect-nowhere" // redirects to a name that resolves to nothing
)

// The behaviours of a listener of their own, from the first moment.
const (
	Refuse     Behaviour = "refuse"      // refuses the connection
	Silent     Behaviour = "silent"      // accepts, takes whatever comes and never says a word
	SilentTLS  Behaviour = "silent-tls"  // the same, where a TLS handshake is expected
	Reset      Behaviour = "reset"       // resets the connection once it is accepted
	CloseFirst Behaviour = "close-first" // closes the connection once it is accepted
	Drip       Behaviour = "drip"        // speaks unasked, a byte at the farm's pace, a line without end
	Flood      Behaviour = "flood"       // speaks unasked, as fast as it can, a line without end
	Chatter    Behaviour = "chatter"     // speaks unasked, as fast as it can, short lines without end
	BrokenTLS  Behaviour = "broken-tls"  // breaks off a TLS handshake with a record that is none
	PlainTLS   Behaviour = "plain-tls"   // answers a TLS handshake in plain text

	Expired    Behaviour = "expired"     // good in all but its certificate, which is expired
	WrongName  Behaviour = "wrong-name"  // … is for another name
	SelfSigned Behaviour = "self-signed" // … is signed by itself
)

// Behaviours lists all of them.
func Behaviours() []Behaviour {
	return []Behaviour{
		Answer, Spread, After, Status, Redirect, RedirectCircle, RedirectNowhere, Hang, SlowHeader, Trickle,
		EndlessHeader, EndlessBody, GzipBomb, Truncated, ResetAfter, CloseAfter, Garbage,
		Refuse, Silent, SilentTLS, Reset, CloseFirst, Drip, Flood, Chatter, BrokenTLS, PlainTLS,
		Expired, WrongName, SelfSigned,
	}
}

// conduct is how a behaviour is done: after a request, or from the moment of
// connecting, or with a certificate of its own and good manners otherwise.
type conduct struct {
	afterRequest func(*Farm, net.Conn, request) (again bool) // again: the connection may be used once more
	onConnect    func(*Farm, net.Conn)
	certificate  certificateKind
	secure       bool // the client is to speak TLS
}

var conducts = map[Behaviour]conduct{
	Answer:          {afterRequest: (*Farm).answerAtOnce},
	Spread:          {afterRequest: (*Farm).answerSpread},
	After:           {afterRequest: (*Farm).answerAfter},
	Status:          {afterRequest: (*Farm).answerStatus},
	Redirect:        {afterRequest: (*Farm).redirect},
	RedirectCircle:  {afterRequest: (*Farm).redirectCircle},
	RedirectNowhere: {afterRequest: (*Farm).redirectNowhere},
	Hang:            {afterRequest: once(func(f *Farm, c net.Conn) { f.hang(c) })},
	SlowHeader:      {afterRequest: once((*Farm).slowHeader)},
	Trickle:         {afterRequest: once((*Farm).trickle)},
	EndlessHeader:   {afterRequest: once((*Farm).endlessHeader)},
	EndlessBody:     {afterRequest: once((*Farm).endlessBody)},
	GzipBomb:        {afterRequest: once((*Farm).gzipBomb)},
	Truncated:       {afterRequest: once((*Farm).truncated)},
	ResetAfter:      {afterRequest: once(reset)},
	CloseAfter:      {afterRequest: once(func(*Farm, net.Conn) {})},
	Garbage:         {afterRequest: once((*Farm).garbage)},

	Refuse:     {onConnect: func(*Farm, net.Conn) {}},
	Silent:     {onConnect: (*Farm).hang},
	SilentTLS:  {onConnect: (*Farm).hang, secure: true},
	Reset:      {onConnect: reset},
	CloseFirst: {onConnect: func(*Farm, net.Conn) {}},
	Drip:       {onConnect: (*Farm).drip},
	Flood:      {onConnect: func(f *Farm, c net.Conn) { f.endlessly(c, filler) }},
	Chatter:    {onConnect: func(f *Farm, c net.Conn) { f.endlessly(c, lines) }},
	BrokenTLS:  {onConnect: (*Farm).brokenTLS, secure: true},
	PlainTLS:   {onConnect: (*Farm).plainTLS, secure: true},

	Expired:    {certificate: expiredCertificate},
	WrongName:  {certificate: wrongNameCertificate},
	SelfSigned: {certificate: selfSignedCertificate},
}

// once is a conduct after which the connection is closed.
func once(behave func(*Farm, net.Conn)) func(*Farm, net.Conn, request) bool {
	return func(f *Farm, conn net.Conn, _ request) bool {
		behave(f, conn)
		return false
	}
}

// The shortest and the longest delay of Spread.
const (
	spreadLeast = 20 * time.Millisecond
	spreadMost  = 200 * time.Millisecond
)
