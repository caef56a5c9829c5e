package incident

import (
	"slices"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

// causes gives the keys of all services that the service of a key depends on,
// directly or through others, and the service itself where they go in a circle.
func (m *Machine) causes(key string) []string {
	var all []string
	service, _ := m.cfg.Service(key)
	for next := slices.Clone(service.DependsOn); len(next) > 0; next = next[1:] {
		if slices.Contains(all, next[0]) {
			continue
		}
		all = append(all, next[0])
		if cause, ok := m.cfg.Service(next[0]); ok {
			next = append(next, cause.DependsOn...)
		}
	}
	return all
}

// due is until when an incident waits for its root cause: not at all where its
// service depends on nothing, or it is of something beside the service's work,
// as a certificate is.
func (m *Machine) due(now time.Time, i notifier.Incident) time.Time {
	if i.Key != i.Service.Key() || len(m.causes(i.Key)) == 0 {
		return time.Time{}
	}
	return now.Add(m.cfg.ParentWait)
}

// follow finds the incident that this one follows from, and sets Parent. One that
// loses its parent and runs on waits a while to be told, since its own end may
// only be on the way.
func (m *Machine) follow(r *Result, now time.Time, scene Scene) *notifier.Incident {
	i := &r.Incident
	parent := m.root(*i, scene)
	id := ""
	if parent != nil {
		id = parent.ID
	}
	if id == i.Parent {
		return parent
	}
	if id == "" {
		i.Due = later(i.Due, now.Add(m.cfg.ParentWait))
	}
	i.Parent, r.Changed = id, true
	return parent
}

// root is the open incident of a service that this one depends on, nil where
// there is none. Of several it is one that follows from no other.
func (m *Machine) root(i notifier.Incident, scene Scene) *notifier.Incident {
	if i.Key != i.Service.Key() {
		return nil
	}
	var found *notifier.Incident
	for _, key := range m.causes(i.Key) {
		p := scene.latest(key)
		if p == nil || p.ID == i.ID || !p.Open() || !bears(*p, i) {
			continue
		}
		if slices.Contains(m.causes(key), i.Key) && !before(*p, i) {
			continue // a circle: the first to begin is the cause of the others
		}
		if found == nil || found.Parent != "" && p.Parent == "" || (found.Parent == "") == (p.Parent == "") && before(*p, *found) {
			found = p
		}
	}
	return found
}

// bears reports whether trouble p accounts for trouble i: ops know of it or are
// about to hear, and what fires of it weighs as much.
func bears(p, i notifier.Incident) bool {
	firing := running(p.Alerts)
	return knows(&p, rules.Ops) && len(firing) > 0 && gravest(firing) >= gravest(running(i.Alerts))
}

func before(a, b notifier.Incident) bool {
	return a.Opened.Before(b.Opened) || a.Opened.Equal(b.Opened) && a.ID < b.ID
}

// knows reports whether an audience was told of an incident that runs, or is about to be.
func knows(i *notifier.Incident, audience rules.Audience) bool {
	_, pending := i.Pending[audience]
	return pending || wasTold(*i, audience)
}

// hides reports whether an audience is told nothing of what follows from the
// incident: it knows the cause, or isn't to be bothered with it. Buyers who can't
// be told of a private cause hear of what they feel.
func hides(parent *notifier.Incident, audience rules.Audience) bool {
	switch {
	case parent == nil:
		return false
	case audience == rules.Subscribers:
		return parent.Public
	case audience == rules.Management && parent.Held != nil:
		return true
	}
	return knows(parent, audience)
}

// awaits reports whether the end of an incident is not to be told yet: what it
// follows from runs on, and everybody who was told of the one knows of the other.
func awaits(i notifier.Incident, parent *notifier.Incident) bool {
	owed := owed(i)
	return len(owed) > 0 && !slices.ContainsFunc(owed, func(a rules.Audience) bool { return !hides(parent, a) })
}

// followers gives the incidents that follow from one, run, and of which ops
// heard neither by themselves nor beside it.
func followers(i notifier.Incident, open []notifier.Incident) []notifier.Incident {
	var list []notifier.Incident
	for n := range open {
		child := &open[n]
		if child.Parent == i.ID && child.Open() && !wasTold(*child, rules.Ops) && knows(child, rules.Ops) &&
			!slices.Contains(i.Children, child.ID) && len(running(child.Alerts)) > 0 {
			list = append(list, *child)
		}
	}
	return list
}
