package main

import (
	"cmp"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// keepAlive is a transport that keeps some connections open, as a scraper does.
func keepAlive(conns int) http.RoundTripper {
	return &http.Transport{MaxIdleConnsPerHost: conns, DisableCompression: true}
}

func count(series map[string]float64, prefix string) (n int) {
	for name := range series {
		if strings.HasPrefix(name, prefix) {
			n++
		}
	}
	return n
}

func sum(series map[string]float64, prefix string) (total float64) {
	for name, value := range series {
		if strings.HasPrefix(name, prefix) {
			total += value
		}
	}
	return total
}

// median is that of all series whose labels hold the text.
func median(series map[string]float64, label string) float64 {
	var values []float64
	for name, value := range series {
		if strings.Contains(name, label) {
			values = append(values, value)
		}
	}
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// quantile is the upper bound of the bucket of a classic histogram in which the quantile lies.
func quantile(series map[string]float64, bucket string, q float64) float64 {
	type bound struct{ le, count float64 }
	var bounds []bound
	for name, value := range series {
		if rest, ok := strings.CutPrefix(name, bucket+`{le="`); ok {
			le, err := strconv.ParseFloat(strings.TrimSuffix(rest, `"}`), 64)
			if err == nil {
				bounds = append(bounds, bound{le, value})
			}
		}
	}
	slices.SortFunc(bounds, func(a, b bound) int { return cmp.Compare(a.le, b.le) })
	for _, b := range bounds {
		if b.count >= q*bounds[len(bounds)-1].count {
			return b.le
		}
	}
	return math.NaN()
}
