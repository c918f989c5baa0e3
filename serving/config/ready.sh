#!/usr/bin/env bash
# Ready means: the label resolves to a version that is AVAILABLE, and that version adds right.
#
#   bash ready.sh [REST_PORT]      MODEL=seq2sum LABEL=stable TIMEOUT=3
#
# Asks the server on this machine one question whose answer is known. Exit code 0 says ready, 1 says
# not yet or no more, with one line on standard error that says why. Bash alone does it: the stock
# image has no curl, no Python and no grpc_health_probe, and what the server says of its own health
# is SERVING from its start on, whatever becomes of its models.
set -uo pipefail
export LC_ALL=C # lengths in bytes

port=${1:-8501} model=${MODEL:-seq2sum} label=${LABEL:-stable}
seconds=${TIMEOUT:-3} # for the whole reply; whoever calls has to wait a little longer than that
question='9+8' answer=17 # with a carry, and short enough for every model
most=4096                # bytes of a reply that are looked at

not_ready() {
  echo "not ready: $*" >&2
  exit 1
}

# Without this, a server that hangs up while it is written to would end the script without a word.
trap '' PIPE

{ exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null ||
  not_ready "nothing listens on port $port; it opens when the first version is AVAILABLE"

body="{\"inputs\": [\"$question\"]}"
printf -v head '%s\r\n' \
  "POST /v1/models/$model/labels/$label:predict HTTP/1.1" \
  "Host: 127.0.0.1:$port" \
  'Content-Type: application/json' \
  "Content-Length: ${#body}" \
  'Connection: close' \
  ''
printf '%s%s' "$head" "$body" 2>/dev/null >&3

# What has come is judged piece by piece: a right answer needs no end of the connection, and a
# server that drips or never ends its line is cut off by time and by size.
right="\"answers\":[[:space:]]*\[?[[:space:]]*\"$answer\""
reply='' late='' deadline=$((${EPOCHREALTIME/./} + seconds * 1000000))
while ((${#reply} < most)); do
  left=$((deadline - ${EPOCHREALTIME/./}))
  ((left > 0)) || { late=yes && break; }
  IFS= read -r -t "$((left / 1000000)).$(printf %06d $((left % 1000000)))" -n 256 piece <&3
  code=$?
  reply+="$piece"
  [[ $reply == HTTP/1.?' 200 '* && $reply =~ $right ]] && exit 0
  ((code < 128)) || late=yes
  ((code == 0)) || break # the end of the reply, or of the time
done

[[ -z $late ]] || not_ready "port $port did not reply within $seconds s"
[[ -n $reply ]] || not_ready "port $port hung up without a reply; is it --rest_api_port?"
[[ $reply == HTTP/* ]] || not_ready "port $port does not speak HTTP; is it --rest_api_port?"
reply=${reply//[$'\r\t']/ } status=${reply#* } said=${reply#*\{}
not_ready "$question by label $label of $model is $answer, but the reply has status ${status:0:3}" \
  "and says {${said:0:300}"
