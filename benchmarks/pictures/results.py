"""Result files: a JSON file for each benchmark, and the picture that is drawn from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.pictures import (
    balancing,
    batching,
    client,
    graph,
    networks,
    rollout,
    server,
    soak,
    training,
)
from benchmarks.support.output import write, write_json

PICTURES: dict[str, Callable[[Any], str]] = {
    "balancing": balancing.picture,
    "batching": batching.picture,
    "client": client.picture,
    "graph": graph.picture,
    "rollout": rollout.picture,
    "server": server.picture,
    "small-networks": networks.picture,
    "soak": soak.picture,
    "training": training.picture,
}
"""Functions from the values of a JSON file to SVG text, by the name of both files."""


def write_results(folder: Path, name: str, values: Any) -> None:
    """Writes values as JSON, and the picture of them."""
    write_json(folder / f"{name}.json", values)
    draw_again(folder, name)


def draw_again(folder: Path, name: str) -> None:
    """Writes the picture of the values in a JSON file."""
    write(folder / f"{name}.svg", draw(folder, name))


def draw(folder: Path, name: str) -> str:
    """Returns the picture of the values in a JSON file."""
    return PICTURES[name](json.loads((folder / f"{name}.json").read_text()))
