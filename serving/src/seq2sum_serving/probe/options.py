"""The command line of `seq2sum-probe`."""

from __future__ import annotations

import argparse

from seq2sum_serving.deployment import tls_options
from seq2sum_serving.deployment.cli_options import (
    add_deployment,
    add_version,
    complete,
    count,
    seconds,
)
from seq2sum_serving.deployment.state import CANARY, STABLE

DESCRIPTION = """\
Probes the replicas of any models from outside, as a client would, and exports for Prometheus what
TensorFlow Serving itself does not: whether each label points to the version in the model config
file, and whether the answers are correct.

In each round it reads the versions and labels of every replica and sends a few golden requests to
each label. Over the rounds it goes through all requests in assets.extra/golden.jsonl of the label's
version, or else of the version that was in service before it. Without such a file it asks for the
signatures instead, and compares nothing: `seq2sum-rollout golden record` writes one. A replica that
is down or slow does not delay the others. Problems are logged to standard error when they occur and
when they are resolved.
"""
EXAMPLES = """\
examples:
  seq2sum-probe --targets 10.0.0.1:8500,10.0.0.2:8500 --config /models/models.config
      a round every 5 seconds; metrics at http://127.0.0.1:9851/metrics
  seq2sum-probe --targets dns:///seq2sum-serving:8500 --config /models/models.config --host 0.0.0.0
      every address of the name is a replica; Prometheus may run on another machine
  seq2sum-probe --once --config /models/models.config
      one round as a table: a health check, or a step of a pipeline
  seq2sum-probe --once --json --model sentiment --labels stable --requests 5000
      all golden requests of the stable version of one model, as JSON
  seq2sum-probe --ca ca.pem --cert client.pem --key client.key --targets 10.0.0.1:8500
      over mTLS; the expiry dates of the servers' certificates are exported too

exit codes:
  0  stopped by SIGTERM or Ctrl-C; with --once: every replica is up, labels are as configured,
     golden answers are as expected
  1  cannot listen on the port; with --once: at least one problem, one per line on standard error
  2  the command line is not valid
"""
PORT = 9851


def parser() -> argparse.ArgumentParser:
    """Returns the parser of all options."""
    top = argparse.ArgumentParser(
        prog="seq2sum-probe",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_version(top)
    add_deployment(top.add_argument_group("deployment"), several_models=True)
    calls = top.add_argument_group("calls")
    calls.add_argument(
        "--labels",
        type=labels,
        default=(STABLE, CANARY),
        metavar="LABEL,...",
        help="labels to send golden requests to (default: stable,canary)",
    )
    calls.add_argument(
        "--requests",
        type=count,
        default=3,
        metavar="N",
        help="golden requests per label and round (default: 3)",
    )
    calls.add_argument(
        "--timeout",
        type=seconds,
        default=3.0,
        metavar="SECONDS",
        help="for all requests of one round to one label of a replica (default: 3)",
    )
    export = top.add_argument_group("exporter")
    export.add_argument(
        "--interval",
        type=seconds,
        default=5.0,
        metavar="SECONDS",
        help="from the start of a round to the start of the next (default: 5)",
    )
    export.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0 for all interfaces (default: 127.0.0.1)",
    )
    export.add_argument(
        "--port",
        type=port,
        default=PORT,
        help=f"port of the metrics; 0 for any free one (default: {PORT})",
    )
    tls_options.add_options(top)
    single = top.add_argument_group("single round")
    single.add_argument("--once", action="store_true", help="run one round, print a table, exit")
    single.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return top


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """Parses a command line; exits with code 2 if it is not valid."""
    top = parser()
    complete(top)
    options = top.parse_args(arguments)
    if options.json and not options.once:
        top.error("--json prints a single round: add --once")
    models = options.model or []
    if len(set(models)) < len(models):
        top.error(f"--model names a model twice: {', '.join(models)}")
    own = [name for name in ("base_path", "traffic", "history") if getattr(options, name)]
    if own and len(models) > 1:
        top.error(f"--{own[0].replace('_', '-')} is of one model, but --model names several")
    return options


def labels(text: str) -> tuple[str, ...]:
    """Parses a comma-separated list of labels."""
    found = tuple(label.strip() for label in text.split(","))
    if not all(found) or len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(
            f"invalid labels {text!r}: expected different names with commas between them"
        )
    return found


def port(text: str) -> int:
    """Parses a TCP port."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"invalid port {text!r}: expected an integer, 0 to 65535")
    return int(text)
