package servertest

import (
	"fmt"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// Main runs a package's tests and then ends the servers that they shared. A
// package that calls SharedPostgres has
//
//	func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }
func Main(m *testing.M) int {
	shared.ready.Store(true)
	defer shared.end()
	return m.Run()
}

var shared sharing

// sharing is what the tests of one package have in common.
type sharing struct {
	ready    atomic.Bool
	once     sync.Once
	postgres *PostgresServer
	number   atomic.Int64 // of databases
	ends     []func()
}

func (s *sharing) end() {
	for _, end := range slices.Backward(s.ends) {
		end()
	}
}

// lasting is the test that starts a server which outlives it.
type lasting struct{ testing.TB }

// Cleanup waits until all tests are over.
func (lasting) Cleanup(end func()) { shared.ends = append(shared.ends, end) }

// TempDir gives a folder that outlives the test.
func (l lasting) TempDir() string { return temporary(l) }

// SharedPostgres is one private PostgreSQL server for all tests of a package,
// started by the first that asks. Each test makes databases of its own in it,
// and none stops it.
func SharedPostgres(t testing.TB) *PostgresServer {
	t.Helper()
	if !shared.ready.Load() {
		t.Fatal("the package's TestMain must call servertest.Main, which ends the shared server")
	}
	shared.once.Do(func() { shared.postgres = Postgres(lasting{t}) })
	if shared.postgres == nil {
		Skip(t, "the shared PostgreSQL didn't start: the first test that asked for it says why")
	}
	return shared.postgres
}

// NewDatabase makes an empty database and gives the URL by which its owner connects.
func (s *PostgresServer) NewDatabase(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", shared.number.Add(1))
	s.Exec(t, `CREATE DATABASE `+name)
	return (&url.URL{
		Scheme: "postgres", User: url.UserPassword(s.User, s.Password), Host: s.Addr, Path: "/" + name, RawQuery: "sslmode=disable",
	}).String()
}
