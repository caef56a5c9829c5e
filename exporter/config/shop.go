package config

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"shopwatch/exporter"
	"shopwatch/internal/configfile"
	"shopwatch/rules"
)

// longestName is how long a text that stands on the page may be, in runes.
const longestName = 80

var idForm = regexp.MustCompile(`^[a-z0-9_-]{1,40}$`)

// builder makes the nouns of the fields and reports what is wrong with them.
type builder struct {
	file       string // the configuration's name
	problems   *configfile.Problems
	escalation rules.Escalation
	mods       *modules
	pushTokens map[string]bool // those of all services
}

// add reports a mistake in the field of the mapping at path.
func (b builder) add(path, field string, got any, want string) {
	b.problems.Add(configfile.Field(path, field), got, want)
}

// id checks the id of a shop or service and remembers it in seen.
func (b builder) id(path, what, id string, seen map[string]bool) {
	switch {
	case !idForm.MatchString(id):
		b.add(path, "id", id, "1 to 40 of a–z, 0–9, _ and -")
	case seen[id]:
		b.add(path, "id", configfile.Phrase("a second "+what+" "+id), "an id of its own")
	}
	seen[id] = true
}

// name checks a text that people read.
func (b builder) name(path, field string, name rules.Text) {
	for _, language := range []string{"zh", "en"} {
		text := name.In(language)
		switch {
		case utf8.RuneCountInString(text) > longestName:
			b.add(path, field, text, fmt.Sprintf("at most %d characters", longestName))
			return
		case strings.ContainsFunc(text, unicode.IsControl):
			b.add(path, field, text, "one line of text")
			return
		}
	}
}

func (b builder) shop(path string, fields shopFields) exporter.Shop {
	shop := exporter.Shop{ID: fields.ID, Name: fields.Name.or(fields.ID)}
	if shop.ID == rules.ShopSelf {
		b.add(path, "id", shop.ID, "another id: "+rules.ShopSelf+" is what alerts about the monitoring itself are called by")
	}
	b.name(path, "name", shop.Name)
	if fields.Ledger == nil && len(fields.Services) == 0 {
		b.problems.Add(path, configfile.Phrase("a shop with nothing to watch"), "services, or a ledger")
	}
	if fields.Ledger != nil {
		shop.Ledger = b.ledger(configfile.Field(path, "ledger"), *fields.Ledger)
	}
	seen := make(map[string]bool)
	servicesPath := configfile.Field(path, "services")
	for i, service := range fields.Services {
		at := configfile.Item(servicesPath, i)
		switch service.ID {
		case rules.ServiceDelivery:
			b.add(at, "id", service.ID, "another id: delivery is the service that is judged from the orders")
		case rules.ServiceLedger:
			b.add(at, "id", service.ID, "another id: ledger is what alerts call the shop's books")
		default:
			b.id(at, "service", service.ID, seen)
		}
		made := b.service(at, service)
		made.Shop, made.Position = shop.ID, i+1
		shop.Services = append(shop.Services, made)
	}
	b.dependencies(servicesPath, shop.Services)
	return shop
}

// delivery makes the shop's delivery service. It takes its position among the
// services: those from there on move one down.
func (b builder) delivery(shopPath string, shop *exporter.Shop, given *deliveryFields) exporter.Service {
	fields := given
	if fields == nil {
		fields = new(deliveryFields)
		fields.SetDefaults()
	}
	path := configfile.Field(shopPath, "delivery")
	last := len(shop.Services) + 1
	position := last
	if fields.Position != nil {
		position = *fields.Position
	}
	if position < 1 || position > last {
		b.add(path, "position", position, fmt.Sprintf("1–%d", last))
	}
	for i := range shop.Services {
		if shop.Services[i].Position >= position {
			shop.Services[i].Position++
		}
	}
	service := exporter.Service{
		Shop: shop.ID, ID: rules.ServiceDelivery,
		Name:     fields.Name.or(rules.ServiceDelivery),
		Group:    fields.Group.or(defaultGroup.EN),
		Role:     rules.RoleDelivery,
		Position: position,
		Critical: fields.Critical,
		Public:   fields.Public,

		DependsOn: fields.DependsOn,
	}
	b.known(configfile.Field(path, "depends_on"), service.DependsOn, shop.Services)
	b.name(path, "name", service.Name)
	b.name(path, "group", service.Group)
	return service
}

func (b builder) atLeast(path, field string, got, least time.Duration) {
	if got < least {
		b.add(path, field, got, fmt.Sprintf("at least %s", shortest(least)))
	}
}

func (b builder) notNegative(path, field string, got time.Duration) {
	if got < 0 {
		b.add(path, field, got, "0 or more")
	}
}

func (b builder) positive(path, field string, got time.Duration) {
	if got <= 0 {
		b.add(path, field, got, "more than 0")
	}
}

// shortest writes 1h for 1h0m0s.
func shortest(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}
