"""Measures start-up: `make bench-startup`.

Servers of `default` and `fast` start in turns, each with the parts of TensorFlow that serving needs
and, for comparison, with the whole package. A start ends when the port opens: all versions are
AVAILABLE by then. The benchmark also measures the stages of a start, and commands that print and
exit. All figures are medians of the rounds; other load on the machine hardly changes CPU seconds,
but it does change wall seconds.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from support import processes, servers

from benchmarks.support.machine import machine
from benchmarks.support.markdown import table
from benchmarks.support.output import argument_parser, log, write_json
from benchmarks.support.process_stats import cpu_seconds, process_stats
from benchmarks.support.trials import export_recipes, newest_version

RECIPES = ("fast", "default")
PARTS, WHOLE = KINDS = ("parts", "whole package")
WHOLE_PROGRAM = """
import sys
from seq2sum_serving.embedded import cli, environment
environment.restart_if_needed()
import tensorflow
sys.exit(cli.main())
"""
TEMPLATES = {
    PARTS: processes.EMBEDDED_TEMPLATE,
    WHOLE: f"{shlex.quote(sys.executable)} -c {shlex.quote(WHOLE_PROGRAM)} {processes.FLAGS}",
}
HELP_TARGET = 0.3
"""CPU seconds of a command that prints help."""
COMMANDS = {
    "seq2sum-rollout --help": ("seq2sum_serving.rollout.cli", "--help"),
    "seq2sum-rollout --version": ("seq2sum_serving.rollout.cli", "--version"),
    "seq2sum-rollout run --help": ("seq2sum_serving.rollout.cli", "run", "--help"),
    "seq2sum-serve --help": ("seq2sum_serving.embedded.cli", "--help"),
}

Figures = dict[str, float]


def main() -> int:
    """Runs the benchmark; returns the exit code."""
    parser = argument_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    described = machine()
    starts: dict[tuple[str, str], list[Figures]] = {(r, k): [] for r in RECIPES for k in KINDS}
    stages: dict[str, list[Figures]] = {recipe: [] for recipe in RECIPES}
    commands: dict[str, list[float]] = {name: [] for name in COMMANDS}
    bases = export_recipes(RECIPES, options.runs)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            log(f"round {number + 1}")
            for (recipe, kind), found in starts.items():
                found.append(start(bases[recipe], Path(folder), TEMPLATES[kind]))
            for recipe, figures in stages.items():
                figures.append(run_stages(newest_version(bases[recipe])))
            for name, (module, *arguments) in COMMANDS.items():
                commands[name].append(command_seconds([sys.executable, "-m", module, *arguments]))
    rows = [
        {"recipe": recipe, "tensorflow": kind} | medians(found)
        for (recipe, kind), found in starts.items()
    ]
    help_seconds = {name: round(median(found), 3) for name, found in commands.items()}
    result = {
        "command": "make bench-startup",
        "machine": described,
        "rounds": options.rounds,
        "starts": rows,
        "stages": {recipe: medians(found) for recipe, found in stages.items()},
        "commands": help_seconds,
    }
    write_json(options.out / "startup.json", result)
    print(text(result))
    slow = [name for name, spent in help_seconds.items() if spent > HELP_TARGET]
    print(f"slower than {HELP_TARGET} CPU seconds: {', '.join(slow) or 'none'}")
    return 0


def start(base: Path, folder: Path, template: str) -> Figures:
    """Starts a server and stops it when its port is open; returns its figures until then."""
    before = time.perf_counter()
    server = servers.Server.launch(base, folder, template=template)
    try:
        server.wait_until_open()
        seconds = time.perf_counter() - before
        pid = server.process.pid
        return {
            "seconds": seconds,
            "cpu_seconds": cpu_seconds(pid),
            "megabytes": process_stats(pid).resident,
        }
    finally:
        server.stop()


def run_stages(version: Path) -> Figures:
    """Returns CPU seconds by stage of a start."""
    line = [sys.executable, "-m", "benchmarks.startup.stages", str(version)]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "1"}
    printed = subprocess.run(line, env=environment, check=True, capture_output=True).stdout
    found: Figures = json.loads(printed)
    return found


def command_seconds(line: Sequence[str]) -> float:
    """Returns the CPU seconds of a command."""
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return usage.ru_utime + usage.ru_stime


def medians(found: Sequence[Figures]) -> Figures:
    """Returns the median of each figure."""
    return {name: round(median(one[name] for one in found), 3) for name in found[0]}


def text(result: dict[str, Any]) -> str:
    """Returns all results as Markdown tables."""
    heads = ("recipe", "TensorFlow", "seconds", "CPU seconds", "anonymous memory, MB")
    stages = result["stages"]
    return "\n\n".join(
        [
            table(heads, [row.values() for row in result["starts"]]),
            table(
                ("stage, CPU seconds", *stages),
                [(name, *(stages[r][name] for r in stages)) for name in stages[RECIPES[0]]],
            ),
            table(("command", "CPU seconds"), result["commands"].items()),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
