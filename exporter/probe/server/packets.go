package server

import (
	"bufio"
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"time"
)

// What the MySQL protocol says in its bytes.
const (
	packetHeader = 4
	packetOK     = 0x00
	packetMore   = 0x01
	packetFile   = 0xfb // also NULL
	packetEOF    = 0xfe
	packetError  = 0xff

	commandQuery = 0x03

	capabilityProtocol41 = 0x0200
	capabilityTLS        = 0x0800

	// sslRequest is how much of a login asks for TLS.
	sslRequest = 32
	// mostColumns is MySQL's own limit of a table.
	mostColumns = 4096
)

// errGarbled is a packet that MySQL's protocol doesn't know.
var errGarbled = errors.New("not a packet of MySQL")

// packets is a MySQL connection as the driver gets it. It stands between for
// two reasons. The driver trusts its server: it allocates what a packet
// announces (a column count of 2³⁵ ends the process) and leaves a goroutine
// behind where a packet of the login makes it stumble, so packets are checked
// before it sees them. And the driver's own TLS is out of the look's sight: no
// phases, no certificates, no bound on handshakes in flight; so the driver
// speaks plain, and the session is made here, one packet before its login.
type packets struct {
	net.Conn // the wire, later the TLS session on it
	reader   *bufio.Reader
	greeting []byte

	secure func(net.Conn) (net.Conn, error) // nil: without TLS
	login  func()                           // called when the login is about to be sent

	failure error // a problem of the look's that TLS ended with
	broke   error // why a packet was refused

	pending   []byte // of the packet that the driver reads
	rest      int    // bytes of it that are still to come
	shift     byte   // how many packets we sent that the driver doesn't know
	commands  bool   // the login is over
	answering bool   // the next packet begins an answer to a query
}

// greeted reads the server's greeting.
func greeted(conn net.Conn) (*packets, error) {
	p := &packets{Conn: conn, reader: bufio.NewReader(conn), login: func() {}}
	header, err := p.reader.Peek(packetHeader)
	if err != nil {
		return nil, err
	}
	size := uint24(header)
	if size > maxLogin {
		return nil, errGarbled
	}
	p.greeting = make([]byte, packetHeader+size)
	if _, err := io.ReadFull(p.reader, p.greeting); err != nil {
		return nil, err
	}
	if !validGreeting(p.greeting[packetHeader:]) {
		return nil, errGarbled
	}
	p.pending = p.greeting
	return p, nil
}

// Read gives the driver the next bytes of a packet that is in order.
func (p *packets) Read(b []byte) (int, error) {
	if len(p.pending) == 0 && p.rest == 0 {
		if err := p.next(); err != nil {
			p.broke = err
			return 0, err
		}
	}
	if len(p.pending) > 0 {
		n := copy(b, p.pending)
		p.pending = p.pending[n:]
		return n, nil
	}
	n, err := p.reader.Read(b[:min(len(b), p.rest)])
	p.rest -= n
	return n, err
}

// next begins a packet.
func (p *packets) next() error {
	var header [packetHeader]byte
	if _, err := io.ReadFull(p.reader, header[:]); err != nil {
		return err
	}
	size := uint24(header[:])
	most := maxAnswer
	if !p.commands {
		most = maxLogin
		header[3] -= p.shift
	}
	if size > most {
		return errTooMuch
	}
	if size == 0 {
		return errGarbled
	}
	if p.commands {
		if p.answering {
			if err := p.checkAnswer(size); err != nil {
				return err
			}
		}
		p.pending, p.rest = header[:], size
		return nil
	}
	packet := make([]byte, packetHeader+size)
	copy(packet, header[:])
	if _, err := io.ReadFull(p.reader, packet[packetHeader:]); err != nil {
		return err
	}
	if !validLogin(packet[packetHeader:]) {
		return errGarbled
	}
	p.pending = packet
	return nil
}

// checkAnswer looks at the first packet of an answer, which says how many
// columns follow. An answer without columns may be followed by another one.
func (p *packets) checkAnswer(size int) error {
	head, err := p.reader.Peek(min(size, 9))
	if err != nil {
		return err
	}
	switch head[0] {
	case packetOK:
		return nil
	case packetError, packetFile: // the driver refuses to send files
		p.answering = false
		return nil
	}
	count, _, ok := lengthEncoded(head)
	if !ok {
		return errGarbled
	}
	if count > mostColumns {
		return errTooMuch
	}
	p.answering = false
	return nil
}

