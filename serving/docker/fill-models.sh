#!/usr/bin/env bash
# Fills an empty models folder: trains, evaluates and exports a version, and copies the initial model
# config file. If both exist, it changes nothing and exits at once.
#
# It may be killed at any time. A version and the model config file are created by atomic renames;
# training continues from $MODELS/.training, which servers ignore.
#
#   MODELS=/models   the folder, with a subfolder for each model
#   MODEL=seq2sum    the model's name
#   RECIPE=default   the training recipe
#   FIRST=/etc/seq2sum/models.config   the initial model config file
set -euo pipefail
shopt -s nullglob
umask 022 # servers run as another user

models=${MODELS:-/models} model=${MODEL:-seq2sum} recipe=${RECIPE:-default}
first=${FIRST:-/etc/seq2sum/models.config}
base=$models/$model config=$models/models.config run=$models/.training

log() { echo "fill-models: $*"; }

fail() {
  log "$*" >&2
  exit 1
}

check_writable() {
  local owner me
  [[ -w $1 ]] && return
  owner=$(stat -c %u:%g "$1") me=$(id -u):$(id -g)
  fail "user $me cannot write to $1, which belongs to $owner: set SEQ2SUM_USER=$owner in the" \
    "environment or in .env, or run on the host: sudo chown -R $me models"
}

# Prints the version numbers, one per line, parsed from directory names as a server does.
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
  # Recipe and model appear when their step is complete: continues after the last complete step.
  if [[ ! -e $run/recipe.toml ]]; then
    rm -rf "$run"
    seq2sum-train fit "$recipe" --out "$run"
  elif [[ ! -e $run/model.keras ]]; then
    seq2sum-train resume "$run"
  fi
  seq2sum-train evaluate "$run"
  seq2sum-train export "$run" --to "$base"
}

copy_config() {
  local initial existing
  initial=$(sed -n 's/^ *versions: *\([0-9][0-9]*\).*/\1/p' "$first")
  existing=$(versions | paste -sd ' ')
  [[ " $existing " == *" $initial "* ]] ||
    fail "$base has version $existing but not $initial, which the initial model config file names." \
      "Choose the first version: sed 's/: $initial\$/: ${existing##* }/; s/: $initial }/: ${existing##* } }/'" \
      "serving/config/models.config > models/models.config"
  install -m 0644 "$first" "$config.new"
  sync "$config.new"
  mv --no-clobber "$config.new" "$config" # keeps one that was created meanwhile
  rm -f "$config.new"
  sync "$models"
}

[[ -d $models ]] || fail "cannot find the folder $models"
if [[ -n $(versions) && -e $config ]]; then
  log "$base has version $(versions | paste -sd ' '); the model config file is $config"
  exit 0
fi

check_writable "$models"
[[ ! -e $base ]] || check_writable "$base"
exec 9<"$models"
flock --nonblock --conflict-exit-code 5 9 || (($? != 5)) || fail "another process is filling $models"

if [[ -z $(versions) ]]; then
  log "$base is empty: training $recipe takes some minutes"
  train
fi
rm -rf "$run"
[[ -e $config ]] || copy_config
log "$base has version $(versions | paste -sd ' '); the model config file is $config"
