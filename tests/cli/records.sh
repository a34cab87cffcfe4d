#!/usr/bin/env bash
# Measured sequences without a model: what is found out of a table, and what is said of a bad one. usage: records.sh BUILD
# SOURCE; BLESS=1 rewrites the expected output.
# shellcheck disable=SC2154 # $ness and $work are set in common.bash
set -euo pipefail
# shellcheck source=/dev/null
source "$(dirname "${BASH_SOURCE[0]}")/common.bash" "$1" "$2"

# table NAME TEXT: the text as a file.
table() { printf '%b' "$2" >"$1"; }
# look FILE OPTION...: verdict, record and states of the analysis, or what went wrong.
look() {
  printf '$ ness analyze'
  printf ' %q' "$@"
  printf '\n'
  "$ness" analyze "$@" >out 2>err && code=0 || code=$?
  cat err
  sed -n -e 1p -e '/^record/,/^run/p' out | sed '/^run/d'
  echo "= $code"
  echo
}

table header.csv 'time,state\n0,C\n1,O\n2.5,C\n3,O\n4,C\n'
table plain.tsv '# a comment\n0\tC\n1\tO\n2.5\tC\n\n3\tO\n4\tC\n'
table dwell.txt '3 1\n1 2\n2 1\n0.5 3\n4 1\n1 2\n'
table named.csv 'level;dwell_ms\n0;3\n-2.5;1\n0;2\n-2.5;0.5\n0.0;4\n'
table three.csv '0,A,x\n1,B,x\n0,A,y\n2,B,x\n2,B,y\n3,A,x\n3,A,y\n'
table swapped.csv 'run,t,state\n1,0,A\n1,1,B\n2,0,A\n1,2,A\n2,2,B\n2,5,A\n'
table one.csv 'A\nB\nB\nA\nA\nA\nB\nA\nA\nB\nB\nA\n'
table even.csv '0,A\n0.1,A\n0.2,B\n0.3,B\n0.4,B\n0.5,A\n0.6,A\n0.7,B\n0.8,B\n0.9,A\n1.0,A\n1.1,A\n'
table gaps.csv '0,A\n1,B\n2,\n3,A\n4,NaN\n5,B\nnan,A\n7,B\n8,A\n9,A\n'
table tied.csv '0,A\n1,B\n1,A\n2,B\n3,A\n'
table stuck.csv '0,A\n1,B\n2,C\n3,B\n4,D\n5,D\n'
table quoted.csv '"time","the ""state"""\n0,"open, long"\n1,shut\n2,"open, long"\n3,shut\n'
for file in header.csv plain.tsv dwell.txt named.csv three.csv swapped.csv even.csv gaps.csv tied.csv stuck.csv quoted.csv; do
  look "$file"
done >shown
{
  look one.csv --step 1ms
  look header.csv --columns dwell,state
  look swapped.csv --columns replica,time,state
  look dwell.txt --map 'open=1 shut=2,3'
  table map.csv 'state,class\n1,open\n2,shut\n3,shut\n'
  look dwell.txt --map map.csv
} >>shown

# bad ones
table empty.csv ''
table hollow.csv '# nothing\n\n'
table head.csv 'time,state\n'
table single.csv '0,A\n1,A\n2,A\n'
table moment.csv '0,A\n0,B\n'
table word.csv '0,A\n1,B\nx2,A\n3,B\n'
table ragged.csv '0,A\n1,B\n2\n3,B,C\n'
table back.csv '0,A\n1,B\n2,A\n1.5,B\n4,A\n5,B\n6,A\n7,B\n8,A\n9,B\n10,A\n11,B\n12,A\n13,B\n14,A\n15,B\n16,A\n17,B\n18,A\n19,B\n20,A\n21,B\n'
table minus.csv '1,A\n-1,B\n2,A\n'
table endless.csv '0,A\ninf,B\n'
table many.csv '1,2,3,4,5\n2,3,4,5,6\n'
table torn.csv '0,A\n1,B\n2,A\n3,B\n4'
table unquoted.csv '0,"A\n1,B\n'
table owner.csv 'time,state,replica\n0,A,1\n1,B,\n'
printf '\x00\x01\x02' >bytes.bin
printf '\x93NUMPY\x01\x00' >short.npy
for file in empty.csv hollow.csv head.csv single.csv moment.csv word.csv ragged.csv back.csv minus.csv endless.csv many.csv torn.csv \
  unquoted.csv owner.csv one.csv bytes.bin short.npy nowhere.csv; do
  look "$file"
done >>shown
{
  look header.csv --columns time,stat
  look header.csv --columns time,time
  look header.csv --columns time,dwell,state
  look header.csv --columns state
  look header.csv --columns time,state,replica
  look header.csv --step 1
  look header.csv --map 'open=O'
  look header.csv --map 'open=O shut=O'
  look header.csv --map 'open='
  look header.csv --map nowhere.csv
  look word.csv -q
} >>shown
bless records <shown

# a dump of another model is a dump: options of records mean nothing there
expect 0 "$ness" run fuel.ness -q -o d.msgpack --time 1 --replicas 2 --level events
expect 2 "$ness" analyze d.msgpack --step 1
holds err "are for measured sequences"
printf 'model pair\nunits natural\nspecies A = 9, B = 0\nr: A + A <-> B @ 1, 2\n' >pair.ness
expect 0 "$ness" run pair.ness -q -o p.msgpack --time 1 --level events
expect 2 "$ness" fit p.msgpack
holds err "more than to take one molecule"

# fits: the file reads back, is not replaced unasked, and constraints are understood or refused
table ring.csv "$(awk 'BEGIN { srand(1); s = 0; for (t = 0; t < 900; t += -log(1 - rand()) / 3) { print t "," s; s = (s + (rand() < 0.6 ? 1 : 2)) % 3 } }')\n"
fit() {
  printf '$ ness fit'
  printf ' %q' "$@"
  printf '\n'
  "$ness" fit "$@" >out 2>err && code=0 || code=$?
  cat err
  sed -n -e 1p -e '/^rates/,/^$/p' -e '/^energies/,/^$/p' out
  echo "= $code"
  echo
}
{
  fit three.csv
  fit stuck.csv
  fit three.csv --equal 'A->B=B->A'
  fit three.csv --fix 'A->B=2'
  fit three.csv --fix 'A.B=2' --fix '-A.B=2'
  fit three.csv --fix 'A->B=2' --fix 'A->B=3'
  fit three.csv --fix 'A->B'
  fit three.csv --fix 'A->B=-2'
  fit three.csv --fix 'A->C=2'
  fit three.csv --equal 'A->B'
  fit three.csv --equal 'A->B=C.D'
  fit three.csv -o taken.ness
  fit three.csv -o taken.ness
  cat taken.ness
} >shown
bless fits <shown
expect 0 "$ness" fit ring.csv -q -o free.ness
expect 4 "$ness" check free.ness # the data do not say what drives it
expect 0 "$ness" solve free.ness
expect 0 "$ness" fit ring.csv -q -o balanced.ness --balance
expect 0 "$ness" check balanced.ness
holds out "Detailed balance holds"
finish
