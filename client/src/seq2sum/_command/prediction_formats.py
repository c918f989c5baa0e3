"""Predictions as JSON lines or CSV, one row for each line of the input."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from seq2sum._command.json_rows import not_finite

ERROR = "error"
"""The key and the column of errors."""


class UnwritableOutput(ValueError):
    """An output has a value that the format does not have; the text names both."""


class PredictionFormat(Protocol):
    """An output format."""

    header: str
    """The first line, or empty."""

    def row(self, outputs: Mapping[str, Any]) -> str:
        """Formats the outputs of one row; raises UnwritableOutput."""

    def error(self, text: str) -> str:
        """Formats a row without outputs."""


class JsonLines:
    """A JSON object per line, in ASCII: the outputs by name, or the error."""

    header = ""

    def __init__(self, outputs: Sequence[str]) -> None:
        del outputs  # every line has the names

    def row(self, outputs: Mapping[str, Any]) -> str:
        """Formats the outputs of one row.

        Raises:
            UnwritableOutput: A value is NaN or infinite.
        """
        try:
            return f"{json.dumps(outputs, allow_nan=False)}\n"
        except ValueError as error:
            for name, value in outputs.items():
                if (found := not_finite(value)) is not None:
                    raise UnwritableOutput(
                        f"output {name!r} has the value {found}, which JSON does not have: use "
                        "--format csv"
                    ) from error
            raise

    def error(self, text: str) -> str:
        """Formats a row without outputs."""
        return f"{json.dumps({ERROR: text})}\n"


class Csv:
    """A column for each output and one for errors. Lists are JSON, and NaN is written as NaN."""

    def __init__(self, outputs: Sequence[str]) -> None:
        self._columns = [*outputs, ERROR]
        self.header = _line(self._columns)

    def row(self, outputs: Mapping[str, Any]) -> str:
        """Formats the outputs of one row; an output that is missing is an empty cell."""
        return _line([_cell(outputs[each]) if each in outputs else "" for each in self._columns])

    def error(self, text: str) -> str:
        """Formats a row without outputs."""
        return _line(["" for _ in self._columns[1:]] + [text])


FORMATS: dict[str, type[JsonLines] | type[Csv]] = {"jsonl": JsonLines, "csv": Csv}


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _line(cells: Sequence[str]) -> str:
    # Readers take an unquoted carriage return for the end of the row.
    quoted = any("\r" in cell for cell in cells)
    text = io.StringIO()
    rows = csv.writer(
        text, lineterminator="\n", quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    )
    rows.writerow(cells)
    return text.getvalue()
