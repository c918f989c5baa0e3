"""Models that are not addition: recorded golden requests and contracts, gates, several at once."""

from __future__ import annotations

import json
import os

import pytest
import seq2sum
from seq2sum import golden
from seq2sum_serving.gates.contract_file import FILE as CONTRACT
from seq2sum_serving.gates.golden_gate import FILE as GOLDEN
from support.deployed import Deployed

pytestmark = [pytest.mark.tensorflow, pytest.mark.server]

PRICE, OTHER, BARE = "price", "other/model", "bare"
INPUTS = """\
{"inputs": {"area": [70.5], "rooms": [3]}}

{"inputs": {"area": [20.0, 90.0], "rooms": [1, 4]}, "expect": {"price": []}}
{"inputs": {"area": [30.0], "rooms": [2]}, "expect": {"size": []}}
"""


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """Folders of versions by name."""
    import tensorflow as tf
    from support.saved_models import export_price

    folder = tmp_path_factory.mktemp("versions")
    changes = {
        "good": {},
        "trained again": {"factor": 2.000001},
        "other numbers": {"factor": 3.0},
        "other dtype": {"dtype": tf.float64},
        "nan": {"factor": float("nan")},
    }
    return {name: export_price(folder / name, **each) for name, each in changes.items()}


@pytest.fixture(scope="module")
def deployed(versions, tmp_path_factory):
    """A server of three models, with version 1 each. It does not poll the model config file."""
    folder = tmp_path_factory.mktemp("any_model")
    with Deployed(folder, versions["good"], model=PRICE) as opened:
        others = ""
        for name in (OTHER, BARE):
            path = folder / "models" / name.replace("/", "_") / "1"
            path.parent.mkdir()
            path.symlink_to(versions["good"])
            others += f'config {{ name: "{name}" base_path: "{path.parent}"\n'
            others += '    model_platform: "tensorflow" }\n'
        opened.edit(opened.text(other=others))
        opened.start()
        for name in (PRICE, OTHER, BARE):
            with seq2sum.ModelClient(opened.targets, model=name) as client:
                client.wait_until_available()
        result = opened.rollout("promote", "1", "--model", PRICE)
        assert result.code == 0, result.text
        yield opened


@pytest.fixture
def price(deployed):
    """Runs a command for the model `price`."""
    return lambda *arguments: deployed.rollout(*arguments, "--model", PRICE)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    path = tmp_path_factory.mktemp("inputs") / "inputs.jsonl"
    path.write_text(INPUTS)
    return path


@pytest.fixture(scope="module")
def recorded(deployed, inputs):
    """Version 1 of `price` has golden requests and a contract."""
    line = ("golden", "record", "--from", inputs, "--model", PRICE)
    planned = deployed.rollout(*line, "--dry-run", "--json")
    path = deployed.base / "1" / GOLDEN
    assert planned.json["plan"] == [f"write 3 golden requests of version 1 to {path}"]
    assert not path.exists()
    result = deployed.rollout(*line, "--json")
    assert result.code == 0, result.text
    assert (result.json["command"], result.json["version"]) == ("golden record", 1)
    assert (result.json["file"], result.json["requests"]) == (str(path), 3)
    result = deployed.rollout("contract", "record", "--model", PRICE)
    assert result.code == 0, result.text
    assert f"wrote the contract of version 1 (serving_default) to {deployed.base}" in result.text
    return deployed


def test_without_model_the_models_are_listed(deployed):
    result = deployed.rollout("status")
    assert result.code == 2
    assert f"give --model, one of {PRICE}, {OTHER}, {BARE}" in result.text


def test_version_without_files_is_inconclusive(deployed, versions):
    result = deployed.rollout("run", versions["good"], "--model", BARE, "--dry-run", "--json")
    assert result.code == 3
    for command in ("golden record --from inputs.jsonl", "contract record"):
        assert f"`seq2sum-rollout {command}`" in result.json["error"]
    assert not deployed.folder.joinpath(f"{BARE}.rollouts.jsonl").exists()
    line = ("golden", "check", "--model", BARE)
    assert (
        "no version is stable in the model config file: give a version"
        in deployed.rollout(*line).text
    )
    result = deployed.rollout(*line, "1")
    assert result.code == 1
    assert "neither version 1 nor one in service before it has assets.extra/gold" in result.text
    published = deployed.rollout("publish", versions["good"], "--model", BARE, "--json").json
    result = deployed.rollout("canary", str(published["version"]), "--model", BARE)
    assert result.code == 0, result.text
    words = [line.split()[2] for line in result.errors.splitlines()]
    for gate in ("evaluation:", "golden:", "contract:", "signatures:"):
        assert words.count(gate) == 1, result.errors


