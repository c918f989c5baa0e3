#!/usr/bin/env bash
# Runs seq2sum-rollout with the paths and targets of the container: VERB [OPTION...]. Options on the
# command line take precedence.
#
#   CONFIG=/models/models.config   the model config file
#   TARGETS=serving:8500           the gRPC ports of all replicas, or dns:///name:port
set -euo pipefail

[[ ${1:-} == [a-z]* ]] || exec seq2sum-rollout "$@" # without a verb, such as --help
exec seq2sum-rollout "$1" --config "${CONFIG:-/models/models.config}" \
  --targets "${TARGETS:-serving:8500}" "${@:2}"
