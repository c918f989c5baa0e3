"""The serving graph against stock Keras: `make bench-graph`.

The baseline is the tutorial's network (LSTM 128 + 128) in stock Keras layers with the weights
of `default`: written by `model.export()`, loaded, and called as Keras' documentation says; and
`model.predict`. It is given one-hot arrays made beforehand and gives probabilities, so reading
questions and writing answers costs it nothing. Our graphs go from byte strings to text.

All of it in one process with one thread, in turns, by CPU time; ratios are medians over the
rounds. A function is given tensors made beforehand; a session is given numpy arrays, and is
called as `seq2sum-serve` calls it. So that like can be held against like, the stock export is
measured in a session too. Bounds of the same run: the matrix products of `default` that no
rearranging can avoid, and for `fast` a graph that gives back the strings it was given.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import graphs
import interleaved
import numpy as np
import trials
from matplotlib.figure import Figure
from seq2sum_training import quiet, recipe
from seq2sum_training.pictures import COLOURS, drawn
from seq2sum_training.questions import questions
from seq2sum_training.run import Run
from trials import Trial

RECIPES = ("default", "fast")
BATCHES = (1, 8, 32, 128, 512, 2048, 4096, 8192)
BOUNDS = {
    "default": "bound of default: its matrix products",
    "fast": "bound of fast: strings in and out",
}
STOCK, STOCK_SESSION = "stock export, function", "stock export, session"
TARGETS = {
    "default": {1: 2.5, 8: 2.5, 32: 2.5, 512: 1.7, 2048: 1.7, 4096: 1.7, 8192: 1.7},
    "fast": {32: 5.0, 512: 30.0, 4096: 50.0},
}
"""How many times as many questions a CPU-second as the stock export, by batch."""
ODD_BATCH = 512
"""Questions of a batch some of which are odd."""
ODD: dict[str, Callable[[bytes], bytes]] = {
    "malformed": lambda question: question.replace(b"+", b"x"),
    "too long": lambda question: b"1111+" + question.split(b"+")[1],
    "leading zeros": lambda question: b"+".join(p.zfill(3) for p in question.split(b"+")),
    "40 spaces behind": lambda question: question + b" " * 40,
}
"""What a row can be beside a plain question."""
SHARES = (0.01, 0.5)
"""Of a batch that is odd."""


def main() -> int:
    """Runs the benchmark; gives back the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=Path, default=Path("runs/bench-training"))
    options.add_argument("--out", type=Path, default=Path("docs"))
    options.add_argument("--rounds", type=int, default=5, help="turns of each (default: 5)")
    chosen = options.parse_args()
    quiet.import_tensorflow()
    graphs.use_one_thread()
    list(trials.outcomes([Trial(name, name) for name in RECIPES], chosen.runs, jobs=1))
    runs = {name: Run.finished(chosen.runs / name) for name in RECIPES}
    models = {name: run.model() for name, run in runs.items()}
    with tempfile.TemporaryDirectory() as folder:
        forms, sessions = made(runs, models, Path(folder))
        rows = [row for batch in BATCHES for row in measured(forms, batch, chosen.rounds)]
        odd = odd_rows({name: sessions[name] for name in RECIPES}, chosen.rounds)
        equal = {name: graphs.compared(runs[name], models[name], tell=told) for name in RECIPES}
    figures = {
        "rows": rows,
        "share_of_bound": bounds(rows),
        "odd_rows": odd,
        "against_keras": equal,
        "targets": TARGETS,
    }
    trials.write(chosen.out / "graph.json", figures | graphs.software())
    (chosen.out / "graph.svg").write_text(picture(rows))
    print(table(rows))
    for name, share in bounds(rows).items():
        print(f"{name}, share of its bound: " + ", ".join(f"{s:.0%}" for s in share.values()))
    for name, found in equal.items():
        print(
            f"{name}: {found['different']} of {found['questions']:,} answers differ from Keras, "
            f"probabilities by {found['probabilities']:.1e} at most"
        )
    for row in odd:
        print(f"{row['recipe']}: {row['share']:.0%} {row['odd']}: {row['cost']:.2f} x")
    missed = [f"{r['form']} at {r['batch']}" for r in rows if r["target"] and not met(r)]
    print(f"targets missed: {', '.join(missed) or 'none'}")
    return 0


def told(text: str) -> None:
    """Progress."""
    print(text, file=sys.stderr, flush=True)


