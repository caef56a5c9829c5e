package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shopwatch/notifier/dispatch"
)

// Between looks at a channel, and the most that one may take.
const (
	probeEvery  = 10 * time.Minute
	probeWithin = 20 * time.Second
)

// probed is a channel that can ask its far side whether it knows us, without
// sending anything.
type probed interface {
	Name() string
	Probe(ctx context.Context) error
}

// probes finds out on a quiet day what would be found out by the first notice
// of a bad one: a token that was revoked, a proxy that is gone.
type probes struct {
	channels []probed
	up       *prometheus.GaugeVec
	every    time.Duration
	logger   *slog.Logger
}

// probedOf are the channels that can be asked.
func probedOf(lines []dispatch.Line) []probed {
	var channels []probed
	for _, line := range lines {
		if channel, ok := line.Channel.(probed); ok {
			channels = append(channels, channel)
		}
	}
	return channels
}

func newProbes(channels []probed, up *prometheus.GaugeVec, every time.Duration, logger *slog.Logger) *probes {
	return &probes{channels: channels, up: up, every: every, logger: logger}
}

// run looks at once and then every so often, until ctx ends. A channel that has
// not been asked yet has no series.
func (p *probes) run(ctx context.Context) {
	var running sync.WaitGroup
	for _, channel := range p.channels {
		running.Go(func() { p.watch(ctx, channel) })
	}
	running.Wait()
}

// watch logs what changed, not what stays.
func (p *probes) watch(ctx context.Context, channel probed) {
	up := true
	for {
		asking, cancel := context.WithTimeout(ctx, probeWithin)
		err := channel.Probe(asking)
		cancel()
		if ctx.Err() != nil {
			return
		}
		switch {
		case err != nil:
			p.up.WithLabelValues(channel.Name()).Set(0)
			if up {
				p.logger.Error("channel can't be used", "channel", channel.Name(), "err", err)
			}
		default:
			p.up.WithLabelValues(channel.Name()).Set(1)
			if !up {
				p.logger.Info("channel can be used again", "channel", channel.Name())
			}
		}
		up = err == nil
		select {
		case <-ctx.Done():
			return
		case <-time.After(p.every):
		}
	}
}
