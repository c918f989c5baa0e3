#!/usr/bin/env bash
# Readiness check: the label points to an AVAILABLE version, and that version answers as expected.
#
#   bash ready.sh [REST_PORT]
#
#   MODEL=seq2sum LABEL=stable TIMEOUT=3    TIMEOUT: seconds for everything
#   MODEL_BASE_PATH=/models/$MODEL          the folder of the versions
#
# Asks the server on this machine for the version of the label, and sends it a golden request of that
# version (assets.extra/golden.jsonl), or else of the nearest lower version that has some. The probe and
# the gates use the version that was in service before, which only the whole history says; this script
# skips the versions that failed according to MODEL.rollouts.jsonl next to the folder of the versions.
#
# One output is compared, as text: it has to be compared exactly by the file and have only strings,
# integers and booleans. Any prediction will do if there is no such output, or if it does not start
# within the first 128 KiB of the reply. Without a golden request an AVAILABLE version is enough.
#
# Exits with 0 if the server is ready, and otherwise with 1 and the reason on standard error. It needs
# only bash: the stock image has no curl, Python or grpc_health_probe, and the server's gRPC health
# service reports SERVING regardless of the state of its models.
set -uo pipefail
export LC_ALL=C # lengths in bytes

port=${1:-8501} model=${MODEL:-seq2sum} label=${LABEL:-stable}
seconds=${TIMEOUT:-3} # the timeout of the caller must be a little longer
base=${MODEL_BASE_PATH:-/models/$model} base=${base%/}
most_of_file=65536 most_lines=20 longest_line=16384 # of golden.jsonl
most=131072 most_of_value=65536                     # bytes of a reply, and of a value that starts there
most_shown=4096
space='[[:space:]]*'

not_ready() {
  echo "not ready: $*" >&2
  exit 1
}

# Otherwise a server that closes the connection during a write would end the script without a message.
trap '' PIPE
deadline=$((${EPOCHREALTIME/./} + seconds * 1000000))

