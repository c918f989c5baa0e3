"""The example of a tabular model, from training to rollback, and a file of rows for it."""

from __future__ import annotations

import csv
import runpy
import sys

import numpy as np
import pytest
import seq2sum
from support import commands, doc_snippets, servers
from support.paths import ROOT

pytestmark = [pytest.mark.server, pytest.mark.tensorflow, pytest.mark.end_to_end]

TRAIN = ROOT / "examples" / "price" / "train.py"
PREDICT_FILE = ROOT / "examples" / "bulk" / "predict_file.py"
INPUTS = TRAIN.with_name("golden_inputs.jsonl")
CONFIG = """model_config_list {{ config {{
  name: "price" base_path: "{}" model_platform: "tensorflow"
  model_version_policy {{ specific {{ versions: 1 }} }} }} }}"""
"""Versions 2 and 3 are on disk already, and not served."""
FLAGS = [
    "--model_config_file_poll_wait_seconds=1",
    "--allow_version_labels_for_unavailable_models=true",
    "--num_load_threads=1",
]
POLICY = """
[latency]
samples = 20
slack_milliseconds = 1000.0
max_p99_milliseconds = 5000.0
[live]
min_calls = 5
[traffic]
unlabelled_callers = "none"
steps = [50]
bake = 1
settle = 1
"""


def script(path, *arguments):
    """Runs an example in this process, which has imported TensorFlow; returns its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(path), *map(str, arguments)])
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as end:
            return end.code
    return 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the exported versions 1 and 2, and 3, which renames an input."""
    folder = tmp_path_factory.mktemp("price")
    for version, more in {1: (), 2: ("--seed", 1), 3: ("--rename-rooms",)}.items():
        assert script(TRAIN, "--to", folder / "price" / str(version), *more) == 0
    (folder / "models.config").write_text(CONFIG.format(folder / "price"))
    (folder / "gates.toml").write_text(POLICY)
    return folder


@pytest.fixture(scope="module")
def server(folder):
    config = folder / "models.config"
    server = servers.Server.launch(None, folder, config=config, flags=FLAGS, forked=True)
    try:
        yield server.wait_until_open()
    finally:
        server.stop()


@pytest.fixture
def rollout(server, folder):
    def rollout(*arguments):
        return commands.run(
            "seq2sum-rollout", *arguments, "--targets", server.target, cwd=folder, timeout=120
        )

    return rollout


@pytest.fixture
def client(server):
    with seq2sum.ModelClient(server.target, model="price") as client:
        yield client


def test_an_existing_version_is_not_overwritten(folder, capsys):
    assert script(TRAIN, "--to", folder / "price" / "1") == 2
    assert "already exists: choose another version number" in capsys.readouterr().err


def test_estimates_are_close_to_the_prices_of_new_flats(client):
    columns, prices = runpy.run_path(str(TRAIN))["flats"](seed=5)
    result = client.predict(columns)
    errors = np.abs(np.asarray(result["price"]) / prices - 1)
    assert errors.mean() < 0.05
    lists = client.predict({name: column[:3].tolist() for name, column in columns.items()})
    assert lists["price"].tolist() == pytest.approx(result["price"].tolist()[:3], rel=1e-5)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"rooms": [2.5]}, "invalid input 'rooms'"),
        ({"area": ["large"]}, "invalid input 'area'"),
        ({"rooms": 2}, "invalid input 'rooms'"),
        ({"garden": [1]}, "inputs unknown ['garden']"),
    ],
)
def test_rows_that_do_not_fit_are_refused_before_the_call(client, change, problem):
    flat = {"area": [80.0], "distance": [5.0], "rooms": [3], "year": [1990]}
    with pytest.raises(seq2sum.InvalidInput) as caught:
        client.predict(flat | change)
    assert problem in str(caught.value)


def test_a_file_is_predicted_in_order(server, client, tmp_path, capsys):
    source, to = tmp_path / "flats.csv", tmp_path / "prices.csv"
    arguments = (source, to, "--target", server.target)
    assert script(PREDICT_FILE, *arguments, "--generate", 5000, "--batch-size", 999) == 0
    assert "5,000 rows in " in capsys.readouterr().out
    rows = list(csv.DictReader(source.read_text().splitlines()))
    columns = {name: [float(row[name]) for row in rows] for name in ("area", "distance")}
    columns |= {name: [int(row[name]) for row in rows] for name in ("rooms", "year")}
    expected = client.predict(columns)["price"].tolist()
    header, *prices = to.read_text().splitlines()
    assert header == "price"
    assert list(map(float, prices)) == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("area,rooms\n", "flats.csv:1: expected the columns area,distance,rooms,year"),
        ("area,distance,rooms,year\n1,2,3,4\n1,2,x,4\n", "flats.csv:2-3: invalid literal for int"),
        ("area,distance,rooms,year\n1,2,3,4\n1,2,3\n", "flats.csv:2-3: zip()"),
        ("area,distance,rooms,year\n1,2,3\n", "flats.csv:2-2: zip()"),
        ("", "flats.csv:1: expected the columns"),
    ],
)
def test_an_invalid_file_is_reported_with_its_lines(server, tmp_path, capsys, text, problem):
    source = tmp_path / "flats.csv"
    source.write_text(text)
    assert script(PREDICT_FILE, source, tmp_path / "out", "--target", server.target) == 1
    assert problem in capsys.readouterr().err


def test_a_server_that_cannot_be_reached_is_reported(tmp_path, capsys):
    target = f"127.0.0.1:{servers.free_port()}"
    arguments = (tmp_path / "flats.csv", tmp_path / "out", "--generate", 10, "--target", target)
    assert script(PREDICT_FILE, *arguments) == 1
    assert f"UNAVAILABLE from {target}, model price" in capsys.readouterr().err


def test_versions_are_rolled_out_refused_and_rolled_back(rollout, client):
    """Version 2 replaces 1; 3 lacks an input that callers send; a rollback returns to 1."""
    for command in (("golden", "record", 1, "--from", INPUTS), ("contract", "record", 1)):
        done = rollout(*map(str, command))
        assert done.returncode == 0, done.stderr
    assert rollout("promote", "1").returncode == 0

    done = rollout("run", "2", "--policy", "gates.toml")
    assert done.returncode == 0, done.stdout + done.stderr
    flat = {"area": [80.0], "distance": [5.0], "rooms": [3], "year": [1990]}
    assert client.predict(flat, label="stable").version == 2

    done = rollout("run", "3", "--policy", "gates.toml")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "DT_INT64 rooms of signature serving_default is missing" in done.stderr
    assert "requires input room_count, which callers do not send" in done.stderr
    assert client.predict(flat, label="stable").version == 2

    assert rollout("rollback").returncode == 0
    assert client.predict(flat, label="stable").version == 1
    assert client.describe(label="stable").version == 1


def test_documented_code_names_the_inputs_and_outputs_of_a_tensorflow_model(tmp_path, monkeypatch):
    page = doc_snippets.text("docs/your-model.md")
    [code] = [block for language, block in doc_snippets.blocks(page) if language == "py"]
    (tmp_path / "doubler.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    runpy.run_path("doubler.py")
    import tensorflow as tf

    signature = tf.saved_model.load("doubler/1").signatures["serving_default"]
    assert signature(amount=tf.constant([2.0]))["doubled"].numpy().tolist() == [4.0]
