#!/usr/bin/env bash
# Readiness check: the label points to an AVAILABLE version, and that version answers as expected.
#
#   bash ready.sh [REST_PORT]
#
#   MODEL=seq2sum LABEL=stable TIMEOUT=3    TIMEOUT: seconds for everything
#   MODEL_BASE_PATH=/models/$MODEL          the folder of the versions
#
# Asks the server on this machine for the version of the label, and sends it a golden request of that
# version (assets.extra/golden.jsonl). One output is compared, as text: it has to be compared exactly
# by the file and have only strings, integers and booleans. Without such an output any answer will do,
# and without a golden request that the label points to an AVAILABLE version.
#
# Exits with 0 if the server is ready, and otherwise with 1 and the reason on standard error. It needs
# only bash: the stock image has no curl, Python or grpc_health_probe, and the server's gRPC health
# service reports SERVING regardless of the state of its models.
set -uo pipefail
export LC_ALL=C # lengths in bytes

port=${1:-8501} model=${MODEL:-seq2sum} label=${LABEL:-stable}
seconds=${TIMEOUT:-3} # the timeout of the caller must be a little longer
base=${MODEL_BASE_PATH:-/models/$model}
most_of_file=65536 most_lines=20 longest_line=16384 # of golden.jsonl
most=65536                                          # bytes of a reply that are read
space='[[:space:]]*'

not_ready() {
  echo "not ready: $*" >&2
  exit 1
}

# Otherwise a server that closes the connection during a write would end the script without a message.
trap '' PIPE
deadline=$((${EPOCHREALTIME/./} + seconds * 1000000))

