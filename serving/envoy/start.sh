#!/usr/bin/env bash
# Runs Envoy and drains it before it stops; on its own SIGTERM Envoy cuts all calls.
#
#     bash start.sh [CONFIG [more of Envoy's options]]
#
# Envoy reads its routes from a copy of the routes file of seq2sum-rollout, which is checked five times a
# second. Envoy itself would only watch a file that exists when it starts, and would not notice changes
# that another machine makes on a network volume. Without the file, and at each start until Envoy is
# ready, the routes are those of routes.json next to this script: all calls go to the stable group. If a
# file is not valid, Envoy logs the reason and keeps the previous routes.
#
# On SIGTERM or SIGINT clients are asked to reconnect elsewhere, calls in flight complete, and Envoy is
# stopped when none is left, or after DRAIN_SECONDS. The grace period of the container must be longer
# (stop_grace_period, terminationGracePeriodSeconds).
#
# MODEL          the model that calls are for (seq2sum)
# ROUTES         the routes file (/models/$MODEL.routes.json)
# ROUTES_COPY    the copy; its path in CONFIG, and nothing else is in its folder (/tmp/router/routes.json)
# ENVOY          the program (envoy)
# ADMIN_PORT     the port of `admin` in CONFIG (9901)
# WORKERS        threads; each has separate connections to every server (2)
# DRAIN_SECONDS  time for clients to leave (15)
set -euo pipefail

config=${1:-/etc/envoy/router.yaml}
shift || true
default_routes=$(dirname "${BASH_SOURCE[0]}")/routes.json
routes=${ROUTES:-/models/${MODEL:-seq2sum}.routes.json}
copy=${ROUTES_COPY:-/tmp/router/routes.json}
admin_port=${ADMIN_PORT:-9901}
drain_seconds=${DRAIN_SECONDS:-15}
closing_seconds=$((drain_seconds / 3)) # time until the listeners close

# admin METHOD PATH: prints Envoy's reply; nothing if it has exited. The image has no curl.
admin() (
  exec 3<>"/dev/tcp/127.0.0.1/$admin_port"
  printf '%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" "$2" >&3
  cat <&3
) 2>/dev/null

# Prints the number of calls in flight.
calls() {
  admin GET '/stats?filter=^http\.router\.downstream_rq_active$' | sed -n 's/^http.router.downstream_rq_active: //p'
}

# Copies the routes whenever they differ from the last copy. Without programs in the loop, only builtins.
follow_routes() {
  local last='' current pause
  exec {pause}<> <(:)
  until [[ $(admin GET /ready) == *LIVE* ]]; do
    kill -0 "$envoy" 2>/dev/null || return 0
    sleep 0.1
  done
  while kill -0 "$envoy" 2>/dev/null; do
    current=''
    read -r -d '' current 2>/dev/null <"$routes" || true
    [[ $current ]] || read -r -d '' current <"$default_routes" || true
    if [[ $current != "$last" ]]; then
      printf '%s\n' "$current" >"$copy.new" && mv "$copy.new" "$copy" && last=$current
    fi
    read -r -t 0.2 -u "$pause" || true
  done
}

drain() {
  trap 'kill -TERM "$envoy" 2>/dev/null || true' TERM INT # a second signal stops it at once
  echo "draining, at most $drain_seconds s"
  # Connections close with their next reply; after --drain-time-s new ones are rejected.
  admin POST '/drain_listeners?graceful' >/dev/null || true
  local start=$SECONDS code=0
  while kill -0 "$envoy" 2>/dev/null && ((SECONDS - start < drain_seconds)); do
    # Not before the listeners are closed: until then new calls may arrive.
    ((SECONDS - start > closing_seconds)) && [[ $(calls) == 0 ]] && break
    sleep 0.1
  done
  kill -TERM "$envoy" 2>/dev/null || true
  wait "$envoy" || code=$?
  exit "$code"
}

mkdir -p "$(dirname "$copy")"
cp "$default_routes" "$copy"

# A container is replaced as a whole, without the shared memory of hot restarts.
"${ENVOY:-envoy}" --config-path "$config" --concurrency "${WORKERS:-2}" --disable-hot-restart \
  --drain-strategy immediate --drain-time-s "$closing_seconds" \
  --file-flush-interval-msec 1000 "$@" & # of the access log; the default is ten seconds
envoy=$!
trap drain TERM INT
follow_routes &
wait "$envoy"