def test_recorded_files(recorded):
    requests = golden.read(recorded.base / "1" / GOLDEN)
    assert [sorted(request.expect) for request in requests] == [
        ["price", "size"],
        ["price"],
        ["size"],
    ]
    assert requests[0].expect == {"price": [144.0], "size": ["large"]}
    assert requests[0].compare == {"price": golden.Tolerance(atol=1e-5, rtol=1e-4)}
    contract = json.loads((recorded.base / "1" / CONTRACT).read_text())
    assert (contract["contract"], contract["model"]) == (2, PRICE)
    assert contract["signatures"]["serving_default"] == {
        "inputs": {
            "area": {"dtype": "DT_FLOAT", "shape": [-1]},
            "rooms": {"dtype": "DT_INT64", "shape": [-1]},
        },
        "outputs": {
            "price": {"dtype": "DT_FLOAT", "shape": [-1]},
            "size": {"dtype": "DT_STRING", "shape": [-1]},
        },
    }


@pytest.mark.usefixtures("recorded")
def test_existing_files_are_replaced_only_with_force(price, inputs, tmp_path):
    out = tmp_path / "contract.json"
    out.write_text('{"contract": 2, "extra": {"unit": "EUR"}, "rules": {"unit": "equal"}, "by": 1}')
    for line in (
        ("golden", "record", "--from", inputs),
        ("contract", "record"),
        ("contract", "record", "--out", out),
    ):
        before = out.read_text()
        result = price(*line)
        assert result.code == 1
        assert "exists: replace it with --force, or name another file with --out" in result.text
        assert out.read_text() == before
    assert price("contract", "record", "1", "--out", out, "--force").code == 0
    written = json.loads(out.read_text())
    assert (written["extra"], written["rules"]) == ({"unit": "EUR"}, {"unit": "equal"})
    assert (written["by"], written["model"]) == (1, PRICE)


def test_golden_check(recorded, price):
    result = price("golden", "check")
    assert result.code == 0, result.text
    assert "version 1 answered 3 of 3 as expected" in result.text
    path = recorded.base / "1" / GOLDEN
    before = path.read_text()
    try:
        path.write_text(before.replace("144.0", "145.0"))
        result = price("golden", "check", "1")
        assert result.code == 1
        assert "2 of 3 as expected" in result.text
        assert '1. {"area": [70.5], "rooms": [3]}: price is 144 (expected 145)' in result.text
        found = price("golden", "check", "--json").json
        [replica] = found["replicas"].values()
        assert (found["version"], replica["passed"], replica["requests"]) == (1, 2, 3)
        assert replica["failed"][0]["differences"] == ["price is 144 (expected 145)"]
    finally:
        path.write_text(before)


ONE = '"inputs": {"area": [1.0], "rooms": [1]}'
BAD_INPUTS = {
    "no JSON": ('{"inputs": {"area": [1.0], "rooms": [1]}}\n{', 2, ":2: not valid JSON"),
    "no inputs": ("\n", 2, "has no inputs: write lines like"),
    "unknown key": ('{"inputs": {}, "outputs": {}}', 2, ":1: unknown key 'outputs'"),
    "unknown compare": (
        '{"inputs": {}, "expect": {"price": 1}, "compare": {"price": "near"}}',
        2,
        ":1: compare of output price is 'near'",
    ),
    "unknown output": (
        f'{{{ONE}, "expect": {{"cost": []}}}}',
        2,
        ":1: version 1 does not accept it: INVALID_ARGUMENT unknown outputs ['cost']",
    ),
    "missing input": ('{"inputs": {"area": [1.0]}}', 2, "missing ['rooms']"),
    "unknown signature": ('{"inputs": {}, "signature_name": "more"}', 2, "no signature 'more'"),
    "wrong dtype": ('{"inputs": {"area": ["x"], "rooms": [1]}}', 2, "invalid input 'area'"),
    "sizes that do not fit": (
        '{"inputs": {"area": [1.0, 2.0], "rooms": [1, 2, 3]}}',
        2,
        ":1: version 1 does not accept it: INVALID_ARGUMENT",
    ),
    "comparison of text by a tolerance": (
        f'{{{ONE}, "expect": {{"size": []}}, "compare": {{"size": {{"atol": 1}}}}}}',
        2,
        "output size has other values than numbers: compare exactly",
    ),
    "comparison of an output that is missing": (
        f'{{{ONE}, "compare": {{"prise": {{"atol": 1}}}}}}',
        2,
        "compare names output 'prise': outputs are ['price', 'size']",
    ),
}


@pytest.mark.parametrize(("text", "code", "message"), BAD_INPUTS.values(), ids=BAD_INPUTS)
def test_bad_inputs_are_reported_with_their_line(price, tmp_path, text, code, message):
    source, out = tmp_path / "inputs.jsonl", tmp_path / "out.jsonl"
    source.write_text(text)
    result = price("golden", "record", "1", "--from", source, "--out", out, "--json")
    assert result.code == result.json["exit_code"] == code
    assert message in result.json["error"]
    assert str(source) in result.json["error"]
    assert not out.exists()


