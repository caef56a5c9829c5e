package demo

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// listen takes a port of loopback that nobody is given who asks for any: systems
// keep 32768 and more (Linux) or 49152 and more (RFC 6335) for that. The
// database's is closed while it is down, and must still be free when it is up.
func listen() (net.Listener, error) {
	const first, last, tries = 10000, 19999, 100
	var problems []error
	for range tries {
		port := first + rand.IntN(last-first+1)
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return listener, nil
		}
		problems = append(problems, err)
	}
	return nil, errors.Join(problems[0], problems[tries-1])
}
