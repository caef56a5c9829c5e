#!/usr/bin/env bash
# Measures what looking at 1,000 targets costs, beside blackbox_exporter in the
# same run, and prints the figures of FIGURES.md:
#   docs/looks.sh [flags of exporter/probe/farm/measure, such as -window 30s]
# Needs Go and a /proc. Everything happens on loopback, in a temporary folder.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go build -trimpath -ldflags '-s -w' -o "$dir/shopwatch" .
go build -o "$dir/measure" ./exporter/probe/farm/measure
(cd .ci/tools/blackbox && go build -mod=mod -trimpath -ldflags '-s -w' -o "$dir/blackbox_exporter" github.com/prometheus/blackbox_exporter)
"$dir/measure" -shopwatch "$dir/shopwatch" -blackbox "$dir/blackbox_exporter" "$@"
