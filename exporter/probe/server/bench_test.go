package server_test

import (
	"testing"

	"shopwatch/exporter"
	"shopwatch/internal/servertest"
)

// BenchmarkLook is the cost of one look, that of a real server included.
func BenchmarkLook(b *testing.B) {
	redis, postgres := servertest.Redis(b), servertest.Postgres(b)
	for name, c := range map[string]struct {
		module exporter.Module
		target string
	}{
		"redis": {redisModule(func(r *exporter.Redis) { r.Password = redis.Password }), redis.Addr},
		"postgres": {postgresModule(func(d *exporter.Database) {
			d.User, d.Password, d.Name = postgres.User, postgres.Password, postgres.Database
		}), postgres.Addr},
		"mysql that answers at once": {mysqlModule(nil), fake(b, script(hang, mysqlGreeting(0), mysqlPacket(2, mysqlOK), mysqlRows(1)))},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if reading := look(c.module, c.target, patience); !reading.Success {
					b.Fatal(reading.Reason, reading.Detail)
				}
			}
		})
	}
}
