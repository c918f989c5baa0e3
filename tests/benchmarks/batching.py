"""Which batching parameters are good on this machine: `make bench-batching`.

One server for each candidate, all of them with the same models, side by side in one run. In every
round each is asked each load for a short while, so that what else the machine does meets all of
them; what is compared are ratios to batching off in the same round. The first candidate runs twice,
and what these two differ by is noise. After a few rounds those that are clearly behind drop out,
and the rest go on until the time is over. What is chosen then, and why, is `batching_choice.py`.

It measures whatever SEQ2SUM_SERVER_COMMAND starts, a real tensorflow_model_server as well.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import batching_file
import batching_loads
import batching_report
import processes
import servers
import trials
from batching_candidates import Candidate, candidates
from batching_choice import Measurement, choose, still_running
from batching_loads import Load, Sample
from trials import Trial

from client import exported

RECIPES = ("default", "fast")
LOADS = (
    Load("default", 1, 1),
    Load("default", 1, 64),
    Load("default", 32, 8),
    Load("default", 512, 8),
    Load("default", 4096, 4),
    Load("default", 4096, 2, beside=100),
    Load("fast", 1, 64),
    Load("fast", 512, 8),
)
CONFIG = Path(__file__).parents[2] / "serving" / "config" / "batching.config"
"""What compose and Kubernetes mount."""
SCREENING = 3
"""Rounds before anyone drops out."""
WARM_UP = 0.1
"""Seconds of each load before the first round, beside the first requests, which are checked."""


def main() -> int:
    """Runs the benchmark; gives back the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=Path, default=Path("runs/bench-training"))
    options.add_argument("--out", type=Path, default=Path("docs"))
    options.add_argument(
        "--minutes", type=float, default=7, help="no round begins that would end later"
    )
    options.add_argument("--rounds", type=int, default=20, help="at most")
    options.add_argument("--seconds", type=float, default=0.6, help="of one load in one round")
    options.add_argument("--write", action="store_true", help=f"the file of servers, {CONFIG.name}")
    options.add_argument("--note", help="kept with the figures, for example what else ran")
    chosen = options.parse_args()
    list(trials.outcomes([Trial(name, name) for name in RECIPES], chosen.runs, jobs=1))
    bases = {name: exported(chosen.runs / name, chosen.runs / "models" / name) for name in RECIPES}
    wanted = candidates(os.cpu_count() or 1)
    about = machine() | ({"note": chosen.note} if chosen.note else {})
    with ExitStack() as ending:
        asker = ending.enter_context(asking())
        running = ending.enter_context(served(wanted, bases, chosen.runs))
        measurements = race(
            asker, running, LOADS, minutes=chosen.minutes, rounds=chosen.rounds,
            seconds=chosen.seconds,
        )  # fmt: skip
    choice = choose(measurements, wanted)
    write(chosen.out / "batching.json", batching_report.record(measurements, wanted, about))
    write(chosen.out / "batching.svg", batching_report.picture(measurements, choice.parameters))
    if chosen.write:
        write(CONFIG, batching_file.of_measurements(measurements, wanted, about))
    print(batching_report.table(measurements), end="\n\n")
    print(batching_report.verdict(choice))
    return 0


def race(
    asker: subprocess.Popen[str],
    running: Mapping[Candidate, servers.Server],
    loads: Sequence[Load],
    *,
    minutes: float,
    rounds: int,
    seconds: float,
) -> list[Measurement]:
    """All candidates in turn, round by round, until the time is over."""
    began = time.monotonic()
    left = list(running)
    for candidate in left:
        for load in loads:
            ask(asker, running[candidate], load, min(seconds, WARM_UP))
    measurements: list[Measurement] = []
    for number in range(rounds):
        start, asked = time.monotonic(), len(left)
        for load in loads:
            told(f"round {number + 1}, {len(left)} candidates: {load}")
            # In another order each time: nobody always comes after the same one.
            for candidate in left[number % len(left) :] + left[: number % len(left)]:
                sample = ask(asker, running[candidate], load, seconds)
                measurements.append(Measurement(candidate.name, load, number, sample))
        if number + 1 >= SCREENING:
            left = still_running(measurements, left)
        ended = time.monotonic()
        if ended + (ended - start) * len(left) / asked > began + 60 * minutes:
            break
    return measurements


def ask(asker: subprocess.Popen[str], server: servers.Server, load: Load, seconds: float) -> Sample:
    """One load on one server for a while."""
    assert asker.stdin
    assert asker.stdout
    wanted = {"target": server.target, "pid": server.process.pid, "seconds": seconds}
    print(json.dumps(wanted | load._asdict()), file=asker.stdin, flush=True)
    line = asker.stdout.readline()
    if not line:
        sys.exit(f"{load}: no answer; the server's log is {server.log}")
    return Sample(*json.loads(line))


@contextmanager
def served(
    wanted: Sequence[Candidate], bases: Mapping[str, Path], folder: Path
) -> Iterator[dict[Candidate, servers.Server]]:
    """A server for each candidate, with all of the models."""
    models = folder / "batching-models.config"
    models.write_text(model_config(bases))
    running: dict[Candidate, servers.Server] = {}
    try:
        for place, candidate in enumerate(wanted):  # one after the other: each uses all cores
            told(f"starting: {candidate.name}")
            file = (folder / f"batching-{place}.config").absolute()
            if candidate.parameters:
                file.write_text(batching_file.of_parameters(candidate.parameters))
            running[candidate] = servers.Server.launch(
                None, folder, config=models.absolute(), flags=candidate.flags(str(file)),
                forked=True,
            )  # fmt: skip
            running[candidate].wait_until_open()
        yield running
    finally:
        for server in running.values():
            server.stop()
        processes.close()


def model_config(bases: Mapping[str, Path]) -> str:
    """A model config file with these models."""
    entries = [
        f'  config {{ name: "{name}" base_path: "{base}" model_platform: "tensorflow" }}\n'
        for name, base in bases.items()
    ]
    return f"model_config_list {{\n{''.join(entries)}}}\n"


@contextmanager
def asking() -> Iterator[subprocess.Popen[str]]:
    """The process that puts loads on servers."""
    with subprocess.Popen(
        [sys.executable, batching_loads.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.communicate()  # closes its input, with which it ends


def machine() -> dict[str, Any]:
    """What the figures belong to."""
    processor = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    template = shlex.split(processes.TEMPLATE)
    server = "seq2sum-serve" if processes.OF_THE_PROJECT else Path(template[0]).name
    return {
        "cpus": os.cpu_count(),
        "processor": processor,
        "server": server,
        "tensorflow": version("tensorflow") if processes.OF_THE_PROJECT else None,
        "date": f"{datetime.now().astimezone():%Y-%m-%d}",
        "load before": round(os.getloadavg()[0], 2),
    }


def write(path: Path, text: str) -> None:
    """Writes a file, and says so."""
    path.write_text(text)
    told(f"written: {path}")


def told(text: str) -> None:
    """Progress."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
