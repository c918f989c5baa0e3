"""The fuzzer finds the faults planted in a small server, and none without them."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
from fuzz import server as server_module
from fuzz.__main__ import main
from fuzz.campaign import Campaign
from fuzz.findings import Results
from fuzz.inputs import Call, Case, Rest
from fuzz.server import Server
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import predict_pb2

pytestmark = [pytest.mark.server, pytest.mark.end_to_end]

PROGRAM = Path(__file__).parent / "faulty_server.py"


def command(fault):
    flags = "--port={port} --rest_api_port={rest_port} {extra_flags}"
    return f"{shlex.join([sys.executable, str(PROGRAM), f'--fault={fault}'])} {flags}"


def echo(text, number=0):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "odd", "echo_string"
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=text)
    tensor.tensor_shape.dim.add(size=len(text))
    request.inputs["x"].CopyFrom(tensor)
    return Case(1, number, "predict-echo", Call("Predict", request.SerializeToString()))


def rest(body, number=0):
    return Case(1, number, "rest-echo", Rest("POST", "/v1/models/odd:predict", body))


CASES = [
    echo([b"plain"], 0),
    echo([b"other", b"trigger", b"a\0\0"], 1),
    echo([b"\0", b""], 2),
    rest(b'{"signature_name": "echo_string", "instances": ["a", "trigger"]}', 3),
    rest(b'{"instances": [1.5, 2.5]}', 4),
]


@pytest.fixture
def run(tmp_path):
    """Sends the cases to one server or two; returns the results and the reported findings."""
    started = []

    def run(*faults, cases=CASES):
        for fault in faults:
            started.append(Server(command(fault), tmp_path / str(len(started))))
        reported = []
        results = Results(reported.append)
        Campaign(started, results, workers=2).run(iter(cases))
        return results, reported

    yield run
    for server in started:
        server.stop()


def fault_kinds(reported):
    return [finding.fault.kind for finding in reported]


def test_server_without_faults_has_no_findings(run):
    results, reported = run("none")
    assert not reported
    assert results.sent == sum(results.accepted.values()) == len(CASES)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("loses trailing NULs", "changed value"),
        ("answers INTERNAL", "code INTERNAL"),
        ("shows an exception", "Python in an error"),
        ("answers 500", "status 500"),
        ("echoes everything", "long error"),
        ("logs a traceback", "a traceback in the log: ValueError"),
    ],
)
def test_planted_fault_is_found(run, fault, kind):
    _, reported = run(fault)
    assert fault_kinds(reported) == [kind]


def test_lost_byte_is_reported_with_the_smallest_input(run):
    _, [finding] = run("loses trailing NULs")
    assert finding.case == CASES[1]
    request = predict_pb2.PredictRequest.FromString(finding.minimal.data)
    assert [value[-1:] for value in request.inputs["x"].string_val if value != b"trigger"] == [
        b"\0"
    ]
    assert len(finding.minimal.data) < len(CASES[1].input.data)


def test_crash_is_attributed_to_its_case_and_the_server_restarted(run):
    results, [finding] = run("dies")
    assert finding.case == CASES[1]
    assert finding.fault.text.startswith("exit code 3")
    assert results.sent >= len(CASES) - 2  # cases in flight at the crash are not counted


def test_fault_that_affects_other_callers_is_found(run):
    _, reported = run("mixes up callers")
    assert fault_kinds(reported)[0] in ("another caller was affected", "no good answer afterwards")


def test_call_without_reply_is_found(run, monkeypatch):
    monkeypatch.setattr(server_module, "TIMEOUT_SECONDS", 0.3)
    _, reported = run("never answers", cases=CASES[1:2])
    assert fault_kinds(reported) == ["no reply"]


def test_two_equal_servers_have_no_findings(run):
    _, reported = run("none", "none")
    assert not reported


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("loses trailing NULs", "differs in response"),
        ("shows an exception", "differs in code"),
        ("answers 500", "differs in status"),
        ("dies", "the server exited"),
    ],
)
def test_difference_between_two_servers_is_found(run, fault, kind):
    _, reported = run("none", fault)
    assert fault_kinds(reported) == [kind]


def test_command_reports_a_finding_that_can_be_reproduced(capsys):
    options = ["--server", command("refuses everything"), "--kind", "predict-echo"]
    assert main(["--seed", "4", "--minutes", "0.05", *options]) == 1
    output = capsys.readouterr().out
    first = next(line for line in output.splitlines() if line.startswith("FINDING 1:"))
    number = first.rpartition("case ")[2].strip(")")
    assert f"reproduce: make fuzz SEED=4 CASE={number} FUZZ=" in output
    assert "code='INVALID_ARGUMENT', message='no'" in output
    assert main(["--seed", "4", "--case", number, *options]) == 1
    assert first in capsys.readouterr().out.splitlines()


def test_command_fails_if_hardly_any_input_is_accepted(capsys):
    options = ["--server", command("refuses everything"), "--kind", "predict"]
    assert main(["--seed", "4", "--minutes", "0.1", *options]) == 1
    assert re.search(
        r"WRONG only \d\.\d% of [\d,]+ inputs of kind predict", capsys.readouterr().out
    )
