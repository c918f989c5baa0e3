"""Options that the command lines of the rollout tool and the probe share."""

from __future__ import annotations

import argparse
from importlib import metadata
from pathlib import Path

from seq2sum.addition import contract

HISTORY = "rollouts.jsonl"
TRAFFIC = "traffic.json"


def add_version(top: argparse.ArgumentParser) -> None:
    """Adds `--version`, which prints the program's name and the version of its package."""
    top.add_argument(
        "--version", action="version", version=f"%(prog)s {metadata.version('seq2sum-serving')}"
    )


def add_deployment(group: argparse._ArgumentGroup) -> None:
    """Options that say where the replicas and the files of a model are."""
    group.add_argument(
        "--config",
        type=Path,
        default=Path("models.config"),
        help="the file of record (default: models.config)",
    )
    group.add_argument(
        "--targets",
        default="localhost:8500",
        metavar="HOST:PORT,...",
        help="every replica's gRPC port, or dns:///name:port (default: localhost:8500)",
    )
    group.add_argument("--model", default=contract.MODEL_NAME, help="(default: seq2sum)")
    group.add_argument(
        "--base-path",
        type=Path,
        metavar="DIR",
        help="the model's versions as this machine sees them (default: as the file of record says)",
    )
    group.add_argument(
        "--traffic",
        type=Path,
        metavar="FILE",
        help=f"the weights that callers read (default: {TRAFFIC} beside the file of record)",
    )
    group.add_argument(
        "--history",
        type=Path,
        metavar="FILE",
        help=f"what was done (default: {HISTORY} beside the file of record)",
    )


def seconds(text: str) -> float:
    """A pause."""
    return number_within(text, 0.05, 3600)


def count(text: str) -> int:
    """From 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def number_within(text: str, least: float, most: float) -> float:
    """Parses a number between two bounds, both included."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from {least:g} to {most:g}")
    return number
