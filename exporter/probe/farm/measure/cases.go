package main

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// measured is what one process did in one case.
type measured struct {
	cpuPerLook   float64 // µs
	peak, anon   int     // KiB
	series       int
	scrapeBytes  float64 // compressed, a series
	scrapeCPU    float64 // µs a series
	everyone     time.Duration
	lateP99      float64 // s
	tlsMedian    float64 // s
	tlsLone      float64 // s
	bytesInAll   int
	successShare float64
}

func (m measured) tell(w io.Writer, name string, peer measured) {
	fmt.Fprintf(w, "%s\n", name)
	fmt.Fprintf(w, "  peak memory                  %7.1f MiB  (own pages %.1f MiB; blackbox %.1f, own %.1f)   aim <= 40 MiB\n",
		float64(m.peak)/1024, float64(m.anon)/1024, float64(peer.peak)/1024, float64(peer.anon)/1024)
	fmt.Fprintf(w, "  looks that succeeded         %7.1f %%    (blackbox %.1f %%)\n", 100*m.successShare, 100*peer.successShare)
	fmt.Fprintf(w, "  all looked at after          %7.1f s    aim <= one interval\n", m.everyone.Seconds())
	fmt.Fprintf(w, "  begun later than its slot    %7.3f s    p99, aim <= 1 s\n", m.lateP99)
	fmt.Fprintf(w, "  a scrape                     %7.1f µs CPU and %.1f bytes a series (%d series, %d bytes)   aim <= 6 µs, 12 bytes\n",
		m.scrapeCPU, m.scrapeBytes, m.series, m.bytesInAll)
	if peer.bytesInAll > 0 {
		fmt.Fprintf(w, "  blackbox, all its scrapes    %7d bytes\n", peer.bytesInAll)
	}
	if m.tlsMedian > 0 {
		fmt.Fprintf(w, "  TLS handshake, median        %7.2f ms   a lone one %.2f ms, aim <= 1.5 times\n", 1e3*m.tlsMedian, 1e3*m.tlsLone)
	}
}

// configure writes a shopwatch.yml for the targets.
func (o options) configure(targets []string, ca string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "exporter:\n  anchors: []\n  host: {collectors: []}\n  modules:\n    look:\n      prober: http\n      timeout: %s\n      http:\n        preferred_ip_protocol: ip4\n", min(5*time.Second, o.interval))
	if ca != "" {
		fmt.Fprintf(&b, "        tls_config: {ca_file: %s}\n", ca)
	}
	b.WriteString("  shops:\n    - id: farm\n      services:\n")
	for i, target := range targets {
		fmt.Fprintf(&b, "        - {id: s%d, module: look, target: %q, interval: %s}\n", i, target, o.interval)
	}
	path := filepath.Join(o.dir, "shopwatch.yml")
	return path, os.WriteFile(path, []byte(b.String()), 0o600)
}

func (o options) startShopwatch(targets []string, ca string) (*process, error) {
	path, err := o.configure(targets, ca)
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp(o.dir, "data")
	if err != nil {
		return nil, err
	}
	return start(o.shopwatch, func(address string) []string {
		return []string{"exporter", "--config.file=" + path, "--data.dir=" + data, "--private.listen-address=" + address, "--log.level=error"}
	})
}

// measureShopwatch lets the exporter look for a while, scraped once an interval.
func (o options) measureShopwatch(targets []string, ca string) (m measured, err error) {
	if strings.HasPrefix(targets[0], "https") {
		if m.tlsLone, err = o.loneHandshake(targets[0], ca); err != nil {
			return m, err
		}
	}
	p, err := o.startShopwatch(targets, ca)
	if err != nil {
		return m, err
	}
	defer p.stop()
	if m.everyone, err = o.untilEveryone(p, len(targets)); err != nil {
		return m, err
	}
	before, err := p.scrape()
	if err != nil {
		return m, err
	}
	began, err := p.cpu()
	if err != nil {
		return m, err
	}
	var after scrape
	for end := time.Now().Add(o.window); time.Now().Before(end); {
		time.Sleep(min(o.interval, time.Until(end)))
		if after, err = p.scrape(); err != nil {
			return m, err
		}
	}
	spent, err := p.cpu()
	if err != nil {
		return m, err
	}
	looks := after.series["shopwatch_look_lateness_seconds_count"] - before.series["shopwatch_look_lateness_seconds_count"]
	m.cpuPerLook = float64((spent - began).Microseconds()) / looks
	m.lateP99 = quantile(after.series, "shopwatch_look_lateness_seconds_bucket", 0.99)
	m.successShare = sum(after.series, "probe_success{") / float64(len(targets))
	m.tlsMedian = median(after.series, `phase="tls"`)
	m.peak, m.anon = p.memory("VmHWM"), p.memory("RssAnon")
	return m, m.costOfScrape(p, float64(len(targets))/o.interval.Seconds())
}

