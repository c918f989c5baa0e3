#!/usr/bin/env bash
# Runs Envoy, and lets it drain before it stops: by itself it cuts all calls when it is told to end.
#
#     bash start.sh [CONFIG [more of Envoy's options]]
#
# On SIGTERM or SIGINT clients are told to go elsewhere, calls under way end, and Envoy is stopped when
# none is left, at the latest after DRAIN_SECONDS. Whoever stops the container has to wait longer than
# that (stop_grace_period, terminationGracePeriodSeconds).
#
# ENVOY          the program (envoy)
# ADMIN_PORT     the port of `admin` in CONFIG (9901)
# WORKERS        threads; each has connections of its own to every replica (2)
# DRAIN_SECONDS  how long clients may take to leave (15)
set -euo pipefail

config=${1:-/etc/envoy/envoy.yaml}
shift || true
admin_port=${ADMIN_PORT:-9901}
drain_seconds=${DRAIN_SECONDS:-15}
closing_seconds=$((drain_seconds / 3)) # new connections are taken for so long

# admin METHOD PATH: what Envoy says; nothing if it is gone. There is no curl in the image.
admin() (
  exec 3<>"/dev/tcp/127.0.0.1/$admin_port"
  printf '%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" "$2" >&3
  cat <&3
) 2>/dev/null

# How many calls are under way.
calls() {
  admin GET '/stats?filter=^http\.grpc\.downstream_rq_active$' | sed -n 's/^http.grpc.downstream_rq_active: //p'
}

drain() {
  trap 'kill -TERM "$envoy" 2>/dev/null || true' TERM INT # a second one ends it at once
  echo "draining, at most $drain_seconds s"
  # Each connection is told to end with its next answer; after --drain-time-s none is taken.
  admin POST '/drain_listeners?graceful' >/dev/null || true
  local began=$SECONDS code=0
  while kill -0 "$envoy" 2>/dev/null && ((SECONDS - began < drain_seconds)); do
    # Not before the listeners are closed: until then a call may still come.
    ((SECONDS - began > closing_seconds)) && [[ $(calls) == 0 ]] && break
    sleep 0.1
  done
  kill -TERM "$envoy" 2>/dev/null || true
  wait "$envoy" || code=$?
  exit "$code"
}

# Hot restarts are for machines: a container is replaced as a whole, and shares no memory.
"${ENVOY:-envoy}" --config-path "$config" --concurrency "${WORKERS:-2}" --disable-hot-restart \
  --drain-strategy immediate --drain-time-s "$closing_seconds" \
  --file-flush-interval-msec 1000 "$@" & # the log of calls, else held back for ten seconds
envoy=$!
trap drain TERM INT
wait "$envoy"
