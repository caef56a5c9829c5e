#!/usr/bin/env bash
# Measures the whole process on the demo shop and prints the figures of FIGURES.md:
#   docs/figures.sh [seconds to run before memory is read, default 300]
# Needs Go, curl and a /proc. Everything happens on loopback, in a temporary folder.
set -euo pipefail
cd "$(dirname "$0")/.."
settle=${1:-300}
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$dir"' EXIT
private=127.0.0.1:19816

now() { date +%s%N; }
ms() { echo $((($2 - $1) / 1000000)); }
start() {
  "$dir/shopwatch" --data.dir="$dir/data" --private.listen-address=$private --web.listen-address=127.0.0.1:18080 >"$dir/out" 2>"$dir/err" &
  pid=$!
  local begin; begin=$(now)
  until curl -fsS -o /dev/null "http://$private/-/ready" 2>/dev/null; do
    kill -0 "$pid" || { cat "$dir/err"; exit 1; }
    sleep 0.01
  done
  ready=$(ms "$begin" "$(now)")
}
stop() {
  local begin; begin=$(now)
  kill -INT "$pid"; wait "$pid"; pid=
  stopped=$(ms "$begin" "$(now)")
}

go build -trimpath -ldflags '-s -w' -o "$dir/shopwatch" .
size=$(stat -c %s "$dir/shopwatch")
start; first=$ready; stop
start; warm=$ready # the same folder: WAL replay, state of the last run

sleep "$settle"
rss=$(awk '/^VmRSS/ {print $2}' "/proc/$pid/status")
peak=$(awk '/^VmHWM/ {print $2}' "/proc/$pid/status")
cpu=$(ps -o pcpu= -p "$pid")

broke=$(now)
"$dir/shopwatch" demo break alipay --data.dir="$dir/data" --private.listen-address=$private >/dev/null
told=
for _ in $(seq 600); do # at most a minute
  told=$(grep -m1 '"to":"-1001000000001"' "$dir/data/demo/messages.jsonl" 2>/dev/null | sed -n 's/.*"at":"\([^"]*\)".*/\1/p') && [ -n "$told" ] && break
  sleep 0.1
done
[ -n "$told" ] || { echo "operations were not told within a minute"; exit 1; }
told=$(date -d "$told" +%s%N)
stop

printf '%-44s %8s   %s\n' "figure" "measured" "aim"
printf '%-44s %5s MB   %s\n' "stripped binary" $((size / 1000000)) "<= 70 MB"
printf '%-44s %5s ms\n' "ready, empty folder" "$first"
printf '%-44s %5s ms   %s\n' "ready, warm" "$warm" "<= 2000 ms"
printf '%-44s %5s MB   %s\n' "resident memory after ${settle} s" $((rss / 1024)) "<= 120 MB"
printf '%-44s %5s MB\n' "peak resident memory" $((peak / 1024))
printf '%-44s %5s %%\n' "mean CPU of one core" "$cpu"
printf '%-44s %5s ms   %s\n' "break -> first message to operations" "$(ms "$broke" "$told")" "<= 20000 ms (tier 15 s + 5 s)"
printf '%-44s %5s ms   %s\n' "stop" "$stopped" "<= 2000 ms"
