"""The page at `/` of the REST port, in a real browser."""

from __future__ import annotations

import json
import shutil
import subprocess
import time

import pytest
from conformance.case import FIXTURE
from support import page_server, system
from support.page_user import FAST_TIMERS, PageUser
from support.saved_models import FIXTURE2

pytestmark = [pytest.mark.embedded, pytest.mark.server, system.needs("chromium")]

NAME = '<i>name & it\'s "markup"'
OTHER = "fixture2"
ROWS = """[...document.querySelectorAll('.versions li')].map(row =>
  [row.dataset.version, ...[...row.querySelectorAll('.state, .label, .error')].map(
    part => part.textContent)])"""
LARGE = "9007199254740993"  # not a float64


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A base path with two good versions."""
    base = tmp_path_factory.mktemp("page") / "fixture"
    for version in ("1", "2"):
        shutil.copytree(FIXTURE / version, base / version)
    return base


@pytest.fixture(scope="module")
def server(base):
    models = [page_server.Model(NAME, base, {"stable": 1, "<b>lost": 8})]
    models += [page_server.Model(OTHER, FIXTURE2.parent)]
    server = page_server.launch(models, base.parent, forked=True)
    try:
        yield server.wait_until_open()
    finally:
        server.stop()


@pytest.fixture
def user(server, chromium):
    return PageUser(chromium, server.url)


@pytest.fixture
def fast_timers(chromium):
    script = chromium.call("Page.addScriptToEvaluateOnNewDocument", source=FAST_TIMERS)
    yield
    chromium.call("Page.removeScriptToEvaluateOnNewDocument", **script)


def test_call_by_keyboard_alone(user, chromium):
    user.open(NAME)
    seen = []
    while chromium.run("document.activeElement.dataset.input") != "questions":
        chromium.press("Tab")
        seen.append(chromium.run("getComputedStyle(document.activeElement).outlineStyle"))
        assert len(seen) < 20
    assert set(seen) == {"solid"}  # two models, signature, target, base64, field
    chromium.run("document.activeElement.select()")
    chromium.type("20+22")
    chromium.press("Enter", control=True)
    [answer] = user.answers()
    assert answer["head"] == ["questions", "answers", "confidence", "status"]
    assert answer["rows"][0][:2] == ["20+22", "42"]
    assert "answered in" in chromium.wait_for("document.querySelector('[role=status]').textContent")
    assert chromium.run("document.activeElement.dataset.input") == "questions"
    chromium.run("document.activeElement.select()")
    chromium.type("20+23")
    chromium.press("Enter")  # is enough in a text of one line
    chromium.wait_for("document.querySelector('.answer td')?.textContent == '20+23'")
    assert chromium.messages == []


@pytest.mark.parametrize(
    ("model", "signature", "fields", "rows"),
    [
        (NAME, "matrix", ["[1, 2.5, 3]", "4"], [["[1, 2.5, 3]", "4"]]),
        (NAME, "scalar", ["<b>\u00e4</b>"], [["text", "v2:<B>\u00e4</B>"]]),
        (OTHER, "echo_int64", [f"[[{LARGE}]]"], [["1", f"[{LARGE}]"]]),
        (OTHER, "echo_float32", ["[NaN, -Infinity]"], [["1", "NaN"], ["2", "-Infinity"]]),
        (OTHER, "echo_bool", ["true"], [["y", "true"]]),
        (OTHER, "words", ['["a", "b"]'], [['["a", "b"]']]),
        (OTHER, "no_method", ["+.5"], [["0.5", "0.5"]]),
        (OTHER, "classify", ['{"x": 1.5}'], [["1"], ["1"]]),
        (OTHER, "regress", ['{"x": [1.5]}'], [["1"]]),
    ],
)
def test_signatures_of_all_kinds(user, model, signature, fields, rows):
    user.open(model)
    user.select_signature(signature)
    for index, text in enumerate(fields):
        user.fill(index, text)
    [answer] = user.send()
    assert (answer["status"], [row[: len(rows[0])] for row in answer["rows"]]) == ("200 OK", rows)


def test_rows_and_base64(user):
    user.open(NAME)
    user.select_signature("blob")
    user.browser.run("document.querySelector('.switch input').click()")
    user.fill(0, "AP8=")
    user.click("Add a row")
    assert user.fields() == ["AP8=", "AP8="]
    user.fill(1, "YQ")
    [answer] = user.send()
    by_name = [dict(zip(answer["head"], row, strict=True)) for row in answer["rows"]]
    assert [row["size"] for row in by_name] == ["2", "1"]
    assert by_name[0]["blob_bytes"].endswith("base64")
    user.browser.run("document.querySelector('[aria-label=\"remove row 1\"]').click()")
    assert user.fields() == ["YQ"]


@pytest.mark.parametrize(
    ("model", "signature", "reason"),
    [
        (NAME, "rare_types", "Input bf16 has the type DT_BFLOAT16, which JSON cannot express"),
        (OTHER, "no_inputs", "This signature has no inputs"),
        (OTHER, "ragged_in", "Input r is a sparse or ragged tensor"),
        (OTHER, "sparse_in_and_plain", "Input sp is a sparse or ragged tensor"),
    ],
)
def test_signature_that_rest_cannot_call(user, model, signature, reason):
    user.open(model)
    user.select_signature(signature)
    assert user.text("form .note").startswith(reason)
    assert not user.browser.run("document.querySelector('.actions').checkVisibility()")


def test_invalid_field_is_explained_and_nothing_is_sent(user, chromium):
    user.open(NAME)
    user.select_signature("matrix")
    user.click("Add a row")
    user.fill(2, "[1, 2]")
    chromium.run("document.querySelector('form').requestSubmit()")
    described = chromium.run(
        "document.getElementById(document.activeElement.getAttribute('aria-describedby')).textContent"
    )
    assert described == "expected a JSON list of the shape [3], got the shape [2]"
    assert chromium.run("document.querySelectorAll('[aria-invalid]').length") == 1
    user.fill(2, "[1, 2, 3]")
    user.send()
    assert user.requests(":predict") == 1
    assert not chromium.run("document.querySelectorAll('[aria-invalid]').length")


def test_error_of_the_server_is_text(user, chromium):
    user.open(NAME)
    user.select_signature("classify")
    user.fill(0, '{"other": 1}')
    [answer] = user.send()
    assert answer["status"] == "400 Bad Request"
    assert "Feature: x (data type: float) is required" in answer["failure"]
    hostile = "<img src=x onerror=alert(1)>"
    for body in ({"error": hostile}, {"predictions": hostile}, {"results": [[[hostile, 1]]]}):
        status = 500 if "error" in body else 200
        reply = f"new Response({json.dumps(json.dumps(body))}, {{status: {status}}})"
        chromium.run(f"void (window.fetch = async () => {reply})")
        [answer] = user.send()
        assert hostile in chromium.run("document.querySelector('.content').textContent")
    assert chromium.run("document.querySelectorAll('img').length") == 0
    with pytest.raises(AssertionError, match="TrustedHTML"):
        chromium.run("document.body.innerHTML = '<img src=x>'")


@system.needs("curl")
def test_copied_command_makes_the_same_call(user):
    user.open(NAME)
    user.fill(0, "it's 1+2\n$(x) \\")
    user.select("send to", "label stable")
    [answer] = user.send()
    command = ["bash", "-c", f"{answer['curl']} -s"]
    printed = subprocess.run(command, capture_output=True, check=True)
    assert json.loads(printed.stdout) == json.loads(answer["json"])


def test_last_calls_are_kept_and_repeated(user, chromium):
    user.open(NAME)
    user.click("Clear")
    user.select("send to", "every")
    user.fill(0, "1+2")
    assert [answer["title"] for answer in user.send(2)] == ["version 2", "version 1"]
    user.open(OTHER)  # loads the page again
    calls = "[...document.querySelectorAll('.calls li')].map(call => call.textContent)"
    assert len(chromium.run(calls)) == 2
    assert all('{"inputs": {"questions": ["1+2"]}}' in call for call in chromium.run(calls))
    chromium.run("document.querySelector('.calls li:last-child button').click()")
    [answer] = user.answers()
    assert answer["rows"][0][:2] == ["1+2", "3"]
    assert user.text("h2") == NAME
    assert len(chromium.run(calls)) == 3
    stale = "JSON.stringify([{model: 'gone', body: '{}', took: 1, at: 1, status: '200'}])"
    chromium.run(f"sessionStorage.setItem('model-server-calls', {stale})")
    user.open(NAME)
    user.click("Repeat")
    chromium.wait_for(
        "document.querySelector('.history .problem').textContent.includes('no longer')"
    )


def test_link_fills_in_a_call(user):
    link = '?to=label%20stable&body={"inputs":{"questions":["1+2","%2525"]}}'
    user.open(NAME, link)
    user.browser.wait_for("location.hash.indexOf('?') < 0")
    user.browser.wait_for("document.querySelectorAll('.row').length == 2")
    assert user.fields() == ["1+2", "%25"]
    assert user.requests(":predict") == 0  # a link never sends
    assert user.send()[0]["title"] == "label stable, version 1"
    user.open("nobody", link)
    assert user.fields() == ["text"]  # another model is shown, without that call


def test_models_are_switched_without_losing_what_was_typed(user, chromium):
    user.open(NAME)
    user.fill(0, "typed")
    chromium.run("document.querySelector('nav li:last-child a').focus()")
    chromium.press("Enter")
    chromium.wait_for(f"document.querySelector('h2').textContent == '{OTHER}'")
    current = "[...document.querySelectorAll('nav [aria-current]')].map(each => each.textContent)"
    assert chromium.run(current) == [OTHER]
    assert chromium.run("document.activeElement.textContent") == OTHER
    chromium.run("history.back()")
    chromium.wait_for(f"document.querySelector('h2').textContent != '{OTHER}'")
    assert user.fields() == ["typed"]


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_cut_off(user, chromium, width):
    user.open(NAME, width=width, dark=width == 360)
    user.select_signature("types")
    user.send()
    assert chromium.run("document.documentElement.scrollWidth") == width
    outside = f"""[...document.querySelectorAll('main *')].filter(each =>
      !each.closest('.scroll, svg, .unseen') && each.getBoundingClientRect().right > {width})"""
    assert chromium.run(f"{outside}.length") == 0


def test_new_version_and_its_failure_appear(user, chromium, base):
    user.open(NAME)
    assert chromium.run(ROWS) == [
        ["2", "AVAILABLE", "unlabelled calls"],
        ["1", "AVAILABLE", "stable"],
    ]
    assert "version 2. The highest AVAILABLE version answers them." in user.text(".route")
    assert "<b>lost \u2192 version 8" in user.text(".broken")
    user.fill(0, "typed")
    shutil.copytree(FIXTURE / "7", base.parent / "staged")  # a broken one
    (base.parent / "staged").rename(base / "7")
    chromium.wait_for("document.querySelector('[data-version=\"7\"] .error') !== null")
    number, state, error = chromium.run(ROWS)[0]
    assert (number, state) == ("7", "END, failed")
    assert "Read less bytes than requested" in error
    assert user.text(".route").endswith("answers them; version 7 failed to load.")
    assert user.fields() == ["typed"]


@pytest.mark.usefixtures("fast_timers")
def test_lost_connection_is_shown(user, chromium):
    user.open()
    chromium.wait_for("document.getElementById('live').textContent == 'live'")
    chromium.go_offline()
    try:
        chromium.wait_for("document.getElementById('live').className == 'lost'")
        assert "No answer from the server" in user.send()[0]["failure"]
    finally:
        chromium.go_offline(offline=False)
    chromium.wait_for("document.getElementById('live').textContent == 'live'")


@pytest.mark.usefixtures("fast_timers")
def test_page_without_focus_sends_nothing(user, chromium):
    def polls():
        before = user.requests("models.json")
        time.sleep(0.4)  # seven polls
        return user.requests("models.json") - before

    user.open(NAME)
    assert polls() >= 3
    with chromium.in_another_tab():
        chromium.wait_for("document.hidden")
        assert polls() <= 1  # in flight
        assert polls() == 0
        assert user.text("#live") == "paused without focus"
    chromium.wait_for("document.getElementById('live').textContent == 'live'")
    assert polls() >= 3
    chromium.run("document.hasFocus = () => false; void dispatchEvent(new Event('blur'))")
    assert polls() <= 1
    assert polls() == 0  # visible, but another window has the focus
