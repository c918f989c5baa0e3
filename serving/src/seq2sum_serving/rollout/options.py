"""The command line options of `seq2sum-rollout`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from seq2sum_serving.deployment import tls_options
from seq2sum_serving.deployment.cli_options import (
    CANDIDATE_CONFIG,
    add_deployment,
    add_version,
    complete,
    count,
    number_within,
    seconds,
)

DESCRIPTION = """\
Rolls out versions of a model without a failed call, on TensorFlow Serving and on seq2sum-serve,
with one replica or several.

All replicas read the same model config file. It changes in two steps: versions first, and labels
when these versions are AVAILABLE on every replica. The label `stable` is on the version in
service, `canary` on the candidate (without one, on the stable version), and `previous` on the
version that stays loaded for a rollback.

With a candidate group (--candidate-targets), versions are judged on separate servers and get a
share of the traffic there; the other servers never hold a version that has not passed. Without
one, a version is judged where callers are. That harms callers that name no label, so the policy
has to state that none exist.
"""
EXAMPLES = """\
examples:
  seq2sum-rollout status --targets 10.0.0.1:8500,10.0.0.2:8500
  seq2sum-rollout run 3 --targets dns:///seq2sum-serving:8500 --reason "new training data"
  seq2sum-rollout run 3 --candidate-targets 10.0.0.9:8500 --router envoy --envoy-admin 10.0.0.8:8511
  seq2sum-rollout run 3 --dry-run          show the plan, change nothing
  seq2sum-rollout rollback                 loads no version before callers are safe
  seq2sum-rollout watch                    live view; Ctrl-C ends it
  seq2sum-rollout status --model price     with several models in the config file
  seq2sum-rollout golden record --from inputs.jsonl
                                           make the golden requests that gates compare with

exit codes:
    0  done, and confirmed on every replica
    1  failed; traffic is where it was, or was moved back
    2  invalid command line or file
    3  inconclusive: too little was measured to judge
    4  failed, and traffic is not where it was: see `status`
  130  interrupted
"""


GOLDEN = """\
Golden requests are inputs with the outputs that every version has to return for them. They are in
assets.extra/golden.jsonl of a version's folder.
"""
CONTRACT = """\
A contract lists what callers of a version rely on: its signatures, and any other values. It is in
assets.extra/contract.json of a version's folder.
"""
GOLDEN_RECORD = """\
Sends inputs to a version that you trust, and writes them with its outputs to a file of golden
requests: every later version is judged by them.

Each line of the inputs is a JSON object:

  {"inputs": {"text": ["great product", "never again"]}}
  {"inputs": {"x": [[1.5, 2.0]]}, "signature_name": "score", "expect": {"y": []}}

Inputs are nested lists or scalars, and bytes are {"b64": "..."}. `expect` lists the outputs to
compare, whose values are replaced; without it, all outputs are compared. `compare` says how, by
output: "exact", {"atol": 1e-5, "rtol": 1e-4} (the default for floats) or "argmax".
"""
GOLDEN_CHECK = """\
Sends the golden requests of a version to it, on every replica, and shows the outputs that are not
as expected. A version without golden requests is checked by those of the nearest lower version that
was in service.
"""
CONTRACT_RECORD = """\
Writes the signatures of a loaded version to a contract file: a later version may not lack any of
them, nor change a dtype or a rank. To protect more than signatures, edit the file:
"extra": {"classes": 3}, "rules": {"classes": "not_smaller"} (or "equal"). --force replaces the
signatures of an existing file, and keeps `extra`, `rules` and its other keys. A new file gets the
`extra` and `rules` of the contract that is in force for the version.
"""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parses a command line; `command` is the whole name, such as `golden record`."""
    top = parser()
    complete(top)
    found = top.parse_args(arguments)
    if action := vars(found).pop("action", None):
        found.command = f"{found.command} {action}"
    return found


