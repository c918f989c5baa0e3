#!/usr/bin/env bash
# Fills an empty folder of models: trains, evaluates and exports a version, and puts the first file of
# record beside it. Where both are there it changes nothing, and ends at once.
#
# It may be killed at any moment. A version and the file of record appear whole, by a rename each; what
# training has reached stays in $MODELS/.training, where no server looks, and the next start goes on
# from there.
#
#   MODELS=/models   the folder, with a sub-folder for each model
#   MODEL=seq2sum    the model's name
#   RECIPE=default   what it is trained by, if there is none
#   FIRST=/etc/seq2sum/models.config   the first file of record
set -euo pipefail
shopt -s nullglob
umask 022 # servers read it as another user

models=${MODELS:-/models} model=${MODEL:-seq2sum} recipe=${RECIPE:-default}
first=${FIRST:-/etc/seq2sum/models.config}
base=$models/$model record=$models/models.config run=$models/.training

say() { echo "fill-models: $*"; }

fail() {
  say "$*" >&2
  exit 1
}

check_writable() {
  local owner me
  [[ -w $1 ]] && return
  owner=$(stat -c %u:%g "$1") me=$(id -u):$(id -g)
  fail "$me may not write to $1, which is $owner's. Start with SEQ2SUM_USER=$owner in the" \
    "environment or in .env, or on the machine: sudo chown -R $me models"
}

# Prints the numbers of the versions, a line each; directories are read as a server reads them.
versions() {
  local folder
  for folder in "$base"/*/; do
    folder=${folder%/} folder=${folder##*/}
    if [[ $folder =~ ^[[:space:]]*([+-]?)0*([0-9]+)[[:space:]]*$ ]]; then
      echo "${BASH_REMATCH[1]#+}${BASH_REMATCH[2]}"
    fi
  done | sort -n
}

train() {
  # Each step begins only if the one before has left what it leaves at its end.
  if [[ ! -e $run/recipe.toml ]]; then
    rm -rf "$run"
    seq2sum-train fit "$recipe" --out "$run"
  elif [[ ! -e $run/model.keras ]]; then
    seq2sum-train resume "$run"
  fi
  seq2sum-train evaluate "$run"
  seq2sum-train export "$run" --to "$base"
}

record_first() {
  local wanted there
  wanted=$(sed -n 's/^ *versions: *\([0-9][0-9]*\).*/\1/p' "$first")
  there=$(versions | paste -sd ' ')
  [[ " $there " == *" $wanted "* ]] ||
    fail "$base has version $there and not $wanted, which the first file of record names. Say which" \
      "one is served first: sed 's/: $wanted\$/: ${there##* }/; s/: $wanted }/: ${there##* } }/'" \
      "serving/config/models.config > models/models.config"
  install -m 0644 "$first" "$record.new"
  sync "$record.new"
  mv --no-clobber "$record.new" "$record" # one that is there meanwhile stays
  rm -f "$record.new"
  sync "$models"
}

[[ -d $models ]] || fail "there is no folder $models"
if [[ -n $(versions) && -e $record ]]; then
  say "$base has version $(versions | paste -sd ' '), and $record says what is served"
  exit 0
fi

check_writable "$models"
[[ ! -e $base ]] || check_writable "$base"
exec 9<"$models"
flock --nonblock --conflict-exit-code 5 9 || (($? != 5)) || fail "another one is filling $models"

if [[ -z $(versions) ]]; then
  say "$base is empty: training $recipe takes some minutes"
  train
fi
rm -rf "$run"
[[ -e $record ]] || record_first
say "$base has version $(versions | paste -sd ' '), and $record says what is served"
