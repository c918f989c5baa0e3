"""The comparison of observations with a recording, both written out here."""

from __future__ import annotations

import pytest
from conformance.comparison import mismatches
from conformance.replay import compare_step

pytestmark = pytest.mark.tensorflow

STATUS = {"rest": "GET", "http_code": 200, "content_type": "application/json"}
REFUSED = {"rpc": "Predict", "code": "INVALID_ARGUMENT"}
RAW = {"http_raw": ["GET / HTTP/1.1\r\n\r\n"], "end": "open"}
FOUND = {"status": "HTTP/1.1 200 OK", "headers": {"content-length": "(right)"}}
EXIT = {"action": "expect_exit", "exit_code": 1, "last_line": ""}


@pytest.mark.parametrize(
    ("step", "observed"),
    [
        ({**STATUS, "reply": '{"a": 1, "b": 2}'}, {**STATUS, "reply": '{"b":2,\n"a":1}'}),
        ({**STATUS, "reply": "<HTML>"}, {**STATUS, "reply": "<HTML>"}),
        ({**STATUS, "reply": "x", "reply_regex": "half|.*16"}, {**STATUS, "reply": "bfloat\n16"}),
        (
            {**REFUSED, "message": "bad\n\t [[{{node one}}]]"},
            {**REFUSED, "message": "bad\n\t [[{{function_node two}}{{node three}}]]"},
        ),
        (
            {"action": "expect_exit", "ignore": ["last_line"], "exit_code": 0, "last_line": "2.18"},
            {"exit_code": 0, "last_line": "2.21"},
        ),
        (
            {
                "rpc": "Predict",
                "code": "OK",
                "message": "",
                "response": {"rows": [3, 1], "at": "x"},
                "unordered": ["response.rows"],
                "ignore": ["response.at", "response.no.0"],
            },
            {"code": "OK", "message": "", "response": {"rows": [1, 3], "at": "y"}},
        ),
        ({"action": "wait_state", "states": {"1": "END"}}, {"states": {"1": "END"}}),
        (
            {**RAW, "replies": [{**FOUND, "body": '{"a": 1, "b": 2}'}]},
            {"end": "open", "replies": [{**FOUND, "body": '{"b":2,"a":1}'}]},
        ),
        (
            {**EXIT, "printed_regex": "port .* taken"},
            {"exit_code": 1, "last_line": "", "printed": "at once\nport 1 is taken\n"},
        ),
        ({"action": "sleep", "seconds": 1}, {}),
    ],
    ids=[
        "order of keys",
        "not JSON",
        "pattern",
        "node",
        "ignored",
        "unordered",
        "states",
        "JSON in raw HTTP",
        "printed",
        "action",
    ],
)
def test_tolerated_variations_match(step, observed):
    assert not mismatches(step, observed)


@pytest.mark.parametrize(
    ("step", "observed", "text"),
    [
        ({**STATUS, "reply": '{"a": 1}'}, {**STATUS, "reply": '{"a": 1.0}'}, "reply: "),
        ({**STATUS, "reply": '{"a": 1}'}, {**STATUS, "http_code": 404, "reply": "{}"}, "http_code"),
        ({**STATUS, "reply": "{}", "reply_regex": "a"}, {**STATUS, "reply": "b"}, "does not match"),
        (
            {**REFUSED, "message": "bad"},
            {"code": "INTERNAL", "message": "bad"},
            "code: recorded 'INVALID_ARGUMENT', observed 'INTERNAL'",
        ),
        (
            {"rpc": "/a/B", "code": "OK", "message": "", "response_bytes_b64": "AA=="},
            {"code": "OK", "message": "", "response_bytes_b64": "AQ=="},
            "response_bytes_b64",
        ),
        (
            {"rpc": "GetModelStatus", "code": "OK", "message": "", "response_bytes_b64": ""},
            {"code": "OK", "message": "", "response": {"model_version_status": [{}]}},
            "response: recorded '{}'",
        ),
        ({"action": "ports", "ports": [True, False]}, {"ports": [True, True]}, "ports"),
        (
            {
                "action": "metrics",
                "http_code": 200,
                "content_type": "text/plain",
                "values": {},
                "series": ["a", "b"],
                "types": {"a": "counter"},
            },
            {
                "http_code": 200,
                "content_type": "text/plain",
                "values": {},
                "series": ["a", "c"],
                "types": {"a": "counter"},
            },
            "no series b",
        ),
        ({"action": "restart"}, {"error": "AssertionError()"}, "AssertionError"),
        (
            {**STATUS, "reply": "[1.7e+09]", "numbers_as_written": True},
            {**STATUS, "reply": "[1700000000.0]"},
            "reply: ",
        ),
        (
            {**RAW, "replies": [{**FOUND, "body": "x"}]},
            {"end": "closed", "replies": [{**FOUND, "body": "x"}]},
            "end: recorded 'open', observed 'closed'",
        ),
        ({**RAW, "replies": []}, {"end": "open", "replies": [{**FOUND, "body": ""}]}, "replies: "),
        (
            {**RAW, "replies": [{**FOUND, "body": "x"}]},
            {"end": "open", "replies": [{**FOUND, "headers": {}, "body": "x"}]},
            "reply 0: headers",
        ),
        (
            {**RAW, "replies": [{**FOUND, "body": "x"}]},
            {"end": "open", "replies": [{**FOUND, "body": "y"}]},
            "reply 0: body",
        ),
        (
            {**EXIT, "printed_regex": "taken"},
            {"exit_code": 1, "last_line": "", "printed": "free"},
            "does not contain 'taken'",
        ),
    ],
    ids=[
        "number",
        "HTTP",
        "pattern",
        "code",
        "bytes",
        "long",
        "ports",
        "metrics",
        "error",
        "digits",
        "end of connection",
        "number of replies",
        "raw headers",
        "raw body",
        "printed",
    ],
)
def test_mismatch_is_reported(step, observed, text):
    [mismatch, *_] = mismatches(step, observed)
    assert text in mismatch


def branch(code):
    return [{"rpc": "Predict", "code": code, "message": ""}]


def test_branches_are_compared_in_order_unless_any_order_is_set():
    step = {"parallel": [branch("OK"), branch("UNAVAILABLE")]}
    step["parallel"][0][0]["response"] = {}
    answered = [{"code": "OK", "message": "", "response": {}}]
    observed = {"parallel": [branch("UNAVAILABLE"), answered]}
    assert len(mismatches(step, observed)) == 3  # two codes, and a missing response
    assert not mismatches(step | {"any_order": True}, observed)
    repeated = {"parallel": [observed["parallel"][0]] * 2}
    assert "no recorded branch fits" in mismatches(step | {"any_order": True}, repeated)[0]


def test_listed_difference_must_occur_as_listed():
    step = {"action": "expect_exit", "exit_code": -15, "last_line": ""}
    listed = {"0": {"exit_code": 0}}
    assert not compare_step(step, {"exit_code": 0, "last_line": ""}, "0", listed)
    assert compare_step(step, {"exit_code": 1, "last_line": ""}, "0", listed)
    assert compare_step(step, {"exit_code": -15, "last_line": ""}, "0", listed) == [
        "matches the recording, although it is listed as a difference"
    ]
    parallel = {"parallel": [[step]]}
    observed = {"parallel": [[{"exit_code": 0, "last_line": ""}]]}
    assert not compare_step(parallel, observed, "3", {"3.0.0": {"exit_code": 0}})
    assert compare_step(parallel, observed, "3", {}) == [
        "branch 0, step 0: exit_code: recorded '-15', observed '0'"
    ]
