"""Rolls out good and bad versions while outsiders send requests: `make soak-rollout`.

Uses two stable servers, a candidate server, Envoy, and the `seq2sum-rollout` command. Exits with 1
if a call fails or is wrong, if a version answers that may not at that moment, if a command ends
unexpectedly, if a share differs from its weight, or if latency during changes or the time of a
rollback exceeds its limit.
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

from support import processes

from benchmarks.pictures.results import write_results
from benchmarks.rollout.deployment import deploy
from benchmarks.rollout.marked_versions import mark
from benchmarks.rollout.operations import DEFAULT, FAST, SHUFFLED, ScenarioOptions
from benchmarks.rollout.outsiders import Outsiders
from benchmarks.rollout.report import Report, versions_table
from benchmarks.rollout.scenario import run_scenario
from benchmarks.rollout.shuffled_weights import claim_no_errors, shuffle_weights
from benchmarks.support.output import argument_parser, exit_code, log
from benchmarks.support.trials import export, export_recipes

RUNS = 6
"""Versions that become stable, at least: shares are measured over several runs."""
PAUSE = 0.01
"""Seconds between two calls of an outsider: servers and gates need processor time too."""
LOG_SECONDS = 5.0


def main() -> int:
    """Runs the scenario; returns the exit code."""
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--calls", type=int, default=100_000, help="minimum number of calls (default: %(default)s)"
    )
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="rollouts-") as name:
            folder = Path(name)
            versions = export_versions(options.runs, folder)
            first = mark(versions[DEFAULT], folder / "first", 1)
            (folder / "servers").mkdir()
            with deploy(folder / "servers", first) as deployment:
                scenario_options = ScenarioOptions(options.calls, runs=RUNS, pause=PAUSE)
                result = run_scenario(
                    deployment, versions, scenario_options, log=log, on_start=log_progress
                )
    finally:
        processes.close()
    report = Report.of(result)
    write_results(options.out, "rollout", report.to_json())
    print(versions_table(report), end="\n\n")
    return exit_code([*report.checks(), *report.timing_checks()])


def export_versions(runs: Path, folder: Path) -> dict[str, Path]:
    """Trains and exports the good versions and a wrong one; returns their folders by name."""
    bases = export_recipes((DEFAULT, FAST), runs)
    wrong = shuffle_weights(runs / FAST, folder / SHUFFLED)
    bases[SHUFFLED] = export(wrong, folder / "models" / SHUFFLED, force=True)
    versions = {name: base / "1" for name, base in bases.items()}
    claim_no_errors(versions[SHUFFLED])
    return versions


def log_progress(outsiders: Outsiders) -> None:
    """Logs the calls of every few seconds, in a thread, while outsiders make calls."""
    threading.Thread(target=_log_progress, args=(outsiders,), daemon=True).start()


def _log_progress(outsiders: Outsiders) -> None:
    seen = 0
    while outsiders.running:
        time.sleep(LOG_SECONDS)
        new = outsiders.calls[seen:]
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
