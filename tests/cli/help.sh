#!/usr/bin/env bash
# Help, manual pages, completion, version. usage: help.sh BUILD SOURCE; BLESS=1 rewrites the expected output.
# shellcheck disable=SC2154 # $ness and $work are set in common.bash
set -euo pipefail
# shellcheck source=/dev/null
source "$(dirname "${BASH_SOURCE[0]}")/common.bash" "$1" "$2"

commands=(check info run resume solve scan stall iv optimum analyze report test dump convert bench version help)

{
  show help
  for command in "${commands[@]}"; do show help "$command"; done
} >shown
bless help <shown
for command in "${commands[@]}"; do
  "$ness" help "$command" >a
  "$ness" "$command" --help >b
  "$ness" "$command" -h >c
  same a b
  same a c
  awk 'length > 100' a >long
  [[ ! -s long ]] || fail "help $command has long lines"
done

# The manual pages are free of warnings where groff can tell.
for command in "" "${commands[@]}"; do
  expect 0 "$ness" help ${command:+"$command"} --man
  holds out ".TH NESS"
  holds out ".SH EXIT STATUS"
  if command -v groff >/dev/null && groff -man -Tutf8 fuel.ness >/dev/null 2>&1; then
    groff -man -ww -Tutf8 out 2>&1 >/dev/null | sed "s/^/man $command: /" >warnings
    [[ ! -s warnings ]] || fail "$(cat warnings)"
  fi
done

# Completion: commands, options of a command, choices.
"$ness" help --completion bash >completion.bash
bash -n completion.bash || fail "the completion is no bash"
complete_words() {
  bash -c 'source completion.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ness; echo "${COMPREPLY[*]}"' bash "$@"
}
[[ $(complete_words ness res) == resume ]] || fail "completion of a command"
[[ $(complete_words ness run m.ness --rep) == --replicas ]] || fail "completion of an option"
[[ $(complete_words ness run m.ness --level "e") == events ]] || fail "completion of a choice"
[[ $(complete_words ness dump ver) == verify ]] || fail "completion of a verb"
[[ $(complete_words ness check fu) == fuel.ness ]] || fail "completion of a file"
[[ -z $(complete_words ness check --rep) ]] || fail "completion of another command's option"

expect 0 "$ness" version
holds out "ness "
holds out "compiler"
"$ness" --version >b
same out b
"$ness" --help >a
"$ness" help >b
same a b
finish