# Sends METHOD PATH BODY, and reads the reply until the function CHECK succeeds, which is called with each
# piece of a reply with status 200; `reply` is its beginning. Exits if there is no reply. A reply does not
# need the end of the connection. A server that sends slowly or endlessly is cut off by time, and by size:
# then `cut` is set.
reply='' size=0 cut=''
ask() {
  local head left piece='' code timed_out=''
  { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null ||
    not_ready "nothing listens on port $port; it opens when the first version is AVAILABLE"
  printf -v head '%s\r\n' "$1 $2 HTTP/1.1" "Host: 127.0.0.1:$port" 'Content-Type: application/json' \
    "Content-Length: ${#3}" 'Connection: close' ''
  printf '%s%s' "$head" "$3" 2>/dev/null >&3
  reply='' size=0 cut='' limit=$most
  while :; do
    left=$((deadline - ${EPOCHREALTIME/./}))
    ((left > 0)) || { timed_out=yes && break; }
    ((size < limit)) || { cut=yes && break; }
    printf -v left '%d.%06d' $((left / 1000000)) $((left % 1000000))
    IFS= read -r -t "$left" -n 1024 piece <&3
    code=$?
    ((code != 0)) || ((${#piece} == 1024)) || piece+=$'\n'
    ((size > most_shown)) || reply+=$piece
    ((size += ${#piece}))
    [[ $reply == HTTP/1.?' 200 '* ]] && "$4" "$piece" && return
    ((code < 128)) || timed_out=yes
    ((code == 0)) || break # end of the reply, or timeout
  done 2>/dev/null          # bash reports a reset connection there
  [[ -z $timed_out ]] || not_ready "port $port did not reply within $seconds s"
  [[ -n $reply ]] ||
    not_ready "port $port closed the connection without a reply; is it --rest_api_port?"
  [[ $reply == HTTP/* ]] || not_ready "port $port does not speak HTTP; is it --rest_api_port?"
  return 1
}

# Keeps the last characters of `window`.
window=''
keep() {
  ((${#window} <= $1)) || window=${window:(-$1)}
}

# Checks a piece of the metadata for the version, which BASH_REMATCH has then.
has_version() {
  window+=$1
  [[ $window =~ \"version\"$space:$space\"([0-9]+)\" ]] && return
  keep 64 # it may start in this piece
  return 1
}

# Succeeds if the reply is a prediction.
is_prediction() {
  local start=$'\r\n\r\n'"$space[{]$space\"outputs\"$space:"
  [[ $reply =~ $start ]]
}

# Checks a piece of a prediction for the expected value. Succeeds when it is complete, and sets `verdict`
# to `right` or `wrong`. Each byte is searched once for the name of the output; a value is only compared
# when it has as many brackets and commas as the expected one.
verdict='' state=name brackets=0 commas=0
has_value() {
  local more=$1
  window+=$1
  while :; do
    case $state in
      name) # with a single output the reply has no name
        if [[ ! $window =~ $output|\"outputs\" ]]; then
          keep "$longest_name"
          return 1
        fi
        window=${window#*"${BASH_REMATCH[0]}"} state=${BASH_REMATCH[0]}
        limit=$((size + most_of_value))
        ;;
      value)
        more=${more//[!\],\}]/}
        ((commas += ${#more})) && more=${more//[!\]]/} && ((brackets += ${#more}, commas -= ${#more}))
        ((brackets >= expected_brackets && commas > expected_commas)) || return 1
        [[ $window =~ ^$pattern$space[,}] ]] && verdict=right || verdict=wrong
        return 0
        ;;
      *)
        [[ $window =~ [^[:space:]].*[^[:space:]] ]] || return 1 # two more characters
        if [[ ! $window =~ ^$space:$space([^[:space:]].*) ]]; then
          state=name limit=$most # a string
        elif [[ ${BASH_REMATCH[1]} == '{'* ]]; then
          state=name limit=$most window=${BASH_REMATCH[1]} # the object of all outputs
        else
          state=value window=${BASH_REMATCH[1]} more=$window
        fi
        ;;
    esac
  done
}

# Prints status and body of the reply in one line, cut.
shown() {
  local text=$reply
  text=${text//$'\n'/} text=${text//[$'\r\t']/ }
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
# messages, `output` and `pattern` to regular expressions for its name and its value, and the numbers of
# brackets and commas in it; all are empty if there is none. Fails if the line is not a golden request.
parse() {
  local line=$1 token depth=0 key='' section='' name='' each inputs=''
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
      name=$token key=''
      [[ $section != '"expect"' ]] || outputs+=("$name")
      continue
    elif ((depth == 2)) && [[ $token == ':' ]]; then
      continue
    elif [[ $section == '"compare"' ]]; then
      [[ $token == '"exact"' ]] || unusable[$name]=yes
      continue
    fi
    texts[$name]+=$token
    case $token in
      '[') patterns[$name]+="\\[$space" ;;
      ']') patterns[$name]+="$space\\]" ;;
      ',') patterns[$name]+="$space,$space" ;;
      true | false) patterns[$name]+=$token ;;
      *\\*) unusable[$name]=yes ;; # servers may escape a character in different ways
      '"'*) patterns[$name]+=$(literal "$token") ;;
      *)
        if [[ $token =~ ^(-?[0-9]+)(\.0+)?$ ]]; then # an output of floats has 1.0 where JSON has 1
          patterns[$name]+="${BASH_REMATCH[1]}(\\.0+)?"
        else
          unusable[$name]=yes
        fi
        ;;
    esac
  done
  ((depth == 0)) && [[ -z ${line//[[:space:]]/} && -n $inputs ]] || return 1
  for each in "${outputs[@]}"; do
    if [[ -z ${unusable[$each]:-} && $each != *\\* && -n ${patterns[$each]:-} ]]; then
      expected="$each: ${texts[$each]}" output=$(literal "$each") pattern=${patterns[$each]}
      longest_name=$((${#each} > 9 ? ${#each} : 9)) # "outputs"
      token=${texts[$each]//[!\]]/} expected_brackets=${#token}
      token=${texts[$each]//[!,\}]/} expected_commas=${#token}
      return
    fi
  done
}

# Succeeds if the history says that a version failed, was rolled back or aborted.
failed() {
  local history="${base%/*}/$model.rollouts.jsonl"
  [[ -f $history && -r $history ]] || return
  [[ $(<"$history") =~ '"kind":"'(failed|rolled back|aborted)'","version":'$1, ]]
}

# Sets `request`, `expected`, `pattern` and more by the golden requests for a version: the first with an
# output that can be compared, else the first one; empty if there is none. Sets `owner` to the version
# that they belong to.
choose() {
  local folder name number file text='' line lines=0
  local -A folders=()
  request='' expected='' pattern='' owner=-1
  for folder in "$base"/*/; do # 001 is version 1; of several, servers use the last
    name=${folder%/} name=${name##*/}
    [[ $name =~ ^[+]?0*([0-9]{1,19})$ ]] && folders[${BASH_REMATCH[1]}]=$folder
  done
  for number in "${!folders[@]}"; do
    ((number > owner && number <= $1)) && [[ -e ${folders[$number]}assets.extra/golden.jsonl ]] || continue
    ((number == $1)) || ! failed "$number" || continue
    owner=$number
  done
  ((owner >= 0)) || return
  file=${folders[$owner]}assets.extra/golden.jsonl
  if [[ -f $file && -r $file ]]; then
    IFS= read -r -d '' -n "$most_of_file" text <"$file" || text+=$'\n' # the last line may have no end
  fi
  while ((lines++ < most_lines)) && [[ $text == *$'\n'* ]]; do
    line=${text%%$'\n'*} text=${text#*$'\n'}
    ((${#line} <= longest_line)) && parse "$line" || continue
    [[ -z $request || -n $pattern ]] && request=$line
    [[ -z $pattern ]] || return
  done
  [[ -n $request ]] || echo "note: no answer is compared: $file is not readable, or its first" \
    "$most_lines lines have no golden request of at most $longest_line bytes" >&2
}

path="/v1/models/$model/labels/$label"
# GET without /metadata ignores the label: TensorFlow Serving's GetModelStatus has no labels.
ask GET "$path/metadata" '' has_version ||
  not_ready "label $label of $model has no AVAILABLE version: $(shown)"
version=${BASH_REMATCH[1]}

choose "$version"
[[ -n $request ]] || exit 0
window=''
if [[ -z $pattern ]]; then
  ask POST "$path:predict" "$request" is_prediction && exit 0
elif ask POST "$path:predict" "$request" has_value; then
  [[ $verdict != right ]] || exit 0
elif [[ -n $cut && $state == name && $reply == HTTP/1.?' 200 '* ]] && is_prediction; then
  exit 0 # too long to be compared
fi
((owner == version)) && whose='its golden request' || whose="a golden request of version $owner"
not_ready "version $version of $model, label $label, does not answer $whose:" \
  "${expected:+expected ${expected:0:100}, but }$(shown)"
