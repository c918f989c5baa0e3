#!/usr/bin/env bash
# Runs seq2sum-rollout on the deployment of this image: COMMAND [OPTION...]. Options override these:
#
#   CONFIG=/models/models.config   the model config file
#   TARGETS=serving:8500           every server, by its gRPC port, or dns:///name:port
#   MODEL=                         the model; by default the only one of the model config file
#   ROUTER=                        who sends callers to the candidate group: envoy, client or none.
#                                  Without it there is no candidate group, and these are not used:
#   CANDIDATE_TARGETS=             its servers, in the form of TARGETS
#   CANDIDATE_CONFIG=              their model config file; by default candidate.config next to CONFIG
#   ENVOY_ADMIN=                   the metrics port of every Envoy, in the form of TARGETS
set -euo pipefail

[[ ${1:-} == [a-z]* ]] || exec seq2sum-rollout "$@" # no command: it prints its usage
words=1
[[ $1 != golden && $1 != contract || ${2:-} != [a-z]* ]] || words=2 # golden record
candidate=()
if [[ ${ROUTER:-} ]]; then
  candidate=(--router "$ROUTER" ${CANDIDATE_TARGETS:+--candidate-targets "$CANDIDATE_TARGETS"}
    ${CANDIDATE_CONFIG:+--candidate-config "$CANDIDATE_CONFIG"}
    ${ENVOY_ADMIN:+--envoy-admin "$ENVOY_ADMIN"})
fi
exec seq2sum-rollout "${@:1:words}" --config "${CONFIG:-/models/models.config}" \
  --targets "${TARGETS:-serving:8500}" ${MODEL:+--model "$MODEL"} "${candidate[@]}" "${@:words+1}"
