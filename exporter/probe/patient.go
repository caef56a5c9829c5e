package probe

import (
	"net"
	"sync"
)

// patientConn gives nothing to read before something was written. A server
// that speaks unasked would race with our request: net/http drops the
// connection and prints what the server said to the process's standard log.
type patientConn struct {
	net.Conn
	once    sync.Once
	release chan struct{} // closed by the first Write, or by Close
}

func newPatientConn(conn net.Conn) *patientConn {
	return &patientConn{Conn: conn, release: make(chan struct{})}
}

func (c *patientConn) Read(p []byte) (int, error) {
	<-c.release
	return c.Conn.Read(p)
}

func (c *patientConn) Write(p []byte) (int, error) {
	c.once.Do(func() { close(c.release) })
	return c.Conn.Write(p)
}

func (c *patientConn) Close() error {
	c.once.Do(func() { close(c.release) })
	return c.Conn.Close()
}
