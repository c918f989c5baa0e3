"""The report: one page with everything that is known of a run, pictures inside.

It is made of what the run folder holds, so it can be made again at any time, and beside other
runs to compare with.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from seq2sum_training import recipe as recipes
from seq2sum_training.atomic_file import whole
from seq2sum_training.errors import UserError
from seq2sum_training.evaluate import pictures
from seq2sum_training.fit import history
from seq2sum_training.recipe import ENUMERATED_DIGITS, Fresh
from seq2sum_training.run import HISTORY, REPORT, WRONG, Run

SHOWN_MISTAKES = 40
"""Wrong answers on the page; wrong.csv has all."""


def write(run: Run, against: Sequence[Run] = ()) -> None:
    """Writes `report.html` into the run folder, with the runs `against` beside it.

    Raises:
        UserError: One of the runs is not evaluated.
    """
    page = template("report.html.j2").render(**_facts(run, against))
    with whole(run.path / REPORT) as partial:
        partial.write_text(page)


def template(name: str) -> jinja2.Template:
    """A template of the package, strict about names that it does not get."""
    folder = str(resources.files(__package__).joinpath("templates"))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def facts(run: Run) -> dict[str, Any]:
    """What a page or a card says of one run."""
    from seq2sum_training.model import network

    figures = run.evaluation()
    if figures is None:
        raise UserError(f"{run.path} is not evaluated: seq2sum-train evaluate {run.path}")
    recipe = run.recipe
    return {
        "name": run.name,
        "recipe": recipe,
        "recipe_text": recipes.dump(recipe),
        "figures": figures,
        "about": run.about(),
        "enumerated": recipe.digits <= ENUMERATED_DIGITS,
        "held_out": recipe.data.held_out if isinstance(recipe.data, Fresh) else None,
        "multiply_adds": network.multiply_adds(recipe),
        "chains": _chains(figures["by_chain"]),
    }


def _chains(rows: Sequence[dict[str, int]]) -> dict[str, int]:
    keys = ("questions", "errors")
    return {key: sum(row[key] for row in rows) for key in keys}


def _chain_table(rows: Sequence[dict[str, int]], digits: int) -> list[list[dict[str, int]]]:
    """Chains by operand length (rows, from 2) and number of places (columns, from 1)."""

    def cell(length: int, places: int) -> dict[str, int]:
        return _chains([r for r in rows if (r["length"], r["places"]) == (length, places)])

    return [
        [cell(length, places) for places in range(1, digits + 1)] for length in range(2, digits + 1)
    ]


def _facts(run: Run, against: Sequence[Run]) -> dict[str, Any]:
    own = facts(run)
    figures, digits = own["figures"], run.recipe.digits
    mistakes = run.wrong()
    if len(mistakes) != figures["errors"] + own["chains"]["errors"]:
        raise UserError(f"{run.path / WRONG} is not whole: seq2sum-train evaluate {run.path}")
    curves = [(each.name, history.read(each.path / HISTORY)) for each in (run, *against)]
    drawn = {
        "curves": pictures.learning_curves(curves),
        "lengths": pictures.lengths_map(figures["by_lengths"], digits=digits),
        "carries": pictures.carries_bars(figures["by_carries"]),
        "calibration": pictures.calibration(figures["calibration"]),
    }
    if own["enumerated"]:
        pairs = [_operands(row["question"]) for row in mistakes]
        drawn["map"] = pictures.error_map(pairs, digits=digits)
    return own | {
        "pictures": {name: Markup(svg) for name, svg in drawn.items()},
        "chain_table": _chain_table(figures["by_chain"], digits)
        if own["chains"]["questions"]
        else [],
        "mistakes": mistakes[:SHOWN_MISTAKES],
        "all_mistakes": len(mistakes),
        "others": [facts(each) for each in against],
    }


def _operands(question: str) -> tuple[int, int]:
    first, _, second = question.partition("+")
    try:
        return int(first), int(second)
    except ValueError as error:
        raise UserError(f"{WRONG} is damaged: {question!r} is not a question") from error