// Write sends a packet of the driver's, and makes the TLS session before the
// first.
func (p *packets) Write(b []byte) (int, error) {
	if len(b) <= packetHeader {
		return 0, errGarbled
	}
	packet := bytes.Clone(b) // a Writer may not change what it is given
	switch {
	case packet[3] == 0:
		p.commands, p.shift = true, 0
		p.answering = packet[packetHeader] == commandQuery
	case p.greeting != nil:
		if err := p.start(packet); err != nil {
			return 0, err
		}
		p.greeting = nil
		p.login()
	}
	packet[3] += p.shift
	if _, err := p.Conn.Write(packet); err != nil {
		return 0, err
	}
	return len(b), nil
}

// start asks for TLS and makes the session, where the look wants one.
func (p *packets) start(login []byte) error {
	if p.secure == nil {
		return nil
	}
	if len(login) < packetHeader+sslRequest {
		return errGarbled
	}
	if p.reader.Buffered() > 0 { // would be taken for something that came encrypted
		return errGarbled
	}
	if capabilities(p.greeting[packetHeader:])&capabilityTLS == 0 {
		p.failure = errNoTLS
		return errNoTLS
	}
	flags := binary.LittleEndian.Uint16(login[packetHeader:]) | capabilityTLS
	binary.LittleEndian.PutUint16(login[packetHeader:], flags)
	request := append([]byte{sslRequest, 0, 0, login[3]}, login[packetHeader:packetHeader+sslRequest]...)
	if _, err := p.Conn.Write(request); err != nil {
		return err
	}
	session, err := p.secure(p.Conn)
	if err != nil {
		p.failure = err
		return err
	}
	p.Conn, p.reader, p.shift = session, bufio.NewReader(session), 1
	return nil
}

// SetDeadline does nothing, as the wire's.
func (p *packets) SetDeadline(time.Time) error { return nil }

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// lengthEncoded is a length-encoded integer and how many bytes it took.
func lengthEncoded(b []byte) (value uint64, size int, ok bool) {
	if len(b) == 0 {
		return 0, 0, false
	}
	switch size = map[byte]int{0xfc: 3, 0xfd: 4, 0xfe: 9}[b[0]]; {
	case b[0] < 0xfb:
		return uint64(b[0]), 1, true
	case size == 0 || len(b) < size:
		return 0, 0, false
	}
	for i := size - 1; i > 0; i-- {
		value = value<<8 | uint64(b[i])
	}
	return value, size, true
}

// validGreeting reports whether a greeting is an error or holds all that the
// protocol promises of version 10.
func validGreeting(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	if b[0] == packetError {
		return validLogin(b)
	}
	end := bytes.IndexByte(b, 0)
	// after the version: thread id, salt, capabilities, charset, status,
	// capabilities, salt's length, 10 reserved, salt, plugin's name
	return b[0] == 10 && end > 0 && len(b) >= end+1+4+9+2+3+2+1+10+13 &&
		capabilities(b)&capabilityProtocol41 != 0
}

// capabilities are the lower flags of a valid greeting.
func capabilities(b []byte) uint16 {
	if b[0] == packetError {
		return 0
	}
	return binary.LittleEndian.Uint16(b[bytes.IndexByte(b, 0)+1+4+9:])
}

// validLogin reports whether a packet is one that the driver can read as an
// answer to its login.
func validLogin(b []byte) bool {
	switch b[0] {
	case packetOK:
		rest := b[1:]
		for range 2 {
			_, size, ok := lengthEncoded(rest)
			if !ok {
				return false
			}
			rest = rest[size:]
		}
		return len(rest) >= 2
	case packetError:
		return len(b) >= 9 || len(b) >= 4 && b[3] != '#'
	case packetEOF:
		plugin, salt, ok := bytes.Cut(b[1:], []byte{0})
		if len(b) == 1 || !ok {
			return len(b) == 1
		}
		return string(plugin) != "mysql_native_password" || len(bytes.TrimSuffix(salt, []byte{0})) >= 20
	case packetMore:
		if block, _ := pem.Decode(b[1:]); block != nil {
			key, err := x509.ParsePKIXPublicKey(block.Bytes)
			public, ok := key.(*rsa.PublicKey)
			return err == nil && ok && public.Size() <= 2048
		}
		return true
	}
	return false
}
