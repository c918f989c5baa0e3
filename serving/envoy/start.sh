#!/usr/bin/env bash
# Runs Envoy and drains it before it stops; on its own SIGTERM Envoy cuts all calls.
#
#     bash start.sh [CONFIG [more of Envoy's options]]
#
# On SIGTERM or SIGINT clients are asked to reconnect elsewhere, calls in flight complete, and Envoy is
# stopped when none is left, or after DRAIN_SECONDS. The grace period of the container must be longer
# (stop_grace_period, terminationGracePeriodSeconds).
#
# ENVOY          the program (envoy)
# ADMIN_PORT     the port of `admin` in CONFIG (9901)
# WORKERS        threads; each has separate connections to every replica (2)
# DRAIN_SECONDS  time for clients to leave (15)
set -euo pipefail

config=${1:-/etc/envoy/envoy.yaml}
shift || true
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
  admin GET '/stats?filter=^http\.grpc\.downstream_rq_active$' | sed -n 's/^http.grpc.downstream_rq_active: //p'
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

# A container is replaced as a whole, without the shared memory of hot restarts.
"${ENVOY:-envoy}" --config-path "$config" --concurrency "${WORKERS:-2}" --disable-hot-restart \
  --drain-strategy immediate --drain-time-s "$closing_seconds" \
  --file-flush-interval-msec 1000 "$@" & # of the access log; the default is ten seconds
envoy=$!
trap drain TERM INT
wait "$envoy"
