"""The example with Ray Data, in a separate environment: Ray takes 600 MB."""

from __future__ import annotations

import csv
import os
import random
import subprocess
import tempfile

import pytest
from seq2sum import TensorSpec
from seq2sum.testing import FakeServer, FakeSignature
from support.paths import ROOT

PYTHON = ROOT / ".venv-ray" / "bin" / "python"
EXAMPLE = ROOT / "examples" / "bulk" / "predict_with_ray.py"
pytestmark = [
    pytest.mark.system,
    pytest.mark.end_to_end,
    pytest.mark.skipif(
        not PYTHON.exists(), reason="Ray is not installed: make test-ray installs it in .venv-ray"
    ),
]

ROWS = 20_000


@pytest.fixture
def server():
    """A fake model of prices: a thousandth of the area, plus the number of rooms."""

    def price(inputs):
        areas, rooms = inputs["area"].tolist(), inputs["rooms"].tolist()
        return [area / 1000 + room for area, room in zip(areas, rooms, strict=True)]

    dtypes = {"area": "FLOAT", "distance": "FLOAT", "rooms": "INT64", "year": "INT64"}
    signature = FakeSignature(
        price,
        inputs={name: TensorSpec(f"DT_{dtype}", (-1,)) for name, dtype in dtypes.items()},
        outputs={"price": TensorSpec("DT_FLOAT", (-1,))},
    )
    with FakeServer(model="price", signatures={"serving_default": signature}) as server:
        yield server


def test_actors_predict_every_row_of_a_file_once(server, tmp_path):
    source, to = tmp_path / "flats.csv", tmp_path / "prices"
    draw = random.Random(1)
    lines = [f"{area}.5,3.5,{draw.randrange(1, 9)},1998\n" for area in range(ROWS)]
    source.write_text("area,distance,rooms,year\n" + "".join(lines))
    # Paths of sockets are short, and the folder of a test is not.
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [PYTHON, EXAMPLE, source, to, "--target", server.target],
            env={**os.environ, "RAY_TMPDIR": folder, "RAY_USAGE_STATS_ENABLED": "0"},
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{ROWS:,} rows in " in done.stdout
    rows = [
        row for path in to.glob("*.csv") for row in csv.DictReader(path.read_text().splitlines())
    ]
    assert sorted(float(row["area"]) for row in rows) == [area + 0.5 for area in range(ROWS)]
    for row in rows:
        expected = float(row["area"]) / 1000 + int(row["rooms"])
        assert float(row["price"]) == pytest.approx(expected, abs=1e-3)
    assert len(server.calls) > 4  # one for each block at least
