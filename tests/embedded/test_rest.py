"""The REST API called by curl; tests/conformance covers the content of replies."""

from __future__ import annotations

import json
import subprocess

import pytest
from conformance.case import FIXTURE
from support import servers, system

CONFIG = """
model_config_list {{
  config {{
    name: "fixture" base_path: "{base}" model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
    version_labels {{ key: "stable" value: 1 }}
  }}
}}
"""

pytestmark = [pytest.mark.server, system.needs("curl")]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """URL of a model with two versions, one of them labelled `stable`."""
    folder = tmp_path_factory.mktemp("rest")
    config = folder / "models.config"
    config.write_text(CONFIG.format(base=FIXTURE))
    server = servers.Server.launch(
        None,
        folder,
        config=config,
        flags=["--allow_version_labels_for_unavailable_models=true"],
        rest=True,
        forked=True,
    )
    try:
        yield f"{server.wait_until_open().url}/v1/models/fixture"
    finally:
        server.stop()


def curl(*arguments, body=None):
    """Runs curl; returns the HTTP status and the body, parsed if it is JSON."""
    command = ["curl", "--silent", "--show-error", "--write-out", "\n%{http_code}", *arguments]
    if body is not None:
        command += ["--data-binary", "@-"]
    done = subprocess.run(command, input=body, capture_output=True, check=True, timeout=60)
    text, _, status = done.stdout.decode().rpartition("\n")
    try:
        return int(status), json.loads(text)
    except json.JSONDecodeError:
        return int(status), text


def predict(url, **document):
    return curl(f"{url}:predict", body=json.dumps(document).encode())


def test_versions_and_labels(url):
    for path, confidence in (
        ("", 0.25),
        ("/versions/2", 0.25),
        ("/versions/1", 0.125),
        ("/labels/stable", 0.125),
    ):
        status, reply = predict(url + path, instances=["1+1"])
        assert (status, reply["predictions"][0]["confidence"]) == (200, confidence)
    for path in ("/versions/9", "/labels/nope"):
        assert predict(url + path, instances=["1+1"])[0] in (400, 404)


def test_large_chunked_body(url):
    body = json.dumps({"instances": ["1+1"] * 20_000}).encode()
    status, reply = curl(f"{url}:predict", "--header", "Transfer-Encoding: chunked", body=body)
    assert (status, len(reply["predictions"])) == (200, 20_000)


def test_connection_is_reused(url):
    done = subprocess.run(
        ["curl", "--silent", "--write-out", "%{stderr}%{num_connects} ", url, url],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == b"1 0 "


def test_aborted_call_does_not_affect_others(url):
    slow = json.dumps({"signature_name": "slow", "inputs": [20_000]}).encode()
    with pytest.raises(subprocess.CalledProcessError):
        curl("--max-time", "0.3", f"{url}:predict", body=slow)
    assert predict(url, instances=["1+1"])[0] == 200


@pytest.mark.embedded
def test_port_in_use_ends_the_server_with_an_error(url, tmp_path):
    port = url.split(":")[2].split("/")[0]
    server = servers.Server.launch(
        FIXTURE, tmp_path, flags=[f"--rest_api_port={port}"], forked=True
    )
    try:
        code, line = server.wait_for_exit()
    finally:
        server.stop()
    assert code != 0
    assert "--rest_api_port" in line