// costOfScrape asks many times in a row, and takes off what the looks of the
// meantime cost, of which there are so many a second.
func (m *measured) costOfScrape(p *process, lookRate float64) error {
	const times = 40
	began, err := p.cpu()
	if err != nil {
		return err
	}
	start := time.Now()
	for range times {
		if _, err := p.get("/metrics"); err != nil {
			return err
		}
	}
	spent, err := p.cpu()
	if err != nil {
		return err
	}
	last, err := p.scrape()
	if err != nil {
		return err
	}
	looking := m.cpuPerLook * time.Since(start).Seconds() * lookRate
	m.series, m.bytesInAll = len(last.series), last.bytes
	m.scrapeBytes = float64(last.bytes) / float64(m.series)
	m.scrapeCPU = max(0, float64((spent-began).Microseconds())-looking) / times / float64(m.series)
	return nil
}

// untilEveryone is how long after the start every target had been looked at.
func (o options) untilEveryone(p *process, n int) (time.Duration, error) {
	for time.Since(p.started) < 20*o.interval {
		s, err := p.scrape()
		if err != nil {
			return 0, err
		}
		if count(s.series, "probe_success{") == n {
			return time.Since(p.started), nil
		}
		time.Sleep(500 * time.Millisecond)
	}
	return 0, fmt.Errorf("not all %d targets were looked at within 20 intervals", n)
}

// loneHandshake is the median TLS phase of a target that is looked at alone.
func (o options) loneHandshake(target, ca string) (float64, error) {
	alone := o
	alone.interval = time.Second
	p, err := alone.startShopwatch([]string{target}, ca)
	if err != nil {
		return 0, err
	}
	defer p.stop()
	var times []float64
	for range 15 {
		time.Sleep(time.Second)
		s, err := p.scrape()
		if err != nil {
			return 0, err
		}
		times = append(times, median(s.series, `phase="tls"`))
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// measureBlackbox paces blackbox_exporter evenly, as a Prometheus would.
func (o options) measureBlackbox(targets []string, ca string) (m measured, err error) {
	module := "modules:\n  look: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4, tls_config: {ca_file: " + ca + "}}}\n"
	path := filepath.Join(o.dir, "blackbox.yml")
	if err := os.WriteFile(path, []byte(module), 0o600); err != nil {
		return m, err
	}
	p, err := start(o.blackbox, func(address string) []string {
		return []string{"--config.file=" + path, "--web.listen-address=" + address, "--log.level=error"}
	})
	if err != nil {
		return m, err
	}
	defer p.stop()
	p.client.Transport = keepAlive(64)
	// One round first, so that both are measured warm.
	if _, _, err := o.pace(p, targets, o.interval); err != nil {
		return m, err
	}
	began, err := p.cpu()
	if err != nil {
		return m, err
	}
	asked, got, err := o.pace(p, targets, o.window)
	if err != nil {
		return m, err
	}
	spent, err := p.cpu()
	if err != nil {
		return m, err
	}
	m.cpuPerLook = float64((spent - began).Microseconds()) / float64(asked)
	m.bytesInAll = got * len(targets) / asked
	m.successShare = 1
	m.peak, m.anon = p.memory("VmHWM"), p.memory("RssAnon")
	return m, nil
}

// pace asks for one target after the other, evenly, and gives how many and how many bytes.
func (o options) pace(p *process, targets []string, during time.Duration) (asked, got int, err error) {
	every := o.interval / time.Duration(len(targets))
	answers := make(chan func() (int, error), 1024)
	begin := time.Now()
	for i := 0; time.Since(begin) < during; i++ {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * every)))
		path := "/probe?module=look&target=" + url.QueryEscape(targets[i%len(targets)])
		asked++
		go func() {
			body, err := p.get(path)
			answers <- func() (int, error) { return len(body), err }
		}()
		for len(answers) > 0 {
			n, failed := (<-answers)()
			got, err = got+n, cmp.Or(err, failed)
		}
	}
	return asked, got, err
}

// measureMany is the memory of many targets.
func (o options) measureMany(targets []string) error {
	few, err := o.startShopwatch(targets[:1], "")
	if err != nil {
		return err
	}
	time.Sleep(o.interval)
	base := few.memory("VmHWM")
	few.stop()
	p, err := o.startShopwatch(targets, "")
	if err != nil {
		return err
	}
	defer p.stop()
	for range 6 {
		time.Sleep(o.interval)
		if _, err := p.scrape(); err != nil {
			return err
		}
	}
	peak := p.memory("VmHWM")
	fmt.Printf("%d targets: peak memory %.1f MiB, %.1f KiB a target beyond the %.1f MiB of one   aim < 20 KiB a target\n",
		len(targets), float64(peak)/1024, float64(peak-base)/float64(len(targets)), float64(base)/1024)
	return nil
}
