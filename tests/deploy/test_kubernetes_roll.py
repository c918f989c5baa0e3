"""A roll of the pods under traffic: real servers with the manifest's flags, killed as they go."""

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
"""Seconds that a connection lives here; all other times of the manifest are shortened with it. But
a call may take this long where other work takes the processors for a while."""
LONGEST = 30
"""Seconds until what has to happen has happened."""


@pytest.fixture
def models(small_version, tmp_path):
    """A model volume with version 1, and with the first file of record."""
    volume = tmp_path / "models"
    shutil.copytree(small_version, volume / "seq2sum" / "1")
    first = (ROOT / "serving" / "config" / "models.config").read_text()
    record = first.replace('"/models/', f'"{volume}/')
    (volume / "models.config").write_text(record)
    return volume


def ask_all_the_time(cluster, times):
    """Callers that notice every call that is cut: nothing is asked a second time."""
    pause = ("grpc.dns_min_time_between_resolutions_ms", round(times.look_up * 1000))
    return Load(cluster.target, retry=seq2sum.Retry(max_attempts=1), channel_options=[pause])


@pytest.mark.embedded
def test_a_roll_of_the_pods_fails_no_call_and_without_the_wait_it_would(models, tmp_path):
    container = server(overlay("production"))
    times = Times.of(container).shortened(connection=CONNECTION, longest_call=CALL)
    with Cluster(container, models=models, folder=tmp_path, times=times) as cluster:
        cluster.start(2)
        with ask_all_the_time(cluster, times) as load:
            load.some(100)
            for end in cluster.roll():
                end.result(LONGEST)
            load.some(100)
            assert not load.failed, load.told

            cluster.pods[0].kill()  # with no wait at all
            deadline = time.monotonic() + LONGEST
            while not load.failed:
                assert time.monotonic() < deadline, "this test would not notice a failure"
                time.sleep(0.01)


def test_times_are_shortened_all_alike_but_for_calls():
    times = Times(connection=60, longest_call=30, told=35, look_up=2, waits=140)
    assert times.known == 133
    short = times.shortened(connection=6, longest_call=3)
    assert short == Times(connection=6, longest_call=3, told=3.5, look_up=0.2, waits=14)
    assert times.shortened(connection=6, longest_call=5).waits == 16
