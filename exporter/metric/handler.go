package metric

import (
	"compress/gzip"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// zippers are used again: each holds the better part of a megabyte.
var zippers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// Handler answers scrapes with what own gives and then the others, in the
// format and compression that the scraper asks for, as promhttp's handler does.
// Of a family that several give, the first is shown. A gatherer that fails
// spoils only itself; the log (nil for none) hears of it. Scrapers may ask for
// some families only, by the query parameter name[].
func Handler(log *slog.Logger, own *Gatherer, others ...prometheus.Gatherer) http.Handler {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Others first: what they do may take a while, and own shows its moment.
		rest, err := prometheus.Gatherers(others).Gather()
		if err != nil {
			log.Warn("some metrics can't be gathered", "err", err)
		}
		format := expfmt.NegotiateAccept(r.Header, expfmt.DefaultAcceptedFormats()...)
		header := w.Header()
		header.Set("Content-Type", string(format))
		header.Add("Vary", "Accept, Accept-Encoding")
		var out io.Writer = w
		if zipped(r.Header.Get("Accept-Encoding")) {
			header.Set("Content-Encoding", "gzip")
			zipper, _ := zippers.Get().(*gzip.Writer)
			defer zippers.Put(zipper)
			zipper.Reset(w)
			defer zipper.Close() //nolint:errcheck // fails only where the scraper has left
			out = zipper
		}
		// A scraper that leaves is no news: its next scrape tells.
		_ = encode(expfmt.NewEncoder(out, format), own.Families(), rest, r.URL.Query()["name[]"])
	})
}

// encode writes each family once: the own, then those of the rest that are new.
func encode(encoder expfmt.Encoder, own iter.Seq[*dto.MetricFamily], rest []*dto.MetricFamily, only []string) error {
	written := make(map[string]bool, len(families)+len(rest))
	write := func(family *dto.MetricFamily) error {
		name := family.GetName()
		if written[name] || len(only) > 0 && !slices.Contains(only, name) {
			return nil
		}
		written[name] = true
		return encoder.Encode(family)
	}
	for family := range own {
		if err := write(family); err != nil {
			return err
		}
	}
	for _, family := range rest {
		if err := write(family); err != nil {
			return err
		}
	}
	if closer, ok := encoder.(expfmt.Closer); ok {
		return closer.Close()
	}
	return nil
}

// zipped reports whether an Accept-Encoding asks for gzip.
func zipped(accept string) bool {
	for one := range strings.SplitSeq(accept, ",") {
		name, weight, _ := strings.Cut(one, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			_, q, given := strings.Cut(weight, "=")
			worth, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
			return !given || err == nil && worth > 0
		}
	}
	return false
}
