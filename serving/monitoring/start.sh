#!/bin/sh
# Starts Prometheus, in its image, with the models of this deployment in prometheus.yml.
#
#   SCRAPED_MODELS=$MODEL   the names of all models in models.config: sentiment|price
#   MODEL=seq2sum
#
# Arguments are flags of Prometheus. Rules are read where they are; after a change of prometheus.yml
# restart the container.
set -eu

models=${SCRAPED_MODELS:-${MODEL:-seq2sum}} here=$(cd "$(dirname "$0")" && pwd) config=${TMPDIR:-/tmp}/prometheus.yml

case $models in
  *[!A-Za-z0-9_.\|-]* | "|"* | *"|" | *"||"*)
    echo "invalid SCRAPED_MODELS '$models': expected names of models with | between them" >&2
    exit 1
    ;;
esac
sed -e "s#regex: seq2sum|\$#regex: $models|#" -e "s#^  - rules/#  - $here/rules/#" \
  "$here/prometheus.yml" >"$config"
exec prometheus --config.file="$config" "$@"