def parser() -> argparse.ArgumentParser:
    """Returns the parser of all commands."""
    top = argparse.ArgumentParser(
        prog="seq2sum-rollout",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_version(top)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    shared = _shared_options()
    change, skip = (argparse.ArgumentParser(add_help=False) for _ in range(2))
    change.add_argument("--reason", default="", help="recorded in the history")
    skip.add_argument(
        "--without-gates",
        action="store_true",
        help="do not judge the version before it has traffic",
    )
    target = argparse.ArgumentParser(add_help=False)
    target.add_argument("version", type=version, metavar="V", help="the version")

    def add(name: str, text: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        description = f"{text[0].upper()}{text[1:]}."
        return commands.add_parser(
            name, help=text, description=description, parents=[shared, *parents]
        )

    add("status", "show versions on disk, in the model config file and on replicas, and any drift")
    publish = add("publish", "copy an exported version below the base path", change)
    publish.add_argument("folder", metavar="DIR", help="the version's folder, with saved_model.pb")
    publish.add_argument(
        "--version", type=version, metavar="N", help="its version number (default: the next)"
    )
    canary = add(
        "canary",
        "load a version, judge it, and give it a part of the traffic",
        target,
        change,
        skip,
    )
    canary.add_argument(
        "--weight",
        type=percentage,
        default=0.0,
        metavar="PERCENT",
        help="share of the traffic (default: 0, only the label)",
    )
    add("promote", "make a version stable; the former one stays loaded", target, change, skip)
    add("rollback", "end the canary, or return to the previous version; loads no version", change)
    add("retire", "unload a version that has no traffic; its folder remains", target, change)
    add("repair", "bring every replica to the state in the model config file", change)
    run = add("run", "load, judge, shift traffic step by step, promote and retire", change)
    run.add_argument(
        "version_or_folder", metavar="V|DIR", help="a version on disk, or a folder to publish"
    )
    history = add("history", "show past changes, with user and reason")
    history.add_argument(
        "--last", type=count, default=30, metavar="N", help="number of events (default: 30)"
    )
    watch = add("watch", "show a live view of versions, labels, replicas, traffic and gates")
    watch.add_argument(
        "--interval",
        type=seconds,
        default=1.0,
        metavar="SECONDS",
        help="time between updates (default: 1)",
    )
    watch.add_argument("--count", type=count, metavar="N", help="stop after N updates")
    _add_recording(commands, shared)
    return top


def _add_recording(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Adds the commands that write and check the files by which versions are judged."""
    families = {
        "golden": ("record or check golden requests", GOLDEN),
        "contract": ("record the contract of a version", CONTRACT),
    }
    groups = {
        name: commands.add_parser(name, help=text, description=description).add_subparsers(
            dest="action", required=True, metavar="ACTION"
        )
        for name, (text, description) in families.items()
    }

    def add(name: str, text: str, description: str) -> argparse.ArgumentParser:
        group, action = name.split()
        command = groups[group].add_parser(
            action,
            help=text,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[shared],
        )
        command.add_argument(
            "version", type=version, nargs="?", metavar="V", help="the version (default: stable)"
        )
        return command

    def add_file(command: argparse.ArgumentParser, name: str) -> None:
        command.add_argument(
            "--out",
            type=Path,
            metavar="FILE",
            help=f"the file to write (default: assets.extra/{name} in the version's folder)",
        )
        command.add_argument("--force", action="store_true", help="replace an existing file")

    record = add("golden record", "write golden requests from outputs", GOLDEN_RECORD)
    record.add_argument(
        "--from",
        dest="inputs",
        type=Path,
        required=True,
        metavar="FILE",
        help="the inputs, one JSON object in each line; - for standard input",
    )
    add_file(record, "golden.jsonl")
    add("golden check", "compare outputs with golden requests", GOLDEN_CHECK)
    add_file(add("contract record", "write signatures", CONTRACT_RECORD), "contract.json")


def _shared_options() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    group = shared.add_argument_group("deployment")
    add_deployment(group)
    group.add_argument(
        "--rest-port",
        type=port,
        metavar="PORT",
        help="REST port of every server, asked after each change; 0 to ask none (default: the "
        "gRPC port + 1)",
    )
    _add_candidate(shared)
    group.add_argument("--policy", type=Path, metavar="FILE", help="limits of the gates, as TOML")
    group.add_argument(
        "--prometheus", metavar="URL", help="metric provider for live metrics: http://host:9090"
    )
    tls_options.add_options(shared)
    shared.add_argument("--json", action="store_true", help="print one JSON object")
    shared.add_argument(
        "--dry-run", action="store_true", help="check and show the plan; change nothing"
    )
    return shared


def _add_candidate(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the candidate group; their defaults are in the policy file."""
    group = parser.add_argument_group("candidate group")
    group.add_argument(
        "--candidate-targets",
        metavar="HOST:PORT,...",
        help="the servers on which versions are judged, in the form of --targets (default: none)",
    )
    group.add_argument(
        "--candidate-config",
        type=Path,
        metavar="FILE",
        help=f"their model config file (default: {CANDIDATE_CONFIG} next to --config)",
    )
    group.add_argument(
        "--router",
        choices=("client", "envoy", "none"),
        help="who sends callers to the candidate: `client`, applications by the weights of "
        "--traffic; `envoy`, for every caller; `none`, nobody (default: client)",
    )
    group.add_argument(
        "--envoy-admin",
        metavar="HOST:PORT,...",
        help="every Envoy's port that serves /stats, or dns:///name:port",
    )


def port(text: str) -> int:
    """Parses a port, or 0."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"invalid port {text!r}: expected 0 to 65535")
    return int(text)


def version(text: str) -> int:
    """Parses a version number."""
    from seq2sum import model_versions  # imports gRPC too, which `--help` does not need

    number = model_versions.version_number(text)
    if number is None:
        raise argparse.ArgumentTypeError(
            f"invalid version {text!r}: expected a non-negative integer"
        )
    return number


def percentage(text: str) -> float:
    """Parses a number from 0 to 100."""
    return number_within(text, 0, 100)
