#!/usr/bin/env bash
# Runs seq2sum-rollout on the deployment of this image: COMMAND [OPTION...]. Options override these:
#
#   CONFIG=/models/models.config   the model config file
#   TARGETS=serving:8500           every server, by its gRPC port, or dns:///name:port
#   MODEL=                         the model; by default the only one of the model config file
set -euo pipefail

[[ ${1:-} == [a-z]* ]] || exec seq2sum-rollout "$@" # no command: it prints its usage
words=1
[[ $1 != golden && $1 != contract || ${2:-} != [a-z]* ]] || words=2 # golden record
exec seq2sum-rollout "${@:1:words}" --config "${CONFIG:-/models/models.config}" \
  --targets "${TARGETS:-serving:8500}" ${MODEL:+--model "$MODEL"} "${@:words+1}"
