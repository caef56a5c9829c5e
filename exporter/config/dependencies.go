package config

import (
	"slices"
	"strings"

	"shopwatch/exporter"
	"shopwatch/internal/configfile"
)

// dependencies checks that every depends_on names another service of the shop
// and that none leads back to where it began.
func (b builder) dependencies(servicesPath string, services []exporter.Service) {
	at := make(map[string]int)
	for i, service := range services {
		if _, again := at[service.ID]; !again {
			at[service.ID] = i
		}
		b.known(configfile.Field(configfile.Item(servicesPath, i), "depends_on"), service.DependsOn, services)
	}
	for _, circle := range circles(services, at) {
		var ids []string
		for _, index := range circle {
			ids = append(ids, services[index].ID)
		}
		path := configfile.Field(configfile.Item(servicesPath, circle[0]), "depends_on")
		b.problems.Add(path, configfile.Phrase("a circle: "+strings.Join(append(ids, ids[0]), " → ")), "none")
	}
}

// known checks that every id of a depends_on names one of the shop's services.
func (b builder) known(path string, ids []string, services []exporter.Service) {
	var known []string
	for _, service := range services {
		known = append(known, service.ID)
	}
	slices.Sort(known)
	known = slices.Compact(known)
	for i, id := range ids {
		if !slices.Contains(known, id) {
			b.problems.Add(configfile.Item(path, i), id, "a service of this shop: "+strings.Join(known, ", "))
		}
	}
}

// circles gives each way along depends_on that leads back, as indexes that
// begin with the least; one a way back that a walk from the first service meets.
func circles(services []exporter.Service, at map[string]int) [][]int {
	const (
		unseen = iota
		onWay
		done
	)
	state := make([]int, len(services))
	var way []int
	var found [][]int
	var walk func(int)
	walk = func(i int) {
		state[i] = onWay
		way = append(way, i)
		for _, id := range services[i].DependsOn {
			next, ok := at[id]
			switch {
			case !ok || state[next] == done:
			case state[next] == unseen:
				walk(next)
			default:
				circle := way[slices.Index(way, next):]
				least := slices.Index(circle, slices.Min(circle))
				found = append(found, slices.Concat(circle[least:], circle[:least]))
			}
		}
		way = way[:len(way)-1]
		state[i] = done
	}
	for i := range services {
		if state[i] == unseen {
			walk(i)
		}
	}
	return found
}
