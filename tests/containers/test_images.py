"""The images of this repository: what a change of the source costs, and no GPU libraries."""

from __future__ import annotations

import shutil

import pytest
from containers import images
from containers.run import step
from deploy import compose_file
from support.paths import ROOT

CHANGED = {
    "embedded": "serving/src/seq2sum_serving/embedded/cli.py",
    "train": "training/src/seq2sum_training/cli.py",
    "rollout": "serving/src/seq2sum_serving/rollout/cli.py",
}
PACKAGES = "COPY /opt/seq2sum /opt/seq2sum"
"""The layer of third-party packages."""
MOST_BYTES = 8_000_000
PROJECT = "seq2sum-check-changed"


@pytest.fixture(scope="module")
def changed(engine, tmp_path_factory):
    """Tags of images built from sources with one more line."""
    folder = tmp_path_factory.mktemp("sources")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for part in ("client", "training", "serving"):
        shutil.copytree(ROOT / part, folder / part, ignore=ignored)
    shutil.copy(ROOT / ".dockerignore", folder)
    for path in CHANGED.values():
        with (folder / path).open("a") as file:
            file.write("\n# One more line.\n")
    with step("images after a change of the source"):
        for service in images.OURS:
            file = folder / compose_file.services()[service]["build"]["dockerfile"]
            tag = f"{PROJECT}/{service}"
            engine.docker("buildx", "build", "--tag", tag, "--file", file, folder)
    yield {service: f"{PROJECT}/{service}" for service in images.OURS}
    engine.docker("rmi", *(f"{PROJECT}/{service}" for service in images.OURS), check=False)


@pytest.mark.parametrize("service", images.OURS)
def test_a_change_of_the_source_keeps_the_layer_of_packages(engine, changed, service):
    before, after = (
        engine.inspect(name)[0]["RootFS"]["Layers"]
        for name in (images.of_service(service), changed[service])
    )
    listed = engine.docker(
        *("history", "--no-trunc", "--human=false", "--format={{.Size}} {{.CreatedBy}}"),
        changed[service],
    ).stdout.splitlines()
    [packages] = [number for number, line in enumerate(listed) if PACKAGES in line]
    above = [line for line in listed[:packages] if "COPY" in line]
    assert after[: -len(above)] == before[: -len(above)]
    assert after != before
    assert sum(int(line.split()[0]) for line in listed[:packages]) < MOST_BYTES


@pytest.mark.parametrize("service", ["embedded", "train"])
def test_the_image_has_no_libraries_for_gpus_and_no_headers(engine, service):
    look = "find /opt/seq2sum -name 'nvidia*' -o -name '*cuda*.so*' -o -path '*/tensorflow/include'"
    line = ("run", "--rm", "--network=none", "--entrypoint", "sh", images.of_service(service))
    assert engine.docker(*line, "-c", look).stdout == ""


def test_the_server_of_the_image_reports_its_versions(engine):
    image = images.of_service("embedded")
    printed = engine.docker("run", "--rm", "--network=none", image, "--version")
    assert "TensorFlow Library: 2.21.0" in printed.stdout + printed.stderr
