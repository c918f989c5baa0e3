"""Figures in running text are those of the last results; other tests check tables."""

from __future__ import annotations

import json

import pytest
from support import doc_snippets

from benchmarks.support.output import RESULTS


def result(name):
    return json.loads((RESULTS / f"{name}.json").read_text())


def figures_of_rollouts():
    found = result("rollout")
    assert found["failed"] == found["wrong"] == found["not_allowed"] == 0
    yield f"0 of {found['calls']:,} calls failed"
    yield f"{found['commands_killed']} times"
    words = ("at 5 %", "calls at weight 10 %", "at 50 %")
    for share, rest in zip(found["shares"], words, strict=True):
        percent = 100 * share["candidate"] / share["calls"]
        yield f"{percent:.1f} % of {share['calls']:,} {rest}"
    promoted = [entry for entry in found["rollbacks"] if entry["after_event"]]
    yield " and ".join(f"{entry['after_event']:.1f}" for entry in promoted) + " s after"
    yield " and ".join(f"{entry['after_command']:.1f}" for entry in promoted) + " s after"
    during = found["p99_milliseconds_during_changes"]
    yield f"{during:.0f} ms, {during / found['p99_milliseconds_before']:.1f} times"


def figures_of_the_server():
    soak = result("soak")
    counts = soak["calls"]
    assert not any(row["failed"] for row in counts)
    [swaps] = [row["ok"] for row in counts if row["kind"] == "swap"]
    yield f"0 of {sum(row['ok'] for row in counts):,} calls and changes failed, over {swaps} swaps"
    yield f"changed by {soak['memory_slope_mb_per_minute']:+.1f} MB a minute"
    yield f"{soak['before']['resident']:.0f} MB before and {soak['after']['resident']:.0f} after"
    clients = result("stops")["clients"]
    retrying = [row for row in clients if row["client"] != "gRPC without retries"]
    assert not any(row["failed"] for row in clients)
    assert {code for row in retrying for code in row["codes"]} == {"OK"}
    yield f"none of {sum(row['calls'] for row in retrying):,} calls with retries failed"
    [other] = [row for row in clients if row not in retrying]
    assert other["codes"].keys() <= {"OK", "UNAVAILABLE"}
    unavailable = other["codes"].get("UNAVAILABLE", 0)
    yield f"Of {other['calls']:,} calls without retries {unavailable} ended with UNAVAILABLE"


def figures_of_training():
    found = result("training")
    rows = {row["name"]: row for row in found["recipes"]}
    stock = found["tutorial"]
    yield f"| the tutorial, stock Keras `fit` | {stock['cpu_seconds']:.0f} | {stock['errors']:,} |"
    for name in ("default", "fast"):
        yield f"| `{name}` | {rows[name]['cpu_seconds']:.0f} | {rows[name]['errors']:,} |"
    seed = rows["seed"]
    yield f"| {seed['cpu_seconds']:.0f} | {seed['errors']:,} |"
    yield f"{seed['errors']:,} errors after {seed['cpu_seconds']:.0f} CPU-seconds"
    yield f"{seed['never_trained_errors']:,} of them on questions never trained on"


def figures_of_the_client():
    rates = {row["style"]: row["questions_per_second"] for row in result("client")["styles"]}
    ratio = rates["tasks_coalesced"] / rates["tasks"]
    yield f"64 tasks that share calls get {ratio:.1f} times as many answers a second"


def figures_of_the_graph():
    compared = result("graph")["compared_with_keras"].values()
    assert {(row["different_answers"], row["questions"]) for row in compared} == {(0, 1_000_000)}
    largest = max(row["largest_probability_difference"] for row in compared)
    yield "differ by " + f"{largest:.1e}".replace("e-0", "e-") + " at most"


def figures_of_the_home_page():
    yield from list(figures_of_rollouts())[:2]
    footprint = result("client")["footprint"]
    ours, upstream = (footprint[name] for name in ("seq2sum", "tensorflow-serving-api"))
    yield f"needs {ours['megabytes']:.0f} MB** on disk"
    yield f"tensorflow-serving-api needs {upstream['megabytes']:,.0f} MB"
    seeds = result("seeds")
    assert {row["errors"] for row in seeds} == {0}
    yield f"with each of the {len(seeds)} seeds"


@pytest.mark.parametrize(
    ("page", "figures"),
    [
        ("docs/client.md", figures_of_the_client),
        ("docs/index.md", figures_of_the_home_page),
        ("docs/performance.md", figures_of_the_graph),
        ("docs/rollouts.md", figures_of_rollouts),
        ("docs/server.md", figures_of_the_server),
        ("docs/training.md", figures_of_training),
    ],
)
def test_a_page_has_the_figures_of_the_results(page, figures):
    text = " ".join(doc_snippets.text(page).split())
    assert [figure for figure in figures() if figure not in text] == []