# Sends METHOD PATH BODY, and reads the reply until it matches the regular expression PATTERN. Exits if
# there is no reply. A correct reply does not need the end of the connection, and a server that sends
# slowly or endlessly is cut off by time and size.
reply=''
matches() {
  local head left piece code timed_out=''
  { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null ||
    not_ready "nothing listens on port $port; it opens when the first version is AVAILABLE"
  printf -v head '%s\r\n' "$1 $2 HTTP/1.1" "Host: 127.0.0.1:$port" 'Content-Type: application/json' \
    "Content-Length: ${#3}" 'Connection: close' ''
  printf '%s%s' "$head" "$3" 2>/dev/null >&3
  reply=''
  while ((${#reply} < most)); do
    left=$((deadline - ${EPOCHREALTIME/./}))
    ((left > 0)) || { timed_out=yes && break; }
    IFS= read -r -t "$((left / 1000000)).$(printf %06d $((left % 1000000)))" -n 256 piece <&3
    code=$?
    reply+="$piece"
    # Only the end of a value can complete a match: the lines of a long output are not searched.
    [[ $piece == *[]}\",]* && $reply == HTTP/1.?' 200 '* && $reply =~ $4 ]] && return
    ((code < 128)) || timed_out=yes
    ((code == 0)) || break # end of the reply, or timeout
  done
  [[ -z $timed_out ]] || not_ready "port $port did not reply within $seconds s"
  [[ -n $reply ]] ||
    not_ready "port $port closed the connection without a reply; is it --rest_api_port?"
  [[ $reply == HTTP/* ]] || not_ready "port $port does not speak HTTP; is it --rest_api_port?"
  return 1
}

# Prints status and body of the reply in one line, cut.
shown() {
  local text=${reply//[$'\r\t']/ }
  local status=${text#* } body=${text#*\{}
  echo "the reply has status ${status:0:3}: {${body:0:300}"
}

# Prints a regular expression for a text.
literal() {
  local text=$1 quoted='' each
  while [[ -n $text ]]; do
    each=${text:0:1} text=${text:1}
    case $each in
      '[' | ']' | '{' | '}' | '(' | ')' | '.' | '*' | '+' | '?' | '|' | '^' | '$') quoted+="\\$each" ;;
      *) quoted+=$each ;;
    esac
  done
  printf %s "$quoted"
}

# Parses a golden request. Sets `expected` to the first output that can be compared as text, for
# messages, and `pattern` to a regular expression for it in a reply; both are empty if there is none.
# Fails if the line is not a golden request.
parse() {
  local line=$1 token depth=0 key='' section='' output='' each inputs=''
  local -A patterns=() texts=() unusable=()
  local -a outputs=()
  while [[ $line =~ ^[[:space:]]*(\"([^\"\\]|\\.)*\"|[][{},:]|[^][{},:\"[:space:]]+) ]]; do
    token=${BASH_REMATCH[1]} line=${line:${#BASH_REMATCH[0]}}
    case $token in
      '{' | '[') ((depth += 1)) ;;
      '}' | ']') ((depth -= 1)) ;;
    esac
    if ((depth < 2)); then
      case $token in
        '{' | ',') key=expected ;;
        '"'*) [[ -z $key ]] || { section=$token && key=''; } ;;
      esac
      [[ $section != '"inputs"' ]] || inputs=yes
      continue
    fi
    [[ $section == '"expect"' || $section == '"compare"' ]] || continue
    if ((depth == 2)) && [[ $token == [{,] ]]; then # `{` opens the section
      key=expected
      continue
    elif [[ -n $key ]]; then
      output=$token key=''
      [[ $section != '"expect"' ]] || outputs+=("$output")
      continue
    elif ((depth == 2)) && [[ $token == ':' ]]; then
      continue
    elif [[ $section == '"compare"' ]]; then
      [[ $token == '"exact"' ]] || unusable[$output]=yes
      continue
    fi
    texts[$output]+=$token
    case $token in
      '[') patterns[$output]+="\\[$space" ;;
      ']') patterns[$output]+="$space\\]" ;;
      ',') patterns[$output]+="$space,$space" ;;
      true | false) patterns[$output]+=$token ;;
      *\\*) unusable[$output]=yes ;; # servers may escape a character in different ways
      '"'*) patterns[$output]+=$(literal "$token") ;;
      *)
        if [[ $token =~ ^(-?[0-9]+)(\.0+)?$ ]]; then # an output of floats has 1.0 where JSON has 1
          patterns[$output]+="${BASH_REMATCH[1]}(\\.0+)?"
        else
          unusable[$output]=yes
        fi
        ;;
    esac
  done
  ((depth == 0)) && [[ -z ${line//[[:space:]]/} && -n $inputs ]] || return 1
  for each in "${outputs[@]}"; do
    if [[ -z ${unusable[$each]:-} && $each != *\\* && -n ${patterns[$each]:-} ]]; then
      # With a single output the reply has no name.
      expected="$each: ${texts[$each]}"
      pattern="($(literal "$each")|\"outputs\")$space:$space${patterns[$each]}$space[,}]"
      return
    fi
  done
}

# Sets `request`, `expected` and `pattern` by the golden requests of a version: the first with an
# output that can be compared, else the first one; empty if there is none.
choose() {
  local folder name file='' text='' line lines=0
  request='' expected='' pattern=''
  for folder in "$base"/*/; do # 001 is version 1; of several, servers use the last
    name=${folder%/} name=${name##*/}
    [[ $name =~ ^[+]?0*$1$ ]] && file=$folder/assets.extra/golden.jsonl
  done
  [[ -f $file && -r $file ]] || return
  IFS= read -r -d '' -n "$most_of_file" text <"$file" || text+=$'\n' # the last line may have no end
  while ((lines++ < most_lines)) && [[ $text == *$'\n'* ]]; do
    line=${text%%$'\n'*} text=${text#*$'\n'}
    ((${#line} <= longest_line)) && parse "$line" || continue
    [[ -z $request || -n $pattern ]] && request=$line
    [[ -z $pattern ]] || return
  done
}

path="/v1/models/$model/labels/$label"
# GET without /metadata ignores the label: TensorFlow Serving's GetModelStatus has no labels.
matches GET "$path/metadata" '' "\"version\"$space:$space\"([0-9]+)\"" ||
  not_ready "label $label of $model has no AVAILABLE version: $(shown)"
version=${BASH_REMATCH[1]}

choose "$version"
[[ -n $request ]] || exit 0
matches POST "$path:predict" "$request" "${pattern:-.}" && exit 0
not_ready "version $version of $model, label $label, does not answer its golden request:" \
  "${expected:+expected ${expected:0:100}, but }$(shown)"
