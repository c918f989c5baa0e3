"""The report of a run: one HTML page with its figures and pictures.

It is rendered from the files in the run folder, so it can be written again at any time, also
with a comparison to other runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from seq2sum_training import recipe as recipes
from seq2sum_training.atomic_file import atomic_write
from seq2sum_training.errors import UserError
from seq2sum_training.evaluate import pictures
from seq2sum_training.fit import history
from seq2sum_training.recipe import MAX_ENUMERATED_DIGITS, Fresh
from seq2sum_training.run import HISTORY, REPORT, WRONG_ANSWERS, Run

SHOWN_WRONG_ANSWERS = 40
"""Wrong answers on the page; wrong.csv has all."""


def write(run: Run, against: Sequence[Run] = ()) -> None:
    """Writes `report.html` into the run folder, with a comparison to the runs `against`.

    Raises:
        UserError: One of the runs is not evaluated.
    """
    page = template("report.html.j2").render(**_page_values(run, against))
    with atomic_write(run.path / REPORT) as partial:
        partial.write_text(page)


def template(name: str) -> jinja2.Template:
    """Loads a template of the package; undefined names raise an error."""
    folder = str(resources.files(__package__).joinpath("templates"))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def run_values(run: Run) -> dict[str, Any]:
    """Returns the values of one run for the templates of the report and the model card.

    Raises:
        UserError: The run is not evaluated.
    """
    from seq2sum_training.model import network

    figures = run.evaluation()
    if figures is None:
        raise UserError(f"{run.path} is not evaluated: run `seq2sum-train evaluate {run.path}`")
    recipe = run.recipe
    return {
        "name": run.name,
        "recipe": recipe,
        "recipe_text": recipes.dump(recipe),
        "figures": figures,
        "metadata": run.metadata(),
        "enumerated": recipe.digits <= MAX_ENUMERATED_DIGITS,
        "held_out": recipe.data.held_out if isinstance(recipe.data, Fresh) else None,
        "multiply_adds": network.multiply_adds(recipe),
        "chains": _chain_totals(figures["by_chain"]),
    }


def _chain_totals(rows: Sequence[dict[str, int]]) -> dict[str, int]:
    keys = ("questions", "errors")
    return {key: sum(row[key] for row in rows) for key in keys}


def _chain_table(rows: Sequence[dict[str, int]], digits: int) -> list[list[dict[str, int]]]:
    """Returns totals by operand length (rows, from 2) and number of places (columns, from 1)."""

    def cell(length: int, places: int) -> dict[str, int]:
        return _chain_totals([r for r in rows if (r["length"], r["places"]) == (length, places)])

    return [
        [cell(length, places) for places in range(1, digits + 1)] for length in range(2, digits + 1)
    ]


def _page_values(run: Run, against: Sequence[Run]) -> dict[str, Any]:
    values = run_values(run)
    figures, digits = values["figures"], run.recipe.digits
    wrong_answers = run.wrong_answers()
    if len(wrong_answers) != figures["errors"] + values["chains"]["errors"]:
        raise UserError(
            f"{run.path / WRONG_ANSWERS} is incomplete: run `seq2sum-train evaluate {run.path}`"
        )
    curves = [(each.name, history.read(each.path / HISTORY)) for each in (run, *against)]
    svgs = {
        "curves": pictures.learning_curves(curves),
        "lengths": pictures.lengths_map(figures["by_lengths"], digits=digits),
        "carries": pictures.carries_bars(figures["by_carries"]),
        "calibration": pictures.calibration(figures["calibration"]),
    }
    if values["enumerated"]:
        pairs = [_operands(row["question"]) for row in wrong_answers]
        svgs["map"] = pictures.error_map(pairs, digits=digits)
    has_chains = bool(values["chains"]["questions"])
    return values | {
        "pictures": {name: Markup(svg) for name, svg in svgs.items()},
        "chain_table": _chain_table(figures["by_chain"], digits) if has_chains else [],
        "wrong_answers": wrong_answers[:SHOWN_WRONG_ANSWERS],
        "all_wrong_answers": len(wrong_answers),
        "others": [run_values(each) for each in against],
    }


def _operands(question: str) -> tuple[int, int]:
    first, _, second = question.partition("+")
    try:
        return int(first), int(second)
    except ValueError as error:
        raise UserError(f"{WRONG_ANSWERS} is damaged: invalid question {question!r}") from error
