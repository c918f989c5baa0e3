"""The comparison itself, on literals."""

from __future__ import annotations

import pytest
from conformance.comparison import differences
from conformance.replay import departures

STATUS = {"rest": "GET", "http_code": 200, "content_type": "application/json"}
REFUSED = {"rpc": "Predict", "code": "INVALID_ARGUMENT"}
RAW = {"http_raw": ["GET / HTTP/1.1\r\n\r\n"], "end": "open"}
FOUND = {"status": "HTTP/1.1 200 OK", "headers": {"content-length": "(right)"}}
EXIT = {"action": "expect_exit", "exit_code": 1, "last_line": ""}


@pytest.mark.parametrize(
    ("step", "seen"),
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
        "no JSON",
        "pattern",
        "node",
        "ignored",
        "unordered",
        "states",
        "JSON in raw HTTP",
        "printed",
        "deed",
    ],
)
def test_what_may_differ_does_not_count(step, seen):
    assert not differences(step, seen)


@pytest.mark.parametrize(
    ("step", "seen", "said"),
    [
        ({**STATUS, "reply": '{"a": 1}'}, {**STATUS, "reply": '{"a": 1.0}'}, "reply: "),
        ({**STATUS, "reply": '{"a": 1}'}, {**STATUS, "http_code": 404, "reply": "{}"}, "http_code"),
        ({**STATUS, "reply": "{}", "reply_regex": "a"}, {**STATUS, "reply": "b"}, "does not match"),
        (
            {**REFUSED, "message": "bad"},
            {"code": "INTERNAL", "message": "bad"},
            "code: recorded 'INVALID_ARGUMENT', seen 'INTERNAL'",
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
            "end: recorded 'open', seen 'closed'",
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
            "contains nothing like 'taken'",
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
def test_what_matters_is_told(step, seen, said):
    [sentence, *_] = differences(step, seen)
    assert said in sentence


def one(code):
    return [{"rpc": "Predict", "code": code, "message": ""}]


def test_branches_are_compared_in_order_unless_chance_decides():
    step = {"parallel": [one("OK"), one("UNAVAILABLE")]}
    step["parallel"][0][0]["response"] = {}
    seen = {"parallel": [one("UNAVAILABLE"), [{"code": "OK", "message": "", "response": {}}]]}
    assert len(differences(step, seen)) == 3  # two codes, and a reply that is missing
    assert not differences(step | {"any_order": True}, seen)
    twice = {"parallel": [seen["parallel"][0]] * 2}
    assert "no recorded branch fits" in differences(step | {"any_order": True}, twice)[0]


def test_a_listed_difference_must_be_there_as_it_is_listed():
    step = {"action": "expect_exit", "exit_code": -15, "last_line": ""}
    listed = {"0": {"exit_code": 0}}
    assert not departures(step, {"exit_code": 0, "last_line": ""}, "0", listed)
    assert departures(step, {"exit_code": 1, "last_line": ""}, "0", listed)
    assert departures(step, {"exit_code": -15, "last_line": ""}, "0", listed) == [
        "is as it was recorded, though it is listed as a difference"
    ]
    within = {"parallel": [[step]]}
    seen = {"parallel": [[{"exit_code": 0, "last_line": ""}]]}
    assert not departures(within, seen, "3", {"3.0.0": {"exit_code": 0}})
    assert departures(within, seen, "3", {}) == [
        "branch 0, step 0: exit_code: recorded '-15', seen '0'"
    ]
