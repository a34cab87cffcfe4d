#!/usr/bin/env bash
# Data on stdout, words on stderr, JSON that parses, colours only where they belong, and no lost output in silence.
# usage: streams.sh BUILD SOURCE
# shellcheck disable=SC2154 # $ness and $work are set in common.bash
set -euo pipefail
# shellcheck source=/dev/null
source "$(dirname "${BASH_SOURCE[0]}")/common.bash" "$1" "$2"

expect 0 "$ness" run fuel.ness --time 5 --replicas 4 -o d.msgpack

# Every command answers --json with one JSON value, whether it goes well or not.
json() {
  local code=$1
  shift
  expect "$code" "$ness" "$@" --json
  python3 -c 'import json, sys; doc = json.load(open("out")); assert doc["schema"] == "ness/1" and doc["kind"]' ||
    fail "no JSON: ness $*"
  python3 -m json.tool out >/dev/null || fail "json.tool: ness $*"
}
json 0 version
json 0 info fuel.ness
json 0 check fuel.ness
json 0 solve fuel.ness --states
json 0 run fuel.ness --time 1
json 0 resume d.msgpack
json 0 scan fuel.ness A=1:3:1
json 0 analyze d.msgpack
json 0 test fuel.ness
json 4 test fuel.ness wrong.ness --jobs 2
python3 -c 'import json; d = json.load(open("out")); assert (d["passed"], d["failed"]) == (1, 1); assert [f["exit"] for f in d["files"]] == [0, 4]' ||
  fail "the sum of the tests"
json 3 test torn.ness
json 3 info torn.ness
python3 -c 'import json; d = json.load(open("out")); assert d["exit"] == 3 and d["diagnostics"][0]["line"] == 3' ||
  fail "diagnostics in JSON"
json 5 info nowhere.ness
json 0 dump ls d.msgpack
json 0 dump verify d.msgpack
json 0 bench
expect 0 "$ness" dump cat d.msgpack
while IFS= read -r line; do python3 -m json.tool <<<"$line" >/dev/null || fail "dump cat"; done <out

# CSV: the table alone, exact, and a file only when all went well.
expect 0 "$ness" scan fuel.ness A=10:20:10 --column 'rate(r1)' --csv -
python3 - <<'END' || fail "CSV"
import csv
rows = list(csv.DictReader(line for line in open("out") if not line.startswith("#")))
assert [float(row["A"]) for row in rows] == [10, 20], rows
assert abs(float(rows[1]["rate(r1)"]) / 20 - 0.4540992546809671) < 1e-12, rows
END
expect 0 "$ness" scan fuel.ness A=10:20:10 --column 'rate(r1)' --csv t.csv
"$ness" scan fuel.ness A=10:20:10 --column 'rate(r1)' --csv - 2>/dev/null | cmp - t.csv || fail "CSV to a file and to stdout"
expect 2 "$ness" scan fuel.ness A=1:2:1 --column 'rat(r1)' --csv u.csv
[[ ! -e u.csv ]] || fail "a CSV file without a table"

# -q leaves errors alone; colours come when asked for and never by themselves here.
expect 4 "$ness" test wrong.ness -q
[[ ! -s err ]] || fail "-q speaks: $(cat err)"
expect 3 "$ness" info torn.ness -q
holds err "error"
expect 3 "$ness" info torn.ness
! grep -q $'\033' err || fail "colours in spite of NO_COLOR"
expect 3 "$ness" info torn.ness --color always
grep -q $'\033' err || fail "no colours with --color always"
expect 0 "$ness" info fuel.ness --color=always
grep -q $'\033' out || fail "no colours in text"
if command -v script >/dev/null; then
  NO_COLOR='' TERM=xterm script -qec "$ness info torn.ness" /dev/null >screen </dev/null || true
  grep -q $'\033' screen || fail "no colours on a terminal"
  TERM=xterm script -qec "NO_COLOR=1 $ness info torn.ness" /dev/null >screen </dev/null || true
  ! grep -q $'\033' screen || fail "colours on a terminal in spite of NO_COLOR"
fi

# A disk that is full and a descriptor that is closed are found out.
for command in "info fuel.ness" "check fuel.ness" "help" "help --man" "version" "dump ls d.msgpack" "dump cat d.msgpack" \
  "scan fuel.ness A=1:3:1" "scan fuel.ness A=1:3:1 --csv -" "test fuel.ness" "dump export d.msgpack -o -"; do
  code=0
  # shellcheck disable=SC2086 # words
  "$ness" $command >/dev/full 2>err || code=$?
  [[ $code == 5 ]] || fail "exit code $code instead of 5 with a full disk: $command"
  [[ -s err ]] || fail "no word about a full disk: $command"
done
code=0
"$ness" info fuel.ness >&- 2>err || code=$?
[[ $code == 5 ]] || fail "exit code $code instead of 5 with closed stdout"
holds err "standard output"
code=0
"$ness" run fuel.ness --time 5 --replicas 4 -o e.msgpack >&- 2>&- <&- || code=$?
[[ $code == 5 ]] || fail "exit code $code instead of 5 with all closed"
expect 0 "$ness" dump verify e.msgpack
same d.msgpack e.msgpack

# A reader that has seen enough ends it quietly.
set +o pipefail
"$ness" dump cat d.msgpack --rows 2>err | head -c 1 >/dev/null
"$ness" dump export d.msgpack -o - 2>>err | head -c 1 >/dev/null
[[ ! -s err ]] || fail "a closed pipe: $(cat err)"
# A program that waits for its model has one thread: those of the linear algebra, which would spin, have ended.
if [[ -r /proc/self/status ]]; then
  mkfifo slow.ness
  "$ness" check slow.ness >out 2>err &
  pid=$!
  exec 3>slow.ness # until it is opened at the other end
  threads=$(awk '/^Threads:/ { print $2 }' /proc/$pid/status)
  [[ $threads == 1 ]] || fail "$threads threads where one waits"
  cat fuel.ness >&3
  exec 3>&-
  wait $pid || fail "a model from a pipe is not read"
fi

finish
