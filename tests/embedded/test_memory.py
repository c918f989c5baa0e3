"""Memory after calls that TensorFlow had to break off, in a server as a user starts it."""

from __future__ import annotations

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
"""The shortest that TensorFlow is told."""
STEPS = 10**6
"""Of the `slow` signature, each with a product of 100 kB: more than any timeout has time for."""
MOST_MEGABYTES = 1.5
"""For 80 calls, of which TensorFlow itself keeps 0.06. With caches of threads it is 5."""


@pytest.fixture
def server(tmp_path):
    config = tmp_path / "models.config"
    config.write_text(CONFIG)
    server = Server.launch(None, tmp_path, config=config, flags=[TIMEOUT], rest=True)
    try:
        yield server.wait_until_open()
    finally:
        server.stop()


def break_off(server, count):
    """So many calls, one after the other, that run out of time in the middle of a graph."""
    body = json.dumps({"signature_name": "slow", "inputs": [STEPS]})
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=60)
    for _ in range(count):
        connection.request("POST", "/v1/models/m:predict", body)
        reply = connection.getresponse()
        assert (reply.status, b"Timed out" in reply.read()) == (504, True)
    connection.close()


@pytest.mark.embedded
def test_calls_that_run_out_of_time_in_a_graph_leave_no_holes_in_memory(server):
    def resident():
        return process_stats(server.process.pid).resident

    break_off(server, 20)  # by now all threads are there, and the graph is prepared
    before = resident()
    break_off(server, 80)
    assert resident() - before < MOST_MEGABYTES


@pytest.mark.skipif(sys.platform != "linux", reason="there is no glibc elsewhere")
@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("", "glibc.malloc.tcache_count=0"),
        ("glibc.malloc.arena_max=1", "glibc.malloc.arena_max=1:glibc.malloc.tcache_count=0"),
        ("glibc.malloc.tcache_count=7", "glibc.malloc.tcache_count=7"),
        ("glibc.malloc.tcache_count=0", "glibc.malloc.tcache_count=0"),
    ],
)
def test_threads_cache_nothing_unless_somebody_said_otherwise(given, wanted):
    assert memory.without_caches(given) == wanted
