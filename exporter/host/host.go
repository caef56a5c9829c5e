// Package host measures the machine itself through node_exporter's collectors,
// used as a library: its names (node_cpu_seconds_total, …) and its meanings, so
// that boards and rules made for node_exporter work.
//
// The room picks the collectors, keeps one that fails, panics or hangs from
// costing the scrape, and does nothing else. node_exporter's options are global
// flags of kingpin's default application: they are parsed once in a process,
// here, and so are never those of shopwatch's own command line.
package host

import (
	"log/slog"
	"time"
)

// Config is what a Host works with.
type Config struct {
	// Collectors are names of node_exporter's collectors, such as cpu or meminfo;
	// at least one.
	Collectors []string
	// Root is where the machine's file system is mounted, for a shopwatch that
	// runs in a container; default /. It is the same for every Host of a process.
	Root string
	// Patience is how long a scrape waits for a collector; default 2 s. What a
	// collector gives later is dropped.
	Patience time.Duration
	// Logger hears of a collector that begins to fail or works again; default none.
	Logger *slog.Logger
}

// Default are the collectors for which shopwatch has rules and boards.
var Default = []string{"cpu", "meminfo", "filesystem", "loadavg", "diskstats", "netdev"}

const defaultPatience = 2 * time.Second
