"""A rolling update under traffic: real servers with the manifest's flags, killed at the end."""

from __future__ import annotations

import shutil
import time

import pytest
import seq2sum
from deploy.balancing_load import Load
from deploy.kubernetes_manifests import overlay, server
from deploy.kubernetes_pods import Cluster
from deploy.kubernetes_times import Times
from support.paths import ROOT

CONNECTION, CALL = 1.0, 2.0
"""Seconds: the maximum age of a connection, which sets the scale of all other times, and the
longest call, which is not scaled because a busy machine is slow."""
TIMEOUT = 30


@pytest.fixture
def models(tiny_version, tmp_path):
    """A model volume with version 1 and the initial model config file."""
    volume = tmp_path / "models"
    shutil.copytree(tiny_version, volume / "seq2sum" / "1")
    first = (ROOT / "serving" / "config" / "models.config").read_text()
    (volume / "models.config").write_text(first.replace('"/models/', f'"{volume}/'))
    return volume


@pytest.mark.embedded
def test_a_rolling_update_fails_no_call_but_a_kill_without_pre_stop_does(models, tmp_path):
    container = server(overlay("production"))
    times = Times.of(container).shortened(connection=CONNECTION, longest_call=CALL)
    with Cluster(container, models=models, folder=tmp_path, times=times) as cluster:
        cluster.start(2)
        lookup = ("grpc.dns_min_time_between_resolutions_ms", round(times.lookup * 1000))
        no_retry = seq2sum.Retry(max_attempts=1)  # retries would hide failed calls
        with Load(cluster.target, retry=no_retry, channel_options=[lookup]) as load:
            load.next_calls(100)
            for termination in cluster.roll():
                termination.result(TIMEOUT)
            load.next_calls(100)
            assert not load.failed, load.summary

            cluster.pods[0].kill()
            deadline = time.monotonic() + TIMEOUT
            while not load.failed:
                assert time.monotonic() < deadline, "this test would not notice a failure"
                time.sleep(0.01)


def test_all_times_but_the_longest_call_are_scaled():
    times = Times(connection=60, longest_call=30, dns=35, lookup=2, pre_stop=140)
    assert times.longest_use == 133
    short = times.shortened(connection=6, longest_call=3)
    assert short == Times(connection=6, longest_call=3, dns=3.5, lookup=0.2, pre_stop=14)
    assert times.shortened(connection=6, longest_call=5).pre_stop == 16
