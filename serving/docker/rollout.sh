#!/usr/bin/env bash
# seq2sum-rollout, told where it is: VERB [OPTION...]. Options that are given count, not these.
#
#   CONFIG=/models/models.config   the file of record
#   TARGETS=serving:8500           every server, by its gRPC port, or dns:///name:port
set -euo pipefail

[[ ${1:-} == [a-z]* ]] || exec seq2sum-rollout "$@" # no verb: it says itself what there is
exec seq2sum-rollout "$1" --config "${CONFIG:-/models/models.config}" \
  --targets "${TARGETS:-serving:8500}" "${@:2}"
