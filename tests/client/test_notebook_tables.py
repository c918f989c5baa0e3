"""Tables for notebooks: every value escaped, and long ones cut."""

from __future__ import annotations

import struct
from html.parser import HTMLParser

import pytest
import seq2sum
from seq2sum import Prediction, SignatureSpec, Tensor, TensorSpec
from seq2sum._html import MAX_CHARACTERS, MAX_ROWS

EVIL = "<script>alert('x')</script>\ud800\x00"


class Cells(HTMLParser):
    """The rows of a table as lists of texts; any tag that is not of a table is an error."""

    def __init__(self, text):
        super().__init__()
        self.rows, self._open = [], None
        self.feed(text)
        text.encode()  # it can be sent to a browser

    def handle_starttag(self, tag, *_):
        assert tag in ("table", "caption", "tr", "th", "td")
        if tag in ("tr", "caption"):
            self.rows.append([])
        if tag in ("th", "td", "caption"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if data.strip():
            self.rows[-1][-1] += data


def floats(*values, shape=None):
    return Tensor(
        "DT_FLOAT",
        (len(values),) if shape is None else shape,
        struct.pack(f"<{len(values)}f", *values),
    )


def strings(*values):
    return Tensor("DT_STRING", (len(values),), values)


def test_predictions_with_rows_are_a_table_of_them():
    outputs = {
        "score": floats(0.1, 2),
        "pair": floats(1, 2, 3, 4, shape=(2, 2)),
        "<b>": strings(b"\xff", b"ok"),
    }
    assert Cells(Prediction(outputs, 3)._repr_html_()).rows == [
        ["version 3"],
        ["score", "pair", "<b>"],
        ["0.1", "[1, 2]", "\\xff"],
        ["2", "[3, 4]", "ok"],
    ]  # fmt: skip


def test_other_predictions_are_a_table_of_outputs():
    outputs = {"total": floats(7, shape=()), "score": floats(*range(9)), "none": strings()}
    assert Cells(Prediction(outputs, 3)._repr_html_()).rows == [
        ["version 3"],
        ["output", "dtype and shape", "values"],
        ["total", "DT_FLOAT []", "7"],
        ["score", "DT_FLOAT [9]", "[0, 1, 2, 3, 4, 5, 6, 7, …]"],
        ["none", "DT_STRING [0]", "[]"],
    ]
    assert Cells(Prediction({}, 3)._repr_html_()).rows[0] == ["version 3"]


def test_model_metadata_is_a_table_of_tensors():
    spec = SignatureSpec(
        {"text": TensorSpec("DT_STRING", (-1,))}, {EVIL: TensorSpec("DT_INT64", None)}
    )
    found = Cells(seq2sum.ModelMetadata(2, {"<i>": spec})._repr_html_()).rows
    assert found[:3] == [
        ["version 2"],
        ["signature", "", "name", "dtype and shape", ""],
        ["<i>", "input", "text", "string [any]", ""],
    ]
    assert found[3][2].startswith('"<script>') or "<script>" in found[3][2]
    assert found[3][3] == "int64 of any shape"


def test_long_values_and_many_rows_are_cut():
    many = strings(*[EVIL.encode(errors="surrogatepass") * 100] * 1000)
    rows = Cells(Prediction({"text": many}, 1)._repr_html_()).rows
    assert len(rows) == 2 + MAX_ROWS + 1
    assert rows[-1] == ["… (1,000 rows)"]
    assert max(len(cell) for row in rows for cell in row) < 2 * MAX_CHARACTERS
    wide = Prediction({"x": floats(*range(100_000), shape=(1, 100_000))}, 1)
    assert len(wide._repr_html_()) < 1000


@pytest.mark.parametrize(
    ("start", "stop", "values"),
    [(0, 2, [[1, 2], [3, 4]]), (1, 3, [[3, 4], [5, 6]]), (-1, 9, [[5, 6]]), (2, 1, [])],
)
def test_rows_of_a_tensor_are_a_tensor(start, stop, values):
    tensor = floats(1, 2, 3, 4, 5, 6, shape=(3, 2))
    found = tensor.rows(start, stop)
    assert (found.shape, found.tolist()) == ((len(values), 2), values)


def test_a_scalar_has_no_rows():
    with pytest.raises(TypeError, match="a scalar tensor has no length"):
        floats(1, shape=()).rows(0, 1)
    assert strings().rows(0, 1).tolist() == []
