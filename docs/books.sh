#!/usr/bin/env bash
# Measures what following a shop's books costs its database, beside sql_exporter
# in the same run, and prints the figures of FIGURES.md:
#   docs/books.sh [rows of the order table, ascending; default 1000000 5000000 10000000]
# Needs Go, a /proc, Debian's mariadb-server and, for the peer, its
# prometheus-sql-exporter; about 20 minutes and 6 GB of disk for ten million rows.
# Everything happens on loopback, in a temporary folder.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- 1000000 5000000 10000000
SHOPWATCH_MEASURE_ROWS="$*" SHOPWATCH_TEST_NO_SKIP=1 \
  go test ./exporter/ledger/dujiaoka -run '^$' -bench Following -benchtime 1x -timeout 2h | grep -vE '^(goos|goarch|pkg|cpu|Benchmark|PASS|ok)'
go test ./exporter/ledger -run '^$' -bench . -benchtime 1x | grep -E 'Benchmark|bytes'
