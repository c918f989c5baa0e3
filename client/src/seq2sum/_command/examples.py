"""The part of the help below the options: examples, and what the options do not say."""

COMMAND = """\
examples:
  seq2sum add "53+42" "999+1"
  seq2sum add --input questions.txt --format csv --output answers.csv
  seq2sum status --target serving.example:8500
  seq2sum explain "53+42"

Exit status: 0 all was answered, 1 something was not, 2 the command line is wrong or names
a file that cannot be used, 130 interrupted, 141 the reader of the output went away.
More: seq2sum VERB --help
"""

ADD = """\
examples:
  seq2sum add "53+42" "999+1"
  seq2sum add < questions.txt
  seq2sum add --input monday.txt tuesday.txt --format csv --output answers.csv
  seq2sum add --input questions.txt --format jsonl | jq -r 'select(.error) | .question'
  tail -f questions.log | seq2sum add --line-buffered
  seq2sum add --label canary "53+42"
  seq2sum add --split stable=95,canary=5 --line-buffered < questions.txt

A question a line. Every line is one, so that answers and lines can be laid side by side: an
empty line is a malformed question, a line that is no UTF-8 too, and so is all beyond 1 MiB.
A refused question costs no other: text tells it on standard error with its file and line
(the first 20, or --all-errors), csv and jsonl have a row with the field error for it.
At a terminal, and with --line-buffered, each line is a call of its own, and a call that fails
is told like a refused question. Otherwise a call that fails ends the command.
With --split each call goes to a side by chance, with all the questions that share it.

Exit status: 0 all was answered, 1 something was not, 2 the command line is wrong or names
a file that cannot be used, 130 interrupted, 141 the reader of the output went away.
"""

STATUS = """\
examples:
  seq2sum status
  seq2sum status --wait 60 && seq2sum add "53+42"
  seq2sum status --label stable
  seq2sum status --json | jq -r '.versions[] | select(.state == "AVAILABLE") | .version'

Exit status: 0 a version is AVAILABLE, 1 none is or the server cannot be asked, 2 the command
line is wrong.
"""

EXPLAIN = """\
examples:
  seq2sum explain "53+42"
  seq2sum explain --top 5 --version 2 "999+1"
  seq2sum explain --json "53+42" | jq '.places[0][0]'

Colours only at a terminal, and not where NO_COLOR is set.
Exit status: 0 all was explained, 1 something was not, 2 the command line is wrong.
"""

WATCH = """\
examples:
  seq2sum watch
  seq2sum watch --interval 0.5 --label canary
  seq2sum watch --interval 60 >> seq2sum.log
  seq2sum watch --count 1

A live view at a terminal, otherwise a line for each look. What goes wrong is shown, and it
goes on.
Exit status: 0 if Ctrl-C ended it; with --count, 1 if a look failed; 2 the command line is wrong.
"""

DESCRIBE = """\
examples:
  seq2sum describe
  seq2sum describe --version 2 --json | jq .digits

Exit status: 0 it keeps the contract of a seq2sum model, 1 it does not or cannot be asked, 2 the
command line is wrong.
"""