def made(runs: Any, models: Any, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """From a number of questions to a call, by form; and sessions by recipe."""
    stock = graphs.stock_export(models["default"], recipe.load("default"), folder)
    forms: dict[str, Any] = dict(stock)
    sessions = {}
    for name, run in runs.items():
        function, session = graphs.ours(run, models[name], folder)
        forms[f"{name}, function"], forms[f"{name}, session"] = (
            with_questions(function), with_questions(session)
        )  # fmt: skip
        sessions[name] = session
    products = graphs.multiplying(recipe.load("default"))
    forms[BOUNDS["default"]] = products
    forms[BOUNDS["fast"]] = with_questions(graphs.echo())
    return forms, sessions


def with_questions(prepare: Callable[[Any], Any]) -> Callable[[int], Any]:
    """The same, from a number of questions."""
    return lambda batch: prepare(drawn_questions(batch))


def drawn_questions(batch: int) -> Any:
    """That many of all questions, the same ones each time."""
    pairs = np.random.default_rng(1).integers(0, 1000, (2, batch))
    return np.array(questions(*pairs).tolist(), object)


def measured(forms: dict[str, Any], batch: int, rounds: int) -> list[dict[str, Any]]:
    """A row for each form with this many questions a call."""
    told(f"{batch} questions a call")
    spent = interleaved.microseconds({n: make(batch) for n, make in forms.items()}, rounds=rounds)
    return [
        {
            "form": form,
            "batch": batch,
            "per_cpu_second": round(1e6 * batch / median(times)),
            "times_stock": round(interleaved.ratio(spent[STOCK], times), 3),
            "times_stock_session": round(interleaved.ratio(spent[STOCK_SESSION], times), 3),
            "target": TARGETS.get(form.split(",")[0], {}).get(batch),
        }
        for form, times in spent.items()
    ]


def met(row: dict[str, Any]) -> bool:
    """Whether a row reaches its target."""
    return bool(row["times_stock"] >= row["target"])


def bounds(rows: list[dict[str, Any]]) -> dict[str, dict[int, float]]:
    """Questions a CPU-second as a server runs it, as a share of what the bound allows, by batch."""
    counts = {(row["form"], row["batch"]): row["per_cpu_second"] for row in rows}
    return {
        name: {
            batch: round(counts[f"{name}, session", batch] / counts[form, batch], 3)
            for batch in BATCHES
        }
        for name, form in BOUNDS.items()
    }


def odd_rows(sessions: dict[str, Any], rounds: int) -> list[dict[str, Any]]:
    """What a call costs when some of its rows are odd, against the same without."""
    told("odd rows")
    plain = drawn_questions(ODD_BATCH)
    rows = []
    for name, prepare in sessions.items():
        calls = {"plain": prepare(plain)}
        for odd, spelled in ODD.items():
            for share in SHARES:
                every = round(1 / share)
                mixed = [spelled(q) if i % every == 0 else q for i, q in enumerate(plain)]
                calls[f"{odd} {share}"] = prepare(np.array(mixed, object))
        spent = interleaved.microseconds(calls, rounds=rounds)
        rows += [
            {
                "recipe": name,
                "odd": odd,
                "share": share,
                "cost": round(interleaved.ratio(spent[f"{odd} {share}"], spent["plain"]), 3),
            }
            for odd in ODD
            for share in SHARES
        ]
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """A Markdown table: questions a CPU-second, and how many times those of the stock export."""
    lines = ["| | " + " | ".join(map(str, BATCHES)) + " |", "|---" * (len(BATCHES) + 1) + "|"]
    for form in dict.fromkeys(row["form"] for row in rows):
        cells = [
            f"{short(row['per_cpu_second'])} ({row['times_stock']:.3g}×)"
            for row in rows
            if row["form"] == form
        ]
        lines.append(f"| {form} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def short(count: float) -> str:
    """Three digits of a number."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return f"{count:.3g}"


@drawn
def picture(rows: list[dict[str, Any]]) -> Figure:
    """Questions a CPU-second by batch size, and how many times those of the stock export."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    counts, ratios = figure.subplots(1, 2)
    for colour, name in zip(COLOURS, ("default", "fast", "stock export", "model"), strict=False):
        forms = dict.fromkeys(r["form"] for r in rows if r["form"].startswith(name))
        bounds = dict.fromkeys(r["form"] for r in rows if r["form"].startswith(f"bound of {name}"))
        for form in [*forms, *bounds]:
            own = [row for row in rows if row["form"] == form]
            style = ":" if form in bounds else "--" if form.endswith("function") else "-"
            batches = [row["batch"] for row in own]
            line = {"color": colour, "linestyle": style, "label": form}
            counts.plot(batches, [row["per_cpu_second"] for row in own], **line)
            if name in RECIPES:
                ratios.plot(batches, [row["times_stock"] for row in own], **line)
        wanted = TARGETS.get(name, {})
        ratios.scatter(list(wanted), list(wanted.values()), color=colour, marker="_", s=90)
    counts.set(title="Questions a CPU-second", xscale="log", yscale="log")
    ratios.set(title="Times stock export (dashes: targets)", xscale="log", yscale="log")
    for axes in (counts, ratios):
        axes.set(xlabel="questions a call")
    figure.legend(*counts.get_legend_handles_labels(), loc="outside right", frameon=False)
    return figure


if __name__ == "__main__":
    sys.exit(main())
