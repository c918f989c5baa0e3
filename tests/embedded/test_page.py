"""The page at `/` of the REST port, in a real browser."""

from __future__ import annotations

import shutil

import pytest
from conformance.case import FIXTURE
from support import browser, servers, system

pytestmark = [pytest.mark.embedded, pytest.mark.server, system.needs("chromium")]

READY = "document.querySelector('.ask[data-ready]') !== null"
ANSWERS = """[...document.querySelectorAll('.answer .result:not(.quiet)')].map(
  element => element.textContent)"""
ROWS = """[...document.querySelectorAll('.versions li')].map(row =>
  [row.dataset.version, ...row.querySelectorAll('.state, .label, .error')].map(
    part => part.textContent ?? part))"""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A base path with two good versions."""
    base = tmp_path_factory.mktemp("page") / "fixture"
    for version in ("1", "2"):
        shutil.copytree(FIXTURE / version, base / version)
    return base


@pytest.fixture(scope="module")
def server(base):
    config = base.parent / "models.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "<i>name & markup" base_path: "{base}" '
        'model_platform: "tensorflow" model_version_policy { all {} } '
        'version_labels { key: "stable" value: 1 } } }'
    )
    flags = ["--allow_version_labels_for_unavailable_models=true", "--max_num_load_retries=0"]
    server = servers.Server.launch(
        None, base.parent, config=config, flags=flags, rest=True, forked=True
    )
    try:
        yield server.wait_until_open()
    finally:
        server.stop()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    assert browser.EXECUTABLE, f"Chromium is missing: {system.INSTALL_COMMAND}"
    chromium = browser.Browser(tmp_path_factory.mktemp("browser"))
    yield chromium
    chromium.close()


def focus(chromium, selector):
    chromium.run(f"document.querySelector({selector!r}).focus()")


def fill_in_json(chromium, text):
    """Selects the signature `scalar` and types its inputs."""
    chromium.run("document.querySelector('select').value = 'scalar'")
    chromium.run("document.querySelector('select').dispatchEvent(new Event('change'))")
    focus(chromium, "textarea")
    chromium.run("document.querySelector('textarea').select()")
    chromium.type(text)


def test_question_is_answered_by_every_version(server, chromium):
    chromium.open(server.url)
    chromium.wait_for(READY)
    assert chromium.run("document.querySelector('h2').textContent") == "<i>name & markup"
    focus(chromium, "input")
    chromium.type("20+22")
    chromium.press("Enter")
    assert chromium.wait_for(f"({ANSWERS}).length == 2 && {ANSWERS}") == ["42", "42"]
    chromium.wait_for("document.querySelector('tr[data-api=predict]') !== null")
    assert chromium.messages == []


def test_any_signature_takes_json(server, chromium):
    chromium.open(server.url, width=390, dark=True)
    chromium.wait_for(READY)
    fill_in_json(chromium, '{"text": "<b>"}')
    for key in ("Tab", "Enter"):  # to the button, and on it
        chromium.press(key)
    replies = "[...document.querySelectorAll('.answer pre')].map(element => element.textContent)"
    found = chromium.wait_for(f"({replies}).length == 2 && {replies}")
    assert found == ['"v2:<B>"', '"v1:<B>"']
    assert chromium.run("document.documentElement.scrollWidth") == 390


def test_error_of_the_server_is_shown(server, chromium):
    chromium.open(server.url)
    chromium.wait_for(READY)
    fill_in_json(chromium, "{nope")
    chromium.run("document.querySelector('form').requestSubmit()")
    error = chromium.wait_for("document.querySelector('.failure')?.textContent")
    assert "JSON Parse error" in error


def test_new_version_and_its_failure_appear(server, chromium, base):
    chromium.open(server.url)
    chromium.wait_for(f"({ROWS}).length == 2")
    assert chromium.run(ROWS) == [["2", "AVAILABLE"], ["1", "AVAILABLE", "stable"]]
    shutil.copytree(FIXTURE / "7", base.parent / "staged")  # a broken one
    (base.parent / "staged").rename(base / "7")
    chromium.wait_for("document.querySelector('[data-version=\"7\"] .error') !== null")
    number, state, error = chromium.run(ROWS)[0]
    assert (number, state) == ("7", "END, failed")
    assert "Read less bytes than requested" in error


def test_lost_connection_is_shown(server, chromium):
    chromium.open(server.url)
    chromium.wait_for("document.getElementById('live').textContent == 'live'")
    chromium.go_offline()
    chromium.wait_for("document.getElementById('live').className == 'live lost'")
    chromium.go_offline(offline=False)
    chromium.wait_for("document.getElementById('live').textContent == 'live'")
