#!/usr/bin/env bash
# Fills an empty models folder: trains, evaluates and exports a version, and creates the initial model
# config file, in which the labels stable and canary are on the newest version, and its copy for the
# candidate group. If all of them exist, it changes nothing and exits at once. Only seq2sum is trained:
# another model needs a version.
#
# It may be killed at any time. A version and the model config files are created by atomic renames;
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
first=${FIRST:-/etc/seq2sum/models.config} trained=seq2sum
base=$models/$model config=$models/models.config candidate=$models/candidate.config
run=$models/.training

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

# Prints the first of these files and folders that not everybody may read; missing ones are skipped.
hidden() {
  find "$@" -maxdepth 0 \( -type d ! -perm -005 -o -type f ! -perm -004 \) -print -quit 2>/dev/null || true
}

# Servers run as nobody. Without this check they would report PERMISSION_DENIED without end. A version
# that they cannot read is only a note, since they may serve others.
check_readable() {
  local path folder=${first%/*} repair="run on the host: chmod -R go+rX models serving"
  path=$(hidden "$models" "$base" "$config" "$folder" "$folder"/*)
  [[ -z $path ]] || fail "servers run as another user and cannot read $path: $repair"
  path=$(hidden "$base" "$base"/* "$base"/*/*)
  [[ -z $path ]] || log "note: servers run as another user and cannot read $path: $repair" >&2
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
    log "continuing the training that was interrupted"
    seq2sum-train resume "$run"
  fi
  seq2sum-train evaluate "$run"
  seq2sum-train export "$run" --to "$base"
}

# The initial file has version 1 of seq2sum; its comments stay.
create_config() {
  local newest
  newest=$(versions | tail -n 1)
  sed -e "s|\(name: \"\)seq2sum\"|\1$model\"|" -e "s|\(base_path: \".*/\)seq2sum\"|\1$model\"|" \
    -e "s/: 1\$/: $newest/; s/: 1 }/: $newest }/" "$first" >"$config.new"
  publish "$config"
}

# publish FILE: renames FILE.new, unless FILE was created meanwhile.
publish() {
  chmod 0644 "$1.new"
  sync "$1.new"
  mv --no-clobber "$1.new" "$1"
  rm -f "$1.new"
  sync "$models"
}

[[ $model =~ ^[A-Za-z0-9_.-]+$ ]] ||
  fail "invalid MODEL '$model': expected a name of letters, digits, '_', '-' and '.'"
[[ -d $models ]] || fail "cannot find the folder $models"
[[ $model == "$trained" || -n $(versions) ]] ||
  fail "$base has no version: put a SavedModel (saved_model.pb and variables/) into models/$model/1," \
    "then start again"
if [[ -e $config ]] && ! grep -qF -e "\"$model\"" -e "'$model'" "$config"; then
  log "note: $config does not list $model: add an entry for it, or set MODEL to a model that it lists" >&2
fi
check_readable
if [[ -n $(versions) && -e $config && -e $candidate ]]; then
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
[[ -e $config ]] || create_config
if [[ ! -e $candidate ]]; then
  cp "$config" "$candidate.new"
  publish "$candidate"
fi
log "$base has version $(versions | paste -sd ' '); the model config file is $config"
