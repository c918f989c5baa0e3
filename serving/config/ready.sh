#!/usr/bin/env bash
# Readiness check: the label points to an AVAILABLE version, and that version answers correctly.
#
#   bash ready.sh [REST_PORT]      MODEL=seq2sum LABEL=stable TIMEOUT=3
#
# Sends the server on this machine one question with a known answer. Exits with 0 if it is ready, and
# otherwise with 1 and the reason on standard error. It needs only bash: the stock image has no curl,
# Python or grpc_health_probe, and the server's gRPC health service reports SERVING regardless of the
# state of its models.
set -uo pipefail
export LC_ALL=C # lengths in bytes

port=${1:-8501} model=${MODEL:-seq2sum} label=${LABEL:-stable}
seconds=${TIMEOUT:-3} # for the whole reply; the timeout of the caller must be a little longer
question='9+8' answer=17 # with a carry, and short enough for every model
most=4096                # bytes of the reply that are read

not_ready() {
  echo "not ready: $*" >&2
  exit 1
}

# Otherwise a server that closes the connection during a write would end the script without a message.
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

# Checks the reply as it arrives: a correct answer does not need the end of the connection, and a
# server that sends slowly or endlessly is cut off by time and size.
correct="\"answers\":[[:space:]]*\[?[[:space:]]*\"$answer\""
reply='' timed_out='' deadline=$((${EPOCHREALTIME/./} + seconds * 1000000))
while ((${#reply} < most)); do
  left=$((deadline - ${EPOCHREALTIME/./}))
  ((left > 0)) || { timed_out=yes && break; }
  IFS= read -r -t "$((left / 1000000)).$(printf %06d $((left % 1000000)))" -n 256 piece <&3
  code=$?
  reply+="$piece"
  [[ $reply == HTTP/1.?' 200 '* && $reply =~ $correct ]] && exit 0
  ((code < 128)) || timed_out=yes
  ((code == 0)) || break # end of the reply, or timeout
done

[[ -z $timed_out ]] || not_ready "port $port did not reply within $seconds s"
[[ -n $reply ]] || not_ready "port $port closed the connection without a reply; is it --rest_api_port?"
[[ $reply == HTTP/* ]] || not_ready "port $port does not speak HTTP; is it --rest_api_port?"
reply=${reply//[$'\r\t']/ } status=${reply#* } body=${reply#*\{}
not_ready "expected $answer for $question by label $label of $model, but the reply has status" \
  "${status:0:3}: {${body:0:300}"
