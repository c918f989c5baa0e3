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

A live view on a terminal, otherwise a line per poll. Errors are shown, and polling continues.
Exit status: 0 ended by Ctrl-C; with --count, 1 if a poll failed; 2 invalid command line.
"""

DESCRIBE = """\
examples:
  seq2sum describe
  seq2sum describe --version 2 --json | jq .digits

Exit status: 0 the version meets the contract, 1 a part of it is missing, or the call failed,
2 invalid command line.
"""
