"""The weights that the probe exports: those of the router in use."""

from __future__ import annotations

import pytest
from seq2sum_serving.deployment.errors import UsageError
from seq2sum_serving.deployment.routers.envoy_routes import render
from seq2sum_serving.deployment.routers.router import Shares
from seq2sum_serving.deployment.traffic import TrafficFile
from seq2sum_serving.probe.model_prober import ModelFiles


@pytest.fixture
def files(tmp_path):
    traffic, routes = tmp_path / "m.traffic.json", tmp_path / "m.routes.json"
    return ModelFiles(None, None, TrafficFile(traffic), routes, None)


def test_weights_are_those_of_callers_without_envoy(files):
    assert files.weights() == {"stable": 100}
    files.traffic.path.write_text('{"stable": 90, "candidate:8500": 10}')
    assert files.weights() == {"stable": 90, "candidate:8500": 10}


def test_weights_are_those_of_envoy_if_it_has_a_file(files):
    files.traffic.path.write_text('{"stable": 100}')
    files.routes.write_text(render(Shares(candidate=5.0, mirror=10.0)))
    assert files.weights() == {"stable": 95, "canary": 5}
    files.routes.write_text(render(Shares()))
    assert files.weights() == {"stable": 100}
    files.routes.write_text("{}")
    with pytest.raises(UsageError, match=r"invalid routes .*m\.routes\.json"):
        files.weights()
