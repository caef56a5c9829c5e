package store_test

import (
	"testing"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/store"
	"shopwatch/notifier/store/storetest"
	"shopwatch/rules"
)

// catchUp decides a notice of an incident to one subscriber.
func catchUp(t *testing.T, s *store.Store, id string, to notifier.Subscriber, at time.Time) {
	t.Helper()
	change(t, s, func(tx *store.Tx) error {
		return tx.Notify(notifier.Notice{Incident: id, Audience: rules.Subscribers, To: to.ID, Event: notifier.EventDown, At: at})
	})
}

func TestWhoJoinsWhileItRunsHearsOfItOfHowItGoesOnAndOfItsEndOnceEach(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		join(t, s, "early", notifier.Wants{})
		tell(t, s, "i1", notifier.EventDown, notifier.Facts{}, now)
		finish(t, s, sent(claim(t, s, "telegram", now), now)...)
		late := join(t, s, "late", notifier.Wants{})
		join(t, s, "untold", notifier.Wants{}) // as one who doesn't want to hear of it
		catchUp(t, s, "i1", late, now)
		catchUp(t, s, "i1", late, now) // left and came back
		expandAll(t, s, now)
		list := claim(t, s, "telegram", now)
		expect(t, "on joining", list, "down late first")
		finish(t, s, sent(list, now)...)
		for _, event := range []notifier.Event{notifier.EventUpdated, notifier.EventRecovered} {
			tell(t, s, "i1", event, notifier.Facts{}, now)
			list := claim(t, s, "telegram", now)
			expect(t, string(event), list, string(event)+" early", string(event)+" late")
			finish(t, s, sent(list, now)...)
		}
	})
}

func TestWhoJoinsBeforeTheNoticeToAllIsSpreadHearsOfItOnce(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		i := incident("i1")
		save(t, s, i, notice(i, rules.Subscribers, notifier.EventDown))
		late := join(t, s, "late", notifier.Wants{})
		catchUp(t, s, "i1", late, now)
		expandAll(t, s, now)
		expect(t, "when all is spread", claim(t, s, "telegram", now), "down late first")
	})
}

func TestTheEndTakesThePlaceOfWhatWhoJoinedHasNotHeardYet(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		tell(t, s, "i1", notifier.EventDown, notifier.Facts{}, now)
		catchUp(t, s, "i1", join(t, s, "late", notifier.Wants{}), now)
		tell(t, s, "i1", notifier.EventRecovered, notifier.Facts{}, now.Add(time.Second))
		expect(t, "when it is over", claim(t, s, "telegram", now.Add(time.Second)), "recovered late first")
	})
}

func TestWhoJoinsInTheirQuietHoursHearsAtTheirEnd(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		night := time.Date(2026, 3, 4, 23, 0, 0, 0, time.UTC)
		tell(t, s, "i1", notifier.EventDown, notifier.Facts{}, night)
		catchUp(t, s, "i1", join(t, s, "sleeper", notifier.Wants{Quiet: notifier.Quiet{From: 22 * 60, To: 7 * 60}}), night)
		expandAll(t, s, night)
		expect(t, "at night", claim(t, s, "telegram", night))
		morning := night.Add(8 * time.Hour)
		expect(t, "in the morning", claim(t, s, "telegram", morning), "down sleeper first")
	})
}

func TestWhoJoinsBetweenAnEndAndTheNextBeginningHearsOfThatFirstAndOfItsEnd(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		join(t, s, "early", notifier.Wants{})
		for _, event := range []notifier.Event{notifier.EventDown, notifier.EventRecovered} {
			tell(t, s, "i1", event, notifier.Facts{Impact: notifier.ImpactMajor}, now)
			finish(t, s, sent(claim(t, s, "telegram", now), now)...)
		}
		join(t, s, "late", notifier.Wants{})
		join(t, s, "grave", notifier.Wants{Least: notifier.ImpactCritical}) // who wants to hear of graver trouble alone
		tell(t, s, "i1", notifier.EventReopened, notifier.Facts{Impact: notifier.ImpactMajor}, now)
		list := claim(t, s, "telegram", now)
		expect(t, "when it begins again", list, "reopened early", "reopened late first")
		finish(t, s, sent(list, now)...)
		tell(t, s, "i1", notifier.EventRecovered, notifier.Facts{}, now)
		expect(t, "when it is over again", claim(t, s, "telegram", now), "recovered early", "recovered late")
	})
}

func TestWhoHeardOfTroubleHearsThatItIsBackThoughItIsLighter(t *testing.T) {
	t.Parallel()
	storetest.OnEachEngine(t, func(t *testing.T, place storetest.Place) {
		s := place.Open(t)
		join(t, s, "grave", notifier.Wants{Least: notifier.ImpactCritical})
		tell(t, s, "i1", notifier.EventDown, notifier.Facts{Impact: notifier.ImpactCritical}, now)
		finish(t, s, sent(claim(t, s, "telegram", now), now)...)
		tell(t, s, "i1", notifier.EventReopened, notifier.Facts{Impact: notifier.ImpactMinor}, now)
		expect(t, "when it is back", claim(t, s, "telegram", now), "reopened grave")
	})
}
