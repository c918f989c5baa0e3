"""The dashboard of a short and eventful time, drawn from what Prometheus scraped: `make dashboard`.

Three servers, Envoy, the probe and Prometheus with the shipped files, and the real rollout tool:
a version becomes stable step by step, one that answers wrongly is refused, callers come all at
once, a server dies and comes back, a version cannot be loaded, and one that somebody vouched for is
rolled back. There is no Grafana here: the panels' own queries are asked and drawn.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
os.environ.setdefault("no_proxy", "127.0.0.1")

import processes
import seq2sum
import spoiled
from deploy import dashboard_data
from deploy import monitoring_files as files
from deploy.dashboard_picture import picture
from deploy.monitoring_world import World
from seq2sum_serving.rollout.errors import Exit

EVERY = 1.0
"""Seconds between two scrapes; five in production."""
WINDOW = "5s"
"""Of rates: Grafana takes four scrapes at least."""
CALM = 10.0
"""Seconds in which nothing happens but calls."""
POLICY = """\
[latency]
# Callers, servers and the judge share the same few cores here: what is measured is the load.
warm_up = 5
samples = 30
p50_ratio = 20.0
p99_ratio = 50.0
p99_milliseconds = 5000.0
[live]
fewest = 10
p99_ratio = 200.0
[traffic]
steps = [10, 50]
bake = 8
settle = 1
"""
BATCHING = """\
max_batch_size { value: 2048 }
batch_timeout_micros { value: 500 }
max_enqueued_batches { value: 2 }
num_batch_threads { value: 1 }
allowed_batch_sizes: [1, 4, 16, 64, 256, 1024, 2048]
"""


def main() -> int:
    """Plays it and draws it; gives back the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--version", type=Path, default=Path("models/seq2sum/1"), help="the folder of a version"
    )
    options.add_argument("--out", type=Path, default=Path("docs"))
    chosen = options.parse_args()
    if not (chosen.version / "saved_model.pb").exists():
        sys.exit(f"there is no version in {chosen.version}: make demo writes one")
    try:
        with tempfile.TemporaryDirectory(prefix="dashboard-") as name:
            drawn = played(Path(name), chosen.version)
    finally:
        processes.close()
    path = chosen.out / "dashboard.png"
    path.write_bytes(drawn)
    print(path)
    return 0


def played(folder: Path, good: Path) -> bytes:
    """The picture of it all."""
    tell("making versions that are bad")
    bad = spoiled.folders(good, folder)
    with World(folder / "world", good, every=EVERY, replicas=3, batching=BATCHING) as world:
        roll(world, "promote", "1")
        world.watch(1.0)
        begin = time.time()
        with calling(world):
            story(world, good, bad)
        return picture(
            dashboard_data.view(
                files.dashboard(), world.prometheus, begin, time.time(), window=WINDOW
            ),
            note=(
                "Drawn from what a real Prometheus scraped of three servers, Envoy and the probe, "
                f"every {EVERY:g} s; the axes count seconds. tests/benchmarks/dashboard.py"
            ),
        )


def story(world: World, good: Path, bad: dict[str, Path]) -> None:
    """What happens; callers ask all the while."""
    world.deployed.policy.write_text(POLICY)
    time.sleep(CALM)
    roll(world, "run", good, "--why", "trained on more")
    time.sleep(CALM / 2)
    roll(world, "run", bad["wrong"], "--why", "new data", expected=Exit.FAILED)
    for _ in range(4):
        tell(f"all at once: {world.overload()}")
        time.sleep(EVERY)
    tell("a server dies")
    world.kill(2)
    time.sleep(CALM)
    world.start_again(2)
    tell("and is there again")
    world.deployed.put(bad["truncated"], 4)
    roll(world, "canary", "4", "--without-gates", expected=Exit.FAILED)
    roll(world, "publish", bad["wrong"])
    roll(world, "promote", "5", "--without-gates", "--why", "somebody vouches for it")
    time.sleep(CALM)
    roll(world, "rollback", "--why", "customers complain")
    time.sleep(CALM)


def roll(world: World, *arguments: str | Path, expected: Exit = Exit.DONE) -> None:
    """A command of the rollout tool; it has to end as it should."""
    tell(f"$ seq2sum-rollout {' '.join(map(str, arguments))}")
    told = world.deployed.roll(*arguments)
    if told.code != expected:
        sys.exit(f"it ended with {told.code}: {told.words}")


@contextmanager
def calling(world: World) -> Iterator[None]:
    """Callers of all kinds, until the end."""
    over = threading.Event()
    split = seq2sum.SplitFile(world.deployed.traffic, every=0.25)
    targets = [server.target for server in world.deployed.servers]
    with (
        seq2sum.Client(targets, split=split) as direct,
        seq2sum.Client(world.envoy.target) as through_envoy,
    ):
        callers = [
            caller(over, 0.03, lambda number: direct.add(question(number))),
            caller(over, 0.05, lambda number: through_envoy.add(question(number))),
            caller(over, 0.2, lambda number: direct.add_many(questions(number))),
            caller(over, 0.3, lambda number: by_rest(world, question(number))),
            caller(over, 1.5, lambda _: direct.add("1+1", version=77)),
        ]
        for thread in callers:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in callers:
                thread.join()


def caller(over: threading.Event, pause: float, ask: Callable[[int], object]) -> threading.Thread:
    """One that asks again and again; what fails is on the dashboard."""

    def go_on() -> None:
        for number in count():
            if over.wait(pause):
                return
            with suppress(seq2sum.Seq2SumError, OSError):
                ask(number)

    return threading.Thread(target=go_on)


def by_rest(world: World, asked: str) -> None:
    """One question as `curl` would ask it."""
    url = f"{world.deployed.servers[0].url}/v1/models/seq2sum/labels/stable:predict"
    body = json.dumps({"instances": [asked]}).encode()
    with urllib.request.urlopen(url, body, timeout=10) as reply:
        reply.read()


def question(number: int) -> str:
    """Another one for each number."""
    return f"{number % 1000}+{number * 7 % 1000}"


def questions(number: int) -> list[str]:
    """Those of a call: more and fewer, in turns."""
    return [question(one) for one in range(10 + number * 37 % 500)]


def tell(line: str) -> None:
    """Says what goes on."""
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
