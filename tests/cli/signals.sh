#!/usr/bin/env bash
# Stopping and going on: SIGINT, SIGTERM and SIGKILL in the midst of a run, and the same bytes as if nothing had been.
# usage: signals.sh BUILD SOURCE
# shellcheck disable=SC2154 # $ness and $work are set in common.bash
set -euo pipefail
# shellcheck source=/dev/null
source "$(dirname "${BASH_SOURCE[0]}")/common.bash" "$1" "$2"

run=(run ../fuel.ness -o d.msgpack --time 25000 --level events --replicas 8 --seed 3)
mkdir whole
(cd whole && "$ness" "${run[@]}" >out)

# stop NAME SIGNAL: starts the run in the folder NAME and sends the signal once a part of the dump is there. The exit code
# goes to $code. On a machine so busy that the run is over before, it is tried again.
stop() {
  local pid try
  mkdir -p "$1"
  for try in 1 2 3 4 5; do
    (cd "$1" && exec "$ness" "${run[@]}" --force >out 2>err) &
    pid=$!
    while kill -0 $pid 2>/dev/null && [[ $(stat -c %s "$1/d.msgpack" 2>/dev/null || echo 0) -lt 2000000 ]]; do
      sleep 0.02
    done
    kill -s "$2" $pid 2>/dev/null || true
    code=0
    wait $pid 2>/dev/null || code=$?
    [[ $code == 0 ]] || break
  done
  echo "$1: attempt $try, $(stat -c %s "$1/d.msgpack") of $(stat -c %s whole/d.msgpack) bytes"
}

for signal in INT TERM HUP; do
  stop $signal $signal
  [[ $code == 75 ]] || fail "exit code $code instead of 75 after SIG$signal"
  holds $signal/err "ness resume d.msgpack"
  expect 0 "$ness" dump verify $signal/d.msgpack
  grep -qE 'complete +no' out || fail "a stopped run is complete"
  expect 0 "$ness" resume $signal/d.msgpack --threads 1
  same whole/d.msgpack $signal/d.msgpack
done

stop KILL KILL
[[ $code == 137 ]] || fail "exit code $code after SIGKILL"
cp KILL/d.msgpack killed.msgpack
expect 0 "$ness" resume KILL/d.msgpack
same whole/d.msgpack KILL/d.msgpack
grep -vE '^(kind|dump) ' out >a # the answer is the same too
grep -vE '^(kind|dump) ' whole/out >b
same a b

# A tail torn in the midst of a frame is no different.
size=$(stat -c %s killed.msgpack)
head -c $((size - 1234)) killed.msgpack >torn.msgpack
expect 0 "$ness" resume torn.msgpack
same whole/d.msgpack torn.msgpack

# Stopped twice, and a dump that has nothing but its beginning.
stop twice INT
head -c 400000 twice/d.msgpack >early.msgpack
expect 0 "$ness" resume early.msgpack
same whole/d.msgpack early.msgpack
expect 0 "$ness" resume early.msgpack
holds err "complete"
same whole/d.msgpack early.msgpack

# Without a dump nothing can be resumed: 130. A second signal does not wait.
"$ness" run fuel.ness --time 1e9 >out 2>err &
pid=$!
sleep 0.5
kill -INT $pid
code=0
wait $pid || code=$?
[[ $code == 130 ]] || fail "exit code $code instead of 130 without a dump"
"$ness" scan fuel.ness A=1:400000:1 --csv s.csv >out 2>err &
pid=$!
sleep 0.5
kill -INT $pid
sleep 0.05
kill -INT $pid 2>/dev/null || true
code=0
wait $pid || code=$?
[[ $code == 130 ]] || fail "exit code $code instead of 130 after a second signal"
finish
