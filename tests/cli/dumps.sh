#!/usr/bin/env bash
# The verbs of ness dump and what they do to files. usage: dumps.sh BUILD SOURCE
# shellcheck disable=SC2154 # $ness and $work are set in common.bash
set -euo pipefail
# shellcheck source=/dev/null
source "$(dirname "${BASH_SOURCE[0]}")/common.bash" "$1" "$2"

for level in summary flux grid events; do
  expect 0 "$ness" run fuel.ness --time 20 --replicas 6 --level $level -o $level.msgpack
  expect 0 "$ness" dump verify $level.msgpack
  expect 0 "$ness" dump export $level.msgpack -o $level.csv
  expect 0 "$ness" dump export $level.msgpack -o - --format csv
  same out $level.csv
  "$ness" dump export $level.msgpack -o - | cmp - $level.csv || fail "export to a pipe"
  expect 0 "$ness" dump export $level.msgpack -o $level.npz
  expect 0 "$ness" analyze $level.msgpack
done
expect 5 "$ness" dump export flux.msgpack -o flux.csv
holds err "--force"
expect 0 "$ness" dump export flux.msgpack -o flux.csv --force
code=0
"$ness" dump export flux.msgpack -o - >>flux.csv 2>err || code=$?
[[ $code == 2 ]] || fail "a table was appended to a file: $code"
expect 2 "$ness" dump export flux.msgpack -o - --format npz

# Threads and the file's name leave no trace in it.
expect 0 "$ness" run fuel.ness --time 20 --replicas 6 --level flux --threads 1 -o other.msgpack -q --color never
same flux.msgpack other.msgpack

expect 0 "$ness" dump ls flux.msgpack --limit 3
holds out "ness run fuel.ness --time 20 --replicas 6 --level flux"
expect 0 "$ness" dump cat events.msgpack
short=$(wc -c <out)
expect 0 "$ness" dump cat events.msgpack --rows
[[ $(wc -c <out) -gt $short ]] || fail "--rows shows no rows"

# A byte turned over is found, and repair keeps the rest.
cp events.msgpack bad.msgpack
size=$(stat -c %s bad.msgpack)
printf '\377\377\377\377' | dd of=bad.msgpack bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
expect 5 "$ness" dump verify bad.msgpack
holds out "intact"
expect 0 "$ness" dump repair bad.msgpack good.msgpack
expect 0 "$ness" dump verify good.msgpack
expect 5 "$ness" dump repair bad.msgpack good.msgpack
expect 0 "$ness" dump repair bad.msgpack good.msgpack --force
expect 0 "$ness" analyze bad.msgpack

# Parts that are not of one run, or hold the same replicas, are not joined.
expect 2 "$ness" dump merge flux.msgpack events.msgpack -o m.msgpack
expect 2 "$ness" dump merge flux.msgpack other.msgpack -o m.msgpack --force
expect 0 "$ness" dump merge flux.msgpack -o one.msgpack
expect 0 "$ness" dump verify one.msgpack
finish
