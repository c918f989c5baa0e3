"""Rolls out versions under traffic, from a first version to the last: `make soak-rollout`.

Uses three servers, eight callers, and the `seq2sum-rollout` command. Exits with 1 if a call fails,
if a version answers that should get no traffic at that moment, if a command ends unexpectedly, or
if latency during swaps or the time of a rollback exceeds its limit.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from benchmarks.rollout.callers import Callers
from benchmarks.rollout.deployment import deploy
from benchmarks.rollout.picture import picture
from benchmarks.rollout.report import Report, versions_table
from benchmarks.rollout.scenario import (
    DEFAULT,
    FAST,
    SEED,
    SHUFFLED,
    ScenarioOptions,
    run_scenario,
)
from benchmarks.rollout.shuffled_weights import claim_no_errors, shuffle_weights
from benchmarks.support.output import argument_parser, exit_code, log, write, write_json
from benchmarks.support.trials import export, export_recipes

CALLS_PER_SWAP = 10_000
LOG_SECONDS = 5.0


def main() -> int:
    """Runs the scenario; returns the exit code."""
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--calls", type=int, default=100_000, help="minimum number of calls (default: %(default)s)"
    )
    options = parser.parse_args()
    scenario_options = ScenarioOptions(options.calls, swaps=options.calls // CALLS_PER_SWAP)
    with tempfile.TemporaryDirectory(prefix="rollouts-") as name:
        folder = Path(name)
        versions = export_versions(options.runs, folder)
        with deploy(folder / "servers", versions[SEED]) as deployment:
            report = Report.of(
                run_scenario(deployment, versions, scenario_options, log=log, on_start=log_progress)
            )
    write_json(options.out / "rollout.json", report.to_json())
    write(options.out / "rollout.svg", picture(report))
    print(versions_table(report), end="\n\n")
    return exit_code([*report.checks(), *report.timing_checks()])


def export_versions(runs: Path, folder: Path) -> dict[str, Path]:
    """Trains and exports all versions; returns their folders by name."""
    # `force` publishes wrong golden answers too; SEED and the shuffled network give some.
    bases = export_recipes((SEED, DEFAULT, FAST), runs, force=True)
    wrong = shuffle_weights(runs / FAST, folder / SHUFFLED)
    bases[SHUFFLED] = export(wrong, folder / "models" / SHUFFLED, force=True)
    versions = {name: base / "1" for name, base in bases.items()}
    claim_no_errors(versions[SHUFFLED])
    return versions


def log_progress(callers: Callers) -> None:
    """Logs the calls of every few seconds, in a thread, while callers are running."""
    threading.Thread(target=_log_progress, args=(callers,), daemon=True).start()


def _log_progress(callers: Callers) -> None:
    seen = 0
    while callers.running:
        time.sleep(LOG_SECONDS)
        new = callers.calls[seen:]
        seen += len(new)
        versions = Counter(call.version for call in new if call.version is not None)
        shares = ", ".join(
            f"version {version} {count / max(len(new), 1):.0%}"
            for version, count in sorted(versions.items())
        )
        failed = sum(1 for call in new if call.error)
        log(f"{seen:,} calls, {len(new) / LOG_SECONDS:,.0f}/s, {failed} failed; {shares}")


if __name__ == "__main__":
    sys.exit(main())
