package incident_test

import (
	"testing"
	"time"

	"shopwatch/rules"
)

func TestServiceThatDependsOnNothingIsToldAtOnce(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fires(w.outage("alipay", rules.Ops, w.now))
	w.expect(t, "at once", "alipay ops:down", "alipay subscribers:down")
}

func TestChildWaitsForItsParentAndIsThenListedBesideIt(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	home, cache := w.outage("home", rules.Ops, w.now), w.outage("cache", rules.Ops, w.now.Add(20*time.Second))
	w.fires(home)
	w.tick(20 * time.Second)
	w.expect(t, "while it waits")
	w.fires(cache)
	w.expect(t, "the cause", "cache ops:down", "cache subscribers:down")
	w.tick(5 * time.Minute)
	w.expect(t, "what follows from it", "cache ops:joined")
	if child := w.latest("demo/home"); child.Parent != w.latest("demo/cache").ID || child.Public {
		t.Errorf("the child has parent %q, public %v", child.Parent, child.Public)
	}
	w.ends(home)
	w.tick(7 * time.Minute)
	w.expect(t, "a child's end under its open parent")
	w.ends(cache)
	w.tick(20 * time.Minute)
	w.expect(t, "the parent's end", "cache ops:recovered", "cache subscribers:recovered")
	if len(w.open()) > 0 {
		t.Errorf("open at the end: %+v", w.open())
	}
}

func TestChildWithoutParentIsToldAfterItsWaitAndNotLater(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fires(w.outage("home", rules.Ops, w.now))
	w.tick(29 * time.Second)
	w.expect(t, "while it waits")
	w.tick(30 * time.Second)
	w.expect(t, "then", "home ops:down", "home subscribers:down")
}

func TestChildThatOutlivesItsParentIsToldAsItsOwn(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	home, cache := w.outage("home", rules.Ops, w.now), w.outage("cache", rules.Ops, w.now)
	w.fires(cache)
	w.fires(home)
	w.tick(10 * time.Minute)
	w.told()
	w.ends(cache)
	w.expect(t, "the parent's end", "cache ops:recovered", "cache subscribers:recovered")
	w.tick(10*time.Minute + 20*time.Second)
	w.expect(t, "while its own end may be on the way")
	w.tick(11 * time.Minute)
	w.expect(t, "then", "home ops:down", "home subscribers:down")
	w.ends(home)
	w.expect(t, "its end", "home ops:recovered", "home subscribers:recovered")
}

func TestChildThatWasToldFirstHasItsEndToldWithItsParents(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	home, cache := w.outage("home", rules.Ops, w.now), w.outage("cache", rules.Ops, w.now.Add(time.Minute))
	w.fires(home)
	w.tick(time.Minute)
	w.expect(t, "the child", "home ops:down", "home subscribers:down")
	w.fires(cache)
	w.expect(t, "the parent", "cache ops:down", "cache subscribers:down")
	w.tick(5 * time.Minute)
	w.ends(home)
	w.tick(8 * time.Minute)
	w.expect(t, "the child's end under its parent")
	w.ends(cache)
	w.tick(10 * time.Minute)
	w.expect(t, "both ends", "cache ops:recovered", "cache subscribers:recovered", "home ops:recovered", "home subscribers:recovered")
}

func TestBuyersHearOfWhatTheyFeelWhereItsCauseIsPrivate(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	home, db := w.outage("home", rules.Ops, w.now), w.outage("db", rules.Ops, w.now)
	w.fires(db)
	w.fires(home)
	w.tick(45 * time.Second)
	w.expect(t, "who needs to know", "db ops:down", "home subscribers:down")
	w.tick(5 * time.Minute)
	w.expect(t, "ops, beside the cause", "db ops:joined")
	w.ends(home)
	w.expect(t, "buyers, when it works again", "home subscribers:recovered")
	w.ends(db)
	w.expect(t, "ops", "db ops:recovered")
}

func TestGraverTroubleIsNoChildOfLighter(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	slow := w.outage("cache", rules.Ops, w.now)
	slow.Labels[rules.LabelSeverity], slow.Labels[rules.LabelAlert] = string(rules.SeverityWarning), "ServiceSlow"
	delete(slow.Labels, rules.LabelPublic)
	w.fires(slow)
	w.fires(w.outage("home", rules.Ops, w.now))
	w.tick(time.Minute)
	w.expect(t, "both", "cache ops:down", "home ops:down", "home subscribers:down")
}

func TestServicesThatDependOnEachOtherAreNotBothHidden(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	east, west := w.outage("east", rules.Ops, w.now), w.outage("west", rules.Ops, w.now)
	w.fires(east)
	w.fires(west)
	w.tick(2 * time.Minute)
	w.expect(t, "the first to begin, as the cause", "east ops:down", "east subscribers:down", "east ops:joined")
	w.ends(east)
	w.tick(4 * time.Minute)
	w.expect(t, "the other, once it runs alone", "east ops:recovered", "east subscribers:recovered", "west ops:down", "west subscribers:down")
}

func TestTroubleThroughAMiddleServiceIsOfItsRootCause(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fires(w.outage("order", rules.Ops, w.now))
	w.fires(w.outage("home", rules.Ops, w.now))
	w.fires(w.outage("cache", rules.Ops, w.now))
	w.tick(3 * time.Minute)
	w.expect(t, "one story", "cache ops:down", "cache subscribers:down", "cache ops:joined")
	root := w.latest("demo/cache").ID
	for _, key := range []string{"demo/order", "demo/home"} {
		if got := w.latest(key).Parent; got != root {
			t.Errorf("%s follows from %q, want %q", key, got, root)
		}
	}
	if news := w.latest("demo/cache").Children; len(news) != 2 {
		t.Errorf("ops were told of %v", news)
	}
}

func TestCertificateOfAServiceFollowsFromNothing(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.fires(w.outage("cache", rules.Ops, w.now))
	w.told()
	certificate := w.outage("home", rules.Ops, w.now)
	certificate.Labels[rules.LabelIncident] = "demo/home/certificate"
	delete(certificate.Labels, rules.LabelPublic)
	w.fires(certificate)
	w.expect(t, "at once", "home ops:down")
}
