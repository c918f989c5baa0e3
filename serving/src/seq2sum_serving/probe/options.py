"""The command line of `seq2sum-probe`."""

from __future__ import annotations

import argparse

from seq2sum_serving.deployment import tls_options
from seq2sum_serving.deployment.cli_options import add_deployment, add_version, count, seconds
from seq2sum_serving.deployment.state import CANARY, STABLE

DESCRIPTION = """\
Stands beside the replicas of a model, asks them what a caller would, and exports for Prometheus
what TensorFlow Serving cannot say itself: whether each label is on the version that the file of
record wants, and whether its answers are right.

Each round asks every replica for its versions and labels, and a few golden questions by each
label: those that the label's version brings along, the next ones each time. Where the version's
folder cannot be read from here, sums of one digit are asked. What is down or slow holds up nobody
else; it and whatever cannot be read are told on standard error, once, and looked for again in the
next round.
"""
EXAMPLES = """\
examples:
  seq2sum-probe --targets 10.0.0.1:8500,10.0.0.2:8500 --config /models/models.config
      looks every 5 seconds; the metrics are at http://127.0.0.1:9851/metrics
  seq2sum-probe --targets dns:///seq2sum-serving:8500 --config /models/models.config --host 0.0.0.0
      every address of the name is a replica; Prometheus may be on another machine
  seq2sum-probe --once --config /models/models.config
      one round as a table: a health check, or a step of a pipeline
  seq2sum-probe --once --json --labels stable --questions 1060
      all golden questions of the stable version, for a program
  seq2sum-probe --ca ca.pem --cert client.pem --key client.key --targets 10.0.0.1:8500
      by mTLS; when the servers' certificates expire is exported too

exit codes:
  0  ended by SIGTERM or Ctrl-C; with --once: every replica is up, labels are where the file of
     record says, golden answers are right
  1  it cannot listen on its port; with --once: something is wrong, a line each on standard error
  2  the command line is not valid
"""
PORT = 9851


def parser() -> argparse.ArgumentParser:
    """Every option."""
    top = argparse.ArgumentParser(
        prog="seq2sum-probe",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_version(top)
    add_deployment(top.add_argument_group("the deployment"))
    asking = top.add_argument_group("what is asked")
    asking.add_argument(
        "--labels",
        type=labels,
        default=(STABLE, CANARY),
        metavar="LABEL,...",
        help="by which golden questions are asked (default: stable,canary)",
    )
    asking.add_argument(
        "--questions",
        type=count,
        default=3,
        metavar="N",
        help="by each label in a round (default: 3)",
    )
    asking.add_argument(
        "--timeout",
        type=seconds,
        default=3.0,
        metavar="SECONDS",
        help="that a replica has for all that a label is asked in a round (default: 3)",
    )
    export = top.add_argument_group("the exporter")
    export.add_argument(
        "--every",
        type=seconds,
        default=5.0,
        metavar="SECONDS",
        help="from one round to the next (default: 5)",
    )
    export.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address to listen on; 0.0.0.0 for all (default: 127.0.0.1)",
    )
    export.add_argument(
        "--port",
        type=port,
        default=PORT,
        help=f"of the metrics; 0 for any that is free (default: {PORT})",
    )
    tls_options.add_options(top)
    single = top.add_argument_group("a single round")
    single.add_argument("--once", action="store_true", help="look once, show a table, and end")
    single.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    return top


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """What a command line says."""
    top = parser()
    chosen = top.parse_args(arguments)
    if chosen.json and not chosen.once:
        top.error("--json shows a single round: give --once too")
    return chosen


def labels(text: str) -> tuple[str, ...]:
    """Labels with commas between."""
    found = tuple(label.strip() for label in text.split(","))
    if not all(found) or len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of labels, each once")
    return found


def port(text: str) -> int:
    """A TCP port."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a whole number from 0 to 65535")
    return int(text)
