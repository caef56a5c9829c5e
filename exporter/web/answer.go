package web

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"shopwatch/exporter"
	"shopwatch/rules"
)

// answer tells what a look gave, as metrics or for people.
func answer(out http.ResponseWriter, r *http.Request, look asked, reading exporter.Reading) {
	families := familiesOf(reading)
	if look.debug {
		header := out.Header()
		header.Set("Content-Type", "text/plain; charset=utf-8")
		header.Set("X-Content-Type-Options", "nosniff")
		_, _ = out.Write(debugOutput(look, reading, families)) // a reader who has left is no news
		return
	}
	gatherer := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
	promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{}).ServeHTTP(out, r)
}

// familiesOf are the samples of a reading, by name. The labels that tell one
// service of ours from another are left out: here the scraper knows what it asked.
func familiesOf(reading exporter.Reading) []*dto.MetricFamily {
	byName := map[string]*dto.MetricFamily{}
	shown := map[string]bool{}
	common := len(rules.ProbeSuccess.Labels)
	for _, sample := range reading.Samples {
		m := sample.Metric
		key := fmt.Sprintf("%s %q", m.Name, sample.Labels)
		if len(m.Labels) != common+len(sample.Labels) || shown[key] {
			continue // one bad series must not cost the answer
		}
		shown[key] = true
		family := byName[m.Name]
		if family == nil {
			family = &dto.MetricFamily{Name: &m.Name, Help: &m.Help, Type: dto.MetricType_GAUGE.Enum()}
			byName[m.Name] = family
		}
		one := &dto.Metric{Gauge: &dto.Gauge{Value: &sample.Value}}
		for i, name := range m.Labels[common:] {
			value := string(bytes.ToValidUTF8([]byte(sample.Labels[i]), []byte("\uFFFD")))
			one.Label = append(one.Label, &dto.LabelPair{Name: &name, Value: &value})
		}
		slices.SortFunc(one.Label, func(a, b *dto.LabelPair) int { return cmp.Compare(a.GetName(), b.GetName()) })
		family.Metric = append(family.Metric, one)
	}
	families := make([]*dto.MetricFamily, 0, len(byName))
	for _, family := range byName {
		families = append(families, family)
	}
	slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return families
}

// debugOutput is what blackbox_exporter shows with debug=true: what the look
// went through, its metrics and its module.
func debugOutput(look asked, reading exporter.Reading, families []*dto.MetricFamily) []byte {
	var text bytes.Buffer
	line := func(format string, values ...any) { fmt.Fprintf(&text, format+"\n", values...) }
	line("Logs for the probe:")
	line("module=%q target=%q prober=%s timeout=%s: look begins", look.name, reading.Target, look.module.Kind, look.timeout)
	for _, phase := range reading.Phases {
		line("phase=%s took=%s", phase.Name, phase.Took.Round(time.Microsecond))
	}
	took := reading.End.Sub(reading.Start).Round(time.Microsecond)
	if reading.Success {
		line("look succeeded, took=%s", took)
	} else {
		line("look failed, took=%s reason=%s detail=%q", took, reading.Reason, reading.Detail)
	}
	line("\n\n\nMetrics that would have been returned:")
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			line("%s can't be shown", family.GetName())
		}
	}
	line("\n\n\nModule configuration:")
	text.Write(shown(look.module))
	return text.Bytes()
}
