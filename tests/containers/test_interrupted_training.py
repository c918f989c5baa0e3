"""The service `train`, killed in the middle of its training and started again."""

from __future__ import annotations

import stat

import pytest
from containers.project import Project
from containers.run import step, until


@pytest.fixture
def project(empty_project):
    return empty_project


def test_training_continues_from_its_checkpoint(project):
    run, base = project.models / ".training", project.models / "seq2sum"
    with step("train until there is a checkpoint, and kill"):
        project.compose("up", "--detach", "train")
        until((run / "checkpoint.npz").exists, interval=0.05, what="a checkpoint")
        project.compose("kill", "train")
    assert not base.exists()
    assert not (run / "model.keras").exists()
    with step("train again"):
        project.compose("up", "--exit-code-from", "train", "train")
    assert "fill-models: continuing the training that was interrupted" in project.output("train")
    assert [path.name for path in base.iterdir()] == ["1"]
    assert not run.exists()


def test_clone_that_only_the_owner_can_read_is_reported(engine, tmp_path):
    """`umask 077` makes such clones; servers run as another user, and could not read them."""
    with Project(engine, tmp_path) as private:
        for path in [private.models, *(private.folder / "serving" / "config").rglob("*")]:
            path.chmod(stat.S_IMODE(path.stat().st_mode) & 0o700)
        done = private.compose("up", "--exit-code-from", "train", "train", check=False)
        assert done.returncode != 0
        assert private.output("train") == (
            "fill-models: servers run as another user and cannot read /models: "
            "run on the host: chmod -R go+rX models serving\n"
        )
