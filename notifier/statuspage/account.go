package statuspage

import (
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// verdict puts the judgement into the sentences that a worried buyer reads first.
func (c composer) verdict(v verdict) verdictView {
	view := verdictView{Colour: v.colour}
	if !c.at.IsZero() && c.fresh {
		view.LastLook = c.say(sayLastLook, c.clock(c.at), c.zoneShort())
	}
	names := c.names(v.services)
	switch v.mood {
	case blind:
		view.Headline, view.Lead = c.say(sayBlind), c.blindLead(v)
	case empty:
		view.Headline, view.Lead = c.say(sayEmpty), []string{c.say(sayEmptyLead)}
	case failing:
		view.Headline, view.URL = c.say(v.incident.Title), incidentPath(v.incident.ID)+c.choice
		view.Lead, view.Advice = c.failingLead(*v.incident), c.advise(v.incident.Service)
	case checking:
		view.Headline = c.say(sayChecking, names)
		view.Lead, view.Advice = c.checkingLead(v.services), c.advise(v.services[0].Service)
	case recovering:
		view.Headline, view.URL = c.say(sayRecovering, names), incidentPath(v.incident.ID)+c.choice
		view.Lead = []string{c.say(sayRecoverLead)}
		view.Advice = c.advise(v.incident.Service)
	case slow:
		view.Headline, view.Lead = c.say(saySlow, names), c.slowLead(v.services)
	case planned:
		view.Headline, view.Lead = c.say(sayPlanned, c.plannedNames(v)), c.plannedLead(v)
		view.Advice = c.plannedAdvice(v.services)
		if v.work != nil {
			view.URL = maintenancePath(v.work.ID) + c.choice
		}
	case partly:
		view.Headline, view.Lead = c.say(sayPartly, names), []string{c.say(sayPartlyLead)}
	case well:
		view.Headline, view.Lead = c.say(sayWell), c.wellLead()
	}
	if v.others > 0 && v.mood != blind {
		view.Lead = append(view.Lead, c.say(sayOthers, v.others))
	}
	return view
}

// wellLead also names what ended within the hour: who comes after a bad message
// must see that it is over, not that nothing ever was.
func (c composer) wellLead() []string {
	lead := []string{c.say(sayWellLead)}
	var just string
	latest := c.asOf.Add(-time.Hour)
	for _, i := range c.resolved {
		if i.Over.After(latest) {
			latest, just = i.Over, c.say(sayJustOver, c.say(i.Title), c.span(i))
		}
	}
	for _, m := range c.past {
		if m.Status == notifier.Completed && m.Ended.After(latest) {
			latest, just = m.Ended, c.say(sayJustDone, c.say(m.Title), c.maintenanceSpan(m))
		}
	}
	if just != "" {
		lead = append(lead, just)
	}
	return lead
}

func (c composer) blindLead(v verdict) []string {
	if c.at.IsZero() {
		return []string{c.say(sayBlindNever)}
	}
	lead := []string{c.join(c.say(sayBlindSince, c.dated(c.at), c.zoneShort()), c.say(sayBlindLead))}
	if v.others > 0 {
		lead = append(lead, c.say(sayBlindOpen, v.others))
	}
	return lead
}

// failingLead says since when, how many wait, and who has been told: facts, in that order.
func (c composer) failingLead(i notifier.Incident) []string {
	lead := []string{c.say(saySinceRunning, c.clock(i.Since), c.length(c.asOf.Sub(i.Since)))}
	if i.Service.Role == rules.RoleDelivery {
		lead = append(lead, c.waiting(i.Service.Shop)...)
	}
	var told []string
	if at := i.Told[rules.Ops]; !at.IsZero() {
		told = append(told, c.say(sayToldOps, c.clock(at)))
	}
	if at := i.Told[rules.Management]; !at.IsZero() {
		told = append(told, c.say(sayToldManagement, c.clock(at)))
	}
	if len(told) > 0 {
		lead = append(lead, c.join(told...))
	}
	if promise := c.promise(i); promise != "" {
		lead = append(lead, promise+c.say(text("。", ".")))
	}
	return lead
}

func (c composer) checkingLead(services []Component) []string {
	var lead []string
	for _, s := range services {
		switch {
		case s.Role == rules.RoleDelivery:
			lead = append(lead, c.waiting(s.Shop)...)
		case s.Since.IsZero():
			lead = append(lead, c.say(sayNoAnswerNow, c.say(s.Name)))
		default:
			lead = append(lead, c.say(sayNoAnswer, c.say(s.Name), c.clock(s.Since), c.length(c.asOf.Sub(s.Since))))
		}
	}
	return append(lead, c.say(sayLooking))
}

func (c composer) slowLead(services []Component) []string {
	var lead []string
	for _, s := range services {
		sentence := saySlowLead
		if s.Role == rules.RoleDelivery {
			sentence = saySlowDelivery
		}
		if said := c.say(sentence); len(lead) == 0 || lead[len(lead)-1] != said {
			lead = append(lead, said)
		}
	}
	return lead
}

// waiting says how many paid orders wait and that they are recorded, if the
// books say so now.
func (c composer) waiting(shop string) []string {
	o := c.ordersOf(shop)
	if o == nil || !o.LedgerFresh || o.Automatic.Count() == 0 {
		return nil
	}
	return []string{c.queue(*o), c.say(sayRecorded)}
}

// queue says how many paid orders wait for the machine, and since when.
func (c composer) queue(o Orders) string {
	w := o.Automatic
	switch {
	case w.Count() == 0:
		return c.say(sayNoneWaiting)
	case w.Oldest.IsZero():
		return c.say(sayWaitingThen, w.Count())
	case w.Late() == 0:
		return c.say(sayBeingSent, w.Count(), c.length(c.asOf.Sub(w.Oldest)))
	}
	return c.say(sayWaiting, w.Count(), c.clock(w.Oldest), c.length(c.asOf.Sub(w.Oldest)))
}

// advise says what a buyer can do about a failing service. For payments it names
// the methods of the same shop that work.
func (c composer) advise(s notifier.Service) []string {
	var said []string
	if s.Role == rules.RolePayment {
		if working := c.working(s); len(working) > 0 {
			said = append(said, c.say(adviceElsewhere, c.say(s.Name), c.names(working)))
		} else {
			said = append(said, c.say(adviceNoPayment, c.say(s.Name)))
		}
	}
	sentences, known := advice[s.Role]
	if !known {
		sentences = advice[rules.RoleOther]
	}
	for _, sentence := range sentences {
		said = append(said, c.say(sentence))
	}
	if s.Role == rules.RoleDelivery {
		said = append(said, c.say(adviceTooLong, c.round(c.page.config.Escalation.Management)))
	}
	return said
}

// working lists the shop's payment methods that work now, without s itself.
func (c composer) working(s notifier.Service) []Component {
	var working []Component
	for _, other := range c.services {
		if other.Shop == s.Shop && other.Role == rules.RolePayment && other.ID != s.ID && other.Status == rules.Operational {
			working = append(working, other)
		}
	}
	return working
}

// ordersView is the waiting orders of one shop.
type ordersView struct {
	Shop      string // "" if the page has one shop only
	Stale     bool
	Sentences []string
	Tiers     []tierView // nil if none waits
	Notes     []string
}

type tierView struct {
	Label  string
	Count  int
	Colour colour
}

// ordersView tells of a shop's orders; told is true if the headline has already
// said how many wait.
func (c composer) ordersView(o Orders, told bool) ordersView {
	view := ordersView{Shop: c.shopName(o.Shop), Stale: !o.LedgerFresh}
	switch {
	case view.Stale && o.LedgerAt.IsZero():
		view.Sentences = []string{c.say(sayLedgerNever)}
		return view
	case view.Stale && o.Automatic.Count() == 0:
		view.Sentences = []string{c.say(sayLedgerNone, c.clock(o.LedgerAt))}
	case view.Stale:
		view.Sentences = []string{c.say(sayLedgerStale, c.clock(o.LedgerAt))}
	case o.Automatic.Late() == 0:
		view.Sentences = []string{c.queue(o)}
	case !told:
		view.Sentences = []string{c.queue(o), c.say(sayRecorded)}
	}
	if o.Automatic.Count() > 0 {
		view.Tiers = c.tiers(o, view.Stale)
	}
	if o.ShortOfStock > 0 {
		view.Notes = append(view.Notes, c.say(sayShortOfStock, o.ShortOfStock))
	}
	if n := o.Manual.Count(); n > 0 && !o.Manual.Oldest.IsZero() && !view.Stale {
		view.Notes = append(view.Notes, c.say(sayManual, n, c.clock(o.Manual.Oldest)))
	} else if n > 0 {
		view.Notes = append(view.Notes, c.say(sayManualThen, n))
	}
	if c.paymentTrouble(o.Shop) {
		view.Notes = append(view.Notes, c.say(sayUnseenPayment))
	}
	return view
}

// shopName names a shop where the page has more than one.
func (c composer) shopName(id string) string {
	for _, s := range c.shops {
		if s.ID == id && len(c.shops) > 1 {
			return c.say(s.Name)
		}
	}
	return ""
}

func (c composer) tiers(o Orders, stale bool) []tierView {
	e := c.page.config.Escalation
	names := []string{
		c.say(sayUpTo, c.round(e.Ops)),
		c.say(sayBetween, c.round(e.Ops), c.round(e.Management)),
		c.say(sayOver, c.round(e.Management)),
	}
	tints := []colour{green, yellow, red}
	var tiers []tierView
	for n, age := range rules.Ages {
		tier := tierView{Label: names[n], Count: o.Automatic.Ages[age], Colour: tints[n]}
		if tier.Count == 0 || stale {
			tier.Colour = grey
		}
		tiers = append(tiers, tier)
	}
	return tiers
}

// paymentTrouble reports whether charges may be missing from the shop's books now.
func (c composer) paymentTrouble(shop string) bool {
	for _, s := range c.services {
		if s.Shop == shop && s.Role == rules.RolePayment && s.Status == rules.Outage {
			return true
		}
	}
	for _, i := range c.open {
		if i.Service.Shop == shop && i.Service.Role == rules.RolePayment {
			return true
		}
	}
	return false
}
