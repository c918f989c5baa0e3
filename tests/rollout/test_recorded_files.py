"""`golden record`, `golden check` and `contract record` on fake servers."""

from __future__ import annotations

import io
import json
import socket
from types import SimpleNamespace

import pytest
from seq2sum import TensorSpec
from seq2sum.testing import FakeServer, FakeSignature
from seq2sum_serving.gates.contract_file import FILE as CONTRACT
from seq2sum_serving.gates.golden_gate import FILE as GOLDEN
from seq2sum_serving.rollout import cli

X, Y = TensorSpec("DT_FLOAT", (-1,)), TensorSpec("DT_FLOAT", (-1,))
CONFIG = """model_config_list {{ config {{ name: "m" base_path: "{base}"
    model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
    version_labels {{ key: "stable" value: 1 }} version_labels {{ key: "canary" value: 1 }} }} }}"""
LINE = '{"inputs": {"x": [1.0]}}\n'
RULES = {"extra": {"classes": 3}, "rules": {"classes": "not_smaller"}}


def double(inputs):
    values = inputs["x"].tolist()
    if values[0] < 0:
        raise ValueError("no\nnegative\nnumbers")
    return [2 * value for value in values]


@pytest.fixture(scope="module")
def server():
    signatures = {"serving_default": FakeSignature(double, {"x": X}, {"y": Y})}
    with FakeServer(model="m", versions=(1, 2), signatures=signatures) as opened:
        yield opened


@pytest.fixture
def base(tmp_path):
    for version in (1, 2):
        (tmp_path / "m" / str(version)).mkdir(parents=True)
    (tmp_path / "models.config").write_text(CONFIG.format(base=tmp_path / "m"))
    return tmp_path / "m"


@pytest.fixture
def call(server, base, capsys, monkeypatch):
    """Calls a command with a text as standard input; returns exit code, output and error."""

    def call(line, *arguments, text=LINE, targets=""):
        stdin = SimpleNamespace(buffer=io.BytesIO(text.encode()))
        monkeypatch.setattr("sys.stdin", stdin)
        monkeypatch.setenv("COLUMNS", "500")
        options = ["--config", base.parent / "models.config", "--targets", server.target + targets]
        code = cli.main(list(map(str, [*line.split(), *options, *arguments])))
        return code, *capsys.readouterr()

    return call


RECORD = "golden record --from -"


def test_inputs_may_come_from_standard_input(call, base):
    path = base / "1" / GOLDEN
    assert call(RECORD)[:2] == (0, f"wrote 1 golden request of version 1 to {path}\n")
    assert json.loads(path.read_text())["expect"] == {"y": [2.0]}


ONE = '"inputs": {"x": [1.0]}'
USAGE_ERRORS = {
    "compare of an unknown output": (
        f'{{{ONE}, "compare": {{"z": "exact"}}}}',
        "output 'z': ",
    ),
    "unknown output": (f'{{{ONE}, "expect": {{"z": []}}}}', "unknown outputs ['z']"),
    "error of several lines": ('{"inputs": {"x": [-1.0]}}', "INVALID_ARGUMENT no negative numbers"),
    "no JSON": ("{", "not valid JSON"),
}


@pytest.mark.parametrize(("text", "message"), USAGE_ERRORS.values(), ids=USAGE_ERRORS)
def test_bad_lines_are_usage_errors_on_one_line(call, text, message):
    code, _, error = call(RECORD, text=text)
    assert (code, error.count("\n")) == (2, 1)
    assert "standard input:1: " in error
    assert message in error


@pytest.mark.parametrize("line", [RECORD, "contract record"])
def test_standard_output_and_a_file_in_place_of_the_folder(call, base, line):
    code, out, error = call(line, "--out", "-")
    assert (code, out) == (2, "")
    assert "--out -: expected a file" in error
    (base / "1" / "assets.extra").write_text("")
    code, _, error = call(line)
    assert code == 1
    assert f"cannot write {base / '1' / 'assets.extra'}" in error
    assert "Not a directory" in error


def test_golden_check_reports_every_replica(call):
    assert call(RECORD)[0] == 0
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        down = f"127.0.0.1:{closed.getsockname()[1]}"
        code, out, _ = call("golden check", targets=f",{down}")
        assert code == 1
        assert "version 1 answered 1 of 1 as expected" in out
        assert f"{down} does not answer: UNAVAILABLE" in out
        code, out, _ = call("golden check --json", targets=f",{down}")
    found = json.loads(out)
    up = found["replicas"].pop(next(iter(found["replicas"])))
    assert (code, found["exit_code"]) == (1, 1)
    assert up == {"requests": 1, "passed": 1, "failed": [], "error": ""}
    assert found["replicas"][down]["error"].startswith(f"{down} does not answer: ")


def write_contract(base, version, **changes):
    path = base / str(version) / CONTRACT
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"contract": 2, "model": "m", "signatures": {}, **changes}))


def test_new_contract_takes_over_extra_and_rules(call, base):
    write_contract(base, 1, **RULES)
    code, out, _ = call("contract record 2")
    assert code == 0
    assert "`extra` (classes) and `rules` are those of version 1: correct the values" in out
    written = json.loads((base / "2" / CONTRACT).read_text())
    assert {key: written[key] for key in RULES} == RULES
    assert list(written["signatures"]) == ["serving_default"]
    write_contract(base, 2, extra={"classes": 4}, rules={})
    code, out, _ = call("contract record 2 --force --json")
    assert "note" not in json.loads(out)
    written = json.loads((base / "2" / CONTRACT).read_text())
    assert (written["extra"], written["rules"]) == ({"classes": 4}, {})


@pytest.mark.parametrize("text", ["[]", "{", '{"extra": 5}', '{"rules": {"classes": "equal"}}'])
def test_force_replaces_a_contract_that_is_not_valid(call, base, text):
    path = base / "1" / CONTRACT
    path.parent.mkdir()
    path.write_text(text)
    code, out, _ = call("contract record --force")
    assert code == 0
    assert "the former file was not valid: nothing of it is kept." in out
    assert (json.loads(path.read_text())["extra"], path.read_text()[-2:]) == ({}, "}\n")
