"""ready.sh: a server is ready if the label answers as expected; else, one line says why."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from deploy.ready_script import RIGHT, SCRIPT, SUM, check, reason, replying, response
from seq2sum_serving.deployment.event_log import Event, EventLog
from support import servers
from support.paths import ROOT


@pytest.fixture(scope="module")
def base(tiny_version, tmp_path_factory):
    """The base path of a model whose version 1 has a golden request."""
    folder = tmp_path_factory.mktemp("ready") / "base"
    shutil.copytree(tiny_version, folder / "1")
    return folder


@pytest.fixture(scope="module")
def server(base) -> Iterator[servers.Server]:
    """A server process whose model has the label `stable`."""
    first = (ROOT / "serving" / "config" / "models.config").read_text()
    config = base.parent / "models.config"
    config.write_text(first.replace("/models/seq2sum", str(base)))
    flags = ["--allow_version_labels_for_unavailable_models=true"]
    started = servers.Server.launch(
        None, base.parent, config=config, flags=flags, rest=True, forked=True
    ).wait_until_open()
    yield started
    started.stop()


def test_a_server_with_a_correct_answer_is_ready(server, base):
    assert check(server.rest_port, MODEL_BASE_PATH=base) == (0, "")


def test_a_server_with_another_answer_is_not_ready(server, golden):
    golden(SUM | {"expect": {"answers": ["18"]}})
    text = reason(server.rest_port)
    assert text.startswith(
        "version 1 of seq2sum, label stable, does not answer its golden request: "
        'expected "answers": ["18"], but the reply has status 200: {    "outputs": {'
    )


def test_without_golden_requests_an_available_version_is_enough(server, tmp_path):
    assert check(server.rest_port, MODEL_BASE_PATH=tmp_path) == (0, "")


def test_the_default_port_and_base_path_are_those_of_tensorflow_serving():
    text = SCRIPT.read_text()
    assert "port=${1:-8501}" in text
    assert "base=${MODEL_BASE_PATH:-/models/$model}" in text


def test_an_unknown_label_is_not_ready(server):
    assert reason(server.rest_port, LABEL="tomorrow") == (
        "label tomorrow of seq2sum has no AVAILABLE version: the reply has status 400: "
        '{    "error": "Unrecognized servable version label: tomorrow"}'
    )


def test_an_unknown_model_is_not_ready(server):
    assert reason(server.rest_port, MODEL="sentiment").startswith(
        "label stable of sentiment has no AVAILABLE version: the reply has status 400: "
    )


def test_a_port_without_http_is_not_ready(server):
    assert reason(server.port).endswith("; is it --rest_api_port?")


def test_a_closed_port_is_not_ready():
    port = servers.free_port()
    assert reason(port).startswith(f"nothing listens on port {port}")


def test_requests_name_model_and_label_and_send_the_line(golden):
    sent = []
    inputs = {"text": ["größer", {"b64": "/w=="}]}
    line = json.dumps({"inputs": inputs, "expect": {"answers": [17]}}, ensure_ascii=False)
    golden(line)
    with replying(response(RIGHT.replace(b'"17"', b"17")), requests=sent) as port:
        assert check(port, MODEL="sentiment", LABEL="canary") == (0, "")
    first, second = sent
    assert first.startswith(b"GET /v1/models/sentiment/labels/canary/metadata HTTP/1.1\r\n")
    assert second.startswith(b"POST /v1/models/sentiment/labels/canary:predict HTTP/1.1\r\n")
    assert second.endswith(b"\r\n\r\n" + line.encode())


@pytest.mark.parametrize(
    ("expect", "compare", "outputs", "ready"),
    [
        ({"a": ["x"]}, {}, '{"outputs":["x"]}', True),
        ({"a": ["x"]}, {}, '{"outputs": {"b": ["y"], "a": ["x"]}}', True),
        ({"a": ["x"]}, {}, '{"outputs": {"b": ["x"], "a": ["y"]}}', False),
        ({"a": ["x y"]}, {}, '{"outputs": ["xy"]}', False),
        ({"a": ["x"]}, {}, '{"outputs": ["x", "x"]}', False),
        ({"a": "[.*]"}, {}, '{"outputs": "[.*]"}', True),
        ({"a": "[.*]"}, {}, '{"outputs": "."}', False),
        ({"a": ["ü"]}, {}, '{"outputs": ["ü"]}', True),
        ({"a": [[1, -2], [3, 4]]}, {}, '{"outputs": [\n[\n1,\n-2\n], [3.0, 4]]}', True),
        ({"a": [1, 2]}, {}, '{"outputs": [1, 20]}', False),
        ({"a": 5}, {}, '{"outputs": 5}', True),
        ({"a": 5}, {}, '{"outputs": {"b": 1, "a": 5.0}}', True),
        ({"a": "], }"}, {}, '{"outputs": {"b": ["a", "outputs"], "a": "], }"}}', True),
        ({"a": ["x"]}, {}, '{"outputs": {"b": ["a"], "a": ["y"], "c": ["x"]}}', False),
        ({"outputs": ["x"]}, {}, '{"outputs": {"outputs" : ["x"]}}', True),
        ({"a": [True]}, {}, '{"outputs": [false]}', False),
        ({"a": [0.5], "b": ["x"]}, {}, '{"outputs": {"a": [0.6], "b": ["x"]}}', True),
        ({"a": [1], "b": [2]}, {"a": "argmax"}, '{"outputs": {"a": [9], "b": [2]}}', True),
        ({"a": [1], "b": [2]}, {"a": {"atol": 1}}, '{"outputs": {"a": [1], "b": [3]}}', False),
        ({"a": [1]}, {"a": "exact"}, '{"outputs": [2]}', False),
        # Nothing that can be compared as text: any answer will do, but no error.
        ({"a": [0.5]}, {}, '{"outputs": [0.6]}', True),
        ({"a": [{"b64": "/w=="}]}, {}, '{"outputs": [{"b64": "/w=="}]}', True),
        ({"a": ["\n"]}, {}, '{"outputs": ["\\u000a"]}', True),
        ({"a": [1]}, {"a": {"rtol": 0.1}}, '{"error": "no such input"}', False),
    ],
)
def test_one_exactly_compared_output_decides(golden, expect, compare, outputs, ready):
    golden({"inputs": {"x": [1]}, "expect": expect, "compare": compare})
    status = b"400 Bad Request" if "error" in outputs else b"200 OK"
    with replying(response(outputs.encode(), status)) as port:
        assert check(port)[0] == (0 if ready else 1)


def test_the_first_request_with_an_output_that_can_be_compared_is_sent(golden):
    broken = ['{"inputs": {', "[1]", '{"expect": {"answers": ["17"]}}', "no json", ""]
    long = SUM | {"inputs": {"questions": ["9" * 20_000]}}
    floats = {"inputs": {"x": [1]}, "expect": {"y": [0.5]}}
    golden(*broken, long, floats, SUM, {"inputs": {}, "expect": {"answers": ["18"]}})
    sent = []
    with replying(response(RIGHT), requests=sent) as port:
        assert check(port) == (0, "")
    assert b"9+8" in sent[1]


@pytest.mark.parametrize("lines", [["no json"], [], ["x" * 100_000], ['{"inputs": {}'] * 30])
def test_a_file_without_usable_lines_is_like_no_file_but_noted(golden, lines):
    path = golden(*lines)
    note = (
        f"note: no answer is compared: {path} is not readable, or its first 20 lines have no "
        "golden request of at most 16384 bytes\n"
    )
    with replying() as port:
        assert check(port) == (0, note)
    path.unlink()
    path.mkdir()
    with replying() as port:
        assert check(port) == (0, note)


FAILED = Event("rolled back", 2, reason='a \\"kind\\":"failed","version":1, reason', model="m")


@pytest.mark.parametrize(
    ("version", "files", "events", "owner"),
    [
        (3, {1: "17", 3: "18"}, [], "its golden request"),
        (3, {1: "17", 2: "18", 4: "17"}, [], "a golden request of version 2"),
        (10, {2: "17", 9: "18"}, [], "a golden request of version 9"),
        (3, {1: "18", 2: "17"}, [FAILED], "a golden request of version 1"),
        (2, {1: "17", 2: "18"}, [FAILED], "its golden request"),
        (3, {2: "18"}, [FAILED], None),
        (3, {4: "18", 30: "18"}, [], None),
    ],
)
def test_a_version_without_a_file_is_checked_by_that_of_a_version_before(
    golden, tmp_path, version, files, events, owner
):
    shutil.rmtree(tmp_path / "base")
    (tmp_path / "base" / str(version)).mkdir(parents=True)
    for number, answer in files.items():
        golden(SUM | {"expect": {"answers": [answer]}}, folder=str(number))
    for event in events:
        EventLog(tmp_path / "m.rollouts.jsonl").append(event)
    with replying(response(RIGHT), version=version) as port:
        if owner is None:
            assert check(port, MODEL="m") == (0, "")
        else:
            assert f"version {version} of m, label stable, does not answer {owner}: " in reason(
                port, MODEL="m"
            )


def test_a_folder_with_leading_zeros_is_that_of_its_version(golden):
    golden(SUM, folder="007")
    golden(SUM | {"expect": {"answers": ["18"]}}, folder="17")
    with replying(response(RIGHT), version=7) as port:
        assert check(port) == (0, "")


def test_a_wrong_answer_is_not_ready(golden):  # noqa: ARG001
    with replying(response(RIGHT.replace(b"17", b"18"))) as port:
        assert 'status 200: {    "outputs"' in reason(port)


def test_an_answer_that_starts_like_the_correct_one_is_not_ready(golden):  # noqa: ARG001
    with replying(response(RIGHT.replace(b"17", b"170"))) as port:
        reason(port)


def test_an_error_that_contains_the_correct_answer_is_not_ready(golden):  # noqa: ARG001
    with replying(response(RIGHT, status=b"500 Internal Server Error")) as port:
        assert "status 500" in reason(port)


@pytest.mark.parametrize("script", sorted(ROOT.glob("serving/**/*.sh")), ids=lambda path: path.name)
def test_scripts_have_valid_syntax(script):
    done = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