def test_files_and_versions_that_are_missing(price, inputs, tmp_path):
    gone = tmp_path / "gone"
    for line, code, message in (
        (("golden", "record", "--from", gone), 2, f"cannot read the inputs {gone}: No such file"),
        (("golden", "record", "9", "--from", inputs), 1, "version 9 is not loaded on "),
        (("contract", "record", "9"), 1, "version 9 is not loaded on "),
        (("golden", "record", "--from", inputs, "--out", gone / "x"), 1, f"cannot write {gone}"),
        (("contract", "record", "--out", gone / "x"), 1, f"cannot write {gone / 'x'}: No such fil"),
    ):
        out = () if "--out" in line else ("--out", tmp_path / "out")
        result = price(*line, *out)
        assert result.code == code, result.text
        assert message in result.text
    assert list(tmp_path.iterdir()) == []
    result = price("contract", "record", "9")
    assert result.code == 1
    assert "version 9 is not on disk (on disk: 1" in result.text


def test_folder_that_is_not_writable(price, inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, _: os.fspath(path) != str(tmp_path))
    for line in (("golden", "record", "1", "--from", inputs), ("contract", "record", "1")):
        result = price(*line, "--out", tmp_path / "out")
        assert result.code == 1
        assert f"cannot write {tmp_path / 'out'}: Permission denied" in result.text


@pytest.fixture
def published(price, versions):
    """Publishes a version and loads it without traffic; unloads it after the test."""
    numbers = []

    def publish(name):
        number = str(price("publish", versions[name], "--json").json["version"])
        numbers.append(number)
        result = price("canary", number, "--without-gates")
        assert result.code == 0, result.text
        return number

    yield publish
    assert price("rollback").code == 0
    for number in numbers:
        assert price("retire", number).code == 0


def test_nan_in_an_output_cannot_be_recorded(price, published, inputs, tmp_path):
    number = published("nan")
    out = tmp_path / "out.jsonl"
    result = price("golden", "record", number, "--from", inputs, "--out", out)
    assert result.code == 1
    assert "inputs.jsonl:1: price has nan, which JSON cannot hold" in result.text
    assert not out.exists()


def test_history_records_that_gates_were_skipped(deployed, published):
    number = published("other numbers")
    [event] = [e for e in deployed.events("canary started") if str(e["version"]) == number]
    assert event["details"] == {"weight": 0.0, "gates": "skipped"}
    assert deployed.rollout("history", "--model", PRICE).text.count("gates skipped") >= 1


BAD_VERSIONS = {
    "other numbers": ("golden", "1 of 3 golden requests of version 1 answered as expected"),
    "nan": ("golden", "price is nan (expected 144)"),
    "other dtype": (
        "signatures",
        "price of signature serving_default is DT_DOUBLE, and DT_FLOAT in version 1. Callers",
    ),
}


@pytest.mark.parametrize(("name", "gate", "message"), [(k, *v) for k, v in BAD_VERSIONS.items()])
def test_bad_version_fails_its_gate(recorded, price, versions, name, gate, message):
    result = price("run", versions[name], "--json")
    assert result.code == 1
    assert result.json["error"].startswith(f"{gate}: ")
    assert message in result.json["error"]
    assert recorded.status_of(PRICE)["stable"] == 1


def test_two_models_are_rolled_out_at_the_same_time(recorded, versions, inputs):
    other = ("--model", OTHER)
    inconclusive = recorded.rollout("run", versions["trained again"], *other, "--json")
    assert inconclusive.code == 3  # no files are recorded yet; the command below resumes this run
    for line in (("golden", "record", "1", "--from", inputs), ("contract", "record", "1")):
        result = recorded.rollout(*line, *other)
        assert result.code == 0, result.text
    runs = [
        recorded.start_rollout("run", versions["trained again"], "--model", name)
        for name in (PRICE, OTHER)
    ]
    for run in runs:
        _, errors = run.communicate(timeout=120)
        assert run.returncode == 0, errors
        assert "golden requests of version 1 answered as expected" in errors
        assert "all signatures of version 1, and those in the contract of version 1" in errors
    for name in (PRICE, OTHER):
        status = recorded.status_of(name)
        assert (status["previous"], status["drift"]) == (1, [])
        number = status["stable"]
        assert number == inconclusive.json["version"] if name == OTHER else number > 1
        with seq2sum.ModelClient(recorded.targets, model=name) as client:
            found = client.predict({"area": [1.0], "rooms": [1]}, label="stable")
        assert found.version == number
        result = recorded.rollout("golden", "check", "--model", name)
        assert (result.code, f"version {number} answered 3 of 3" in result.text) == (0, True)
        result = recorded.rollout("rollback", "--model", name)
        assert result.code == 0, result.text
        assert recorded.status_of(name)["stable"] == 1
        assert recorded.rollout("retire", str(number), "--model", name).code == 0
    names = {path.name for path in recorded.folder.glob("*.json*")}
    assert {f"{PRICE}.traffic.json", f"{PRICE}.rollouts.jsonl"} <= names
    assert {"other%2Fmodel.traffic.json", "other%2Fmodel.rollouts.jsonl"} <= names
