"""Memory of a server after calls that timed out inside a graph."""

from __future__ import annotations

import gc
import http.client
import json
import sys
from pathlib import Path

import pytest
from seq2sum_serving.embedded import memory
from support.servers import Server

from benchmarks.support.process_stats import process_stats

FIXTURE = Path(__file__).parents[1] / "conformance" / "fixture"
CONFIG = (
    f'model_config_list {{ config {{ name: "m" base_path: "{FIXTURE}" model_platform: "tensorflow" '
    "model_version_policy { specific { versions: 1 } } } }"
)
TIMEOUT = "--rest_api_timeout_in_ms=16"
"""The shortest timeout that TensorFlow gets: `inference/callables.py` rounds up to it."""
STEPS = 10**6
"""Steps of the `slow` signature, each with a product of 100 kB: too many for the timeout."""
MAX_MEGABYTES = 1.5
"""For 80 calls, after which TensorFlow itself keeps 0.06 MB. With thread caches it is 5 MB."""


@pytest.fixture
def server(tmp_path):
    config = tmp_path / "models.config"
    config.write_text(CONFIG)
    server = Server.launch(None, tmp_path, config=config, flags=[TIMEOUT], rest=True)
    try:
        yield server.wait_until_open()
    finally:
        server.stop()


def time_out(server, count):
    """Makes calls, one after the other, that time out inside the graph."""
    body = json.dumps({"signature_name": "slow", "inputs": [STEPS]})
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=60)
    for _ in range(count):
        connection.request("POST", "/v1/models/m:predict", body)
        reply = connection.getresponse()
        assert (reply.status, b"Timed out" in reply.read()) == (504, True)
    connection.close()


@pytest.mark.server
@pytest.mark.embedded
def test_timeouts_inside_a_graph_do_not_fragment_memory(server):
    def resident():
        return process_stats(server.process.pid).resident

    time_out(server, 20)  # starts all threads, and prepares the graph
    before = resident()
    time_out(server, 80)
    assert resident() - before < MAX_MEGABYTES


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is used on Linux only")
@pytest.mark.parametrize(
    ("tunables", "expected"),
    [
        ("", "glibc.malloc.tcache_count=0"),
        ("glibc.malloc.arena_max=1", "glibc.malloc.arena_max=1:glibc.malloc.tcache_count=0"),
        ("glibc.malloc.tcache_count=7", "glibc.malloc.tcache_count=7"),
        ("glibc.malloc.tcache_count=0", "glibc.malloc.tcache_count=0"),
    ],
)
def test_thread_caches_are_turned_off_unless_they_are_set(tunables, expected):
    assert memory.without_thread_caches(tunables) == expected


def test_collections_resume_after_a_pause():
    with memory.collections_paused():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), memory.collections_paused():
        raise ImportError
    assert gc.isenabled()
