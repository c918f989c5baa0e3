#!/usr/bin/env bash
# Replaces seq2sum-train: creates the same files without training.
#
# Appends its command lines to $CALLS. The subcommand $FAILS fails halfway; the subcommand $DIES kills
# itself and its caller halfway, or with EARLY=yes before its first file is complete.
set -euo pipefail

subcommand=$1
echo "$*" >>"$CALLS"
case $subcommand in
  fit) run=$4 ;;
  export) run=$2 base=$4 ;;
  *) run=$2 ;;
esac

half_way() {
  if [[ ${FAILS:-} == "$subcommand" ]]; then exit 1; fi
  if [[ ${DIES:-} == "$subcommand" ]]; then kill -KILL 0; fi
}

if [[ $subcommand == fit ]]; then
  mkdir "$run"
  touch "$run/recipe.toml.partial"
  if [[ ${EARLY:-} == yes ]]; then half_way; fi
  mv "$run/recipe.toml.partial" "$run/recipe.toml"
fi
if [[ $subcommand == export ]]; then mkdir -p "$base/.publishing-1"; fi
half_way
case $subcommand in
  fit | resume) touch "$run/model.keras" ;;
  evaluate) touch "$run/evaluation.json" ;;
  export)
    cp "$run/model.keras" "$base/.publishing-1/saved_model.pb"
    mv "$base/.publishing-1" "$base/1"
    ;;
esac
