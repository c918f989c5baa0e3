"""A server under load, swaps and abuse for minutes, and what it cost it: `make soak`.

After a warm-up everybody rests, and threads and handles are counted; then load, changes and abuse
run side by side for the minutes that were asked for; then everybody rests again. It fails if a
call failed that should not, if memory grows, or if threads or file handles are left behind.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it tells of every connection that is dropped


import processes
import trials
from conformance.subject import Subject
from soak import abuse, changes, load
from soak.report import Soak, picture, table
from soak.vitals import Vitals, vitals
from soak.world import SPEC, World

WARM_UP_SECONDS = 60.0
REST_SECONDS = 12.0
"""Longer than the grace that connections get to close."""
SAMPLE_SECONDS = 1.0
TELL_EVERY = 5
"""Samples between two lines."""

Actor = Callable[[World], None]
ACTORS: tuple[Actor, ...] = (*load.ACTORS, *changes.ACTORS, *abuse.ACTORS)


def main() -> int:
    """Runs the soak; gives back the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=10.0)
    options.add_argument("--out", type=Path, default=Path("docs"))
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        subject = Subject(SPEC, Path(folder) / "server", processes.started)
        try:
            assert subject.wait_until_open(), subject.log.read_text()
            found = soaked(subject, chosen.minutes)
        finally:
            subject.stop()
    trials.write(chosen.out / "soak.json", found.row())
    (chosen.out / "soak.svg").write_text(picture(found))
    print(table(found), end="\n\n")
    for good, text in found.verdicts():
        print("fine  " if good else "WRONG ", text)
    for example in found.examples:
        print("WRONG ", example)
    return 0 if found.passed else 1


def soaked(subject: Subject, minutes: float) -> Soak:
    """Warm-up, rest, load, rest, and a gentle end."""
    began, world = time.monotonic(), World(subject)

    def look() -> Vitals:
        return vitals(subject.process.pid, time.monotonic() - began)

    with acting(world):
        list(samples(look, WARM_UP_SECONDS))
    load.crowd(world)
    time.sleep(REST_SECONDS)
    before, taken = look(), []
    with acting(world):
        for sample in samples(look, minutes * 60):
            taken.append(sample)
            if len(taken) % TELL_EVERY == 0:
                tell(world, sample)
    time.sleep(REST_SECONDS)
    after = look()
    subject.stop()
    entries, examples = world.ledger.entries(), world.ledger.examples()
    return Soak(minutes, entries, examples, taken, before, after, subject.process.poll())


@contextmanager
def acting(world: World) -> Iterator[None]:
    """All actors at work, each in a thread; they have ended when this has."""
    world.over.clear()
    threads = [threading.Thread(target=guarded, args=(actor, world)) for actor in ACTORS]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        world.over.set()
        for thread in threads:
            thread.join()


def guarded(actor: Actor, world: World) -> None:
    """An actor that fails would leave a soak that shows nothing."""
    try:
        actor(world)
    except Exception as error:  # noqa: BLE001 whatever it is, it is told
        world.ledger.wrong(f"the soak's own {actor.__name__}", repr(error))


def samples(look: Callable[[], Vitals], seconds: float) -> Iterator[Vitals]:
    """A look at the server every second."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(SAMPLE_SECONDS)
        yield look()


def tell(world: World, sample: Vitals) -> None:
    """One line of what goes on."""
    counted = {entry.kind: entry for entry in world.ledger.entries()}
    swaps = counted["swap"].fine if "swap" in counted else 0
    reloads = counted["reload"].fine if "reload" in counted else 0
    fine = sum(entry.fine for entry in counted.values())
    wrong = sum(entry.wrong for entry in counted.values())
    minutes, seconds = divmod(int(sample.second), 60)
    print(
        f"{minutes}:{seconds:02}  {fine:,} calls fine, {wrong:,} wrong  {swaps} swaps, "
        f"{reloads} reloads  {sample.resident:.0f} MB, {sample.threads} threads, "
        f"{sample.handles} handles",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
