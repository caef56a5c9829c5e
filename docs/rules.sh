#!/usr/bin/env bash
# Measures what judging costs, and prints the figures of FIGURES.md:
#   docs/rules.sh [how long the servers are measured; default 2m]
# First all rules on the seeded past of 100 services and 10 shops, group by group;
# then memory and processor time of the engine at 20,000 series, beside Debian's
# Prometheus in the same run where it is installed. Needs Go, a /proc and some 3
# minutes; other work on the machine spoils the figures.
set -euo pipefail
cd "$(dirname "$0")/.."
SHOPWATCH_MEASURE_FOR=${1:-2m} go test ./rules/engine -run '^$' -bench 'Rules$|Servers$' -benchtime 1x -timeout 30m |
  grep -vE '^(goos|goarch|pkg|cpu|Benchmark|PASS|ok)'
