"""The command line of `seq2sum-rollout`."""

from __future__ import annotations

import argparse
from pathlib import Path

from seq2sum import model_versions

from seq2sum_serving.deployment import tls_options
from seq2sum_serving.deployment.cli_options import (
    add_deployment,
    add_version,
    count,
    number_within,
    seconds,
)

DESCRIPTION = """\
Moves live traffic from one version of a model to the next without a failed call, on TensorFlow
Serving and on seq2sum-serve, with one replica or many.

The file of record is the model config file that every replica reads. It is changed in two steps:
versions first, and labels when those are AVAILABLE on every replica. `stable` serves, `canary` is
on trial (and rests on stable when nothing is), `previous` is kept loaded for a rollback.
"""
EXAMPLES = """\
examples:
  seq2sum-rollout status --targets 10.0.0.1:8500,10.0.0.2:8500
  seq2sum-rollout run 3 --targets dns:///seq2sum-serving:8500 --why "new training data"
  seq2sum-rollout run 3 --dry-run          what it would do
  seq2sum-rollout rollback                 back, in less than a second
  seq2sum-rollout watch                    live, Ctrl-C ends it

exit codes:
    0  done, and seen on every replica
    1  failed; traffic is where it was
    2  the command line or a file is not valid
    3  inconclusive: too little was seen to judge
  130  interrupted
"""


def parser() -> argparse.ArgumentParser:
    """Every verb with its options."""
    top = argparse.ArgumentParser(
        prog="seq2sum-rollout",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_version(top)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    shared = _shared()
    changing = _changing()

    def verb(name: str, told: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        description = f"{told[0].upper()}{told[1:]}."
        return verbs.add_parser(
            name, help=told, description=description, parents=[shared, *parents]
        )

    verb(
        "status",
        "show what is on disk, in the file of record and on each replica, and what differs",
    )
    one = verb("publish", "copy an exported version to the base path, by one rename", changing)
    one.add_argument("folder", metavar="DIR", help="the version's folder, with saved_model.pb")
    one.add_argument("--version", type=version, metavar="N", help="its number (default: the next)")
    one = verb(
        "canary", "load a version beside the stable one, judge it, give it traffic", changing
    )
    one.add_argument("version", type=version, metavar="V")
    one.add_argument(
        "--percent", type=percentage, default=0.0, help="of the traffic (default: only the label)"
    )
    _without_gates(one)
    one = verb(
        "promote", "give a version all of the traffic; the one before stays loaded", changing
    )
    one.add_argument("version", type=version, metavar="V")
    _without_gates(one)
    verb("rollback", "end the trial, or go back to the version before; needs no load", changing)
    one = verb("retire", "unload a version that no label points at; its folder stays", changing)
    one.add_argument("version", type=version, metavar="V")
    verb("repair", "bring every replica to what the file of record says", changing)
    one = verb("run", "do all of it: load, judge, trial step by step, promote, retire", changing)
    one.add_argument("what", metavar="V|DIR", help="a version on disk, or a folder to publish")
    one = verb("history", "show what was done, by whom and why")
    one.add_argument("--last", type=count, default=30, metavar="N", help="lines (default: 30)")
    one = verb("watch", "show versions, labels, replicas, traffic and gates, live")
    one.add_argument("--every", type=seconds, default=1.0, metavar="SECONDS", help="(default: 1)")
    one.add_argument("--count", type=count, metavar="N", help="end after so many looks")
    return top


def _shared() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    group = shared.add_argument_group("the deployment")
    add_deployment(group)
    group.add_argument("--policy", type=Path, metavar="FILE", help="limits of the gates, as TOML")
    group.add_argument("--prometheus", metavar="URL", help="for live figures, as http://host:9090")
    tls_options.add_options(shared)
    shared.add_argument("--json", action="store_true", help="one JSON object on standard output")
    shared.add_argument(
        "--dry-run", action="store_true", help="check and show the plan; change nothing"
    )
    return shared


def _changing() -> argparse.ArgumentParser:
    changing = argparse.ArgumentParser(add_help=False)
    changing.add_argument("--why", default="", help="goes into the history")
    return changing


def _without_gates(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--without-gates", action="store_true", help="do not judge the version: you vouch for it"
    )


def version(text: str) -> int:
    """A version number."""
    number = model_versions.version_number(text)
    if number is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no version: a whole number from 0 on")
    return number


def percentage(text: str) -> float:
    """From 0 to 100."""
    return number_within(text, 0, 100)
