package main_test

import (
	"strings"
	"testing"

	"shopwatch/internal/servertest"
)

func TestTwoNotifiersOnOnePostgreSQLTellEachNoticeOnceThoughOneIsKilled(t *testing.T) {
	compressed(t)
	n := &neighbourhood{
		// Alertmanager tries a receiver that is gone for 10 s whatever the pace, and
		// Watchdog comes no oftener meanwhile: it has to count as fresh for longer.
		dir: t.TempDir(), box: mailbox(t), pace: "0.1", database: servertest.Postgres(t).NewDatabase(t),
		prometheusExe: debian(t, "prometheus", "prometheus"), amExe: debian(t, "prometheus-alertmanager", "prometheus-alertmanager"),
	}
	n.openShop(t)
	n.moveIn(t)
	n.eventually(t, "the page of the first is green", showing(n.page, "green", "一切正常", "All systems operational"))
	n.eventually(t, "the page of the second is green", showing(n.secondPage, "green", "一切正常", "All systems operational"))

	n.broken.Store(true)
	n.eventually(t, "operations and subscribers are told once by the two", counted(taken(n.box), 1, 0, kioskOpsPeople, kioskBuyers))
	first, err := incident(n.page, "商店首页暂时打不开")
	if err != nil {
		t.Fatal(err)
	}
	n.notifier.kill()
	n.notifier.keeps(t, n.database, strings.SplitN(n.database, "@", 2)[0])
	n.notifier, n.page = n.second, n.secondPage
	n.eventually(t, "management is told by the one that is left", counted(taken(n.box), 1, 0, kioskBoss))
	if same, err := incident(n.page, "商店首页暂时打不开"); err != nil || same.ID != first.ID || same.ResolvedAt != nil {
		t.Errorf("the second knows the incident as %+v (%v), want %+v", same, err, first)
	}
	n.broken.Store(false)
	n.eventually(t, "everybody is told once that it is over", counted(taken(n.box), 1, 1, kioskOpsPeople, kioskBoss, kioskBuyers))
	n.eventually(t, "the page is green again", showing(n.page, "green", "一切正常", "All systems operational"))
	n.second.stop(t)
}
