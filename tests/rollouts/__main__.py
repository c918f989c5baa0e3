"""Rollouts under traffic, from a first version to the last: `make soak-rollout`.

Three servers, eight callers, and the command line of `seq2sum-rollout`. It fails if a call failed,
if a version answered that was not allowed to at that moment, if a command did not end as it
should, or if callers noticed the swaps.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import trials
from rollouts import story, world
from rollouts.callers import Callers
from rollouts.picture import picture
from rollouts.report import Report, table
from rollouts.shuffled import shuffled, untold
from rollouts.story import DEFAULT, FAST, SEED, SHUFFLED, Tempo
from trials import Trial

import client

CALLS_A_SWAP = 10_000
"""At least one swap for so many calls."""
TELL_SECONDS = 5.0


def main() -> int:
    """Tells the story; gives back the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, default=100_000)
    options.add_argument("--runs", type=Path, default=Path("runs/bench-training"))
    options.add_argument("--out", type=Path, default=Path("docs"))
    chosen = options.parse_args()
    tempo = Tempo(chosen.calls, swaps=chosen.calls // CALLS_A_SWAP)
    with tempfile.TemporaryDirectory(prefix="rollouts-") as name:
        folder = Path(name)
        cast = exported(chosen.runs, folder)
        with world.opened(folder / "servers", cast[SEED]) as servers:
            found = Report.of(story.told(servers, cast, tempo, tell=tell, watched=watch))
    trials.write(chosen.out / "rollout.json", found.row())
    (chosen.out / "rollout.svg").write_text(picture(found))
    print(table(found), end="\n\n")
    verdicts = [*found.verdicts(), *found.figures()]
    for good, text in verdicts:
        print("fine  " if good else "WRONG ", text)
    return 0 if all(good for good, _ in verdicts) else 1


def exported(runs: Path, folder: Path) -> dict[str, Path]:
    """The folder of a version of each, trained and exported where it is not there yet."""
    recipes = (SEED, DEFAULT, FAST)
    for _ in trials.outcomes([Trial(name, name) for name in recipes], runs, jobs=1):
        pass  # it tells by itself

    def version(run: Path, models: Path) -> Path:  # of networks with wrong answers, too
        return client.exported(run, models / run.name, force=True) / "1"

    cast = {name: version(runs / name, runs / "models") for name in recipes}
    wrong = shuffled(runs / FAST, folder / SHUFFLED)
    return cast | {SHUFFLED: untold(version(wrong, folder / "models"))}


def tell(line: str) -> None:
    """Says what goes on."""
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)


def watch(callers: Callers) -> None:
    """Tells every few seconds how callers fare, as long as they ask."""
    threading.Thread(target=_watch, args=(callers,), daemon=True).start()


def _watch(callers: Callers) -> None:
    seen = 0
    while callers.asking:
        time.sleep(TELL_SECONDS)
        new = callers.ledger.calls(seen)
        seen += len(new)
        versions = Counter(call.version for call in new if call.version is not None)
        shares = ", ".join(
            f"version {version} {count / max(len(new), 1):.0%}"
            for version, count in sorted(versions.items())
        )
        failed = sum(1 for call in new if call.error)
        tell(f"{seen:,} calls, {len(new) / TELL_SECONDS:,.0f}/s, {failed} failed; {shares}")


if __name__ == "__main__":
    sys.exit(main())
