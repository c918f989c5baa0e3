"""Options that the command lines of the rollout tool and the probe share."""

from __future__ import annotations

import argparse
import os
from importlib import metadata
from pathlib import Path

HISTORY = "rollouts.jsonl"
TRAFFIC = "traffic.json"
ROUTES = "routes.json"
CANDIDATE_CONFIG = "candidate.config"
MODEL_VARIABLE = "SEQ2SUM_MODEL"
"""The default of `--model`, also of the client's command `seq2sum`."""


def add_version(parser: argparse.ArgumentParser) -> None:
    """Adds `--version`, which prints the program's name and the version of its package."""
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {metadata.version('seq2sum-serving')}"
    )


def complete(parser: argparse.ArgumentParser) -> None:
    """Prints the candidates for a command line and exits, if a shell asks for them."""
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser)


def add_deployment(group: argparse._ArgumentGroup, *, several_models: bool = False) -> None:
    """Adds the options that locate the replicas and the files of a model.

    Args:
        group: The group of the options.
        several_models: Whether `--model` takes several names, in a list `model`; without the
            option, `model` is None: all models of the config file.
    """
    group.add_argument(
        "--config",
        type=Path,
        default=Path("models.config"),
        help="the model config file of the servers (default: models.config)",
    )
    group.add_argument(
        "--targets",
        default="localhost:8500",
        metavar="HOST:PORT,...",
        help="every replica's gRPC port, or dns:///name:port (default: localhost:8500)",
    )
    if several_models:
        group.add_argument(
            "--model",
            action="extend",
            type=names,
            metavar="NAME,...",
            help="the models (default: all models of the config file)",
        )
    else:
        group.add_argument(
            "--model",
            default=os.environ.get(MODEL_VARIABLE) or None,
            metavar="NAME",
            help=f"the name of the model (default: {MODEL_VARIABLE}, or else the only model of the "
            "config file)",
        )
    group.add_argument(
        "--base-path",
        type=Path,
        metavar="DIR",
        help="the model's base path as this machine sees it (default: as in the config file)",
    )
    group.add_argument(
        "--traffic",
        type=Path,
        metavar="FILE",
        help=f"the weights that callers read (default: NAME.{TRAFFIC} next to the config file)",
    )
    group.add_argument(
        "--history",
        type=Path,
        metavar="FILE",
        help=f"the log of all changes (default: NAME.{HISTORY} next to the config file)",
    )


def names(text: str) -> list[str]:
    """Parses names that commas separate."""
    found = [name.strip() for name in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(
            f"invalid names {text!r}: expected names with commas between them"
        )
    return found


def seconds(text: str) -> float:
    """Parses a duration from 0.05 to 3600 seconds."""
    return number_within(text, 0.05, 3600)


def count(text: str) -> int:
    """Parses a positive integer."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"invalid count {text!r}: expected a positive integer")
    return int(text)


def number_within(text: str, low: float, high: float) -> float:
    """Parses a number between two bounds, both included."""
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(
            f"invalid number {text!r}: expected a number from {low:g} to {high:g}"
        )
    return number
