package statuspage

import (
	"fmt"
	"math"
	"strings"
	"time"

	"shopwatch/rules"
)

// The strip's drawing, in units of its own: bars are as wide as the reader's
// screen lets them be. Trouble stands taller than health and nothing lies low,
// so the strip reads without colours too.
const (
	barStep   = 6
	barWidth  = 4
	barHeight = 32
)

var barTall = map[colour]int{green: 22, yellow: 27, red: barHeight, blue: 22, grey: 4}

// stripView is a service's past as bars.
type stripView struct {
	Width, Height int
	Paths         []pathView // quiet bars, one path a colour
	Marks         []markView // bars in trouble, each with its tale
	Label         string     // the whole strip in a sentence
	From, To      string
	Uptime        string
}

type pathView struct {
	Colour colour
	D      string
}

type markView struct {
	Colour             colour
	X, Y, Wide, Height int
	Title              string
}

func (c composer) strip(s Component) stripView {
	view := stripView{Height: barHeight, Width: max(1, len(s.History)*barStep-(barStep-barWidth)), Uptime: c.uptime(s.History), To: c.say(sayNow)}
	if !c.fresh {
		view.To = c.say(sayThen)
	}
	quiet := make(map[colour]*strings.Builder)
	var outage time.Duration
	for n, bar := range s.History {
		tint := colourOf(statusOf(bar))
		x, tall := n*barStep, barTall[tint]
		outage += bar.Outage
		if tint == red || tint == yellow {
			view.Marks = append(view.Marks, markView{Colour: tint, X: x, Y: barHeight - tall, Wide: barWidth, Height: tall, Title: c.tale(bar)})
			continue
		}
		if quiet[tint] == nil {
			quiet[tint] = new(strings.Builder)
		}
		fmt.Fprintf(quiet[tint], "M%d %dh%dv%dh-%dz", x, barHeight-tall, barWidth, tall, barWidth)
	}
	for _, tint := range colours {
		if path := quiet[tint]; path != nil {
			view.Paths = append(view.Paths, pathView{Colour: tint, D: path.String()})
		}
	}
	if len(s.History) == 0 || c.barLength <= 0 {
		return view
	}
	whole := c.round(time.Duration(len(s.History)) * c.barLength)
	view.From = c.say(sayAgo, whole)
	if view.Uptime == c.say(sayNoData) { // nobody looked, so that nobody knows of none
		view.Label = view.Uptime
		return view
	}
	view.Label = c.say(sayStripWell, whole, view.Uptime)
	if outage > 0 {
		view.Label = c.say(sayStripOut, whole, view.Uptime, c.length(outage))
	}
	return view
}

// statusOf is what a bar shows: its status, judged by its share of good time
// where it names none.
func statusOf(bar Bar) rules.Status {
	switch {
	case bar.Status != "" && bar.Status != rules.Unknown:
		return bar.Status
	case math.IsNaN(bar.Up) || bar.Status == rules.Unknown:
		return rules.Unknown
	case bar.Outage > 0:
		return rules.Outage
	case bar.Up < 1:
		return rules.Degraded
	}
	return rules.Operational
}

// tale says what happened in one bar.
func (c composer) tale(bar Bar) string {
	if bar.Outage > 0 {
		return c.say(sayBarOut, c.clock(bar.Start), c.round(c.barLength), c.length(bar.Outage))
	}
	return c.say(sayBar, c.clock(bar.Start), c.round(c.barLength), c.say(statusWords[statusOf(bar)]))
}

// uptime is the share of good time of all that somebody saw, and says for how long
// that was where it misses more than one bar.
func (c composer) uptime(history []Bar) string {
	var good float64
	var seen time.Duration
	for _, bar := range history {
		if !math.IsNaN(bar.Up) && statusOf(bar) != rules.Unknown {
			good += min(max(bar.Up, 0), 1) * float64(bar.Seen)
			seen += bar.Seen
		}
	}
	if seen <= 0 {
		return c.say(sayNoData)
	}
	share := c.percent(good / float64(seen))
	if seen > time.Duration(len(history)-1)*c.barLength {
		return c.say(sayUptime, share)
	}
	if seen > c.barLength {
		seen = seen.Round(c.barLength)
	}
	return c.say(sayCoverage, share, c.round(seen))
}
