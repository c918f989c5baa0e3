"""Two models are rolled out at the same time, through the files of both groups."""

from __future__ import annotations

import json
import shutil

import pytest
import seq2sum
from seq2sum_serving.deployment.errors import Exit
from seq2sum_serving.deployment.model_config_file import ModelConfigFile
from support.deployed import Deployed

pytestmark = [pytest.mark.tensorflow, pytest.mark.server]

GOOD, BAD = "good", "bad"
"""The models, by what their new versions are."""


@pytest.fixture(scope="module")
def deployed(small_version, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two_models")
    with Deployed(folder, small_version, model=GOOD) as opened:
        base = folder / "models" / BAD
        shutil.copytree(small_version, base / "1")
        entry = f'config {{ name: "{BAD}" base_path: "{base}" model_platform: "tensorflow" }}'
        opened.edit(opened.text(other=entry))
        opened.start()
        opened.start_candidate()
        yield opened
        opened.candidate.stop()


def test_two_models_share_a_candidate_group(deployed, small_version, shuffled_version):
    for model in (GOOD, BAD):
        promoted = deployed.rollout("promote", "1", "--model", model)
        assert promoted.code == Exit.DONE, promoted.text
    versions = {GOOD: small_version, BAD: shuffled_version}
    runs = {
        model: deployed.start_rollout("run", version, "--model", model)
        for model, version in versions.items()
    }
    errors = {model: run.communicate(timeout=120)[1] for model, run in runs.items()}
    assert runs[GOOD].returncode == Exit.DONE, errors[GOOD]
    assert runs[BAD].returncode == Exit.FAILED, errors[BAD]
    assert "golden: " in errors[BAD]
    for model, stable in ((GOOD, 2), (BAD, 1)):
        status = deployed.status_of(model)
        assert (status["stable"], status["drift"]) == (stable, [])
        assert status["candidate_group"]["drift"] == []
        group = ModelConfigFile(deployed.folder / "candidate.config", model).read()
        assert (group.policy.versions, group.labels["stable"]) == ({stable}, stable)
        with seq2sum.ModelClient(deployed.targets, model=model) as client:
            assert client.describe().version == stable
        events = (deployed.folder / f"{model}.rollouts.jsonl").read_text().splitlines()
        assert {json.loads(line)["model"] for line in events} == {model}
