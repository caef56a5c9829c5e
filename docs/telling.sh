#!/bin/bash
# The figures of telling, and the faults it must bear, measured on this machine:
# everything runs on loopback, and the far side, a process of its own, does the
# counting. Needs Go; PostgreSQL where two replicas are tested, and Debian's
# prometheus-alertmanager, to compare with.
set -eu
cd "$(dirname "$0")/.."
echo "== 100,000 subscribers, and the same messages without an outbox"
go test -run '^$' -bench 'FanOut|Bare' -benchtime 1x ./notifier/dispatch
echo "== the webhook's answer, and the first word to people on call"
go test -run '^$' -bench Webhook -benchtime 1x ./notifier/app
echo "== of 200, told by Alertmanager and by us: an address refused, 30 a second, a mail server away"
go test -run '^$' -bench Peers -benchtime 1x ./notifier/app
echo "== paces: 30 a second held, nobody early, people on call first, replicas together"
go test -count 1 -v -run 'Punishes|Overtake|ShareOnePace|Flood' ./notifier/dispatch | grep -E '^(---|ok|FAIL)'
echo "== faults: a hundred kills, a killed replica, a killed far side, lost answers, greylisting, a held database, a full disk"
go test -count 1 -v -run 'Kill|HangsUp|Greylists|AnotherProgramHolds|DiskWasFull' ./notifier/dispatch | grep -E '^(---|ok|FAIL)|came again'
go test -count 1 -v -run 'DiskIsFull' ./notifier/store | grep -E '^(---|ok|FAIL)'
go test -count 1 -v -run 'FullDisk' . | grep -E '^(---|ok|FAIL)'
