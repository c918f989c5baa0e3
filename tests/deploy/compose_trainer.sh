#!/usr/bin/env bash
# Replaces seq2sum-train: creates the same files without training.
#
# Appends its command lines to $CALLS. In the verb $FAILS it fails halfway; in the verb $DIES it kills
# itself and its caller there, with EARLY=yes before its first file is complete.
set -euo pipefail

verb=$1
echo "$*" >>"$CALLS"
case $verb in
  fit) run=$4 ;;
  export) run=$2 base=$4 ;;
  *) run=$2 ;;
esac

half_way() {
  if [[ ${FAILS:-} == "$verb" ]]; then exit 1; fi
  if [[ ${DIES:-} == "$verb" ]]; then kill -KILL 0; fi
}

if [[ $verb == fit ]]; then
  mkdir "$run"
  touch "$run/recipe.toml.partial"
  if [[ ${EARLY:-} == yes ]]; then half_way; fi
  mv "$run/recipe.toml.partial" "$run/recipe.toml"
fi
if [[ $verb == export ]]; then mkdir -p "$base/.publishing-1"; fi
half_way
case $verb in
  fit | resume) touch "$run/model.keras" ;;
  evaluate) touch "$run/evaluation.json" ;;
  export)
    cp "$run/model.keras" "$base/.publishing-1/saved_model.pb"
    mv "$base/.publishing-1" "$base/1"
    ;;
esac
