package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"shopwatch/exporter"
	"shopwatch/internal/configfile"
	"shopwatch/rules"
)

// mostInRow bounds both thresholds of hysteresis.
const mostInRow = 100

func (b builder) service(path string, fields serviceFields) exporter.Service {
	service := exporter.Service{
		ID:               fields.ID,
		Name:             fields.Name.or(fields.ID),
		Group:            fields.Group.or(defaultGroup.EN),
		Role:             fields.Role,
		Critical:         fields.Critical,
		Public:           fields.Public,
		Interval:         fields.Interval,
		Slow:             fields.Slow,
		FailureThreshold: fields.FailureThreshold,
		SuccessThreshold: fields.SuccessThreshold,
		DependsOn:        fields.DependsOn,
	}
	b.name(path, "name", service.Name)
	b.name(path, "group", service.Group)
	if !slices.Contains(rules.Roles, fields.Role) {
		b.add(path, "role", fields.Role, "one of "+joined(rules.Roles))
	}
	b.atLeast(path, "interval", fields.Interval, time.Second)
	b.positive(path, "slow", fields.Slow)
	b.inRow(path, "failure_threshold", fields.FailureThreshold)
	b.inRow(path, "success_threshold", fields.SuccessThreshold)

	service.Module = b.kind(path, fields)
	service.Targets = b.targets(path, fields, service.Module)
	if fields.Answers != nil && *fields.Answers < len(service.Targets) {
		service.Answers = *fields.Answers
	}
	service.Outward = outward(service.Module, service.Targets)
	if fields.Outward != nil {
		service.Outward = *fields.Outward
	}
	service.Timeout = b.timeout(path, fields, service.Module)
	return service
}

const defaultTimeout = 10 * time.Second

// timeout is the service's own, or the least of 10 s, its interval and its module's.
func (b builder) timeout(path string, fields serviceFields, module exporter.Module) time.Duration {
	if fields.Timeout != nil {
		b.positive(path, "timeout", *fields.Timeout)
		if *fields.Timeout > fields.Interval {
			b.add(path, "timeout", *fields.Timeout, "at most the interval: a look ends before the next begins")
		}
		return *fields.Timeout
	}
	timeout := min(defaultTimeout, fields.Interval)
	if module.Timeout > 0 {
		if module.Timeout > fields.Interval {
			b.add(path, "module", configfile.Phrase(fmt.Sprintf("%s, whose timeout is %s", module.Name, module.Timeout)),
				"a timeout of at most the interval, "+shortest(fields.Interval)+": a look ends before the next begins")
		}
		timeout = min(timeout, module.Timeout)
	}
	return timeout
}

func (b builder) inRow(path, field string, got int) {
	if got < 1 || got > mostInRow {
		b.add(path, field, got, fmt.Sprintf("1–%d", mostInRow))
	}
}

// late warns of services that can be told beside what they depend on: until the
// cause is an outage, nothing keeps its children quiet.
func (b builder) late(warnings *configfile.Problems, servicesPath string, services []exporter.Service) {
	at := make(map[string]int)
	for i, service := range services {
		at[service.ID] = i
	}
	warned := make(map[int]bool)
	for _, child := range services {
		for _, id := range child.DependsOn {
			i := at[id]
			cause := services[i]
			if known := time.Duration(cause.FailureThreshold)*cause.Interval + cause.Timeout; known > b.escalation.Ops && !warned[i] {
				warned[i] = true
				warnings.Add(configfile.Field(configfile.Item(servicesPath, i), "failure_threshold"),
					configfile.Phrase(fmt.Sprintf("%d looks of %s and a timeout of %s, %s until an outage is known",
						cause.FailureThreshold, shortest(cause.Interval), shortest(cause.Timeout), shortest(known))),
					fmt.Sprintf("at most escalation.ops, %s: or %s, which depends on it, is told beside its cause", shortest(b.escalation.Ops), child.ID))
			}
		}
	}
}

func joined[T ~string](values []T) string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	return strings.Join(texts, ", ")
}
