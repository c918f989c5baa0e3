"""Epilogs of the help texts: examples, notes and exit codes."""

ADD_STATUS = """\
Exit status: 0 all questions answered, 1 some not answered, 2 invalid command line or unusable
file, 130 interrupted, 141 the reader of the output closed the pipe.
"""

COMMAND = f"""\
examples:
  seq2sum add "53+42" "999+1"
  seq2sum add --input questions.txt --format csv --output answers.csv
  seq2sum status --target serving.example:8500
  seq2sum explain "53+42"
  seq2sum predict --model sentiment --input rows.jsonl

{ADD_STATUS}More: seq2sum COMMAND --help
"""

ADD = f"""\
examples:
  seq2sum add "53+42" "999+1"
  seq2sum add < questions.txt
  seq2sum add --input monday.txt tuesday.txt --format csv --output answers.csv
  seq2sum add --input questions.txt --format jsonl | jq -r 'select(.error) | .question'
  tail -f questions.log | seq2sum add --line-buffered
  seq2sum add --label canary "53+42"
  seq2sum add --split stable=95,canary=5 --line-buffered < questions.txt

Every line of the input is a question, so that output rows correspond to input lines. Empty lines
and lines that are not UTF-8 are malformed questions; lines are truncated after 1 MiB.
A refused question does not affect the others: with text, it is printed to standard error with its
file and line (the first 20, or all with --all-errors); csv and jsonl have it in the field error.
On a terminal and with --line-buffered, each line is a separate call, and a failed call is handled
like a refused question. Otherwise a failed call ends the command.
With --split, each call goes to a random version or label, with all questions of the call.

{ADD_STATUS}"""

PREDICT = """\
examples:
  echo '{"text": "great product"}' | seq2sum predict --model sentiment
  seq2sum predict --model price --input rows.jsonl --format csv --output prices.csv
  seq2sum predict --model image --signature classify --outputs label score < images.jsonl

A line is a row: a JSON object with a value for each input, without dimension 0, or the value
itself for a signature with one input. Bytes are {"b64": "..."}; outputs that are UTF-8 are
written as text. Every line of the input has a row in the output. The row of a line that is not
valid, or that the model rejects, has the field error; the rows of a rejected call are sent again
in smaller calls, so that a bad row does not affect the others. JSON has no NaN and no Infinity:
they are errors in jsonl, and NaN and Infinity in csv. Complex numbers are [real, imaginary].
If the server cannot be reached or is overloaded, the command ends.

Exit status: 0 all rows have outputs, 1 some have errors, or a call failed, 2 invalid command line
or unusable file, 130 interrupted, 141 the reader of the output closed the pipe.
"""

STATUS = """\
examples:
  seq2sum status
  seq2sum status --wait 60 && seq2sum add "53+42"
  seq2sum status --label stable
  seq2sum status --json | jq -r '.versions[] | select(.state == "AVAILABLE") | .version'

Exit status: 0 a version is AVAILABLE, 1 no version is, or the call failed, 2 invalid command line.
"""

EXPLAIN = """\
examples:
  seq2sum explain "53+42"
  seq2sum explain --top 5 --version 2 "999+1"
  seq2sum explain --json "53+42" | jq '.positions[0][0]'

Colours are used only on a terminal, and not if NO_COLOR is set.
Exit status: 0 all questions explained, 1 some not explained, 2 invalid command line.
"""

WATCH = """\
examples:
  seq2sum watch
  seq2sum watch --interval 0.5 --label canary
  seq2sum watch --interval 60 >> seq2sum.log
  seq2sum watch --count 1
  seq2sum watch --model sentiment --probe '{"text": "great product"}'

A live view on a terminal, otherwise a line per poll. Errors are shown, and polling continues.
Exit status: 0 ended by Ctrl-C; with --count, 1 if a poll failed; 2 invalid command line.
"""

DESCRIBE = """\
examples:
  seq2sum describe
  seq2sum describe --version 2 --json | jq .digits
  seq2sum describe --model sentiment

Exit status: 0 signatures shown, 1 the call failed, or a part of the contract is missing from the
model seq2sum, 2 invalid command line.
"""
