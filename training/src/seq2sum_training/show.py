"""Prints a summary of a run folder or a version directory, without loading TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seq2sum.addition import contract

from seq2sum_training.errors import UserError
from seq2sum_training.export import versions
from seq2sum_training.fit import history
from seq2sum_training.run import HISTORY, RECIPE, Run

Row = tuple[str, str]


def show(path: Path) -> None:
    """Prints one line per property, never wrapped, for `grep` and `awk`.

    Raises:
        UserError: The folder is neither a run folder nor a version directory.
    """
    contract_file = path / "assets.extra" / contract.FILE_NAME
    if (path / RECIPE).is_file():
        rows = list(_run(Run.open(path)))
    elif contract_file.is_file():
        try:
            rows = list(_version(path, json.loads(contract_file.read_text())))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{contract_file} is damaged ({type(error).__name__})") from error
    elif found := versions.existing(path):
        listed = ", ".join(map(str, found))
        raise UserError(f"{path} is a base path: show one of its versions ({listed})")
    else:
        raise UserError(f"{path} is neither a run folder nor a version directory")
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        print(f"{name:<{width}}  {text}")


def _run(run: Run) -> Iterable[Row]:
    recipe = run.recipe
    net, fit = recipe.network, recipe.fit
    yield "run", str(run.path)
    yield "network", f"{net.cell}, encoder {net.encoder} units, decoder {net.decoder} units"
    yield "questions", f"up to {recipe.digits} digits, layout {recipe.layout}"
    yield "training", f"{fit.optimizer}, {fit.steps:,} steps of {fit.batch}, seed {recipe.seed}"
    if not run.is_finished:
        rows = history.read(run.path / HISTORY)
        step = f"step {rows[-1].step:,}" if rows else "no steps yet"
        yield "state", f"not finished ({step}); continue with: seq2sum-train resume {run.path}"
        return
    metadata = run.metadata()
    yield "cost", f"{metadata['cpu_seconds']:.0f} CPU-seconds, {metadata['steps']:,} steps"
    if (check := metadata["check"]) and not check["clean"]:
        counts = f"{check['wrong']:,} wrong, {check['failed']:,} hard of {check['asked']:,}"
        yield "check", f"training ended without a clean check: {counts} training pairs"
    yield "built with", f"TensorFlow {metadata['tensorflow']}, revision {metadata['revision']}"
    figures = run.evaluation()
    if figures is None:
        yield "errors", f"not evaluated; run: seq2sum-train evaluate {run.path}"
    else:
        yield "errors", f"{figures['errors']:,} of {figures['questions']:,}"


def _version(path: Path, described: dict[str, Any]) -> Iterable[Row]:
    yield "version", str(path)
    yield (
        "contract",
        f"version {described['contract']}, up to {described['extra']['digits']} digits",
    )
    for name, signature in described["signatures"].items():
        outputs = ", ".join(
            f"{output} {tensor['dtype'].removeprefix('DT_').lower()} {tensor['shape']}"
            for output, tensor in signature["outputs"].items()
        )
        yield name, outputs
    if figures := described.get("evaluation"):  # absent in versions exported by older packages
        yield "errors", f"{figures['errors']:,} of {figures['questions']:,}"
    if described.get("forced"):
        golden = described["golden"]
        right = f"{golden['right']:,} of {golden['questions']:,} golden requests answered right"
        yield "golden", f"{right}; published with --force"
    yield "run", f"{described['run']}, revision {described['revision']}"
