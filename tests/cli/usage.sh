#!/usr/bin/env bash
# Wrong command lines: what is said, what is suggested, and the exit codes. usage: usage.sh BUILD SOURCE; BLESS=1 rewrites
# the expected output.
# shellcheck disable=SC2154 # $ness and $work are set in common.bash
set -euo pipefail
# shellcheck source=/dev/null
source "$(dirname "${BASH_SOURCE[0]}")/common.bash" "$1" "$2"

{
  show
  show rnu
  show xyzzy
  show --frobnicate
  show run
  show run fuel.ness
  show run fuel.ness --tme 3
  show run fuel.ness --time
  show run fuel.ness --time 3x
  show run fuel.ness --time -1
  show run fuel.ness --time 0
  show run fuel.ness --time 1 --replicas 0
  show run fuel.ness --time 1 --replicas 1.5
  show run fuel.ness --time 1 --seed -1
  show run fuel.ness --time 1 --level fluxx
  show run fuel.ness --time 1 -o -
  show run fuel.ness --time 1 word
  show run fuel.ness --time 1 -x
  show run fuel.ness --tolerance 1
  show run fuel.ness --json=yes
  show resume
  show resume a b
  show solve fuel.ness stedy
  show scan fuel.ness
  show scan fuel.ness A=3
  show scan fuel.ness A=1:2:1 --time 3
  show scan fuel.ness A=1:2:1 --simulate
  show analyze d.msgpack --level 95
  show test empty
  show dump
  show dump lss d.msgpack
  show dump ls
  show dump ls a b
  show dump merge a b
  show dump verify a -o b
  show help rnu
  show help --completion fish
  show check fuel.ness --color=maybe
} >shown
bless usage <shown

# What is no fault of the words: a missing file, a wrong model, an expectation, a file that is there.
mkdir empty
expect 2 "$ness" test empty
expect 5 "$ness" info nowhere.ness
expect 5 "$ness" resume fuel.ness
expect 5 "$ness" analyze nowhere.msgpack
expect 3 "$ness" info torn.ness
holds err "torn.ness:3:"
expect 3 "$ness" info fuel.ness Q=3
expect 4 "$ness" test wrong.ness
holds out "FAILED wrong.ness  0 of 1"
holds err "0 passed, 1 failed"
expect 5 "$ness" run fuel.ness --time 1 -o nowhere/d.msgpack
expect 0 "$ness" run fuel.ness --time 1 -o d.msgpack
expect 5 "$ness" run fuel.ness --time 1 -o d.msgpack
holds err "--force"
expect 0 "$ness" run fuel.ness --time 1 -o d.msgpack --force
expect 5 "$ness" scan fuel.ness A=1:2:1 --csv d.msgpack

# The ways to write an option, and units of time, come to the same dump.
expect 0 "$ness" run fuel.ness --time 2 --seed 7 --replicas 3 -o a.msgpack
expect 0 "$ness" run fuel.ness --time=2 --seed=7 --replicas=3 -oa2.msgpack -qj1
same a.msgpack a2.msgpack
expect 0 "$ness" run -j 2 --time 2000ms --seed 0x7 --replicas 3e0 -o b.msgpack -- fuel.ness
expect 0 "$ness" dump export a.msgpack -o a.csv
expect 0 "$ness" dump export b.msgpack -o b.csv
same a.csv b.csv
expect 0 "$ness" dump ls a.msgpack
holds out "ness run fuel.ness --time 2 --seed 7 --replicas 3"

# Folders are searched in order, and one that fails does not keep the others from running.
mkdir -p all/below all/.hidden
cp fuel.ness all/b.ness
cp wrong.ness all/below/c.ness
cp torn.ness all/a.ness
cp torn.ness all/.hidden/d.ness
for jobs in 1 3; do
  expect 3 "$ness" test all --jobs "$jobs"
  grep -E '^(ok|FAILED)' out >lines
  printf 'FAILED all/a.ness\nok     all/b.ness  1 of 1\nFAILED all/below/c.ness  0 of 1\n' | cmp - lines || fail "order"
  holds err "1 passed, 2 failed"
done
expect 4 "$ness" test all/b.ness all/below
finish
