"""The checks of the page: texts of fields to the body of a request, in a browser."""

from __future__ import annotations

import http.server
import json
import threading

import pytest
from seq2sum_serving.embedded.rest import page
from support import system

pytestmark = [pytest.mark.embedded, pytest.mark.tensorflow, system.needs("chromium")]


class PageFiles(http.server.BaseHTTPRequestHandler):
    """The files of the page, without a model server."""

    files = page.files()

    def do_GET(self):
        reply = self.files.get(self.path)
        self.send_response(reply.status if reply else 404)
        self.send_header("Content-Type", reply.content_type if reply else "text/plain")
        self.end_headers()
        self.wfile.write(reply.body if reply else b"")

    def log_message(self, *_):
        """Logs nothing."""


@pytest.fixture(scope="module")
def run(chromium):
    """Evaluates JavaScript with a module of the page as `m`."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), PageFiles)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    chromium.open(f"http://127.0.0.1:{server.server_port}/")

    def run(module, expression):
        attempt = (
            f"try {{ return {expression}; }} catch (error) {{ return 'error: ' + error.message; }}"
        )
        return chromium.run(f"import('/page/{module}.js').then((m) => {{ {attempt} }})")

    yield run
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("text", "dtype", "expected"),
    [
        ("-0.5e-3", "DT_FLOAT", "-0.5e-3"),
        ("007", "DT_FLOAT", "7"),
        ("NaN", "DT_DOUBLE", "NaN"),
        ("-Infinity", "DT_DOUBLE", "-Infinity"),
        ("1,5", "DT_FLOAT", "error: expected a number, got “1,5”"),
        ("", "DT_FLOAT", "error: expected a number, got nothing"),
        ("0x10", "DT_FLOAT", "error: expected a number, got “0x10”"),
        ("+18446744073709551615", "DT_UINT64", "18446744073709551615"),
        ("-9223372036854775809", "DT_INT64", "is not between -9223372036854775808 and"),
        ("256", "DT_UINT8", "error: 256 is not between 0 and 255"),
        ("1.0", "DT_INT32", "error: expected a whole number, got “1.0”"),
        ("9" * 99, "DT_INT32", "is not between"),
    ],
)
def test_numbers(run, text, dtype, expected):
    assert expected in run("values", f"m.numberText({json.dumps(text)}, '{dtype}')")


@pytest.mark.parametrize(
    ("text", "dtype", "sizes", "expected"),
    [
        ("[[1, 2], [3, 4]]", "DT_INT32", [-1, 2], "[[1, 2], [3, 4]]"),
        ("[9007199254740993]", "DT_INT64", [-1], "[9007199254740993]"),
        ("[[]]", "DT_FLOAT", [-1, -1], "[[]]"),
        ("[0.1, NaN, 1e400]", "DT_FLOAT", None, "[0.1, NaN, 1e400]"),
        ('["NaN", {"b64": "AP8="}]', "DT_STRING", [2], '["NaN", {"b64": "AP8="}]'),
        ("[1, 2", "DT_FLOAT", [2], "error: not valid JSON: "),
        ("[NaN, 2", "DT_FLOAT", [2], "position 7"),
        ("  ", "DT_FLOAT", [2], "error: expected a JSON list of the shape [2]"),
        (
            "[[1, 2], [3]]",
            "DT_FLOAT",
            [-1, -1],
            "error: at [1]: got 1 value where the first",
        ),
        (
            "[1, 2]",
            "DT_FLOAT",
            [-1, 3],
            "error: expected a JSON list of the shape [?, 3], got",
        ),
        ("7", "DT_FLOAT", [3], "got a single value"),
        ("[1, [2]]", "DT_FLOAT", [2], "error: at [1]: got a list where other rows have a value"),
        ("[[1], 2]", "DT_FLOAT", None, "error: at [1]: expected a list, got “2”"),
        ('[1, "2"]', "DT_FLOAT", [2], 'error: at [1]: expected a number, got “"2"”'),
        ("[1, 2.5]", "DT_INT8", [2], "error: at [1]: expected a whole number, got “2.5”"),
        ("[true, 0]", "DT_BOOL", [2], "error: at [1]: expected true or false, got “0”"),
        ('["a", null]', "DT_STRING", [2], "error: at [1]: expected a text in quotes"),
        ('[{"b64": "A"}]', "DT_STRING", [1], "error: expected base64, got “A”"),
        ("[" * 9000 + "]" * 9000, "DT_FLOAT", None, "error: not valid JSON: Maximum call stack"),
    ],
)
def test_arrays(run, text, dtype, sizes, expected):
    arguments = ", ".join(map(json.dumps, (text, dtype, sizes)))
    assert expected in run("values", f"m.arrayText({arguments}).text")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1, "b": [1.5, 2.5], "c": "x", "d": {"b64": "YQ=="}}', '{"a": 1'),
        ("[1]", "error: expected an object of features"),
        ('{"a": [1, 2.5]}', "error: “a”: a list holds values of one type, got decimals and whole"),
        ('{"a": [[1]]}', "error: “a”: expected numbers or texts, or one flat list"),
        ('{"a": null}', "error: “a”: expected numbers or texts"),
    ],
)
def test_examples(run, text, expected):
    assert run("values", f"m.exampleText({json.dumps(text)})").startswith(expected)


@pytest.mark.parametrize("text", ["YQ==", "YQ", "Y Q\n==", "_-8", ""])
def test_base64_is_sent_without_white_space(run, text):
    expected = json.dumps({"b64": "".join(text.split())}, separators=(",", ":"))
    assert run("values", f"m.base64Text({json.dumps(text)})") == expected


@pytest.mark.parametrize("text", ["A", "YQ=", "=", "é", "Y\u00a0Q==x"])
def test_base64_that_the_server_would_refuse(run, text):
    assert "expected base64" in run("values", f"m.base64Text({json.dumps(text)})")


HOSTILE_NAMES = '{"__proto__": [1, -0.0], "s\\"n1": ["n1", "\\u0000", {"constructor": 1e2}]}'


@pytest.mark.parametrize("text", [HOSTILE_NAMES, "[NaN, -Infinity, 1e5, 0.10]", '"NaN 1"', "null"])
def test_json_is_read_and_written_without_loss(run, text):
    assert run("json", f"m.write(m.parse({json.dumps(text)}))") == text


SIGNATURE = {
    "name": "two inputs",
    "key": "inputs",
    "isByRow": True,
    "inputs": [
        {"name": "constructor", "kind": "text", "dtype": "DT_STRING", "sizes": []},
        {"name": "__proto__", "kind": "array", "dtype": "DT_FLOAT", "sizes": [-1]},
    ],
}


def test_draft_and_body_are_inverse(run):
    draft = {"rows": [['a"b', "[1]"], ["", "[2]"]], "isBase64": [False, False]}
    signature = json.dumps(json.dumps(SIGNATURE))
    body = run("draft", f"m.bodyOf(JSON.parse({signature}), {json.dumps(draft)})")
    assert json.loads(body) == {
        "signature_name": "two inputs",
        "inputs": {"constructor": ['a"b', ""], "__proto__": [[1], [2]]},
    }
    assert run("draft", f"m.draftOf(JSON.parse({signature}), {json.dumps(body)})") == draft


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ("[1, 2]", "the shape is [2] here and [1] in row 1; all rows need the same shape"),
        ("[x]", "not valid JSON"),
    ],
)
def test_rows_of_different_shapes_are_refused(run, second, expected):
    draft = {"rows": [["a", "[1]"], ["b", second]], "isBase64": [False, False]}
    assert expected in run("draft", f"m.bodyOf({json.dumps(SIGNATURE)}, {json.dumps(draft)})")


@pytest.mark.parametrize(
    "body", ["", "{}", "[]", '{"inputs": [1]}', '{"inputs": {"a": []}}', "null"]
)
def test_body_that_does_not_fit_makes_none(run, body):
    assert run("draft", f"m.draftOf({json.dumps(SIGNATURE)}, {json.dumps(body)})") is None


@pytest.mark.parametrize("name", ["seq2sum", "a/b?c=d&e#f", "100%", "é\"'<>"])
def test_links_name_any_model(run, name):
    call = {"to": "label a&b=c", "body": '{"inputs": ["53+42", "100%"]}'}
    link = run("links", f"m.linkTo({json.dumps(name)}, {json.dumps(call)})")
    found = run("links", f"m.readLink({json.dumps(link)})")
    assert found == {"model": name, "call": {"target": call["to"], "body": call["body"]}}


@pytest.mark.parametrize("fragment", ["", "#", "#/", "#/%zz", "#/%zz?body", "#?&=&body="])
def test_odd_links_call_nothing(run, fragment):
    assert run("links", f"m.readLink({json.dumps(fragment)})")["call"] is None


@pytest.mark.parametrize(
    ("states", "version", "reason"),
    [
        ("AVAILABLE", "1", "The highest AVAILABLE version answers them."),
        ("LOADING AVAILABLE", "1", "answers them; version 2 is LOADING."),
        (
            "failed START UNLOADING",
            None,
            "; version 2 is START; version 1 is UNLOADING.",
        ),
        ("END AVAILABLE failed", "2", "The highest AVAILABLE version answers them."),
        ("", None, "No version is AVAILABLE."),
    ],
)
def test_version_for_unlabelled_calls(run, states, version, reason):
    numbers = range(len(states.split()), 0, -1)
    versions = [
        {"version": str(number), "state": "END", "error": "x"}
        if state == "failed"
        else {"version": str(number), "state": state, "error": ""}
        for number, state in zip(numbers, states.split(), strict=True)
    ]
    model = {"name": "m", "labels": {}, "versions": versions}
    found = run("targets", f"m.unlabelled({json.dumps(model)})")
    assert found["version"] == version
    assert found["reason"].endswith(reason)
