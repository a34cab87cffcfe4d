# shellcheck shell=bash
# What the tests of the command share: source it with the folders of the build and of the sources. $ness is the program,
# $work an empty folder, and every failure is counted until finish.
ness=$(cd "$1" && pwd)/ness
expected=$(cd "$2" && pwd)/tests/cli/expected
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export LC_ALL=C COLUMNS=100 TERM=dumb NO_COLOR=1
unset OMP_NUM_THREADS
failures=0

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  failures=$((failures + 1))
}

# expect CODE COMMAND...: runs it with stdout in ./out and stderr in ./err and compares the exit code.
expect() {
  local want=$1 got=0
  shift
  "$@" >out 2>err || got=$?
  if [[ $got != "$want" ]]; then
    fail "exit code $got instead of $want: ${*##*/}"
    sed 's/^/  /' err >&2
  fi
}

# holds FILE TEXT: a line of the file has this text.
holds() {
  grep -qF -- "$2" "$1" || { fail "$1 lacks: $2"; sed 's/^/  /' "$1" >&2; }
}

same() {
  cmp "$1" "$2" >&2 || fail "$1 and $2 differ"
}

# show ARGUMENT...: what ness says and how it ends, on stdout, for the comparison by bless.
show() {
  local code=0
  printf '$ ness%s\n' "${*:+ $*}"
  "$ness" "$@" >out 2>err || code=$?
  cat out
  sed 's/^/! /' err
  printf '= %d\n\n' "$code"
}

# bless NAME: compares stdin with the expected output of this name, or with BLESS=1 makes it so.
bless() {
  sed -E 's/(ness |"version": ")[0-9]+\.[0-9]+\.[0-9]+/\1VERSION/' >actual
  if [[ -n ${BLESS:-} ]]; then
    cp actual "$expected/$1.txt"
  elif ! diff -u "$expected/$1.txt" actual >&2; then
    fail "$1 differs from tests/cli/expected/$1.txt (BLESS=1 writes it anew)"
  fi
}

finish() {
  if [[ $failures != 0 ]]; then
    printf '%d failures\n' "$failures" >&2
    exit 1
  fi
}

# A driven cycle: A to B by itself, back by a fuel.
cat >fuel.ness <<'END'
model fuel
units natural
bath F = 5e-3, mu0 = ln(25)
bath W = 1e-4
species A = 20, B = 0
r1: A     <-> B     @ 1.0, 2.0
r2: B + F <-> A + W @ 500, ldb
cycle fuel: r1 + r2
assert affinity(fuel) == mu(F) - mu(W)
experiment steady {
  solve steady
  expect rate(r1)/20 ~ 0.45410 +- 1e-5
}
END
sed 's/~ 0.45410/~ 0.46/' fuel.ness >wrong.ness
printf 'model torn\nunits natural\nspecies A = )\n' >torn.ness
